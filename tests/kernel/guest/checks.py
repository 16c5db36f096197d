"""Runs in the guest: our drivers on its devices. Returns what JSON can carry."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import gpiod

from hw.linux.clock import KernelClock, Timex, clock_adjtime
from hw.linux.pps_gpio import open_gpio
from hw.linux.pps_kernel import KernelPps, find, sources
from hw.linux.sensors import KernelRtc
from hw.linux.uart import Uart, hunt
from refclock.config import ControlSettings
from refclock.control import ask
from refclock.events import SetLeap, SetRate, SetStatus, Step
from refclock.ports import PpsLine
from refclock.timebase import MILLISECOND, SECOND, Duration, LeapSecond, Utc
from refclock.wiring import WantedEdge

UART: Final = "/dev/ttyAMA0"
PULSE: Final = "/dev/pps0"

# pulse


def kernel_edges(count: int) -> dict[str, Any]:
    """From the device that evidence finds."""
    candidates = list(sources())
    line = find(WantedEdge.AUTO, candidates)
    try:
        edges = _edges(line, count)
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


def kernel_clear_edge() -> str:
    """pps-gpio with one wire tells rising edges only."""
    return _refusal(lambda: KernelPps(PULSE, WantedEdge.CLEAR))


def gpio_edges(count: int) -> dict[str, Any]:
    """Of the free line, found by its name, on the chip found by its label."""
    with gpiod.Chip("/dev/gpiochip0") as chip:
        label = chip.get_info().label
    line = open_gpio(label, "GPIO18", WantedEdge.AUTO, KernelClock())
    try:
        return {"name": line.name, "edges": _edges(line, count)}
    finally:
        line.close()


def gpio_busy() -> str:
    """The line that pps-gpio holds."""
    clock = KernelClock()
    return _refusal(lambda: open_gpio("auto", "GPS_PPS", WantedEdge.AUTO, clock))


def _edges(line: PpsLine, count: int) -> list[tuple[int, int, str]]:
    """Sequence number, stamp and kind of so many."""
    edges: list[tuple[int, int, str]] = []
    while len(edges) < count:
        flank = line.wait(3 * SECOND)
        if flank is None:
            raise TimeoutError(f"{line.name}: {len(edges)} edges, then none in 3 s")
        edges.append((flank.seq, flank.at.ns, flank.edge.value))
    return edges


# receiver


def hears(seconds: float) -> dict[str, Any]:
    """All that comes, at the speed that was hunted; how far apart first and last."""
    line = hunt(UART)
    try:
        refusal = _refusal(lambda: Uart(UART, 9600))
        chunks = []
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if chunk := line.read(Duration.from_seconds(left)):
                chunks.append(chunk)
    finally:
        line.close()
    return {
        "name": line.name,
        "data": b"".join(chunk.data for chunk in chunks).decode("ascii"),
        "spans": [(chunk.first.ns, chunk.last.ns) for chunk in chunks],
        "second_opener": refusal,
    }


def hunt_refusal() -> str:
    """Why no speed is right."""
    return _refusal(lambda: hunt(UART))


# clock


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
    ours = clock.epoch
    time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns() + SECOND.ns)
    clock.read()
    both = clock.epoch
    for _ in range(1000):
        clock.read()
    return {
        "moved_ns": moved.ns,
        "ours": ours,
        "both": both,
        "a_thousand_readings_later": clock.epoch,
    }


def quality_told() -> list[dict[str, int]]:
    """What other programs read: synchronised, then given back."""
    clock = KernelClock()
    clock.apply(SetStatus(True, 250 * MILLISECOND, 3 * MILLISECOND))
    told = [_timex()]
    clock.restore()
    return [*told, _timex()]


def leap_second() -> list[dict[str, int]]:
    """The last of 2016, put in by the kernel: the clock's state, twice a second."""
    midnight = Utc.of(2017, 1, 1)
    clock = KernelClock()
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
        seen.append(_timex() | {"epoch": clock.epoch})
    clock.restore()
    return seen


def battery_clock(path: str) -> str | None:
    """What it shows."""
    utc = KernelRtc(path).read()
    return None if utc is None else utc.iso()


def _against_raw() -> tuple[int, int]:
    """Both in one moment, ns: of many readings the quickest."""
    best = []
    for _ in range(50):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        local = time.clock_gettime_ns(time.CLOCK_REALTIME)
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        best.append((after - before, local, (before + after) // 2))
    return min(best)[1:]


def _timex() -> dict[str, int]:
    told = Timex()
    state = clock_adjtime(told)
    names = ("status", "maxerror", "esterror", "tai", "freq", "tick")
    return {"state": state} | {name: getattr(told, name) for name in names}


def _refusal(do: Any) -> str:  # noqa: ANN401 - whatever it opens
    try:
        do().close()
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("it was not refused")


# the whole daemon

_running: list[subprocess.Popen[bytes]] = []
CONFIG: Final = Path("/run/refclock.toml")
LOG: Final = Path("/share/daemon.log")


def start_daemon(config: str) -> None:
    """As the service does."""
    CONFIG.write_text(config)
    command = ("python3", "-m", "refclock", "run", "--config", str(CONFIG))
    with LOG.open("ab") as log:
        _running.append(subprocess.Popen(command, stderr=log))


def status() -> str | None:
    """As the operator asks; None: it does not answer yet."""
    if (code := _running[-1].poll()) is not None:
        raise ChildProcessError(f"ended with {code}: {LOG.read_text()[-2000:]}")
    try:
        return ask(Path(ControlSettings().socket), "status")
    except OSError:
        return None


def end_daemon() -> dict[str, float]:
    """SIGTERM; what it exited with, and after how long."""
    daemon = _running.pop()
    began = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    code = daemon.wait(20)
    return {"code": code, "took_s": time.monotonic() - began} | _timex()
