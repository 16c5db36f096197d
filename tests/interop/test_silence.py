"""Who asks anything but the time gets nothing, and nobody gets more than he sent."""

from __future__ import annotations

import itertools
import socket
import sys
from collections.abc import Callable

import pytest

from tests.interop.conftest import Server
from tests.interop.programs import Program

pytestmark = pytest.mark.interop

_LENGTHS = (1, 8, 12, 47, 48, 72, 192, 1400)
_REQUEST = bytes([4 << 3 | 3]) + bytes(39) + b"asked at"


def test_no_control_or_private_message_is_answered(server: Server) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.connect(("127.0.0.1", server.port))
        asker.settimeout(2)
        for mode, version, code in itertools.product((6, 7), range(8), range(64)):
            first = bytes([version << 3 | mode, code, 3, code])
            for length in _LENGTHS:
                asker.send(first.ljust(length, b"\0")[:length])
            asker.send(_REQUEST)
            reply = asker.recv(2000)  # in order: nothing came before it
            assert reply[24:32] == b"asked at"
            assert len(reply) == len(_REQUEST)


def test_nmap_learns_no_more_than_the_time(
    server_123: Server, had: Callable[[str], Program]
) -> None:
    before = _refused(server_123)
    said = had("nmap").run(
        *("-n", "-Pn", "-sU", "-p", "123", "--script", "ntp-info,ntp-monlist"),
        "127.0.0.1",
        within=server_123.within,
        limit_s=40,
    )
    assert said.code == 0, said.text
    told = [line.strip("|_ ") for line in said.text.splitlines() if line[:1] == "|"]
    title, time = told
    assert title == "ntp-info:"
    assert time.startswith("receive time stamp: ")
    assert _refused(server_123) >= before + 2  # one of each script


def _refused(server: Server) -> int:
    status = server.demo.status()
    assert status
    counters: dict[str, int] = status["server"]
    return counters.get("mode_or_version", 0) + counters.get("malformed", 0)


def test_nothing_here_may_set_a_clock() -> None:
    """That these tests are safe to run is a test, too."""
    told = Program((sys.executable,), {}).run("-c", _RIGHTS)
    effective, bounding, no_more = map(int, told.text.split())
    assert not effective
    assert no_more or not bounding


_RIGHTS = """
status = dict(line.split(":") for line in open("/proc/self/status"))
for name in ("CapEff", "CapBnd"):
    print(int(status[name], 16) >> 25 & 1)
print(int(status["NoNewPrivs"]))
"""
