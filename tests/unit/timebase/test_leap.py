from __future__ import annotations

from pathlib import Path

import pytest

import refclock.timebase
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    LeapSecond,
    LeapTable,
    LeapTableError,
    Tai,
    Utc,
)

PACKAGED = Path(refclock.timebase.__file__).with_name("leap-seconds.list")
LEAP_2016 = Utc.of(2017, 1, 1)


@pytest.fixture
def table() -> LeapTable:
    return LeapTable.parse(PACKAGED.read_text())


def test_the_packaged_table_is_dated(table: LeapTable) -> None:
    assert table.updated == Utc.of(2025, 7, 7)
    assert table.expires == Utc.of(2026, 6, 28)
    assert table.first == 10 * SECOND
    assert len(table.leaps) == 27


def test_an_inserted_second_has_no_name_but_reads_as_59_again(table: LeapTable) -> None:
    last = table.tai(LEAP_2016 - SECOND)
    assert table.utc(last) == LEAP_2016 - SECOND
    assert table.utc(last + SECOND) is None
    assert table.posix(last + SECOND + 250 * MILLISECOND) == (
        LEAP_2016 - 750 * MILLISECOND
    )
    assert table.utc(last + 2 * SECOND) == LEAP_2016
    assert table.tai(LEAP_2016) == last + 2 * SECOND


def test_the_offset_today_is_37_s(table: LeapTable) -> None:
    assert table.tai(Utc.of(2026, 1, 1)) == Tai(Utc.of(2026, 1, 1).ns + 37 * SECOND.ns)
    assert table.offset(Tai(0)) == 10 * SECOND


def test_a_deleted_second_is_skipped(table: LeapTable) -> None:
    midnight = Utc.of(2030, 1, 1)
    leap = LeapSecond.ending(midnight, 37 * SECOND, 36 * SECOND)
    shorter = table.with_leap(leap)
    assert not leap.inserts
    assert leap.midnight == midnight
    last = shorter.tai(midnight - 2 * SECOND)
    assert shorter.utc(last + SECOND) == midnight
    assert leap.at == last + SECOND


def test_the_next_leap_second_is_found_until_it_begins(table: LeapTable) -> None:
    leap = table.next_after(table.tai(LEAP_2016 - SECOND))
    assert leap is not None
    assert leap.midnight == LEAP_2016
    assert leap.inserts
    assert table.next_after(leap.at) is None


def test_an_announced_leap_second_must_be_the_last(table: LeapTable) -> None:
    with pytest.raises(LeapTableError, match="after the last"):
        table.with_leap(LeapSecond.ending(LEAP_2016, 36 * SECOND, 37 * SECOND))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("#@ 3991593600\n3692217600 x\n", "line 2"),
        ("#@ soon\n", "line 1"),
        ("3692217600 37\n", "expiry"),
        ("#@ 3991593600\n", "no leap second"),
        ("#@ 3991593600\n3692217600 37\n3644697600 36\n", "order"),
        ("#@ 99999999999\n", "line 1: '#@ 99999999999': no time in seconds"),
        ("#@ 9999999999\n", "line 1: '#@ 9999999999': not a time from 1970 to 2200"),
        ("#@ -1\n", "no time in seconds since 1900"),
        ("#@ \u0663\n", "no time in seconds since 1900"),
        ("#$ 1_0\n", "no time in seconds since 1900"),
        ("#@ 3991593600\n3692217601 37\n", "line 2: .* comes at midnight UTC"),
        ("#@ 3991593600\n3692217600 0\n", "line 2: .* no TAI - UTC in seconds"),
        ("#@ 3991593600\n3644697600 36\n3692217600 38\n", "other than one second"),
    ],
)
def test_a_bad_table_is_refused_and_the_line_named(text: str, says: str) -> None:
    with pytest.raises(LeapTableError, match=says):
        LeapTable.parse(text)


def test_a_table_without_update_line_is_as_old_as_its_last_leap_second() -> None:
    table = LeapTable.parse("#@ 3991593600\n3692217600 37 # 1 Jan 2017\n")
    assert table.updated == Utc.of(2017, 1, 1)
