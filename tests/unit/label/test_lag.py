from __future__ import annotations

from random import Random

import pytest

from refclock.label.lag import MEMORY, LabelHistory, Lag
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Tai


def learned(
    lag: Lag, count: int, mean_ms: float, sigma_ms: float, seed: int = 1
) -> Lag:
    dice = Random(seed)
    for _ in range(count):
        lag = lag.learn(Duration(round(dice.gauss(mean_ms, sigma_ms) * 1e6)))
    return lag


def test_mean_and_spread_are_those_of_what_was_heard() -> None:
    lag = learned(Lag(), 500, 120.0, 8.0)
    assert abs(lag.mean.seconds - 0.120) < 0.003
    assert 0.006 < lag.spread.seconds < 0.010
    assert lag.count == 500


def test_it_is_known_from_the_fifth_on() -> None:
    assert [learned(Lag(), n, 100, 1).known for n in (0, 4, 5)] == [False, False, True]


def test_one_in_ten_that_was_held_up_pulls_it_but_a_little() -> None:
    dice, lag = Random(3), Lag()
    for _ in range(1000):
        held = 400.0 if dice.random() < 0.1 else 0.0
        lag = lag.learn(Duration(round((dice.gauss(120, 4) + held) * 1e6)))
    assert abs(lag.mean.seconds - 0.120) < 0.010


def test_no_lag_is_known_better_than_a_line_is_read() -> None:
    assert learned(Lag(), 500, 120.0, 0.0).spread == MILLISECOND


def test_one_that_steps_is_followed_within_minutes() -> None:
    lag = learned(learned(Lag(), 300, 120, 5), 360, 670, 5)
    assert abs(lag.mean.seconds - 0.670) < 0.01


def test_one_that_drifts_is_followed() -> None:
    lag = Lag()
    for k in range(900):
        lag = lag.learn((100 + k) * MILLISECOND)
    assert abs(lag.mean - 999 * MILLISECOND) < MEMORY * MILLISECOND


@pytest.mark.parametrize(
    ("spread_ms", "reach_ms"), [(1, 50), (12, 50), (20, 80), (60, 240), (500, 250)]
)
def test_another_lag_is_one_beyond_reach(spread_ms: int, reach_ms: int) -> None:
    lag = Lag(ZERO, spread_ms * MILLISECOND, 100)
    assert lag.reach == reach_ms * MILLISECOND


def observe(names: LabelHistory, *told: float, exactly: bool = False) -> list[bool]:
    """Every name from the third on is astray."""
    return [
        names.observe(
            Tai(round(name * SECOND.ns)), off_by_seconds=k > 2, exactly=exactly
        )
        for k, name in enumerate(told)
    ]


def test_names_that_run_on_are_late() -> None:
    assert observe(LabelHistory(), 1, 2, 3, 4, 5)[3:] == [True, True]
    assert observe(LabelHistory(), 1.0, 1.2, 1.4, 1.61, 1.8)[3:] == [True, True]


def test_names_that_go_back_or_leap_or_stay_are_not() -> None:
    for name in (1, 3, 7):
        assert observe(LabelHistory(), 1, 2, 3, name, name + 1)[3:] == [False, False]


def test_whole_seconds_to_the_millisecond_are_not() -> None:
    assert observe(LabelHistory(), 1, 2, 3, 4, 5, exactly=True)[3:] == [False, False]


def test_the_first_names_ever_are_not() -> None:
    names = LabelHistory()
    assert not names.observe(Tai(0), off_by_seconds=True, exactly=False)
    names = LabelHistory()
    names.observe(Tai(0), off_by_seconds=False, exactly=False)
    assert not names.observe(Tai(SECOND.ns), off_by_seconds=True, exactly=False)


def test_what_was_late_may_be_on_time_again_and_then_changed() -> None:
    names = LabelHistory()
    assert observe(names, 1, 2, 3, 4)[3]
    assert not names.observe(Tai(5 * SECOND.ns), off_by_seconds=False, exactly=False)
    assert not names.observe(Tai(4 * SECOND.ns), off_by_seconds=True, exactly=False)
