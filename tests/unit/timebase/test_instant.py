from __future__ import annotations

import pytest

from refclock.timebase import (
    DAY,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    Local,
    Mono,
    Tai,
    Utc,
)


def test_readings_of_different_clocks_never_mix() -> None:
    with pytest.raises(TypeError):
        Utc(5) - Mono(3)  # type: ignore[operator]
    with pytest.raises(TypeError):
        Local(5) < Tai(6)  # type: ignore[operator] # noqa: B015 - must raise
    with pytest.raises(TypeError):
        Utc(5) + 3  # type: ignore[operator]
    assert len({Utc(5), Tai(5)}) == 2


def test_an_instant_and_a_duration_make_an_instant_of_the_same_clock() -> None:
    later = Mono(7) + 2 * SECOND
    assert type(later) is Mono
    assert later - Mono(7) == Duration(2_000_000_000)
    assert later - 2 * SECOND == Mono(7)


def test_durations_add_up() -> None:
    assert SECOND + MILLISECOND - MILLISECOND == SECOND
    assert -SECOND + SECOND == ZERO
    assert abs(-3 * SECOND) == SECOND * 3
    assert not ZERO
    assert SECOND


def test_seconds_are_rounded_to_the_nearest_nanosecond() -> None:
    assert Duration.from_seconds(1e-9 * 1.6) == Duration(2)
    assert Duration.from_seconds(-0.25).seconds == -0.25


@pytest.mark.parametrize(
    ("ns", "nearest"),
    [(1_499_999_999, 1), (1_500_000_000, 2), (-500_000_001, -1), (-500_000_000, 0)],
)
def test_rounding_to_whole_seconds(ns: int, nearest: int) -> None:
    assert Duration(ns).rounded(SECOND) == nearest * SECOND


def test_utc_has_names() -> None:
    assert Utc.of(1970, 1, 2) == Utc(0) + DAY
    assert Utc.of(2026, 5, 1, 11, 11, 6).iso() == "2026-05-01T11:11:06Z"
    assert (Utc.of(2026, 5, 1, 11, 11, 6) + 250 * MILLISECOND).iso() == (
        "2026-05-01T11:11:06.25Z"
    )
    assert Utc(-1).iso() == "1969-12-31T23:59:59.999999999Z"


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (-719_528, "0000-01-01T00:00:00Z"),
        (-719_529, "-00001-12-31T00:00:00Z"),
        (-719_162, "0001-01-01T00:00:00Z"),
        (2_932_896, "9999-12-31T00:00:00Z"),
        (2_932_897, "+10000-01-01T00:00:00Z"),
        (146_097 * 250, "+101970-01-01T00:00:00Z"),
    ],
)
def test_every_instant_can_be_written(days: int, text: str) -> None:
    """The year 0 is 1 BC; the calendar goes on both ways for ever."""
    assert Utc(days * DAY.ns).iso() == text
    assert Utc(days * DAY.ns + 1).iso() == text.replace("Z", ".000000001Z")
    for ns in (10**30, -(10**30), 2**63, -(2**63)):
        assert Utc(ns).iso().endswith("Z")
    with pytest.raises(ValueError, match="day"):
        Utc.of(2026, 2, 30)
