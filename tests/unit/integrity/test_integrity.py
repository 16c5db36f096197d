from __future__ import annotations

import pytest

from refclock.diagnose.words import sentence
from refclock.events import (
    Dropped,
    DropReason,
    Fix,
    LeapNotice,
    LineLoad,
    TimeMessage,
)
from refclock.integrity.monitor import (
    AlarmKind,
    Integrity,
    IntegritySettings,
    MessageRefused,
    Policy,
    PulseVerdict,
)
from refclock.timebase import (
    DAY,
    HOUR,
    MICROSECOND,
    MILLISECOND,
    MINUTE,
    SECOND,
    ZERO,
    Duration,
    LeapTable,
    Mono,
    Utc,
)

LEAPS = LeapTable(
    (), 37 * SECOND, updated=Utc.of(2025, 7, 7), expires=Utc.of(2027, 6, 28)
)
FLOOR = Utc.of(2026, 1, 1)
NOW = Utc.of(2026, 10, 5, 12)
BOOT = Mono(1000 * SECOND.ns)
BOUND = 10 * MICROSECOND
FOLLOW = IntegritySettings(policy=Policy.FOLLOW)


def integrity(settings: IntegritySettings | None = None) -> Integrity:
    return Integrity(settings or IntegritySettings(), LEAPS, FLOOR)


def message(utc: Utc = NOW, at: int = 0, fix: Fix = Fix.VALID) -> TimeMessage:
    return TimeMessage(utc, BOOT + at * SECOND, "RMC", fix)


def kinds(of: Integrity, at: int = 0) -> list[AlarmKind]:
    return [alarm.kind for alarm in of.alarms(BOOT + at * SECOND)]


def text(of: Integrity, at: int = 0) -> str:
    (alarm,) = of.alarms(BOOT + at * SECOND)
    return sentence(alarm.reason)


# dates


@pytest.mark.parametrize("turns", [1, 2])
def test_a_week_count_that_rolled_over_is_made_right_and_told(turns: int) -> None:
    judge = integrity()
    rolled = NOW - turns * 1024 * 7 * DAY
    assert judge.accept(message(rolled)) == message()
    assert kinds(judge) == [AlarmKind.ROLLOVER]
    assert f"{turns * 1024} weeks are added" in text(judge)
    assert judge.accept(message()) == message()
    assert kinds(judge) == []


def test_in_april_2019_an_old_chip_was_right_but_for_1024_weeks() -> None:
    """Day one of a week count is also what a chip without a date says."""
    judge = Integrity(IntegritySettings(), LEAPS, Utc.of(2019, 4, 10))
    told = judge.accept(message(Utc.of(1999, 9, 1)))
    assert isinstance(told, TimeMessage)
    assert told.utc == Utc.of(2019, 4, 17)
    assert isinstance(judge.accept(message(Utc.of(1999, 8, 22))), MessageRefused)


@pytest.mark.parametrize(
    "day", [(1980, 1, 5), (1980, 1, 6), (1980, 1, 11), (2008, 1, 1), (2006, 1, 1)]
)
def test_a_date_receivers_begin_with_is_refused(day: tuple[int, int, int]) -> None:
    judge = integrity()
    told = judge.accept(message(Utc.of(*day, 23, 59, 46)))
    assert isinstance(told, MessageRefused)
    assert "which cannot be" in sentence(told.reason)
    assert kinds(judge) == [AlarmKind.DATE]
    judge.accept(message())
    assert kinds(judge) == []


def test_a_date_beyond_twenty_years_is_refused() -> None:
    assert isinstance(integrity().accept(message(Utc.of(2050, 1, 1))), MessageRefused)
    assert isinstance(integrity().accept(message(Utc.of(2045, 1, 1))), TimeMessage)


@pytest.mark.parametrize("before", [SECOND, HOUR, 6 * DAY])
def test_a_date_just_before_the_floor_is_no_rollover(before: Duration) -> None:
    """What we took for the last good time may have been ahead."""
    told = integrity().accept(message(FLOOR - before))
    assert told == message(FLOOR - before)


@pytest.mark.parametrize("fix", [Fix.NONE, Fix.ESTIMATED, Fix.CONTRADICTION])
def test_what_has_no_fix_is_not_judged(fix: Fix) -> None:
    judge = integrity()
    lie = message(Utc.of(1980, 1, 6), fix=fix)
    assert judge.accept(lie) is lie
    assert kinds(judge) == []


def test_zda_without_a_word_on_its_fix_is_judged() -> None:
    lie = message(Utc.of(1980, 1, 6), fix=Fix.UNKNOWN)
    assert isinstance(integrity().accept(lie), MessageRefused)


# the second


def hold(
    judge: Integrity,
    ahead: int,
    seconds: int,
    start: int = 100,
    *,
    confirmed: bool | None = None,
) -> list[int]:
    """At which seconds of these the change is believed."""
    return [
        k
        for k in range(start, start + seconds)
        if judge.second(ahead * SECOND, BOOT + k * SECOND, confirmed=confirmed)
    ]


def believed_since(judge: Integrity, at: int = 0) -> Integrity:
    assert isinstance(judge.accept(message(at=at)), TimeMessage)
    return judge


@pytest.mark.parametrize("ahead", [-18, -3, -1])
def test_a_count_that_comes_late_from_the_sky_is_believed_when_it_lasts(
    ahead: int,
) -> None:
    judge = believed_since(integrity())
    assert hold(judge, ahead, 60) == []
    assert f"{ahead:+d} s from the second" in text(judge, 159)
    assert hold(judge, ahead, 1, 160) == [160]
    assert f"corrected by {ahead:+d} s" in text(judge, 160)
    assert kinds(judge, 160 + 599) == [AlarmKind.SECOND]
    assert kinds(judge, 160 + 601) == []


def test_what_was_believed_is_not_believed_again_at_once() -> None:
    assert hold(believed_since(integrity()), -3, 120) == [160]


def test_that_pattern_is_of_the_first_hour_only() -> None:
    judge = believed_since(integrity())
    assert hold(judge, -3, 600, 3600) == []
    assert kinds(judge, 4200) == [AlarmKind.SECOND]


@pytest.mark.parametrize("ahead", [1, 3, 17, 18, -19, -40])
def test_any_other_change_is_held_off_as_long_as_it_lasts(ahead: int) -> None:
    judge = believed_since(integrity())
    assert hold(judge, ahead, 900) == []
    assert ("GPS time" in text(judge, 1000)) == (ahead == 18)
    assert not judge.second(ZERO, BOOT + 1001 * SECOND)
    assert kinds(judge, 1001) == []


def test_the_policy_may_be_to_follow() -> None:
    judge = believed_since(integrity(FOLLOW))
    assert hold(judge, 3, 61) == [160]


def test_a_witness_decides_either_way() -> None:
    assert hold(believed_since(integrity()), 3, 61, confirmed=True) == [160]
    judge = believed_since(integrity(FOLLOW))
    assert hold(judge, -3, 600, confirmed=False) == []
    assert "a witness agrees with our clock" in text(judge, 700)


def test_a_receiver_that_counts_as_the_table_does_vouches_for_itself() -> None:
    judge = believed_since(integrity())
    judge.leap_notice(LeapNotice(BOOT, "UBX-NAV-TIMELS", 37 * SECOND), None)
    assert hold(judge, 3, 61) == [160]


@pytest.mark.parametrize("told", [(37, True), (36, False), (None, False)])
def test_one_that_counts_otherwise_does_not(told: tuple[int | None, bool]) -> None:
    count, default = told
    judge = believed_since(integrity())
    behind = None if count is None else count * SECOND
    judge.leap_notice(LeapNotice(BOOT, "PGRMF", behind, default), None)
    assert hold(judge, 3, 100) == []


@pytest.mark.parametrize(
    ("utc", "ahead", "accepted"),
    [
        (Utc.of(2028, 1, 1, 0, 1), -1, True),
        (Utc.of(2028, 7, 1, 0, 1), 1, True),
        (Utc.of(2028, 7, 1, 0, 1), 2, False),
        (Utc.of(2028, 5, 1, 0, 1), -1, False),
        (Utc.of(2027, 1, 1, 0, 1), -1, False),
    ],
)
def test_a_leap_second_an_expired_table_could_not_know(
    utc: Utc, ahead: int, *, accepted: bool
) -> None:
    judge = believed_since(integrity(), at=-10_000)
    judge.accept(message(utc))
    assert bool(hold(judge, ahead, 61)) == accepted


def test_before_any_sentence_was_believed_no_change_is() -> None:
    assert hold(integrity(), -3, 100) == []


def test_a_change_that_changes_or_pauses_begins_anew() -> None:
    judge = believed_since(integrity())
    assert hold(judge, -3, 50) == []
    assert hold(judge, -2, 50, 150) == []
    assert hold(judge, -2, 50, 220) == []
    assert hold(judge, -2, 11, 270) == [280]


def test_a_single_sentence_that_agrees_ends_it() -> None:
    judge = believed_since(integrity())
    hold(judge, -3, 59)
    judge.second(ZERO, BOOT + 159 * SECOND)
    assert hold(judge, -3, 59, 160) == []


def test_a_clock_that_begins_afresh_holds_nothing_off() -> None:
    judge = believed_since(integrity())
    hold(judge, -3, 59)
    judge.restarted()
    assert hold(judge, -3, 59, 159) == []


# the pulse


def pulses(judge: Integrity, *residuals: float, start: int = 0) -> list[PulseVerdict]:
    """One a second, residuals in us."""
    return [
        judge.pulse(Duration(round(us * 1000)), BOUND, BOOT + (start + k) * SECOND)
        for k, us in enumerate(residuals)
    ]


def tried(settings: IntegritySettings | None = None) -> Integrity:
    """Steady for an hour."""
    judge = integrity(settings)
    assert set(pulses(judge, *[0.1] * 3600, start=-3600)) == {PulseVerdict.USE}
    return judge


def test_an_outlier_is_rejected_and_costs_nothing() -> None:
    judge = tried()
    assert pulses(judge, 1.0, 300e3, -2.0, 150.0, 0.0) == [
        PulseVerdict.USE,
        PulseVerdict.REJECT,
        PulseVerdict.USE,
        PulseVerdict.REJECT,
        PulseVerdict.USE,
    ]
    assert kinds(judge) == []


def test_outliers_far_between_never_make_a_jump() -> None:
    judge = tried()
    verdicts = [pulses(judge, 1500.0, 0.0, start=2 * k) for k in range(20)]
    assert verdicts == [[PulseVerdict.REJECT, PulseVerdict.USE]] * 20
    assert kinds(judge, 40) == []


def test_a_jump_is_rejected_and_told_for_as_long_as_it_lasts() -> None:
    judge = tried()
    assert set(pulses(judge, *[1500.0] * 600)) == {PulseVerdict.REJECT}
    assert "the pulse jumped by +1500.0 µs" in text(judge, 600)
    assert pulses(judge, 0.0, start=600) == [PulseVerdict.USE]
    assert kinds(judge, 601) == []


def test_a_jump_that_lasts_is_followed_where_that_is_the_policy() -> None:
    judge = tried(FOLLOW)
    verdicts = pulses(judge, *[-1500.0] * 61)
    assert verdicts == [*[PulseVerdict.REJECT] * 60, PulseVerdict.RESTART]
    assert kinds(judge, 61) == [AlarmKind.PHASE]
    assert "followed" in text(judge, 61)
    assert pulses(judge, *[1.0] * 3, start=61) == [PulseVerdict.USE] * 3
    assert kinds(judge, 61 + 601) == []


def test_a_jump_of_half_a_second_is_not_followed() -> None:
    """Nobody could say into which second."""
    judge = tried(FOLLOW)
    assert PulseVerdict.RESTART not in pulses(judge, *[500e3] * 100)


def test_more_noise_is_no_jump_and_locks_nobody_out() -> None:
    judge = tried()
    wild = [(-1) ** k * 900.0 for k in range(100)]
    verdicts = pulses(judge, *wild)
    assert verdicts[:7] == [PulseVerdict.REJECT] * 7
    assert set(verdicts[7:]) == {PulseVerdict.USE}
    assert kinds(judge, 100) == []


def test_what_our_clock_may_have_done_itself_is_no_jump() -> None:
    judge = tried()
    far = Duration(1_500_000)
    assert judge.pulse(far, MILLISECOND, BOOT) is PulseVerdict.USE
    assert judge.pulse(far, BOUND, BOOT) is PulseVerdict.REJECT


def test_a_clock_that_began_with_a_straggler_begins_again() -> None:
    judge = integrity()
    assert pulses(judge, -300.0, -301.0, -302.0) == [
        PulseVerdict.REJECT,
        PulseVerdict.REJECT,
        PulseVerdict.RESTART,
    ]
    assert kinds(judge) == []


def test_a_clock_that_began_again_is_judged_afresh() -> None:
    judge = integrity()
    assert pulses(judge, -300.0, -301.0, -302.0)[-1] is PulseVerdict.RESTART
    assert pulses(judge, 900.0, start=3) == [PulseVerdict.REJECT]
    pulses(judge, *[0.0] * 57, start=4)
    assert pulses(judge, *[300.0] * 3, start=61)[-1] is PulseVerdict.RESTART


def test_a_clock_is_untried_for_its_first_minute() -> None:
    judge = integrity()
    pulses(judge, *[0.0] * 59)
    assert pulses(judge, *[300.0] * 3, start=59)[-1] is PulseVerdict.RESTART


def test_a_jump_that_comes_again_has_not_lasted() -> None:
    judge = tried(FOLLOW)
    pulses(judge, *[1500.0] * 50)
    pulses(judge, 0.0, start=50)
    assert set(pulses(judge, *[1500.0] * 60, start=51)) == {PulseVerdict.REJECT}


def test_a_clock_that_began_in_noise_learns_it() -> None:
    assert pulses(integrity(), -300.0, 300.0, -300.0)[2] is PulseVerdict.USE


def test_after_a_new_beginning_a_clock_is_untried() -> None:
    judge = tried()
    judge.restarted()
    assert pulses(judge, *[1500.0] * 3)[-1] is PulseVerdict.RESTART


def test_a_line_that_is_nearly_full_is_told_until_there_is_room() -> None:
    judge = integrity()
    judge.line(LineLoad(BOOT, 0.9))
    assert kinds(judge) == []  # noise: nothing was understood yet
    judge.accept(message())
    judge.line(LineLoad(BOOT, 0.69))
    assert kinds(judge) == []
    judge.line(LineLoad(BOOT, 0.7))
    assert "line is 70% full" in text(judge)
    judge.line(LineLoad(BOOT, 0.5))
    assert kinds(judge) == []


def test_a_step_by_others_is_told_for_a_while() -> None:
    judge = integrity()
    judge.stepped(Duration(-1_234_567), BOOT)
    assert "-0.001235 s and not by us" in text(judge)
    judge.stepped(MILLISECOND, BOOT + 500 * SECOND)
    (alarm,) = judge.alarms(BOOT + 900 * SECOND)
    assert alarm.since == BOOT + 500 * SECOND
    assert judge.alarms(BOOT + 500 * SECOND + 11 * MINUTE) == ()


def test_what_happened_and_is_so_again_counts_from_now() -> None:
    judge = believed_since(integrity())
    hold(judge, -3, 61)
    judge.second(ZERO, BOOT + 165 * SECOND)
    assert kinds(judge, 165) == [AlarmKind.SECOND], "it is still told"
    hold(judge, 5, 2, 170)
    (alarm,) = judge.alarms(BOOT + 5000 * SECOND)
    assert alarm.since == BOOT + 170 * SECOND
    assert alarm.kind is AlarmKind.SECOND


# what stands beside


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (DropReason.FOREIGN_CLOCK, "AIRMC … on the same line, and is left out"),
        (DropReason.CONTRADICTION, "AIRMC …: neither is believed"),
    ],
)
def test_names_of_other_seconds_are_alarmed_while_they_last(
    reason: DropReason, words: str
) -> None:
    each = integrity()
    for at in range(5):
        each.dropped(Dropped(BOOT + at * SECOND, reason, "AIRMC …"))
        each.accept(message(NOW + at * SECOND, at))
    assert kinds(each, 4) == [AlarmKind.SENTENCES]
    assert text(each, 4).startswith(words)
    each.accept(message(NOW + 14 * SECOND, 14))
    assert kinds(each, 14) == [AlarmKind.SENTENCES]
    each.accept(message(NOW + 15 * SECOND, 15))
    assert kinds(each, 15) == []


def test_damaged_bytes_alarm_nobody() -> None:
    each = integrity()
    each.dropped(Dropped(BOOT, DropReason.CHECKSUM_MISMATCH, "GPRMC"))
    assert kinds(each) == []
