"""The machine of a live world: what its clock shows, and what packets are told."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.emu.oscillator import Oscillator, OscillatorModel
from hw.sim.machine import LiveTime, SteppedClock
from refclock.events import Command, SetRate
from refclock.timebase import MILLISECOND, SECOND, Duration, Local, Mono, Tai
from tests.fakes.published import right_at

START = Tai(10**18)


class Standing:
    """A clock at an instant that a test sets."""

    era = 3

    def __init__(self) -> None:
        self.mono = 100 * SECOND.ns

    def read(self) -> tuple[Local, Mono]:
        return Local(self.mono + 7 * SECOND.ns), Mono(self.mono)

    def apply(self, command: Command) -> None:
        raise PermissionError(str(command))


STEPS = (
    (Mono(110 * SECOND.ns), 2 * SECOND),
    (Mono(120 * SECOND.ns), -5 * MILLISECOND),
)


def test_it_is_stepped_when_it_is_to_be() -> None:
    machine = Standing()
    clock = SteppedClock(machine, -SECOND, STEPS)
    shown = []
    for at_s in (109, 110, 120):
        machine.mono = at_s * SECOND.ns
        local, mono = clock.read()
        assert mono == Mono(machine.mono)
        ahead = local - machine.read()[0]
        shown.append((ahead.ns // MILLISECOND.ns, clock.era))
    assert shown == [(-1000, 3), (1000, 4), (995, 5)]
    before = Mono(115 * SECOND.ns)
    assert clock.at(before) - machine.read()[0] == -5 * SECOND + SECOND
    with pytest.raises(PermissionError):
        clock.apply(SetRate(0.0))


def test_packets_are_told_the_same_time_by_the_machine_s_own_clock() -> None:
    machine = Standing()
    clock = SteppedClock(machine, -3600 * SECOND, STEPS)
    local, mono = clock.read()
    published = right_at(local, mono)
    moved = clock.of_machine(published)
    own, _ = machine.read()
    offset = Duration(own.ns - mono.ns)
    assert moved.tai(own, offset) == published.tai(local, Duration(local.ns - mono.ns))
    assert moved.synchronised(mono, offset)
    assert clock.of_machine(published) is moved


def test_what_was_published_before_a_step_is_not_served_after_it() -> None:
    machine = Standing()
    clock = SteppedClock(machine, -SECOND, STEPS)
    published = right_at(*clock.read())
    machine.mono = STEPS[0][0].ns
    own, mono = machine.read()
    offset = Duration(own.ns - mono.ns)
    assert not clock.of_machine(published).synchronised(mono, offset)


SLEEPS = ((10 * SECOND, 600 * SECOND), (615 * SECOND, 30 * SECOND))


def live() -> LiveTime:
    oscillator = Oscillator.of(OscillatorModel(20_000.0), 1)
    return LiveTime(START, Mono(0), oscillator, SLEEPS)


@given(st.integers(0, 40 * SECOND.ns))
def test_true_time_and_its_inverse(mono_ns: int) -> None:
    time = live()
    true = time.truth(Mono(mono_ns))
    assert abs(time.mono(true).ns - mono_ns) <= 1
    assert not time.asleep(true)


def test_sleep_is_a_leap_of_true_time() -> None:
    time = live()
    slept = time.mono(START + 10 * SECOND)
    assert time.mono(START + 300 * SECOND) == slept
    assert time.mono(START + 610 * SECOND) == slept
    assert time.asleep(START + 300 * SECOND)
    assert time.asleep(START + 630 * SECOND)
    assert not time.asleep(START + 610 * SECOND)
    trues = [time.truth(Mono(k * SECOND.ns)) for k in range(20)]
    gaps = [round((b - a).seconds) for a, b in pairwise(trues)]
    assert sorted(gaps)[-2:] == [31, 601]
    assert sum(gaps) == 630 + 19
