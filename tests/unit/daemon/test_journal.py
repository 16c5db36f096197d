"""Changes are told, the daily round is not."""

from __future__ import annotations

import logging

import pytest

from refclock.daemon.journal import Journal
from refclock.discipline.mode import Mode
from refclock.events import GPS0, PPS0, Found, Lost
from refclock.integrity.alarm import Alarm, AlarmKind
from refclock.reasons import Code, Reason
from refclock.timebase import MINUTE, Mono

NOW = Mono(1)


def test_a_device_sought_in_vain_is_told_once_a_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "refclock")
    journal = Journal()
    for event in (
        Lost(GPS0, NOW, "no such device"),
        Lost(GPS0, NOW, "no such device"),
        Lost(PPS0, NOW, "no such device"),
        Lost(GPS0, NOW, "not allowed"),
        Found(GPS0, NOW, "/dev/gps0"),
        Lost(GPS0, NOW, "not allowed"),
    ):
        journal.event(event)
    assert caplog.messages == [
        "gps0: no such device",
        "pps0: no such device",
        "gps0: not allowed",
        "gps0: opened /dev/gps0",
        "gps0: not allowed",
    ]


def test_a_mode_is_told_and_another_reason_for_it_but_not_while_all_is_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An age that grows is no news."""
    caplog.set_level(logging.INFO, "refclock")
    journal = Journal()
    held = (Reason.of(Code.NO_SENTENCE, for_s=age_s) for age_s in (12, 13, 3900))
    for mode, reason in (
        *((Mode.COLD, each) for each in held),
        (Mode.COLD, Reason.of(Code.NO_FIX)),
        (Mode.TRACK, Reason.of(Code.FOLLOWING, bound_s=9e-6)),
        (Mode.TRACK, Reason.of(Code.WAITING_FOR_PULSE)),
    ):
        journal.state(mode, reason, (), NOW)
    assert caplog.messages == [
        "COLD: no sentence from the receiver for 12 s: check wiring and speed",
        "still COLD: the receiver has no fix: give the antenna a view of the sky",
        "TRACK: the pulse is followed, the time is good to 9 µs",
    ]


def test_another_cause_of_the_same_mode_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "refclock")
    journal = Journal()
    for cause in (Code.NO_PULSE, Code.NO_SENTENCE):
        reason = Reason.of(Code.HOLDING_OVER, Reason.of(cause))
        journal.state(Mode.HOLDOVER, reason, (), NOW)
    assert [text.split(":")[0] for text in caplog.messages] == [
        "HOLDOVER",
        "still HOLDOVER",
    ]


def test_an_alarm_is_told_when_it_comes_and_when_it_goes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not whenever a number in it is another one."""
    caplog.set_level(logging.INFO, "refclock")
    journal = Journal()

    def moved(distance_m: float) -> Alarm:
        reason = Reason.of(Code.ANTENNA_MOVED, distance_m=distance_m)
        return Alarm(AlarmKind.ANTENNA, reason, NOW)

    def crowded(share: float) -> Alarm:
        reason = Reason.of(Code.LINE_CROWDED, share=share)
        return Alarm(AlarmKind.LINE, reason, NOW)

    now = NOW
    for alarms in (
        [moved(310.0)],
        [moved(325.0), crowded(0.8)],
        [crowded(0.9)],
        [],
        [],
    ):
        journal.state(Mode.COLD, Reason.of(Code.NO_FIX), alarms, now)
        now += MINUTE
    assert [text[:38] for text in caplog.messages[1:]] == [
        "alarm: the antenna is 310 m from where",
        "alarm: the receiver's line is 80% full",
        "alarm over: the antenna is 310 m from ",
        "alarm over: the receiver's line is 80%",
    ]
