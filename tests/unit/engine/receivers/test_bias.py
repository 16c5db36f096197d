from __future__ import annotations

from random import Random

from refclock.engine.receivers.bias import LEAST, Bias
from refclock.timebase import NANOSECOND, ZERO, Duration


def learned(mean_ns: float, sigma_ns: float, pulses: int) -> Bias:
    bias, chance = Bias(), Random(1)
    for _ in range(pulses):
        bias.add(Duration(round(chance.gauss(mean_ns, sigma_ns))))
    return bias


def test_it_is_known_after_a_minute_and_not_before() -> None:
    assert not learned(200, 50, LEAST - 1).known
    assert learned(200, 50, LEAST - 1).mean == ZERO
    assert learned(200, 50, LEAST).known


def test_it_is_the_mean_and_its_line_covers_both_pulses() -> None:
    bias = learned(-200, 50, 1000)
    assert abs(bias.mean + 200 * NANOSECOND) < 15 * NANOSECOND
    assert 200 * NANOSECOND < bias.line < 240 * NANOSECOND


def test_one_that_moves_is_followed_within_minutes() -> None:
    bias = learned(0, 50, 1000)
    for _ in range(1500):
        bias.add(1000 * NANOSECOND)
    assert abs(bias.mean - 1000 * NANOSECOND) < 10 * NANOSECOND


def test_after_a_restart_nothing_is_known() -> None:
    bias = learned(200, 50, 100)
    bias.restart()
    assert not bias.known
    assert bias.line == ZERO
