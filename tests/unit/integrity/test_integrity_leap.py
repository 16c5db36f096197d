from __future__ import annotations

import pytest

from refclock.diagnose.words import sentence
from refclock.events import Fix, LeapNotice, TimeMessage
from refclock.integrity.monitor import (
    AlarmKind,
    Integrity,
    IntegritySettings,
    MessageRefused,
)
from refclock.timebase import (
    DAY,
    SECOND,
    Duration,
    LeapSecond,
    LeapTable,
    Mono,
    Utc,
)

EXPIRES = Utc.of(2026, 12, 28)
LEAPS = LeapTable((), 37 * SECOND, updated=Utc.of(2026, 7, 1), expires=EXPIRES)
NOW = Utc.of(2026, 12, 1)
LATER = Utc.of(2029, 12, 1)
BOOT = Mono(1000 * SECOND.ns)
TURN = Utc.of(2027, 1, 1)


def leap(midnight: Utc = TURN, before: int = 37, after: int = 38) -> LeapSecond:
    return LeapSecond.ending(midnight, before * SECOND, after * SECOND)


def judge(leaps: LeapTable = LEAPS) -> Integrity:
    return Integrity(IntegritySettings(), leaps, Utc.of(2026, 1, 1))


def notice(
    count: int | None = 37,
    *,
    default: bool = False,
    announced: LeapSecond | None = None,
    at: int = 0,
    kind: str = "UBX-NAV-TIMELS",
) -> LeapNotice:
    behind = None if count is None else count * SECOND
    return LeapNotice(BOOT + at * SECOND, kind, behind, default, announced)


def believes(of: Integrity, utc: Utc = NOW) -> bool:
    told = of.accept(TimeMessage(utc, BOOT, "RMC", Fix.VALID))
    return not isinstance(told, MessageRefused)


def announce(of: Integrity, what: LeapSecond, utc: Utc = NOW, times: int = 70) -> None:
    for k in range(times):
        of.leap_notice(notice(announced=what, at=k), LEAPS.tai(utc))


# the table


def test_a_table_that_has_expired_is_told_until_there_is_a_newer_one() -> None:
    of = judge()
    assert believes(of, NOW)
    assert of.alarms(BOOT) == ()
    assert believes(of, LATER)
    (alarm,) = of.alarms(BOOT)
    assert alarm.kind is AlarmKind.TABLE
    assert "expired on 2026-12-28" in sentence(alarm.reason)
    of.know(LeapTable((), 37 * SECOND, LEAPS.updated, Utc.of(2031, 6, 28)))
    assert believes(of, LATER)
    assert of.alarms(BOOT) == ()


@pytest.mark.parametrize(
    ("left", "says"),
    [(15, None), (13, "expires on 2026-12-28"), (0, "expired on 2026-12-28")],
)
def test_that_it_will_expire_is_told_two_weeks_before(
    left: int, says: str | None
) -> None:
    of = judge()
    assert believes(of, EXPIRES - left * DAY)
    texts = [sentence(alarm.reason) for alarm in of.alarms(BOOT)]
    assert len(texts) == (says is not None)
    assert all(says in text for text in texts if says)


def test_a_receiver_that_counts_needs_no_table() -> None:
    of = judge()
    of.leap_notice(notice(38), None)
    assert believes(of, LATER)
    assert of.alarms(BOOT) == ()


# the count


def test_a_receiver_that_says_nothing_of_its_count_is_believed() -> None:
    assert believes(judge())


@pytest.mark.parametrize(
    ("count", "default", "utc", "accepted"),
    [
        (37, False, NOW, True),
        (37, True, NOW, True),  # the table says that the guess is right
        (34, True, NOW, False),
        (34, False, NOW, False),
        (19, False, NOW, False),  # no leap seconds at all: GPS time
        (None, True, NOW, False),
        (None, False, NOW, True),
        (38, False, LATER, True),  # the table is too old to contradict
        (37, True, LATER, False),
    ],
)
def test_the_count_against_the_table(
    count: int | None, utc: Utc, *, default: bool, accepted: bool
) -> None:
    of = judge()
    of.leap_notice(notice(count, default=default), None)
    assert believes(of, utc) == accepted
    assert [alarm.kind for alarm in of.alarms(BOOT)] == (
        [] if accepted else [AlarmKind.COUNT]
    )


def test_a_count_that_comes_from_the_sky_makes_it_credible() -> None:
    of = judge()
    of.leap_notice(notice(34, default=True), None)
    assert not believes(of)
    (alarm,) = of.alarms(BOOT)
    assert "the firmware has TAI-UTC = 34 s" in sentence(alarm.reason)
    assert "the table 37 s" in sentence(alarm.reason)
    of.leap_notice(notice(), None)
    assert believes(of)
    assert of.alarms(BOOT) == ()


def test_a_notice_without_a_count_takes_none_back() -> None:
    of = judge()
    of.leap_notice(notice(34), None)
    of.leap_notice(notice(None), None)
    assert not believes(of)


@pytest.mark.parametrize("late", [-30, 30])
def test_around_a_leap_second_either_count_will_do(late: int) -> None:
    of = judge(LEAPS.with_leap(leap(Utc.of(2026, 7, 1))))
    for count in (37, 38):
        of.leap_notice(notice(count), None)
        assert believes(of, Utc.of(2026, 7, 1) + late * SECOND)
    of.leap_notice(notice(37), None)
    assert not believes(of, Utc.of(2026, 7, 2))


# the next one


def test_the_table_knows_the_next_one() -> None:
    known = leap(Utc.of(2026, 12, 28))
    of = judge(LEAPS.with_leap(known))
    assert of.leap(LEAPS.tai(NOW)) == known
    assert of.leap(known.at) is None


@pytest.mark.parametrize("after", [36, 38])
def test_beyond_the_table_the_receiver_is_believed_when_it_insists(after: int) -> None:
    of, what = judge(), leap(after=after)
    announce(of, what, times=60)
    assert of.leap(LEAPS.tai(NOW)) is None
    announce(of, what)
    assert of.leap(LEAPS.tai(NOW)) == what
    assert of.leap(what.at) is None
    assert of.alarms(BOOT) == ()


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(leap(Utc.of(2027, 4, 1)), id="March"),
        pytest.param(leap(Utc.of(2027, 1, 1, 12)), id="noon"),
        pytest.param(leap(after=39), id="two seconds"),
        pytest.param(leap(before=36, after=37), id="another count"),
        pytest.param(leap(Utc.of(2026, 7, 1)), id="past"),
        pytest.param(leap(Utc.of(2028, 7, 1)), id="too far"),
    ],
)
def test_a_leap_second_that_cannot_be_is_refused_and_told(what: LeapSecond) -> None:
    of = judge()
    announce(of, what)
    assert of.leap(LEAPS.tai(NOW)) is None
    (alarm,) = of.alarms(BOOT)
    assert alarm.kind is AlarmKind.LEAP
    assert what.midnight.iso()[:10] in sentence(alarm.reason)


def test_what_the_table_should_know_and_does_not_is_refused() -> None:
    table = LeapTable((), 37 * SECOND, LEAPS.updated, expires=Utc.of(2027, 6, 28))
    of = judge(table)
    announce(of, leap())
    assert of.leap(table.tai(NOW)) is None
    assert [alarm.kind for alarm in of.alarms(BOOT)] == [AlarmKind.LEAP]


def test_a_receiver_that_contradicts_the_table_s_next_one_is_told() -> None:
    known = leap(Utc.of(2026, 12, 20))
    of = judge(LEAPS.with_leap(known))
    announce(of, leap())
    assert of.leap(LEAPS.tai(NOW)) == known
    assert [alarm.kind for alarm in of.alarms(BOOT)] == [AlarmKind.LEAP]
    announce(of, known)
    assert of.alarms(BOOT) == ()


def test_an_announcement_may_be_taken_back_by_the_kind_that_made_it() -> None:
    of = judge()
    announce(of, leap())
    of.leap_notice(notice(kind="PUBX04"), LEAPS.tai(NOW))
    assert of.leap(LEAPS.tai(NOW)) is not None
    of.leap_notice(notice(), LEAPS.tai(NOW))
    assert of.leap(LEAPS.tai(NOW)) is None


def test_another_announcement_begins_anew() -> None:
    of = judge()
    announce(of, leap())
    of.leap_notice(notice(announced=leap(Utc.of(2027, 7, 1)), at=70), LEAPS.tai(NOW))
    assert of.leap(LEAPS.tai(NOW)) is None


def test_an_announcement_before_we_know_the_time_waits() -> None:
    of = judge()
    for k in range(100):
        of.leap_notice(notice(announced=leap(), at=k), None)
    assert of.leap(LEAPS.tai(NOW)) is None


def test_one_that_was_announced_may_become_known() -> None:
    of = judge()
    announce(of, leap())
    of.know(LEAPS.with_leap(leap()))
    assert of.leap(LEAPS.tai(NOW)) == leap()
    of.leap_notice(notice(38), None)
    assert believes(of, TURN + Duration(DAY.ns))
