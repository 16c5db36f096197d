"""Whose claim on the phase is the stronger: after gaps, while young, and steady."""

import pytest

from refclock.integrity.alarm import AlarmKind, Alarms
from refclock.integrity.phase import PhaseJudge, PulseVerdict
from refclock.reasons import Code, Reason
from refclock.timebase import MICROSECOND, MINUTE, SECOND, ZERO, Duration, Mono

BOUND = 2 * MICROSECOND
BOOT = Mono(1000 * SECOND.ns)
USE, REJECT, RESTART = PulseVerdict.USE, PulseVerdict.REJECT, PulseVerdict.RESTART


class Line:
    """Pulses once a second to a judge."""

    def __init__(self) -> None:
        self.alarms = Alarms()
        self.judge = PhaseJudge(self.alarms, MINUTE, follow=False)
        self.now = BOOT

    def pulses(
        self, count: int, us: float, confirmed: bool | None = None
    ) -> list[PulseVerdict]:
        verdicts = []
        for _ in range(count):
            self.now += SECOND
            residual = Duration(round(us * 1e3))
            verdicts.append(
                self.judge.pulse(residual, BOUND, self.now, confirmed=confirmed)
            )
        return verdicts

    def held_off(self, us: float, most: int = 4000) -> int:
        """How many pulses off by that are rejected before they are followed."""
        for count in range(most):
            if self.pulses(1, us) == [RESTART]:
                return count
        return most

    def kinds(self) -> list[AlarmKind]:
        return [alarm.kind for alarm in self.alarms.standing(self.now)]


@pytest.mark.parametrize("steady_s", [300, 3600, 21_600])
def test_after_an_outage_agreeing_pulses_are_followed_at_once(steady_s: int) -> None:
    line = Line()
    line.pulses(steady_s, 0.0)
    line.now += 5 * MINUTE
    assert line.held_off(200.0) < 10
    assert line.kinds() == []


def test_what_no_gap_explains_is_followed_after_a_minute_and_told() -> None:
    line = Line()
    line.pulses(3600, 0.0)
    line.now += 20 * SECOND
    assert 55 < line.held_off(5000.0) < 65
    assert line.kinds() == [AlarmKind.PHASE]


def test_the_longer_steady_the_longer_a_jump_is_held_off() -> None:
    held = []
    for steady_s in (300, 1200, 3600, 36_000):
        line = Line()
        line.pulses(steady_s, 0.0)
        held.append(line.held_off(1000.0))
    assert held[0] < 30
    assert held == sorted(held)
    assert held[-1] == pytest.approx(1200, abs=2)


def test_under_a_false_sky_it_is_held_off_for_an_hour() -> None:
    line = Line()
    line.pulses(600, 0.0)
    line.alarms.raise_(AlarmKind.ANTENNA, Reason.of(Code.ANTENNA_MOVED), line.now)
    assert line.held_off(1000.0) == pytest.approx(3600, abs=2)
    assert line.judge.doubt() == ZERO


def test_after_a_gap_the_first_pulse_off_is_doubt() -> None:
    line = Line()
    line.pulses(3600, 0.0)
    line.now += 2 * MINUTE
    for us in (200.0, 210.0):
        assert line.pulses(1, us) == [REJECT]
        assert line.judge.doubt() == Duration(round(us * 1e3))
    line.pulses(1, 0.0)
    assert line.judge.doubt() == ZERO


def test_in_steady_state_an_outlier_is_no_doubt_and_three_are() -> None:
    line = Line()
    line.pulses(3600, 0.0)
    line.pulses(2, 300.0)
    assert line.judge.doubt() == ZERO
    line.pulses(1, 300.0)
    assert line.judge.doubt() == 300 * MICROSECOND


def test_a_gap_makes_a_steady_clock_worth_less() -> None:
    line = Line()
    line.pulses(3600, 0.0)
    line.now += 10 * MINUTE
    line.pulses(5, 0.0)
    assert line.held_off(1000.0) < 30


def test_back_where_our_clock_is_nothing_was() -> None:
    line = Line()
    line.pulses(3600, 0.0)
    line.pulses(20, 200.0)
    assert line.kinds() == [AlarmKind.PHASE]
    assert line.pulses(3, 1.0) == [USE] * 3
    assert line.kinds() == []


def test_a_young_clock_that_followed_doubts_until_the_new_phase_is_the_older() -> None:
    line = Line()
    line.pulses(10, 0.0)
    assert line.pulses(3, 5000.0) == [REJECT, REJECT, RESTART]
    assert line.judge.doubt() == 5000 * MICROSECOND
    line.pulses(9, 0.0)  # of the new phase, since the judge is told residuals
    assert line.judge.doubt() == 5000 * MICROSECOND
    line.pulses(4, 0.0)
    assert line.judge.doubt() == ZERO


def test_a_young_clock_that_jumps_twice_doubts_both() -> None:
    line = Line()
    line.pulses(10, 0.0)
    line.pulses(3, 5000.0)
    line.pulses(3, 0.0)
    line.pulses(3, 2000.0)
    assert line.judge.doubt() == 7000 * MICROSECOND


def test_what_a_gap_explains_leaves_no_doubt() -> None:
    line = Line()
    line.pulses(300, 0.0)
    line.now += 5 * MINUTE
    line.held_off(200.0)
    assert line.judge.doubt() == ZERO


def test_a_jump_that_a_witness_excludes_is_held_off_for_as_long() -> None:
    line = Line()
    line.pulses(300, 0.0)
    assert set(line.pulses(3600, 20_000.0, confirmed=False)) == {REJECT}
    assert line.kinds() == [AlarmKind.PHASE]


def test_a_jump_that_a_witness_vouches_for_is_followed_after_a_minute() -> None:
    line = Line()
    line.pulses(7200, 0.0)
    verdicts = line.pulses(70, 20_000.0, confirmed=True)
    assert verdicts.index(RESTART) == 60


def test_a_young_clock_does_not_yield_to_what_a_witness_excludes() -> None:
    line = Line()
    line.pulses(30, 0.0)
    assert set(line.pulses(30, 20_000.0, confirmed=False)) == {REJECT}


def test_a_young_clock_begins_anew_with_another_second() -> None:
    line = Line()
    line.pulses(2, 0.0)
    assert line.pulses(1, 1e6, confirmed=False) == [REJECT]
    assert line.pulses(1, 1e6) == [RESTART]
    assert line.judge.doubt() >= SECOND, "the one before may have been right"


def test_however_wide_its_bound_is() -> None:
    judge = PhaseJudge(Alarms(), MINUTE, follow=False)
    assert judge.pulse(SECOND, SECOND, BOOT) is RESTART
