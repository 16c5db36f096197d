"""Runs in the guest: its clock steered by ours. Returns what JSON can carry."""

from __future__ import annotations

import time
from typing import Any

from hw.abi.timex import Timex, clock_adjtime
from hw.linux.clock import FreeClock, KernelClock
from hw.linux.rtc import KernelRtc
from refclock.events import SetLeap, SetRate, SetStatus, Step
from refclock.timebase import MILLISECOND, SECOND, Duration, LeapSecond, Utc


def rate_seen(ppb: float) -> float:
    """How the clock then runs against the raw oscillator, ppb."""
    clock = KernelClock()
    clock.apply(SetRate(ppb))
    local, raw = _against_raw()
    time.sleep(2)
    later_local, later_raw = _against_raw()
    clock.apply(SetRate(0.0))
    clock.restore()
    return ((later_local - local) / (later_raw - raw) - 1) * 1e9


def step_seen(by_ns: int) -> dict[str, Any]:
    """Ours, then another program's of a second."""
    clock = KernelClock()
    before, began = clock.read()
    clock.apply(Step(Duration(by_ns)))
    after, now = clock.read()
    moved = (after - before) - (now - began)
    ours = clock.era
    time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns() + SECOND.ns)
    clock.read()
    both = clock.era
    for _ in range(1000):
        clock.read()
    return {
        "moved_ns": moved.ns,
        "ours": ours,
        "both": both,
        "a_thousand_readings_later": clock.era,
    }


def stepped_by_another() -> dict[str, Any]:
    """Forth and back; how often and how soon ours notices."""
    clock = FreeClock()
    noticed, took = 0, []
    for by_ns in (SECOND.ns, -SECOND.ns, 100_000, -100_000):
        for _ in range(100):
            clock.read()  # as the daemon does all the time
        era = clock.era
        time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns() + by_ns)
        began = time.monotonic()
        clock.read()
        took.append(time.monotonic() - began)
        noticed += clock.era - era
    return {"steps": len(took), "noticed": noticed, "longest_s": max(took)}


def quality_told() -> list[dict[str, int]]:
    """What other programs read: synchronised, then given back."""
    clock = KernelClock()
    clock.apply(SetStatus(True, 250 * MILLISECOND, 3 * MILLISECOND))
    told = [timex()]
    clock.restore()
    return [*told, timex()]


def leap_second() -> list[dict[str, int]]:
    """The last of 2016, put in by the kernel: the clock's state, twice a second."""
    midnight = Utc.of(2017, 1, 1)
    clock = KernelClock()
    ahead = time.time_ns() - time.monotonic_ns()
    time.clock_settime(time.CLOCK_REALTIME, midnight.ns // SECOND.ns - 3)
    leap = LeapSecond.ending(midnight, 36 * SECOND, 37 * SECOND)
    for command in (
        Step(Duration(0)),
        SetStatus(True, MILLISECOND, MILLISECOND),
        SetLeap(leap, leap.before),
    ):
        clock.apply(command)
    seen = []
    for number in range(16):
        if number == 12:
            clock.apply(SetLeap(None, leap.after))
        time.sleep(0.5)
        clock.read()
        seen.append(timex() | {"epoch": clock.era})
    clock.restore()
    time.clock_settime_ns(time.CLOCK_REALTIME, time.monotonic_ns() + ahead)
    return seen


def battery_clock(path: str) -> str | None:
    """What it shows."""
    utc = KernelRtc(path).read()
    return None if utc is None else utc.iso()


def forget_battery_clock(path: str) -> None:
    """It shows a year before this program was made, as one that was never set."""
    KernelRtc(path).write(Utc.of(2019, 1, 1))


def _against_raw() -> tuple[int, int]:
    """Both in one moment, ns: of many readings the quickest."""
    best = []
    for _ in range(50):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        local = time.clock_gettime_ns(time.CLOCK_REALTIME)
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        best.append((after - before, local, (before + after) // 2))
    return min(best)[1:]


def timex() -> dict[str, int]:
    """What the kernel says of its clock."""
    told = Timex()
    state = clock_adjtime(told)
    names = ("status", "maxerror", "esterror", "tai", "freq", "tick")
    return {"state": state} | {name: getattr(told, name) for name in names}
