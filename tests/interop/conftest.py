"""The servers that other people's clients are set on, and those clients.

One server on a high port; one on port 123 in a network of its own, for clients
that know no other port. Both drift against this machine's clock, which nobody sets.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from refclock.app.keys.certificates import make_ca, make_certificate
from tests.debian import MissingError
from tests.interop.busybox import busybox
from tests.interop.programs import CAGE, Program, program
from tests.rig.demo import ENDS_S, Demo, demo, query

BEYOND: Final = "10.99.0.1"
"""The server on port 123, for clients in another network than its own."""
KEYS: Final = """
1 MD5 HEX:B028F91EA5C38D06C2E140B26C7F41EC
2 SHA1 HEX:1DC764E0791B11FA67EFC7ECBC4B0D73F68A070C
3 SHA256 ASCII:a-secret-of-both-sides
4 SHA512 HEX:000102030405060708090A0B0C0D0E0F1011121314151617
5 AES128 HEX:2B7E151628AED2A6ABF7158809CF4F3C
6 AES256 HEX:603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4
"""
_NETWORK: Final = f"""
ip link set lo up
ip link add here type veth peer name there
ip addr add {BEYOND}/24 dev here
ip link set here up
exec "$@"
"""
_OWN_NETWORK: Final = ("unshare", "-n", "sh", "-ec", _NETWORK, "sh")
_UNLIMITED: Final = "server.rate_limit.enabled = false\n"
"""All clients here have one address, and the demo's own asks at the full rate."""


@dataclass(slots=True)
class Seen:
    """Between which offsets, server less us, the server was during a measurement."""

    low_s: float = field(default=0.0, init=False)
    high_s: float = field(default=0.0, init=False)

    def holds(self, offset_s: float, error_s: float) -> bool:
        """Whether a client that says this, ± that, agrees."""
        return self.low_s - error_s <= offset_s <= self.high_s + error_s


@dataclass(frozen=True, slots=True)
class Nts:
    """How to have keys of a server: it is `ntp.test`, 127.0.0.1 and ::1."""

    authority: Path
    port: int
    """For the key exchange."""


@dataclass(frozen=True, slots=True)
class Server:
    """A demo that serves, and the network it is in."""

    demo: Demo
    within: tuple[str, ...] = ()
    """What runs a client's command where the server can be heard."""
    nts: Nts | None = None

    @property
    def port(self) -> int:
        """On 127.0.0.1 and ::1."""
        return self.demo.port

    @contextmanager
    def watched(self, host: str = "127.0.0.1") -> Iterator[Seen]:
        """Ask it before and after what is done meanwhile."""
        seen = Seen()
        before = query(host, self.port, self.within)
        yield seen
        after = query(host, self.port, self.within)
        seen.low_s = min(each.offset_s - each.error_s for each in (before, after))
        seen.high_s = max(each.offset_s + each.error_s for each in (before, after))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """On a high port."""
    folder = tmp_path_factory.mktemp("demo")
    keys = folder / "keys"
    keys.write_text(KEYS)
    keys.chmod(0o600)
    ca = make_ca(folder / "nts", 2)
    made = make_certificate(folder / "nts", ["ntp.test", "127.0.0.1", "::1"], 2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        exchange = int(free.getsockname()[1])
    settings = f"""{_UNLIMITED}
keys.file = "{keys}"
[nts]
port = {exchange}
listen = ["127.0.0.1", "::1"]
certificate = "{made}"
key = "{made.with_suffix(".key")}"
"""
    with demo(folder, settings=settings) as running:
        running.await_stratum(1)
        yield Server(running, nts=Nts(ca, exchange))
        _ends_well(running)


@pytest.fixture(scope="session")
def server_123(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """On port 123."""
    if os.geteuid() != 0:
        pytest.skip("only root may make a network and use port 123 in it")
    for tool in ("unshare", "nsenter", "ip"):
        if not shutil.which(tool):
            pytest.skip(f"there is no {tool} here")
    folder = tmp_path_factory.mktemp("demo-123")
    within = (*_OWN_NETWORK, *CAGE)
    settings = f'{_UNLIMITED}[[server.listener]]\naddresses = ["{BEYOND}"]\n'
    with demo(folder, port=123, settings=settings, within=within) as running:
        running.await_stratum(1)
        yield Server(running, ("nsenter", "-t", str(running.pid), "-n"))
        _ends_well(running)


@pytest.fixture(scope="session")
def unsynchronised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that never saw a fix; with the rate limit as shipped."""
    folder = tmp_path_factory.mktemp("cold")
    with demo(folder, "--scenario", "cold-sky") as running:
        running.await_stratum(16)
        yield Server(running)
        assert running.end().code == 0


@pytest.fixture(scope="session")
def had() -> Callable[[str], Program]:
    """The program of that name; where there is none the test is skipped, not in CI."""

    def get(name: str) -> Program:
        try:
            return busybox() if name == "busybox" else program(name)
        except MissingError as why:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no {name}: {why}")

    return get


def _ends_well(running: Demo) -> None:
    """What `query` was told was the truth: the demo knows, and says it at its end."""
    ending = running.end()
    assert (ending.code, ending.errors) == (0, "")
    assert ending.took_s < ENDS_S
    assert ending.figures["within_bound"] >= 0.9
    assert ending.figures["rms_s"] < 1e-3
