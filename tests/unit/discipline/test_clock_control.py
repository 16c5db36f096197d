"""What a clock is told, and how far it obeyed."""

from __future__ import annotations

import pytest

from refclock.discipline.control import ClockControl
from refclock.discipline.servo import SteerSettings
from refclock.events import Command, SetLeap, SetRate, SetStatus, Step
from refclock.timebase import MICROSECOND, SECOND, ZERO, LeapSecond, Utc

TAI_UTC = 37 * SECOND
NO_LEAP = SetLeap(None, TAI_UTC)
LEAP = SetLeap(
    LeapSecond.ending(Utc.of(2027, 1, 1), TAI_UTC, TAI_UTC + SECOND), TAI_UTC
)
GOOD = SetStatus(True, MICROSECOND, MICROSECOND)
BAD = SetStatus(False, SECOND, SECOND)
SETTINGS = SteerSettings(time_constant_s=10.0)


@pytest.fixture
def orders() -> ClockControl:
    return ClockControl(SETTINGS, steer=True)


def kinds(commands: tuple[Command, ...]) -> list[type]:
    return [type(command) for command in commands]


def test_first_it_is_told_to_run_as_it_does(orders: ClockControl) -> None:
    assert orders.first() == (SetRate(0.0),)
    assert orders.ppb == 0.0


def test_an_offset_is_worked_off_and_its_rate_cancelled(orders: ClockControl) -> None:
    rate, *_ = orders.steer(10 * MICROSECOND, 1e-6, NO_LEAP, GOOD)
    assert isinstance(rate, SetRate)
    assert rate.ppb == pytest.approx(2000.0)
    assert orders.ppb == pytest.approx(2000.0)


def test_of_a_leap_second_it_is_told_once_of_its_quality_each_time(
    orders: ClockControl,
) -> None:
    told = [orders.steer(ZERO, 0.0, leap, GOOD) for leap in (NO_LEAP, NO_LEAP, LEAP)]
    assert [kinds(each) for each in told] == [
        [SetRate, SetLeap, SetStatus],
        [SetRate, SetStatus],
        [SetRate, SetLeap, SetStatus],
    ]
    assert told[2][1:] == (LEAP, GOOD)


def test_a_step_is_owed_until_the_clock_was_seen_to_move(orders: ClockControl) -> None:
    commands = orders.steer(5 * SECOND, 0.0, NO_LEAP, BAD)
    assert commands[0] == Step(5 * SECOND)
    known_gap = orders.step
    assert [known_gap, orders.stepped(), orders.step] == [5 * SECOND, 5 * SECOND, None]


def test_it_is_disowned_once_and_only_if_it_was_vouched_for(
    orders: ClockControl,
) -> None:
    assert orders.invalidate(SECOND) == ()
    orders.steer(ZERO, 0.0, NO_LEAP, BAD)
    assert orders.invalidate(SECOND) == ()
    orders.steer(ZERO, 0.0, NO_LEAP, GOOD)
    assert orders.invalidate(SECOND) == (SetStatus(False, SECOND, SECOND),)
    assert orders.invalidate(SECOND) == ()


def test_a_rate_holds_from_when_the_clock_obeyed(orders: ClockControl) -> None:
    assert orders.in_force(100.0) == 0.0
    assert orders.in_force(-50.0) == 100.0


def test_it_is_left_at_its_own_rate(orders: ClockControl) -> None:
    orders.in_force(1000.0)
    (rate,) = orders.release(2e-6)
    assert isinstance(rate, SetRate)
    assert rate.ppb == pytest.approx(3000.0, rel=1e-5)


def test_a_clock_that_is_not_ours_is_told_nothing() -> None:
    orders = ClockControl(SETTINGS, steer=False)
    orders.in_force(0.0)
    assert orders.first() == ()
    assert orders.steer(5 * SECOND, 1e-6, LEAP, GOOD) == ()
    assert orders.step is None
    assert orders.invalidate(SECOND) == ()
    assert orders.release(1e-6) == ()
    assert orders.ppb is None
