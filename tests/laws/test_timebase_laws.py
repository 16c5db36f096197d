from __future__ import annotations

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

import refclock.timebase
from refclock.timebase import (
    SECOND,
    Duration,
    LeapTable,
    NtpShort,
    NtpTimestamp,
    Tai,
    Utc,
)

TABLE = LeapTable.parse(
    Path(refclock.timebase.__file__).with_name("leap-seconds.list").read_text()
)
SPAN = 68 * 365 * 86_400 * SECOND.ns
times = st.integers(0, 400 * 366 * 86_400 * SECOND.ns).map(Utc)


@given(times, st.integers(-SPAN, SPAN).map(Duration))
@example(Utc.of(2036, 2, 7, 6, 28, 16), Duration(-1))
@example(Utc.of(2036, 2, 7, 6, 28, 15), SECOND)
def test_ns_to_wire_to_ns_is_exact_near_any_pivot(utc: Utc, away: Duration) -> None:
    assert NtpTimestamp.of(utc).near(utc + away) == utc


@given(st.integers(0, 2**64 - 1), times)
def test_a_wire_time_is_within_68_years_of_the_pivot(bits: int, pivot: Utc) -> None:
    read = NtpTimestamp(bits).near(pivot)
    assert abs(read - pivot).ns <= (1 << 31) * SECOND.ns
    assert (NtpTimestamp.of(read).bits - bits) % 2**64 in {0, *range(2**64 - 5, 2**64)}


@given(st.integers(-(10**18), 10**18).map(Duration))
def test_a_short_interval_is_never_less_than_the_bound(length: Duration) -> None:
    short = NtpShort.of(length)
    if 0 <= length.ns < 65_535 * SECOND.ns:
        assert 0 <= short.bits * SECOND.ns - (length.ns << 16) < SECOND.ns
    assert 0 <= short.bits <= 0xFFFF_FFFF


@given(st.integers(0, 2 * 10**18).map(Tai))
@example(TABLE.leaps[-1].at)
@example(TABLE.leaps[-1].at + SECOND)
def test_a_tai_instant_has_one_utc_name_or_none(at: Tai) -> None:
    name = TABLE.utc(at)
    if name is None:
        assert any(leap.at <= at < leap.at + SECOND for leap in TABLE.leaps)
    else:
        assert TABLE.tai(name) == at
    assert abs(TABLE.tai(TABLE.posix(at)) - at).ns <= SECOND.ns


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**10))
def test_rounding_goes_to_the_nearest_multiple(ns: int, to: int) -> None:
    rounded = Duration(ns).rounded(Duration(to))
    assert rounded.ns % to == 0
    assert -to < 2 * (ns - rounded.ns) <= to or 2 * (ns - rounded.ns) == -to
