"""The latency meter: brackets and stamps in, a bias and how sure it is out."""

from __future__ import annotations

from random import Random

import pytest

from refclock.discipline.latency import ENOUGH, LatencyMeter, Measured
from refclock.events import Bracket
from refclock.timebase import MILLISECOND, SECOND, Duration, Local, Mono

START = Local(1_800_000_000 * SECOND.ns)
TURN = 1_000


def bracket(low: Local, width: int = 2 * TURN, era: int = 0) -> Bracket:
    return Bracket(low, low + Duration(width), Mono(0), era)


def told(
    meter: LatencyMeter, k: int, stamp: int, low: int, width: int = 2 * TURN
) -> Measured | None:
    """The k-th pulse, both in ns after the true edge."""
    edge = START + k * SECOND
    meter.stamped(edge + Duration(stamp), 0)
    return meter.watched(bracket(edge + Duration(low), width))


def looped(
    late: int, looks_at: float, noise: float, count: int = 64, seed: int = 1
) -> Measured:
    """What a loop finds that looks so far into its turn."""
    rng, meter, measured = Random(seed), LatencyMeter(), None
    for k in range(count):
        low = round((rng.random() - looks_at - 1.0) * TURN)
        stamp = late + round(rng.gauss(0.0, noise))
        measured = told(meter, k, stamp, low)
    assert measured is not None
    return measured


@pytest.mark.parametrize("looks_at", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("late", [-2_000, 0, 7_300, 250_000])
def test_the_latency_is_within_the_spread_wherever_the_look_is(
    late: int, looks_at: float
) -> None:
    for seed in range(20):
        measured = looped(late, looks_at, noise=200.0, seed=seed)
        assert abs(measured.latency.ns - late) <= measured.spread.ns


def test_no_number_of_brackets_betters_half_a_turn() -> None:
    assert looped(5_000, 0.5, noise=0.0).spread.ns >= TURN // 2
    assert looped(5_000, 0.5, noise=0.0).spread.ns < TURN


def test_noise_is_averaged_out() -> None:
    few = looped(5_000, 0.5, noise=3_000.0, count=ENOUGH)
    many = looped(5_000, 0.5, noise=3_000.0, count=4 * ENOUGH)
    assert many.spread < few.spread


def test_too_few_are_no_measurement() -> None:
    meter = LatencyMeter()
    found = [told(meter, k, 5_000, -TURN) for k in range(ENOUGH)]
    assert found == [None] * (ENOUGH - 1) + found[-1:]
    assert found[-1] == Measured(Duration(5_000), Duration(TURN // 2))


def test_brackets_somebody_cut_in_on_say_nothing() -> None:
    rng, disturbed, quiet = Random(1), LatencyMeter(), LatencyMeter()
    pairs = []
    for k in range(ENOUGH * 3):
        if k % 3 == 1:
            told(disturbed, k, 5_000, -TURN, 60_000)
            continue
        stamp = 5_000 + round(rng.gauss(0.0, 500.0))
        pairs.append((told(disturbed, k, stamp, -TURN), told(quiet, k, stamp, -TURN)))
    assert pairs[-1][0] == pairs[-1][1] is not None


def test_old_brackets_are_forgotten() -> None:
    meter, found = LatencyMeter(), None
    for k in range(200):
        found = told(meter, k, 5_000 if k < 100 else 9_000, -TURN)
    assert found is not None
    assert found.latency == Duration(9_000)


def test_the_bracket_may_come_before_the_stamp() -> None:
    meter, found = LatencyMeter(), None
    for k in range(ENOUGH):
        edge = START + k * SECOND
        assert meter.watched(bracket(edge - Duration(TURN))) is None
        found = meter.stamped(edge + Duration(5_000), 0)
    assert found == Measured(Duration(5_000), Duration(TURN // 2))


def test_a_bracket_and_a_stamp_of_two_edges_are_not_paired() -> None:
    meter = LatencyMeter()
    for k in range(2 * ENOUGH):
        edge = START + k * SECOND
        meter.stamped(edge, 0)
        assert meter.watched(bracket(edge + 2 * MILLISECOND)) is None
        assert meter.watched(bracket(edge, era=1)) is None


def test_a_pulse_nobody_watched_counts_for_nothing() -> None:
    meter, found = LatencyMeter(), None
    for k in range(8 * ENOUGH):
        edge = START + k * SECOND
        stamped = meter.stamped(edge + Duration(5_000), 0)
        assert stamped is None
        if k % 8 == 0:
            found = meter.watched(bracket(edge - Duration(TURN)))
    assert found is not None
