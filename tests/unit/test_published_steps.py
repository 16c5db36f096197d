"""A step of the local clock between publication and use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from refclock.published import ClockSnapshot
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
SERVED = ClockSnapshot(
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
    ("by", "snapshot"),
    [
        (ZERO, True),
        (99 * MILLISECOND, True),
        (-99 * MILLISECOND, True),
        (101 * MILLISECOND, False),
        (600 * SECOND, False),
    ],
)
def test_after_a_large_step_of_others_no_time_is_served(
    by: Duration, snapshot: bool
) -> None:
    assert SERVED.synchronised(AT + SECOND, SERVED.realtime_offset + by) is snapshot


def test_a_rate_in_force_bends_what_is_served_and_breaks_nothing() -> None:
    """From there on a clock 500 ppm faster is right as it was before."""
    moving = replace(SERVED, rate=2e-4, bound_rate=1e-6)
    turn = AT + 20 * MILLISECOND
    bent = moving.with_rate(turn, 1.0 / 1.0005)
    assert (bent.at, bent.realtime_offset) == (turn, moving.realtime_offset)
    assert bent.bound == moving.bound_at(turn)
    at_turn = moving.local + 20 * MILLISECOND
    assert bent.tai(at_turn, bent.realtime_offset) == moving.tai(
        at_turn, moving.realtime_offset
    )
    true = moving.tai(at_turn + SECOND, moving.realtime_offset)
    faster = at_turn + SECOND + Duration(500_000)
    assert abs(bent.tai(faster, bent.realtime_offset) - true) <= Duration(1)


def test_our_own_step_was_announced() -> None:
    ordered = replace(SERVED, step=-3 * SECOND)
    assert ordered.synchronised(AT, ordered.realtime_offset - 3 * SECOND)
    assert ordered.synchronised(AT, ordered.realtime_offset)
    assert not ordered.synchronised(AT, ordered.realtime_offset + 3 * SECOND)


def test_so_was_the_kernels_leap_second() -> None:
    leap = LeapSecond.ending(Utc.of(2027, 1, 1), 37 * SECOND, 38 * SECOND)
    announced = replace(SERVED, leap=leap)
    assert announced.synchronised(AT, announced.realtime_offset - SECOND)
    assert not announced.synchronised(AT, announced.realtime_offset + SECOND)


def test_a_step_changes_nothing_of_the_instant_served() -> None:
    stepped = Local(SERVED.local.ns) + 50 * MILLISECOND
    realtime_offset = SERVED.realtime_offset + 50 * MILLISECOND
    assert SERVED.tai(stepped, realtime_offset) == SERVED.tai(
        SERVED.local, SERVED.realtime_offset
    )


def test_unsynchronised_is_leap_alarm() -> None:
    assert SERVED.indicator(Tai(NOON.ns), AT, SERVED.realtime_offset + SECOND) == 3
    assert SERVED.indicator(Tai(NOON.ns), AT, SERVED.realtime_offset) == 0
