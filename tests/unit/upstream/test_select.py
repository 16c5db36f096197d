from __future__ import annotations

from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration
from refclock.upstream.filter import Interval
from refclock.upstream.select import agreement
from tests.unit.upstream.by_hand import NOON


def at(error: Duration, half: Duration = 10 * MILLISECOND) -> Interval:
    return Interval(NOON + error, half)


def test_nobody_agrees_on_nothing() -> None:
    assert agreement({}) is None


def test_of_two_apart_none_is_believed() -> None:
    assert agreement({"a": at(ZERO), "b": at(SECOND)}) is None


def test_a_liar_among_three_is_left_out() -> None:
    found = agreement({"a": at(ZERO), "b": at(5 * MILLISECOND), "c": at(SECOND)})
    assert found is not None
    assert found.truechimers == {"a", "b"}
    assert found.interval == Interval(NOON + Duration(2_500_000), Duration(7_500_000))


def test_half_of_four_is_no_majority() -> None:
    pairs = {"a": at(ZERO), "b": at(ZERO), "c": at(SECOND), "d": at(SECOND)}
    assert agreement(pairs) is None


def test_a_minority_that_overlaps_cannot_cut_the_truth_off() -> None:
    """The deepest overlap would exclude it."""
    wide = 100 * MILLISECOND
    liar = at(-80 * MILLISECOND, MILLISECOND)
    found = agreement({"a": at(ZERO, wide), "b": at(ZERO, wide), "c": liar})
    assert found is not None
    assert found.interval == Interval(NOON, wide)


def test_intervals_that_only_touch_agree() -> None:
    found = agreement({"a": at(ZERO), "b": at(20 * MILLISECOND)})
    assert found is not None
    assert found.interval.half == ZERO
