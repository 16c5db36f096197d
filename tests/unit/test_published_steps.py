"""A step of the local clock between publication and use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from refclock.published import Served
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    Local,
    Mono,
    Tai,
    Utc,
)

AT = Mono(1_000 * SECOND.ns)
NOON = Utc.of(2026, 12, 31, 12)
SERVED = Served(
    stratum=1,
    ref_id=b"PPS\0",
    at=AT,
    local=Local(NOON.ns),
    correction=37 * SECOND,
    rate=0.0,
    updated=Tai(NOON.ns),
    bound=MILLISECOND,
    bound_rate=0.0,
    utc_behind_tai=37 * SECOND,
    leap=None,
    precision=-20,
)


@pytest.mark.parametrize(
    ("by", "served"),
    [
        (ZERO, True),
        (99 * MILLISECOND, True),
        (-99 * MILLISECOND, True),
        (101 * MILLISECOND, False),
        (600 * SECOND, False),
    ],
)
def test_after_a_large_step_of_others_no_time_is_served(
    by: Duration, served: bool
) -> None:
    assert SERVED.synchronised(AT + SECOND, SERVED.skew + by) is served


def test_a_rate_in_force_bends_what_is_served_and_breaks_nothing() -> None:
    """From there on a clock 500 ppm faster is right as it was before."""
    moving = replace(SERVED, rate=2e-4, bound_rate=1e-6)
    turn = AT + 20 * MILLISECOND
    bent = moving.rerated(turn, 1.0 / 1.0005)
    assert (bent.at, bent.skew) == (turn, moving.skew)
    assert bent.bound == moving.bound_at(turn)
    at_turn = moving.local + 20 * MILLISECOND
    assert bent.tai(at_turn, bent.skew) == moving.tai(at_turn, moving.skew)
    true = moving.tai(at_turn + SECOND, moving.skew)
    faster = at_turn + SECOND + Duration(500_000)
    assert abs(bent.tai(faster, bent.skew) - true) <= Duration(1)


def test_our_own_step_was_announced() -> None:
    ordered = replace(SERVED, step=-3 * SECOND)
    assert ordered.synchronised(AT, ordered.skew - 3 * SECOND)
    assert ordered.synchronised(AT, ordered.skew)
    assert not ordered.synchronised(AT, ordered.skew + 3 * SECOND)


def test_so_was_the_kernels_leap_second() -> None:
    leap = LeapSecond.ending(Utc.of(2027, 1, 1), 37 * SECOND, 38 * SECOND)
    announced = replace(SERVED, leap=leap)
    assert announced.synchronised(AT, announced.skew - SECOND)
    assert not announced.synchronised(AT, announced.skew + SECOND)


def test_a_step_changes_nothing_of_the_instant_served() -> None:
    stepped = Local(SERVED.local.ns) + 50 * MILLISECOND
    skew = SERVED.skew + 50 * MILLISECOND
    assert SERVED.tai(stepped, skew) == SERVED.tai(SERVED.local, SERVED.skew)


def test_unsynchronised_is_leap_alarm() -> None:
    assert SERVED.indicator(Tai(NOON.ns), AT, SERVED.skew + SECOND) == 3
    assert SERVED.indicator(Tai(NOON.ns), AT, SERVED.skew) == 0
