"""Steering: what is told to the clock, and the reckoning of what it did."""

import pytest

from refclock.discipline.servo import ControlInput, Servo, SteerSettings
from refclock.events import SetRate, Step
from refclock.timebase import SECOND, Duration, Mono


def test_the_rate_is_cancelled_and_the_offset_worked_off_softly() -> None:
    servo = Servo()
    (first,) = servo.steer(8e-6, -12e-6)
    assert first == SetRate(servo.ppb)
    assert servo.ppb == pytest.approx(-11_000.0)
    servo.steer(0.0, 0.5e-6)
    assert servo.ppb == pytest.approx(-10_500.0)


def test_an_offset_dies_away_with_the_time_constant() -> None:
    servo, x = Servo(SteerSettings(time_constant_s=20.0)), 1e-3
    for _ in range(20):
        servo.steer(x, -servo.ppb * 1e-9)
        x -= servo.ppb * 1e-9
    assert x == pytest.approx(1e-3 * (1 - 1 / 20) ** 20)


def test_the_rate_is_limited() -> None:
    servo = Servo(SteerSettings(max_rate_ppb=500_000.0))
    assert servo.steer(0.09, 0.0) == (SetRate(500_000.0),)
    assert servo.steer(-0.09, 0.0) == (SetRate(-500_000.0),)


def test_a_far_clock_is_stepped_at_first_and_slewed_later() -> None:
    servo = Servo(SteerSettings(step_updates=2))
    step, rate = servo.steer(37.0, 1e-6)
    assert step == Step(Duration(37_000_000_000))
    assert rate == SetRate(servo.ppb)
    assert servo.ppb == pytest.approx(1000.0)
    assert servo.steer(0.05, 0.0)[0] != Step(Duration(50_000_000))
    assert servo.steer(37.0, 0.0) == (SetRate(500_000.0),)


def test_stepping_can_be_allowed_for_ever_or_never() -> None:
    always = Servo(SteerSettings(step_updates=0, step_always=True))
    assert isinstance(always.steer(-3.0, 0.0)[0], Step)
    never = Servo(SteerSettings(step_updates=0))
    assert isinstance(never.steer(-3.0, 0.0)[0], SetRate)


def test_reckoning_of_rates() -> None:
    steering = ControlInput()
    steering.restart(Mono(0))
    steering.set(Mono(10 * SECOND.ns), 1e-4)
    now = Mono(20 * SECOND.ns)
    assert steering.raw(now) + steering.added(now) == pytest.approx(20.0, abs=1e-12)
    assert steering.added(now) == pytest.approx(10.0 * 1e-4 / (1 + 1e-4), rel=1e-9)
    steering.restart(now)
    assert steering.raw(now) == steering.added(now) == 0.0
    assert steering.u == 1e-4
