"""Who may vouch for how much of a change of the second."""

from __future__ import annotations

import pytest

from refclock.events import Fix, LeapNotice, TimeMessage
from refclock.integrity.alarm import Alarms
from refclock.integrity.monitor import Integrity, IntegritySettings, Policy
from refclock.integrity.second import SecondJudge, Voucher, may_vouch
from refclock.timebase import DAY, HOUR, SECOND, Duration, LeapTable, Mono, Utc

LEAPS = LeapTable(
    (), 37 * SECOND, updated=Utc.of(2025, 7, 7), expires=Utc.of(2027, 6, 28)
)
NOW = Utc.of(2026, 10, 5, 12)
BOOT = Mono(1000 * SECOND.ns)


@pytest.mark.parametrize(
    ("voucher", "inside", "outside"),
    [
        (Voucher.LEAP_COUNT, (-3, -1, 1, 3), (-4, 4, 3600, -86_400)),
        (Voucher.LATE_COUNT, (-18, -1), (-19, 1, -3600)),
        (Voucher.EXPIRED_TABLE, (-1, 1), (-2, 2, 3600)),
        (Voucher.POLICY, (-86_400, 3600), (-86_401, 31_536_000)),
        (Voucher.WITNESS, (1, -619_315_200, 3600), ()),
    ],
)
def test_each_voucher_has_a_limit(
    voucher: Voucher, inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    assert all(may_vouch(voucher, by * SECOND) for by in inside)
    assert not any(may_vouch(voucher, by * SECOND) for by in outside)


def lasting(judge: Integrity, ahead_s: int, seconds: int, begin: int) -> list[int]:
    """At which of so many seconds a change was adopted."""
    adopted = []
    for k in range(begin, begin + seconds):
        now = BOOT + k * SECOND
        utc = NOW + (k + ahead_s) * SECOND
        judge.accept(TimeMessage(utc, now, "RMC", Fix.VALID))
        if judge.second(ahead_s * SECOND, now):
            adopted.append(k)
    return adopted


def healthy(settings: IntegritySettings | None = None) -> Integrity:
    """A receiver that has told the right count from the sky for ten minutes."""
    judge = Integrity(settings or IntegritySettings(), LEAPS, LEAPS.updated)
    notice = LeapNotice(BOOT, "UBX-NAV-TIMELS", 37 * SECOND)
    judge.leap_notice(notice, LEAPS.tai(NOW))
    for k in range(600):
        utc, now = NOW + k * SECOND, BOOT + k * SECOND
        judge.accept(TimeMessage(utc, now, "RMC", Fix.VALID))
    return judge


@pytest.mark.parametrize("ahead_s", [3600, -3600, -10, 5, 86_400, 315_360_000])
def test_a_right_leap_count_vouches_for_no_reset_of_the_time(ahead_s: int) -> None:
    assert lasting(healthy(), ahead_s, 900, 600) == []


@pytest.mark.parametrize("ahead_s", [1, -1, 2, -3])
def test_nor_for_another_second_than_it_named_with_that_count(ahead_s: int) -> None:
    assert lasting(healthy(), ahead_s, 900, 600) == []


@pytest.mark.parametrize("ahead_s", [1, -1, 2, -3])
def test_a_count_that_becomes_right_vouches_for_the_second_named_with_it(
    ahead_s: int,
) -> None:
    judge = Integrity(IntegritySettings(), LEAPS, LEAPS.updated)
    lasting(judge, 0, 600, 0)
    notice = LeapNotice(BOOT + 600 * SECOND, "UBX-NAV-TIMELS", 37 * SECOND)
    judge.leap_notice(notice, LEAPS.tai(NOW))
    assert lasting(judge, ahead_s, 62, 600) == [660]


def test_a_count_that_was_not_told_may_have_come_late() -> None:
    judge = Integrity(IntegritySettings(), LEAPS, LEAPS.updated)
    assert lasting(judge, 0, 60, 0) == []
    assert lasting(judge, -18, 62, 60) == [120]


def test_after_an_hour_no_count_comes_late() -> None:
    judge = Integrity(IntegritySettings(), LEAPS, LEAPS.updated)
    lasting(judge, 0, 2, 0)
    assert lasting(judge, -2, 100, 3601) == []


def test_who_follows_by_policy_follows_no_date() -> None:
    follow = IntegritySettings(policy=Policy.FOLLOW)
    assert lasting(healthy(follow), 3600, 62, 600) == [660]
    assert lasting(healthy(follow), 2 * DAY.ns // SECOND.ns, 200, 600) == []


def test_a_witness_against_stops_every_other_voucher() -> None:
    judge = SecondJudge(Alarms(), 60 * SECOND)
    everyone = frozenset(Voucher)

    def adopted(*, confirmed: bool | None) -> bool:
        return [
            judge.adopt(
                SECOND,
                BOOT + k * SECOND,
                everyone,
                confirmed=confirmed,
                gps_time=False,
            )
            for k in range(70)
        ].count(True) > 0

    assert not adopted(confirmed=False)
    judge.restarted()
    assert adopted(confirmed=None)


def test_a_change_that_changes_begins_anew() -> None:
    judge = SecondJudge(Alarms(), 60 * SECOND)
    by: list[Duration] = [SECOND] * 50 + [2 * SECOND] * 50
    vouchers = frozenset({Voucher.LEAP_COUNT})
    for k, ahead in enumerate(by):
        now = BOOT + k * SECOND
        assert not judge.adopt(ahead, now, vouchers, confirmed=None, gps_time=False)
    assert judge.since(BOOT + HOUR) == BOOT + 50 * SECOND
