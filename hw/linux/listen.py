"""Opening the sockets to serve on: bound here, or handed over by systemd.

An error says what to do about it: who holds the port, or which right is missing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_RECEIVE_BUFFER: Final = 4 << 20
"""Bytes; the default holds 277 requests and overflows when we are held up."""
_SO_RCVBUFFORCE: Final = 33
_SD_LISTEN_FDS_START: Final = 3
_PROC: Final = Path("/proc")


def listen(addresses: Iterable[str], port: int) -> list[socket.socket]:
    """One bound UDP socket per address, or those that systemd passed to us.

    OSError says what is in the way. A machine without IPv6 has no `::`, which is
    then left out.
    """
    if sockets := list(_inherited()):
        return sockets
    with contextlib.ExitStack() as opened:
        for address in addresses:
            try:
                sockets.append(opened.enter_context(_bound(address, port)))
            except OSError as error:
                if address == "::" and sockets and error.errno in _NO_IPV6:
                    continue
                raise
        opened.pop_all()
    return sockets


_NO_IPV6: Final = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


def _bound(address: str, port: int) -> socket.socket:
    (family, _, _, _, place), *_ = socket.getaddrinfo(
        address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    )
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        make_room(made)
        made.bind(place)
    except OSError as error:
        made.close()
        raise OSError(error.errno, _advice(error, address, port)) from error
    return made


def make_room(bound: socket.socket) -> None:
    """Give it a receive buffer of 4 MiB, or as much of it as we may."""
    try:
        bound.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    except PermissionError:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)


def _inherited() -> Iterator[socket.socket]:
    """Sockets by socket activation, sd_listen_fds(3)."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return
    for fd in range(int(os.environ.get("LISTEN_FDS", "0"))):
        passed = socket.socket(fileno=_SD_LISTEN_FDS_START + fd)
        passed.set_inheritable(False)
        make_room(passed)
        yield passed


def _advice(error: OSError, address: str, port: int) -> str:
    where = f"UDP port {port} of {address}"
    if error.errno == errno.EADDRINUSE:
        holder = ", ".join(_holders(port)) or "another process"
        return f"{where} is taken by {holder}: stop that, or choose another port"
    if error.errno == errno.EACCES:
        return (
            f"{where}: not permitted; ports below 1024 need the capability"
            " CAP_NET_BIND_SERVICE (the systemd unit grants it)"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: this machine has no such address"
    return f"{where}: {error.strerror}"


def _holders(port: int) -> Iterator[str]:
    """Processes with a UDP socket on `port`, as far as /proc lets us see them."""
    inodes = {
        f"socket:[{fields[9]}]"
        for table in ("udp", "udp6")
        if (path := _PROC / "net" / table).exists()
        for fields in map(str.split, path.read_text().splitlines()[1:])
        if int(fields[1].rpartition(":")[2], 16) == port
    }
    for process in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(fd) in inodes for fd in (process / "fd").iterdir()):
                name = (process / "comm").read_text().strip()
                yield f"{name} (process {process.name})"
