"""Runs in the guest, in skipped time: the whole daemon.

Nothing from outside may keep time, so all of it is here: a USB receiver with its
pulse on DCD, told by the raw oscillator as if that ran slow. All is loaded before
it begins, since waiting for the shared folder would make hours pass.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from hw.emu.faults import Fault, Kind, Timeline
from hw.emu.gnss.receiver import Receiver, ReceiverModel
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    LeapSecond,
    LeapTable,
    Tai,
    Utc,
)
from tests.kernel.guest import daemon
from tests.kernel.guest.clock import timex
from tests.kernel.guest.usb import SerialAdapter, appeared, nodes

LEAP: Final = LeapSecond.ending(Utc.of(2027, 1, 1), 37 * SECOND, 38 * SECOND)
LEAPS: Final = LeapTable((LEAP,), LEAP.before, Utc.of(2026, 7, 1), Utc.of(2027, 6, 28))
SLOW_PPB: Final = 80_000
"""How far the raw oscillator lags behind true time."""
GONE_S: Final = 240
LEAP_S: Final = 600
BACK_S: Final = 3900
_LASTS_S: Final = 3960
"""It is deaf from the first of these on to the third; meanwhile comes the leap."""
_HABITS: Final = ReceiverModel(sentences=(("RMC", 1), ("ZDA", 1)))
_COPY: Final = Path("/run/loaded")
_OFTEN: Final = 5 * SECOND
_SELDOM: Final = 60 * SECOND
_CONFIG: Final = f"""
[receiver]
device = "/dev/ttyUSB0"
baud = 9600
[pulse]
source = "serial"
[holdover]
limit_s = 10
[leap]
file = "{_COPY}/leap-seconds.list"
[rtc]
source = "none"
[thermometer]
source = "none"
[server]
listen = ["127.0.0.1"]
"""


class TrueTime:
    """The raw oscillator's time, put right."""

    def __init__(self, start: Tai) -> None:
        self.start = start
        self._raw = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)

    def now(self) -> Tai:
        """What it is."""
        past = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) - self._raw
        return Tai(self.start.ns + past + past * SLOW_PPB // SECOND.ns)

    def sleep_until(self, at: Tai) -> None:
        """However long."""
        while (left := at - self.now()).ns > 0:
            time.sleep(left.seconds)


def hour() -> dict[str, Any]:
    """All of it."""
    _load()
    before = nodes("ttyUSB*")
    adapter = SerialAdapter()
    adapter.plug(1)
    appeared("ttyUSB*", before)
    daemon.start(_CONFIG)
    true = TrueTime(Tai(LEAP.at.ns - LEAP_S * SECOND.ns))
    faults = Timeline([Fault(Kind.UNPLUGGED, GONE_S, BACK_S - GONE_S)])
    receiver = Receiver(_HABITS, true.start, LEAPS, faults, 1)
    threading.Thread(target=_pulse, args=(adapter, receiver, true), daemon=True).start()
    said: list[dict[str, Any]] = []
    states: list[dict[str, int]] = []
    while (t := (true.now() - true.start).seconds) < _LASTS_S:
        if abs(t - LEAP_S) < 7:
            states.append(timex())
            true.sleep_until(true.now() + 250 * MILLISECOND)
            continue
        if told := daemon.status():
            said.append(_sample(true) | _kept(json.loads(told)))
            print(said[-1], flush=True)
        next_at = true.now() + (_SELDOM if GONE_S < t < BACK_S else _OFTEN)
        if t < LEAP_S:
            next_at = min(next_at, true.start + (LEAP_S - 6) * SECOND)
        true.sleep_until(next_at)
    return {"said": said, "states": states, "log": daemon.LOG.read_text()}


def _load() -> None:
    """Out of the shared folder into memory, so that nobody waits for it later."""
    for part in ("refclock", "hw"):
        shutil.copytree(Path("/share") / part, _COPY / part)
    since_1900 = 2_208_988_800
    rows = [(Utc.of(2017, 1, 1), 37), (LEAP.midnight, 38)]
    lines = [f"{at.ns // SECOND.ns + since_1900} {count}" for at, count in rows]
    lines += [
        f"{mark} {at.ns // SECOND.ns + since_1900}"
        for mark, at in (("#$", LEAPS.updated), ("#@", LEAPS.expires))
    ]
    (_COPY / "leap-seconds.list").write_text("\n".join(lines) + "\n")
    os.environ["PYTHONPATH"] = str(_COPY)
    os.chdir(_COPY)
    sys.path[:0] = [str(_COPY)]


def _pulse(adapter: SerialAdapter, receiver: Receiver, true: TrueTime) -> None:
    """Up and down every second, then what is said of it."""
    second = true.start
    while True:
        second += SECOND
        edges = receiver.edges(second)
        if not edges:
            true.sleep_until(second)
            continue
        (at, _), *_ = edges
        true.sleep_until(at)
        adapter.carrier(True)
        true.sleep_until(second + 100 * MILLISECOND)
        adapter.carrier(False)
        for line in receiver.lines(second):
            true.sleep_until(line.ends)
            adapter.say(line.data)


def _sample(true: TrueTime) -> dict[str, Any]:
    """When, and how far the clock is ahead of what it should show."""
    clock = time.clock_gettime_ns(time.CLOCK_REALTIME)
    at = true.now()
    after = time.clock_gettime_ns(time.CLOCK_REALTIME)
    shown = (clock + after) // 2
    error = shown - LEAPS.posix(at).ns
    return {"t": (at - true.start).seconds, "error_s": error * 1e-9}


def _kept(status: dict[str, Any]) -> dict[str, Any]:
    kept = "mode", "offset_s", "bound_s", "frequency_ppm", "leap"
    return {key: status[key] for key in kept}
