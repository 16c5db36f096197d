"""An alarm that comes and goes is reported once, and over when it stays away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refclock.integrity.alarm import HOLD, Alarm, AlarmKind, Change, Ledger, Severity
from refclock.reasons import Code, Reason
from refclock.timebase import SECOND, Duration, Mono

LINE = Alarm(AlarmKind.LINE, Reason.of(Code.LINE_CROWDED, share=0.8), Mono(0))


def test_a_flapping_alarm_is_raised_once_and_over_once() -> None:
    """An hour of one that stands every other second."""
    ledger, now = Ledger(), Mono(0)
    changes: list[Change] = []
    for n in range(3600):
        changes += ledger.update([LINE] if n % 2 == 0 else [], now)
        now += SECOND
    assert [each.raised for each in changes] == [True]
    for _ in range(120):
        changes += ledger.update([], now)
        now += SECOND
    assert [each.raised for each in changes] == [True, False]
    assert changes[1].lasted == 3598 * SECOND


@given(st.lists(st.booleans(), max_size=400))
def test_raised_and_over_alternate_and_never_come_faster_than_the_hold(
    stands: list[bool],
) -> None:
    ledger, now = Ledger(), Mono(0)
    changes: list[tuple[bool, Mono]] = []
    for each in stands:
        new = ledger.update([LINE] if each else [], now)
        changes += [(change.raised, now) for change in new]
        now += 7 * SECOND
    assert [raised for raised, _ in changes] == [
        n % 2 == 0 for n in range(len(changes))
    ]
    for (_, raised), (_, over) in zip(changes[::2], changes[1::2], strict=False):
        assert over - raised >= HOLD


def test_another_number_in_it_is_no_other_alarm_and_another_code_is() -> None:
    ledger = Ledger()
    fuller = Alarm(LINE.kind, Reason.of(Code.LINE_CROWDED, share=0.9), Mono(0))
    other = Alarm(LINE.kind, Reason.of(Code.NO_FIX), Mono(0))
    (change,) = ledger.update([LINE], Mono(0))
    assert (change.alarm, change.lasted) == (LINE, Duration(0))
    assert ledger.update([fuller], Mono(1)) == ()
    assert len(ledger.update([fuller, other], Mono(2))) == 1


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        (AlarmKind.SECOND, Severity.CRITICAL),
        (AlarmKind.INTERFERENCE, Severity.CRITICAL),
        (AlarmKind.LINE, Severity.WARNING),
        (AlarmKind.TABLE, Severity.WARNING),
    ],
)
def test_what_may_make_the_served_time_false_is_critical(
    kind: AlarmKind, severity: Severity
) -> None:
    assert kind.severity is severity
