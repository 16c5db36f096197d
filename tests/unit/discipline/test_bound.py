"""The bound: a sum of named lines, and how long it holds."""

from dataclasses import replace

import pytest

from refclock.discipline.bound import FURTHEST, SIGMAS, Budget, growth, time_left
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration

BUDGET = Budget(latency=Duration(5000), receiver=Duration(50), reading=Duration(40))


def wandering(after: Duration) -> float:
    """The sigma of a random walk: a microsecond now, growing as t^1.5."""
    return 1e-6 + 1e-9 * float(after.seconds**1.5)


def test_the_bound_is_the_sum_of_its_lines() -> None:
    budget = BUDGET.with_sigma(1e-6)
    assert budget.filter == Duration(4000)
    assert budget.total == Duration(9090)
    assert sum(budget.lines().values()) == pytest.approx(budget.total.seconds)
    assert budget.with_sigma(0.0).total == budget.systematic


def test_sentences_alone_are_told_as_such() -> None:
    told = replace(BUDGET, lag=MILLISECOND).lines()
    assert told == {"sentence lag": 1e-3} | BUDGET.lines()
    assert replace(BUDGET, lag=MILLISECOND).total == BUDGET.total + MILLISECOND


def test_it_rounds_up() -> None:
    assert BUDGET.with_sigma(1.0000001e-6).filter == Duration(4001)


def test_it_can_be_held_up_but_not_down() -> None:
    budget = BUDGET.with_sigma(1e-6)
    assert budget.at_least(Duration(10_000)).filter == Duration(4910)
    assert budget.at_least(Duration(10_000)).total == Duration(10_000)
    assert budget.at_least(Duration(9_000)) == budget


def test_it_grows_no_slower_than_told() -> None:
    over = 30 * SECOND
    rate = growth(wandering, over)
    for seconds in range(31):
        after = seconds * SECOND
        grown = SIGMAS * (wandering(after) - wandering(ZERO))
        assert grown <= rate * after.seconds * (1 + 1e-9)
    assert growth(lambda after: 1.0 - after.seconds, over) == 0.0
    steady = growth(lambda after: 1e-6 + 2e-9 * after.seconds, over)
    assert steady == pytest.approx(SIGMAS * 2e-9)


def test_time_left_is_when_the_limit_is_reached() -> None:
    left = time_left(BUDGET, wandering, MILLISECOND)
    assert BUDGET.with_sigma(wandering(left)).total <= MILLISECOND
    later = Duration(round(left.ns * 1.02))
    assert BUDGET.with_sigma(wandering(later)).total > MILLISECOND


def test_nothing_is_left_of_a_spent_budget_and_no_more_than_a_month_of_another() -> (
    None
):
    assert time_left(BUDGET, wandering, Duration(5090)) == ZERO
    assert time_left(BUDGET, lambda _: 1e-9, MILLISECOND) == FURTHEST
