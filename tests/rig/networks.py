"""Two private networks with two cables between them, for sockets made in either.

Only root may make them; nothing leaves them.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

_CLONE_NEWNET: Final = 0x40000000
_OURS: Final = Path("/proc/thread-self/ns/net")
_libc = ctypes.CDLL(None, use_errno=True)

LINK_LOCAL: Final = "fe80::1"
"""The server's, on both cables; the client's is fe80::2."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network namespace, for as long as a process in it lives."""

    pid: int

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is in it; sockets made meanwhile stay in it."""
        with (
            _OURS.open("rb") as ours,
            Path(f"/proc/{self.pid}/ns/net").open("rb") as to,
        ):
            _enter(to.fileno())
            try:
                yield
            finally:
                _enter(ours.fileno())

    def ip(self, words: str) -> None:
        """`ip` in it."""
        command = ["nsenter", "-t", str(self.pid), "-n", "ip", *words.split()]
        subprocess.run(command, check=True)  # noqa: S603 - our own words


@contextmanager
def cabled() -> Iterator[tuple[Network, Network]]:
    """A server's network and a client's: eth0 and eth1 of the one are wired to those
    of the other. The server has 10.77.0.1/24 and 10.77.1.1/24, the client .2."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        pytest.skip("only root may make networks, with ip, unshare and nsenter")
    holders = [
        subprocess.Popen(["unshare", "-n", "sleep", "600"])  # noqa: S607
        for _ in range(2)
    ]
    try:
        server, client = (Network(holder.pid) for holder in holders)
        _wait_apart(server, client)
        for cable in (0, 1):
            name = f"eth{cable}"
            server.ip(f"link add {name} type veth peer name {name} netns {client.pid}")
            for host, network in ((1, server), (2, client)):
                network.ip(f"link set {name} addrgenmode none")
                network.ip(f"address add 10.77.{cable}.{host}/24 dev {name}")
                network.ip(f"address add fe80::{host}/64 dev {name} nodad")
                network.ip(f"link set {name} up")
        yield server, client
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()


def _wait_apart(*networks: Network) -> None:
    """Until each has left our network."""
    ours = os.readlink(_OURS)
    for network in networks:
        while os.readlink(f"/proc/{network.pid}/ns/net") == ours:
            time.sleep(0.001)


def _enter(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot enter that network")
