from __future__ import annotations

import pytest

from refclock.events import Fix, NoTime, TimeMessage
from refclock.integrity.fix import FixState
from refclock.timebase import SECOND, Mono, Utc

START = Mono(1000 * SECOND.ns)


def after(seconds: int) -> Mono:
    return START + seconds * SECOND


def message(fix: Fix, at: int = 0) -> TimeMessage:
    return TimeMessage(Utc.of(2026, 11, 23), after(at), "RMC", fix)


def test_without_a_message_there_is_neither_a_fix_nor_its_denial() -> None:
    state = FixState()
    assert not state.present
    assert not state.vouches(START)
    assert not state.denied(START)


def test_a_fix_is_denied_when_none_was_there_for_five_seconds() -> None:
    state = FixState()
    state.observe(message(Fix.NONE))
    assert state.denied(START)
    state.observe(message(Fix.VALID))
    state.observe(message(Fix.NONE))
    assert not state.denied(after(5))
    state.observe(message(Fix.NONE, 6))
    assert state.denied(after(6))
    assert not state.denied(after(12)), "it has fallen silent"


def test_a_message_without_a_time_denies_a_fix_if_it_says_so() -> None:
    state = FixState()
    state.no_time(NoTime(START, Fix.PRESUMED))
    assert not state.denied(START)
    state.no_time(NoTime(START, Fix.NONE))
    assert state.denied(START)


@pytest.mark.parametrize(("every", "until"), [(1, 7), (4, 13), (60, 25)])
def test_a_fix_vouches_for_five_seconds_and_two_intervals(
    every: int, until: int
) -> None:
    state = FixState()
    state.observe(message(Fix.VALID))
    state.observe(message(Fix.VALID, every))
    assert state.vouches(after(every + until))
    assert not state.vouches(after(every + until + 1))


def test_a_word_less_message_vouches_until_another_had_a_fix() -> None:
    state = FixState()
    state.observe(message(Fix.UNKNOWN))
    assert state.vouches(after(5))
    state.observe(message(Fix.VALID, 10))
    state.observe(message(Fix.UNKNOWN, 60))
    assert not state.vouches(after(60))


@pytest.mark.parametrize(
    ("fix", "present"), [(Fix.VALID, True), (Fix.NONE, False), (Fix.UNKNOWN, False)]
)
def test_the_last_message_tells_whether_there_is_a_fix(
    fix: Fix, *, present: bool
) -> None:
    state = FixState()
    state.observe(message(Fix.VALID))
    state.observe(message(fix))
    assert state.present is present
