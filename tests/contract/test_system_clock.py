"""What every `SystemClock` promises: the virtual one and the kernel's alike.

A real kernel's clock is steered only where that is said (`--may-set`): on a kernel
of our own, mostly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from hw.abi import timex as kernel
from hw.abi.timex import Timex
from hw.emu.clock import VirtualClock
from hw.emu.oscillator import Oscillator, OscillatorModel
from hw.linux.clock import FreeClock, KernelClock
from refclock.board.ports import SystemClock
from refclock.events import SetRate, SetStatus, Step
from refclock.timebase import (
    MICROSECOND,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    Local,
    Mono,
    Tai,
)
from tests.contract.conftest import of_any_machine

_ROUNDING = Duration(200)
"""In 1000 s, of how the kernel counts a rate: 2^-16 ppm."""


@dataclass
class World:
    """True time, which passes as a test lets it, and a clock in it."""

    clock: SystemClock
    sleep: Callable[[Duration], None]
    true: Callable[[], int]
    """ns"""
    long: Duration = 1_000 * SECOND
    """How long a rate is watched."""
    noise: Duration = ZERO
    """How far apart two clocks may be read that are read together."""

    def read(self) -> tuple[Local, Mono, Duration]:
        """Both clocks, and true time: of many readings the quickest."""
        tries = []
        for _ in range(30):
            before = self.true()
            local, mono = self.clock.read()
            after = self.true()
            tries.append((after - before, local, mono, after))
        _, local, mono, after = min(tries)
        return local, mono, Duration(after)


def virtual() -> World:
    true = [Tai(0)]
    steady = Oscillator.of(
        OscillatorModel(offset_ppb=0.0, walk_ppb=0.0, curve_ppb=0.0), 1
    )
    clock = VirtualClock(lambda: true[0], steady, Local(SECOND.ns), Mono(0))

    def sleep(length: Duration) -> None:
        true[0] += length

    return World(clock, sleep, lambda: true[0].ns)


def stand_in() -> World:
    """Our own code on a kernel that steps, paces and counts as Linux does."""
    at = {"true": 0, "mono": 0, "ahead": SECOND.ns, "ppb": 0}

    def sleep(length: Duration) -> None:
        at["true"] += length.ns
        at["mono"] += length.ns + length.ns * at["ppb"] // 1_000_000_000

    def now(which: int) -> int:
        real = which == time.CLOCK_REALTIME
        return at["mono"] + (at["ahead"] if real else 0)

    def adjtime(timex: Timex) -> int:
        if timex.modes & kernel.ADJ_SETOFFSET:
            at["ahead"] += timex.time_sec * SECOND.ns + timex.time_usec
        if timex.modes & kernel.ADJ_FREQUENCY:
            pace = timex.freq / 65.536 + (timex.tick - 10_000) * 100_000
            at["ppb"] = round(pace)
        return 0

    clock = KernelClock(adjtime, FreeClock(now))
    return World(clock, sleep, lambda: at["true"])


def raw() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


def real(make: Callable[[], SystemClock] = KernelClock) -> World:
    noise = 200 * MICROSECOND
    return World(make(), lambda by: time.sleep(by.seconds), raw, 2 * SECOND, noise)


STEERED = [pytest.param(virtual, id="virtual"), pytest.param(stand_in, id="kernel")]
READ = [
    *STEERED,
    *of_any_machine(lambda: real(FreeClock), "real-free"),
    *of_any_machine(real, "real-kernel"),
]


@pytest.fixture(params=READ)
def any_world(request: pytest.FixtureRequest) -> World:
    made: World = request.param()
    return made


@pytest.fixture(
    params=[*STEERED, pytest.param(real, id="real", marks=pytest.mark.hardware)]
)
def world(request: pytest.FixtureRequest, may_set: None) -> Iterator[World]:  # noqa: ARG001 - before it is made
    world: World = request.param()
    local_0, mono_0, _ = world.read()
    yield world
    world.clock.apply(SetRate(0.0))
    local_1, mono_1, _ = world.read()
    world.clock.apply(Step((mono_1 - mono_0) - (local_1 - local_0)))


def test_both_clocks_are_read_together(any_world: World) -> None:
    local_0, mono_0 = any_world.clock.read()
    any_world.sleep(5 * MILLISECOND)
    local_1, mono_1 = any_world.clock.read()
    assert mono_1 - mono_0 >= 5 * MILLISECOND
    assert abs((local_1 - local_0) - (mono_1 - mono_0)) < MILLISECOND


def test_an_undisturbed_clock_stays_in_its_epoch(any_world: World) -> None:
    era = any_world.clock.era
    for _ in range(50):
        any_world.clock.read()
    assert any_world.clock.era == era


def test_monotonic_never_goes_back(any_world: World) -> None:
    readings = [any_world.clock.read()[1] for _ in range(50)]
    assert readings == sorted(readings)


@pytest.mark.parametrize("by", [3_600 * SECOND, -SECOND, 20 * MICROSECOND])
def test_a_step_moves_the_local_clock_alone_and_counts(
    world: World, by: Duration
) -> None:
    local_0, mono_0, true_0 = world.read()
    era = world.clock.era
    world.clock.apply(Step(by))
    local_1, mono_1, true_1 = world.read()
    assert abs((local_1 - local_0) - (mono_1 - mono_0) - by) <= world.noise
    assert abs((mono_1 - mono_0) - (true_1 - true_0)) <= world.noise
    assert world.clock.era == era + 1


@pytest.mark.parametrize("ppb", [0.0, 12_345.0, -80_000.0, 730_000.0])
def test_a_rate_is_how_much_faster_it_runs(world: World, ppb: float) -> None:
    world.clock.apply(SetRate(ppb))
    local_0, mono_0, true_0 = world.read()
    world.sleep(world.long)
    local_1, mono_1, true_1 = world.read()
    passed = true_1 - true_0
    gained = (local_1 - local_0) - passed
    wanted = Duration.from_seconds(passed.seconds * ppb * 1e-9)
    assert abs(gained - wanted) <= world.noise + _ROUNDING
    # both are slewed alike
    assert abs((local_1 - local_0) - (mono_1 - mono_0)) <= world.noise


def test_a_new_rate_replaces_the_old(world: World) -> None:
    for ppb in (900_000.0, -50_000.0):
        world.clock.apply(SetRate(ppb))
    _, mono_0, true_0 = world.read()
    world.sleep(world.long)
    _, mono_1, true_1 = world.read()
    passed = true_1 - true_0
    wanted = Duration.from_seconds(passed.seconds * -50e-6)
    assert abs((mono_1 - mono_0) - passed - wanted) <= world.noise + _ROUNDING


def test_what_is_told_to_others_moves_nothing(world: World) -> None:
    local_0, mono_0, _ = world.read()
    era = world.clock.era
    world.clock.apply(SetStatus(True, MICROSECOND, MICROSECOND))
    local_1, mono_1, _ = world.read()
    assert abs((local_1 - local_0) - (mono_1 - mono_0)) <= world.noise
    assert world.clock.era == era
