"""Runs in the guest: the clock of a network card, QEMU's igb (an Intel 82576)."""

from __future__ import annotations

import os
import time
from typing import Any, Final

from hw.abi.addresses import interfaces
from hw.abi.interface import Stamping, device_of, stamping
from hw.abi.ptp import PtpClock, carried, rate
from hw.abi.timex import ADJ_FREQUENCY, Timex, clock_adjtime
from hw.linux.pulse.phc import PhcPulse
from hw.net.hardware import any_card, switch_on
from refclock.board.wiring import WantedEdge
from tests.kernel.guest.refusal import refusal

CARD: Final = "eth1"
_NOBODY: Final = 65_534
_ALL_SENT_AND_RECEIVED: Final = Stamping(0, 0b10, 0b10)
_FREQUENCY_PER_PPM: Final = 65_536
"""clock_adjtime(2)."""


def found() -> dict[str, Any]:
    """What there is, by the interfaces' names."""
    told = {}
    for name in interfaces():
        try:
            told[name] = device_of(name)
        except OSError as error:
            told[name] = str(error)
    can = stamping(CARD)
    return {
        "devices": told,
        "sent": can.sent,
        "received": can.received,
        "any card": any_card(interfaces()),
    }


def crossed() -> list[dict[str, int]]:
    """Readings by each way the card has; how far apart, how sure, and how long."""
    clock = PtpClock(device_of(CARD), os.O_RDONLY)
    rows = []
    while True:
        began = time.monotonic_ns()
        cross = clock.cross()
        took = time.monotonic_ns() - began
        rows.append(
            {
                "left": len(clock._ways),
                "ahead": cross.card - cross.local,
                "doubt": cross.doubt,
                "took": took,
            }
        )
        if len(clock._ways) == 1:
            clock.close()
            return rows
        del clock._ways[0]


def steered(ppm: int) -> dict[str, Any]:
    """With the card's clock set to run that much faster: what we see of it.

    "astray": by how much, at most, a reading of it that was carried over lies outside
    of the two readings of our clock around it.
    """
    clock = PtpClock(device_of(CARD), os.O_RDWR)
    clock_id = ~clock.fileno() << 3 | 3
    _tune(clock_id, ppm)
    try:
        before = clock.cross()
        seen = []
        for _ in range(20):
            time.sleep(0.1)
            first = time.clock_gettime_ns(time.CLOCK_REALTIME)
            card = time.clock_gettime_ns(clock_id)
            seen.append((first, card, time.clock_gettime_ns(time.CLOCK_REALTIME)))
        after = clock.cross()
    finally:
        _tune(clock_id, 0)
        clock.close()
    ours, theirs = rate(before, after)
    off_by_seconds = [
        max(first - at, at - last, 0)
        for first, card, last in seen
        for at in (carried(card, before, after).ns,)
    ]
    return {"ppm": (theirs / ours - 1) * 1e6, "astray": max(off_by_seconds)}


def refusals() -> dict[str, str]:
    """A pulse on a pin it has not; packets it does not stamp; one without rights."""

    def pulse(device: str) -> str:
        return refusal(lambda: PhcPulse(device, "auto", 0, WantedEdge.AUTO))

    def stamps() -> str:
        try:
            switch_on(CARD, _ALL_SENT_AND_RECEIVED)
        except OSError as error:
            return str(error)
        raise AssertionError("it was not refused")

    told = {
        "by name": pulse(CARD),
        "by device": pulse(device_of(CARD)),
        "no clock": pulse("eth0"),
        "stamps": stamps(),
    }
    os.seteuid(_NOBODY)
    try:
        return told | {"device's rights": pulse(CARD), "rights": stamps()}
    finally:
        os.seteuid(0)


def _tune(clock: int, ppm: int) -> None:
    timex = Timex(modes=ADJ_FREQUENCY, freq=ppm * _FREQUENCY_PER_PPM)
    clock_adjtime(timex, clock)
