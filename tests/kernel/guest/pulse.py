"""Runs in the guest: our drivers on the pulse. Returns what JSON can carry."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any, Final

import gpiod

from hw.linux.clock import FreeClock, KernelClock
from hw.linux.pulse.gpio import open_gpio
from hw.linux.pulse.kernel import KernelPps, find, sources
from hw.linux.pulse.pin import open_pin
from refclock.board.ports import PpsLine
from refclock.board.wiring import WantedEdge
from refclock.drivers.latency import LatencyDriver
from refclock.published import ClockSnapshot
from refclock.timebase import MICROSECOND, MILLISECOND, SECOND, Duration, Local
from tests.fakes.published import right_at
from tests.kernel.guest.refusal import refusal

PULSE: Final = "/dev/pps0"
FREE: Final = "GPIO18"
"""The second line that the pulse is wired to."""
_WAKES_LATE_S: Final = 3e-3
_PATIENT: Final = 19
"""How nice."""


def kernel_edges(count: int) -> dict[str, Any]:
    """From the device that evidence finds."""
    candidates = list(sources())
    line = find(WantedEdge.AUTO, candidates)
    try:
        edges = edges_of(line, count)
        began = time.monotonic()
        late = line.wait(40 * MILLISECOND)
        waited_s = time.monotonic() - began
    finally:
        line.close()
    return {
        "candidates": candidates,
        "name": line.name,
        "edges": edges,
        "nothing_new": late is None,
        "waited_s": waited_s,
    }


def kernel_edge(limit_s: float) -> bool:
    """Does one come?"""
    line = KernelPps(PULSE)
    try:
        return line.wait(Duration.from_seconds(limit_s)) is not None
    finally:
        line.close()


def kernel_and_own_stamps(count: int, hogs: int) -> list[tuple[int, int]]:
    """Of so many pulses, the kernel's stamp and that of a patient program, which
    looks at the clock when it is woken, while `hogs` others compute."""
    idle = os.nice(0)
    compute = (sys.executable, "-c", "while True: pass")
    busy = [subprocess.Popen(compute) for _ in range(hogs)]
    line = KernelPps(PULSE)
    os.setpriority(os.PRIO_PROCESS, 0, _PATIENT)
    try:
        line.wait(3 * SECOND)
        stamps: list[tuple[int, int]] = []
        while len(stamps) < count:
            if flank := line.wait(3 * SECOND):
                stamps.append((flank.at.ns, time.time_ns()))
        return stamps
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, idle)
        line.close()
        for each in busy:
            each.kill()
            each.wait()


def watched(count: int) -> dict[str, Any]:
    """The second line by the daemon's own driver, in its narrow window: so many
    brackets, and within each the kernel's stamp of the same edge."""
    stamps: list[Local] = []
    brackets: list[tuple[int, int, int]] = []
    clock = FreeClock()
    pulse = KernelPps(PULSE)
    pin = open_pin(None, FREE, "auto")
    driver = LatencyDriver(pin, clock, lambda: _due_by(stamps, clock), _sleep)
    try:
        while len(brackets) < count:
            found = list(driver.poll())
            if flank := pulse.wait(SECOND):
                stamps.append(flank.at)
                brackets += [(b.low.ns, flank.at.ns, b.high.ns) for b in found]
    finally:
        driver.close()
        pulse.close()
    return {"name": pin.name, "brackets": brackets}


def _sleep(seconds: float) -> None:
    """Emulated, whoever sleeps wakes late by a millisecond and more."""
    time.sleep(max(0.0, seconds - _WAKES_LATE_S))


def _due_by(stamps: Sequence[Local], clock: FreeClock) -> ClockSnapshot:
    """A second begins with each pulse; before there were some, nothing is known."""
    phases = [at.ns % SECOND.ns for at in stamps[-5:]]
    return replace(
        right_at(*clock.read()),
        correction=Duration(-int(median(phases)) if phases else 0),
        bound=MICROSECOND if len(phases) > 2 else SECOND,
    )


def kernel_clear_edge() -> str:
    """pps-gpio with one wire tells rising edges only."""
    return refusal(lambda: KernelPps(PULSE, WantedEdge.CLEAR))


def gpio_edges(count: int) -> dict[str, Any]:
    """Of the free line, found by its name, on the chip found by its label."""
    with gpiod.Chip("/dev/gpiochip0") as chip:
        label = chip.get_info().label
    line = open_gpio(label, FREE, WantedEdge.AUTO, KernelClock())
    try:
        return {"name": line.name, "edges": edges_of(line, count)}
    finally:
        line.close()


def gpio_busy() -> str:
    """The line that pps-gpio holds."""
    clock = KernelClock()
    return refusal(lambda: open_gpio("auto", "GPS_PPS", WantedEdge.AUTO, clock))


def edges_of(line: PpsLine, count: int) -> list[tuple[int, int, str]]:
    """Sequence number, stamp and kind of so many."""
    edges: list[tuple[int, int, str]] = []
    while len(edges) < count:
        flank = line.wait(3 * SECOND)
        if flank is None:
            raise TimeoutError(f"{line.name}: {len(edges)} edges, then none in 3 s")
        edges.append((flank.seq, flank.at.ns, flank.edge.value))
    return edges
