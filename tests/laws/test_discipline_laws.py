"""True for every clock and every pulse: finite, ordered, and never locked out."""

from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refclock.discipline.bank import Bank, Sample, SampleSource
from refclock.discipline.mode import Mode, Signal, next_mode
from refclock.discipline.servo import ControlInput, Servo, SteerSettings
from refclock.events import SetRate
from refclock.timebase import SECOND, Duration, Local, Mono

GAPS = st.sampled_from([1, 1, 1, 1, 2, 60, 3600, 86_400, 30_000_000])
NOISES = st.integers(-(10**9), 10**9) | st.integers(-1000, 1000)
STEPS = st.lists(
    st.tuples(GAPS, NOISES, st.sampled_from(SampleSource)), min_size=3, max_size=25
)


@settings(max_examples=25, deadline=None)
@given(STEPS, st.integers(-(10**19), 10**19), st.integers(-500_000, 500_000))
def test_no_history_of_samples_breaks_the_bank(
    steps: list[tuple[int, int, SampleSource]], base: int, ppb: int
) -> None:
    bank, now = Bank(), 0
    for gap, noise, source in steps:
        now += gap * SECOND.ns
        offset = Duration(base + now * ppb // 10**9 + noise)
        told = bank.add(Sample(Local(now), Mono(now), offset, source))
        assert 0.0 <= told.weight <= 1.0
        assert isfinite(told.residual_s)
        if bank.started:
            for ahead in (0, 1, 60, 86_400):
                estimate = bank.estimate(Mono(now + ahead * SECOND.ns))
                assert isfinite(estimate.rate)
                assert isfinite(estimate.rate_sigma)
                assert isfinite(estimate.sigma_s)
                assert estimate.sigma_s > 0.0
    assert all(isfinite(value) for value in bank.learned().log_weight)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(STEPS, st.integers(-(10**19), 10**19))
def test_whatever_came_before_minutes_of_good_pulses_heal(
    steps: list[tuple[int, int, SampleSource]], base: int
) -> None:
    bank, now = Bank(), 0
    for gap, noise, source in steps:
        now += gap * SECOND.ns
        bank.add(Sample(Local(now), Mono(now), Duration(base + noise), source))
    wrong = []
    for k in range(1200):
        now += SECOND.ns
        predicted = bank.estimate(Mono(now)).offset.ns if bank.started else base
        wrong.append(abs(predicted - base))
        jitter = (k * 7919 % 2001) - 1000
        bank.add(Sample(Local(now), Mono(now), Duration(base + jitter)))
    assert max(wrong[-60:]) < 20_000


@given(
    st.floats(-1e-3, 1e-3),
    st.lists(st.tuples(st.integers(1, 10**12), st.floats(-5e-4, 5e-4)), max_size=9),
)
def test_reckoning_keeps_local_time_whole(
    first: float, changes: list[tuple[int, float]]
) -> None:
    steering, now = ControlInput(), 0
    steering.restart(Mono(0))
    steering.set(Mono(0), first)
    for elapsed, u in changes:
        now += elapsed
        steering.set(Mono(now), u)
    total = steering.raw(Mono(now)) + steering.added(Mono(now))
    assert abs(total - now * 1e-9) <= 1e-12 * max(1.0, now * 1e-9)


@given(
    st.lists(
        st.tuples(st.floats(-1e9, 1e9), st.floats(-1e-3, 1e-3)), min_size=1, max_size=9
    )
)
def test_no_rate_beyond_the_limit_is_ever_commanded(
    updates: list[tuple[float, float]],
) -> None:
    servo = Servo(SteerSettings(max_rate_ppb=200_000.0))
    for to_go, rate in updates:
        command = servo.steer(to_go, rate)[-1]
        assert isinstance(command, SetRate)
        assert abs(command.ppb) <= 200_000.0


@given(st.lists(st.sampled_from(Signal)))
def test_every_walk_stays_in_the_table(signals: list[Signal]) -> None:
    mode = Mode.COLD
    for signal in signals:
        mode = next_mode(mode, signal)
    assert next_mode(next_mode(mode, Signal.SAMPLE), Signal.SAMPLE) is not Mode.COLD
