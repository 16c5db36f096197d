"""The contract suite, run inside the guest on the guest's own ports.

It is what `pytest -m hardware tests/contract` does on a Pi: each promise of a port,
on the kernel's pulse and clock, on GPIO and the UART, on chips and a receiver on
the bus, on a serial port's carrier detect.
"""

from __future__ import annotations

from typing import Final

import pytest

from tests.kernel.machine import LiveGuest

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.usefixtures("skipped_hour"),  # it may begin: here all wait for pulses
]

WIRED: Final = {
    "byte_stream": {"overlays", "direct", "usb", "gnss"},
    "pps_line": {"overlays", "direct", "usb"},
    "housekeeping": {"overlays", "direct"},
    "pin": {"overlays"},
    "datagrams": {"udp4", "udp6"},
    "system_clock": {"real", "real-free", "real-kernel"},
}
"""Which of the guest's boards have such a port."""

Verdict = dict[str, str]


@pytest.fixture(scope="module")
def verdicts(booted: LiveGuest) -> list[Verdict]:
    """Of all its tests."""
    told: list[Verdict] = booted.call("contract.kept", limit_s=150)
    return told


@pytest.mark.parametrize("port", WIRED)
def test_the_guest_keeps_the_contract(verdicts: list[Verdict], port: str) -> None:
    assert_kept(verdicts, port)


def assert_kept(verdicts: list[Verdict], port: str) -> None:
    """No promise of the port is broken, and each was tried on each of the boards."""
    of_port = [each for each in verdicts if f"test_{port}.py" in each["test"]]
    passed = [each["test"] for each in of_port if each["outcome"] == "passed"]
    print("\n".join(f"{each['outcome']} {each['test']}" for each in of_port))
    assert not [each for each in of_port if each["outcome"] == "failed"]
    tried = {each["test"].partition("[")[0] for each in of_port}
    assert {test.partition("[")[0] for test in passed} == tried
    for board in WIRED[port]:
        assert any(board in test.partition("[")[2] for test in passed), board
