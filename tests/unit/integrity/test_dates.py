"""Dates that cannot be, dates that rolled over, and dates before the last good one."""

from __future__ import annotations

import pytest

from refclock.events import RTC0, Witness
from refclock.integrity.alarm import AlarmKind, Alarms
from refclock.integrity.dates import BACKED, ROLLOVER, Dated, DateJudge, unrolled
from refclock.reasons import Code, Reason
from refclock.timebase import DAY, MINUTE, SECOND, ZERO, Duration, Local, Mono, Utc

BUILT = Utc.of(2026, 1, 1)
TODAY = Utc.of(2026, 10, 5, 12)
BOOT = Mono(1000 * SECOND.ns)
LOCAL = Local(5 * DAY.ns)


def reading(utc: Utc, spread: Duration = MINUTE, mono: Mono = BOOT) -> Witness:
    return Witness(RTC0, Duration(utc.ns - LOCAL.ns), LOCAL, mono, 0, spread)


def judge(last_good: Utc | None = None) -> tuple[DateJudge, Alarms]:
    alarms = Alarms()
    return DateJudge(alarms, BUILT, last_good), alarms


def code(verdict: Dated | Reason) -> Code | None:
    return verdict.code if isinstance(verdict, Reason) else None


def test_a_plain_date_is_taken() -> None:
    dates, alarms = judge()
    assert dates.judge(TODAY, BOOT) == Dated(TODAY, 0)
    assert not alarms.standing(BOOT)


@pytest.mark.parametrize("turns", [1, 2])
def test_a_battery_clock_tells_how_often_the_weeks_rolled_over(turns: int) -> None:
    """The receiver's date is possible, and twenty or forty years ago."""
    dates, _ = judge()
    dates.witness(reading(TODAY + turns * ROLLOVER))
    assert dates.judge(TODAY, BOOT) == Dated(TODAY + turns * ROLLOVER, turns)


def test_a_battery_clock_of_another_date_makes_no_rollover() -> None:
    dates, _ = judge()
    dates.witness(reading(TODAY + 400 * DAY))
    assert dates.judge(TODAY, BOOT) == Dated(TODAY, 0)


def test_a_battery_clock_that_was_never_set_is_no_witness() -> None:
    dates, _ = judge()
    assert not dates.witness(reading(Utc.of(2000, 1, 1)))
    assert dates.witness(reading(TODAY))


def test_a_date_before_the_last_good_one_is_held_and_heals() -> None:
    """A lie of years that was kept does not outlive ten minutes of the true sky."""
    dates, alarms = judge(last_good=Utc.of(2030, 3, 1))
    now = BOOT
    for k in range(BACKED.ns // SECOND.ns):
        now = BOOT + k * SECOND
        assert code(dates.judge(TODAY + k * SECOND, now)) is (
            Code.DATE_BEFORE_LAST_GOOD
        )
    (alarm,) = alarms.standing(now)
    assert alarm.kind is AlarmKind.DATE
    later = BACKED + SECOND
    assert dates.judge(TODAY + later, BOOT + later) == Dated(TODAY + later, 0)
    assert not alarms.standing(BOOT + later)


def test_words_of_now_and_then_do_not_add_up() -> None:
    dates, _ = judge(last_good=Utc.of(2030, 3, 1))
    for minutes in range(0, 60, 5):
        now = BOOT + minutes * MINUTE
        verdict = dates.judge(TODAY + minutes * MINUTE, now)
        assert code(verdict) is Code.DATE_BEFORE_LAST_GOOD


def test_a_battery_clock_decides_between_the_sky_and_the_last_good_time() -> None:
    dates, _ = judge(last_good=Utc.of(2030, 3, 1))
    dates.witness(reading(TODAY))
    assert dates.judge(TODAY, BOOT) == Dated(TODAY, 0)


def test_the_last_good_time_may_have_been_a_little_ahead() -> None:
    dates, _ = judge(last_good=TODAY + DAY - SECOND)
    assert dates.judge(TODAY, BOOT) == Dated(TODAY, 0)


def test_what_a_witness_said_grows_old() -> None:
    """A hundred days on, 500 ppm are more than an hour."""
    dates, _ = judge()
    dates.witness(reading(TODAY, ZERO))
    later = 100 * DAY
    off = 70 * MINUTE
    assert dates.judge(TODAY + later + off - ROLLOVER, BOOT + later) == Dated(
        TODAY + later + off, 1
    )


@pytest.mark.parametrize(
    "day", [(2000, 1, 1), (2001, 1, 1), (2015, 1, 1), (2008, 1, 1), (1999, 8, 22)]
)
def test_where_a_receiver_begins_is_no_rollover(day: tuple[int, int, int]) -> None:
    assert unrolled(Utc.of(*day, 0, 5), Utc.of(2026, 11, 1)) is None


def test_a_first_of_january_to_come_is_a_day_like_any_other() -> None:
    day = Utc.of(2027, 1, 1, 12)
    assert unrolled(day, Utc.of(2026, 11, 1)) == (day, 0)
    assert unrolled(Utc.of(2027, 1, 1), Utc.of(2027, 1, 5)) == (Utc.of(2027, 1, 1), 0)
