"""The kernel clock through a kernel of our own, and the real one read only."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field

import pytest

from hw.abi import timex as kernel
from hw.abi.timex import Timex
from hw.linux.clock import FreeClock, KernelClock
from refclock.events import Command, SetLeap, SetRate, SetStatus, Step
from refclock.timebase import (
    DAY,
    HOUR,
    MICROSECOND,
    MILLISECOND,
    MINUTE,
    SECOND,
    Duration,
    LeapSecond,
    Utc,
)

MIDNIGHT = Utc.of(2027, 1, 1)
INSERTED = LeapSecond.ending(MIDNIGHT, 37 * SECOND, 38 * SECOND)
DELETED = LeapSecond.ending(MIDNIGHT, 37 * SECOND, 36 * SECOND)


@dataclass
class Kernel:
    """Two clocks, and what was told to clock_adjtime."""

    real: int = MIDNIGHT.ns - DAY.ns
    mono: int = 5 * SECOND.ns
    each_read_ns: int = 100
    status: int = 0
    refuses: int = 0
    told: list[tuple[int, Timex]] = field(default_factory=list)

    def now(self, which: int) -> int:
        self.pass_ns(self.each_read_ns)
        return self.real if which == time.CLOCK_REALTIME else self.mono

    def pass_ns(self, ns: int) -> None:
        self.real += ns
        self.mono += ns

    def adjtime(self, timex: Timex) -> int:
        if timex.modes and self.refuses:
            raise OSError(self.refuses, "refused")
        if timex.modes:
            self.told.append((timex.modes, timex))
        if timex.modes & kernel.ADJ_SETOFFSET:
            self.real += timex.time_sec * SECOND.ns + timex.time_usec
        if timex.modes & kernel.ADJ_STATUS:
            self.status = timex.status
        timex.status = self.status
        return 0

    def last(self, mode: int) -> Timex:
        return next(timex for modes, timex in reversed(self.told) if modes & mode)


@pytest.fixture
def machine() -> Kernel:
    return Kernel()


@pytest.fixture
def clock(machine: Kernel) -> KernelClock:
    return KernelClock(machine.adjtime, FreeClock(machine.now))


def test_the_real_clocks_are_read_together() -> None:
    clock = FreeClock()
    (local_0, mono_0), (local_1, mono_1) = clock.read(), clock.read()
    assert abs((local_1 - local_0) - (mono_1 - mono_0)) < MILLISECOND
    assert clock.era == 0


def test_the_pair_is_centred(machine: Kernel) -> None:
    local, mono = FreeClock(machine.now).read()
    assert local.ns - mono.ns == MIDNIGHT.ns - DAY.ns - 5 * SECOND.ns


def test_a_wide_reading_is_tried_again(machine: Kernel) -> None:
    clock = FreeClock(machine.now)
    delays = iter([0, 80_000, 0, 0, 0, 0])

    def slow(which: int) -> int:
        machine.pass_ns(next(delays))
        return machine.now(which)

    clock._now = slow
    local, mono = clock.read()
    assert local.ns - mono.ns == machine.real - machine.mono
    assert next(delays, None) is None


@pytest.mark.parametrize("by", [-3600 * SECOND, -2 * MICROSECOND, 2 * MICROSECOND])
def test_another_program_s_step_is_seen(machine: Kernel, by: Duration) -> None:
    clock = FreeClock(machine.now)
    machine.real += by.ns
    assert clock.era == 0
    clock.read()
    clock.read()
    assert clock.era == 1


def test_a_hurried_reading_hides_no_later_step(machine: Kernel) -> None:
    clock = FreeClock(machine.now)
    machine.each_read_ns = 100_000
    clock.read()
    machine.each_read_ns = 100
    machine.real += 10_000
    clock.read()
    assert clock.era == 1


def test_slewing_and_waiting_is_no_step(machine: Kernel) -> None:
    clock = FreeClock(machine.now)
    for _ in range(1_000):
        machine.pass_ns(SECOND.ns + 500_000)
        machine.each_read_ns = 400 - machine.each_read_ns + 1
        clock.read()
    assert clock.era == 0


def test_noise_of_reading_is_no_step(machine: Kernel) -> None:
    clock = FreeClock(machine.now)
    machine.real += 700
    clock.read()
    assert clock.era == 0


def test_a_free_clock_obeys_nobody(machine: Kernel) -> None:
    with pytest.raises(PermissionError, match="steer is false"):
        FreeClock(machine.now).apply(Step(SECOND))


@pytest.mark.parametrize(
    ("by", "sec", "nsec"),
    [(Duration(1_500_000_001), 1, 500_000_001), (Duration(-1), -1, 999_999_999)],
)
def test_a_step_is_told_in_nanoseconds(
    machine: Kernel, clock: KernelClock, by: Duration, sec: int, nsec: int
) -> None:
    clock.apply(Step(by))
    told = machine.last(kernel.ADJ_SETOFFSET)
    assert told.modes == kernel.ADJ_SETOFFSET | kernel.ADJ_NANO
    assert (told.time_sec, told.time_usec) == (sec, nsec)


def test_our_own_step_counts_too(clock: KernelClock) -> None:
    clock.apply(Step(10 * SECOND))
    assert clock.era == 1
    local, mono = clock.read()
    assert local.ns - mono.ns == MIDNIGHT.ns - DAY.ns + 5 * SECOND.ns
    assert clock.era == 1


@pytest.mark.parametrize(
    ("ppb", "freq", "tick"),
    [
        (0.0, 0, 10_000),
        (1_000.0, 65_536, 10_000),
        (-500_000.0, -500 << 16, 10_000),
        (730_000.0, 30 << 16, 10_007),
        (-1_250_000.0, -50 << 16, 9_988),
    ],
)
def test_a_rate_is_frequency_and_beyond_500_ppm_tick(
    machine: Kernel, clock: KernelClock, ppb: float, freq: int, tick: int
) -> None:
    clock.apply(SetRate(ppb))
    told = machine.last(kernel.ADJ_FREQUENCY)
    assert told.modes == kernel.ADJ_FREQUENCY | kernel.ADJ_TICK
    assert (told.freq, told.tick) == (freq, tick)


def test_synchronised_with_its_errors_rounded_up(
    machine: Kernel, clock: KernelClock
) -> None:
    clock.apply(SetStatus(True, Duration(12_001), Duration(1)))
    told = machine.last(kernel.ADJ_MAXERROR)
    assert (told.maxerror, told.esterror) == (13, 1)
    assert machine.status == 0
    clock.apply(SetStatus(False, DAY, DAY))
    assert machine.last(kernel.ADJ_MAXERROR).maxerror == 16_000_000
    assert machine.status == kernel.STA_UNSYNC


def test_a_step_makes_unsynchronised(machine: Kernel, clock: KernelClock) -> None:
    clock.apply(SetStatus(True, MICROSECOND, MICROSECOND))
    clock.apply(Step(SECOND))
    assert machine.status == kernel.STA_UNSYNC


@pytest.mark.parametrize(
    ("leap", "bit"), [(INSERTED, kernel.STA_INS), (DELETED, kernel.STA_DEL)]
)
def test_a_leap_second_is_armed_on_its_day_only(
    machine: Kernel, clock: KernelClock, leap: LeapSecond, bit: int
) -> None:
    clock.apply(SetLeap(leap, 37 * SECOND))
    assert machine.last(kernel.ADJ_TAI).constant == 37
    for before_midnight, armed in [
        (13 * HOUR, 0),
        (12 * HOUR, bit),
        (SECOND, bit),
        (-4 * MILLISECOND, bit),
        (-SECOND, 0),
    ]:
        machine.pass_ns(MIDNIGHT.ns - before_midnight.ns - machine.real)
        clock.apply(SetRate(0.0))
        assert machine.status & (kernel.STA_INS | kernel.STA_DEL) == armed


def test_a_leap_second_can_be_called_off(machine: Kernel, clock: KernelClock) -> None:
    machine.pass_ns(DAY.ns - HOUR.ns)
    clock.apply(SetLeap(INSERTED, 37 * SECOND))
    assert machine.status & kernel.STA_INS
    clock.apply(SetLeap(None, 37 * SECOND))
    assert not machine.status & kernel.STA_INS


def test_a_step_arms_the_leap_second_anew(machine: Kernel, clock: KernelClock) -> None:
    machine.pass_ns(DAY.ns - HOUR.ns)
    clock.apply(SetLeap(INSERTED, 37 * SECOND))
    machine.told.clear()
    clock.apply(Step(MINUTE))
    states = [
        timex.status for modes, timex in machine.told if modes & kernel.ADJ_STATUS
    ]
    assert states[0] == kernel.STA_PLL
    assert states[-1] == kernel.STA_UNSYNC | kernel.STA_INS


def test_what_another_program_left_is_quietened_once(
    machine: Kernel, clock: KernelClock
) -> None:
    assert machine.told == []
    clock.apply(SetRate(0.0))
    clock.apply(SetRate(1.0))
    quiet = [timex for modes, timex in machine.told if modes & kernel.ADJ_OFFSET]
    assert [(timex.status, timex.offset) for timex in quiet] == [(kernel.STA_PLL, 0)]


@pytest.mark.parametrize(
    ("found", "unit"), [(0, kernel.ADJ_MICRO), (kernel.STA_NANO, kernel.ADJ_NANO)]
)
def test_given_back_sane(machine: Kernel, found: int, unit: int) -> None:
    machine.status = found
    clock = KernelClock(machine.adjtime, FreeClock(machine.now))
    machine.pass_ns(DAY.ns - HOUR.ns)
    clock.apply(SetLeap(INSERTED, 37 * SECOND))
    clock.apply(SetStatus(True, MICROSECOND, MICROSECOND))
    clock.restore()
    modes, timex = machine.told[-1]
    assert modes == kernel.ADJ_STATUS | unit
    assert timex.status == kernel.STA_UNSYNC


def test_a_clock_never_steered_is_left_alone(
    machine: Kernel, clock: KernelClock
) -> None:
    clock.restore()
    assert machine.told == []


COMMANDS: list[Command] = [Step(SECOND), SetRate(1.0)]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.ENOSYS])
@pytest.mark.parametrize("command", COMMANDS)
def test_not_allowed_says_what_is_missing(
    machine: Kernel, clock: KernelClock, command: Command, number: int
) -> None:
    machine.refuses = number
    with pytest.raises(PermissionError, match="CAP_SYS_TIME"):
        clock.apply(command)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
def test_a_container_that_forbids_even_reading_says_what_is_missing(
    machine: Kernel, number: int
) -> None:
    def forbidden(_timex: Timex) -> int:
        raise OSError(number, "forbidden")

    with pytest.raises(PermissionError, match=r"clock.steer = false"):
        KernelClock(forbidden, FreeClock(machine.now))


def test_another_refusal_names_the_call_and_the_setting(
    machine: Kernel, clock: KernelClock
) -> None:
    machine.refuses = errno.EINVAL
    with pytest.raises(OSError, match=r"adjtime\(2\): refused.*clock.steer") as refused:
        clock.apply(SetRate(1e12))
    assert refused.value.errno == errno.EINVAL
