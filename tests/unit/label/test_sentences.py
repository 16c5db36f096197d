from __future__ import annotations

import pytest

from refclock.label.lag import Lag
from refclock.label.sentences import CARRIED, SentenceLags
from refclock.label.vote import Named
from refclock.timebase import HOUR, MILLISECOND, SECOND, ZERO, Duration, Mono, Tai

NOON = Tai(1_800_000_000 * SECOND.ns)
BOOT = Mono(100 * SECOND.ns)
PULSE = Named(NOON, BOOT)
LEARNED = Lag(300 * MILLISECOND, MILLISECOND, 60)


def sentence(at: Duration, lag: Duration, ahead: Duration = ZERO) -> Named:
    """One that names the moment `at` after the pulse, and `ahead` of it."""
    return Named(NOON + at + ahead, BOOT + at + lag)


@pytest.mark.parametrize("ahead_s", [-7, -1, 1, 18])
def test_another_second_is_told_and_its_lag_not_learned(ahead_s: int) -> None:
    lags = SentenceLags({"RMC": LEARNED})
    wrong = sentence(SECOND, LEARNED.mean, ahead_s * SECOND)
    assert lags.compare("RMC", wrong, PULSE) == (ahead_s * SECOND, PULSE)
    assert lags.lags == {"RMC": LEARNED}


def test_a_sentence_late_by_no_whole_seconds_says_nothing() -> None:
    lags = SentenceLags({"RMC": LEARNED})
    late = sentence(SECOND, LEARNED.mean + 1300 * MILLISECOND)
    assert lags.compare("RMC", late, PULSE) == (None, PULSE)


def test_a_lag_is_learned_while_the_pulse_is_recent() -> None:
    lags = SentenceLags({})
    lags.compare("RMC", sentence(9 * SECOND, 200 * MILLISECOND), PULSE)
    lags.compare("ZDA", sentence(11 * SECOND, 200 * MILLISECOND), PULSE)
    assert lags.lags.keys() == {"RMC"}
    assert lags.lags["RMC"].mean == 200 * MILLISECOND


def test_long_after_the_pulse_the_sentence_is_the_anchor() -> None:
    lags = SentenceLags({"RMC": LEARNED})
    at = Duration(CARRIED.ns // 2) + SECOND
    ahead, anchor = lags.compare("RMC", sentence(at, LEARNED.mean), PULSE)
    assert ahead == ZERO
    assert anchor == Named(NOON + at + LEARNED.mean, BOOT + at + LEARNED.mean)


def test_a_sample_is_the_first_byte_less_the_lag() -> None:
    lags = SentenceLags({"RMC": LEARNED})
    sample = lags.sample("RMC", sentence(SECOND, 310 * MILLISECOND), PULSE)
    assert sample is not None
    assert (sample.tai, sample.mono) == (NOON + SECOND, BOOT + 1010 * MILLISECOND)
    assert sample.spread == sample.doubt == LEARNED.spread


def test_a_sentence_held_up_is_no_sample_until_our_clock_may_have_drifted() -> None:
    lags = SentenceLags({"RMC": LEARNED})
    held_up = LEARNED.mean + 100 * MILLISECOND
    assert lags.sample("RMC", sentence(SECOND, held_up), PULSE) is None
    assert lags.sample("RMC", sentence(SECOND, held_up), None) is not None
    assert lags.sample("RMC", sentence(HOUR, held_up), PULSE) is not None
