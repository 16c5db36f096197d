"""Changes are told, the daily round is not."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from refclock.daemon.journal import Journal, _gist
from refclock.events import GPS0, PPS0, Found, Lost
from refclock.observe.status import AlarmStatus
from refclock.timebase import Mono
from tests.unit.observe.test_status import COLD

NOW = Mono(1)


def test_an_age_that_grows_is_no_news() -> None:
    say = "holding over: no pulse for {} though the receiver has a fix".format
    assert _gist(say("12.1 s")) == _gist(say("13.1 s")) == _gist(say("4 min"))
    assert _gist(say("1 h 05 min")) == _gist(say("2 h 15 min"))
    assert _gist(say("12.1 s")) != _gist("holding over: the receiver is gone")


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
    caplog.set_level(logging.INFO, "refclock")
    journal = Journal()
    for mode, reason in (
        ("COLD", "no sentence for 12 s"),
        ("COLD", "no sentence for 13 s"),
        ("COLD", "no fix"),
        ("TRACK", "good to 9 µs"),
        ("TRACK", "and better still"),
    ):
        journal.status(replace(COLD, mode=mode, reason=reason))
    assert caplog.messages == [
        "COLD: no sentence for 12 s",
        "still COLD: no fix",
        "TRACK: good to 9 µs",
    ]


def test_an_alarm_is_told_when_it_comes_and_when_it_goes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not whenever a number in it is another one."""
    caplog.set_level(logging.INFO, "refclock")
    journal = Journal()
    for texts in (
        ["the antenna is 310 m from where it stood"],
        ["the antenna is 325 m from where it stood", "the line is 80% full"],
        ["the line is 90% full"],
        [],
    ):
        alarms = tuple(AlarmStatus("", text, 0.0) for text in texts)
        journal.status(replace(COLD, alarms=alarms))
    assert caplog.messages[1:] == [
        "alarm: the antenna is 310 m from where it stood",
        "alarm: the line is 80% full",
        "alarm over: the antenna is 310 m from where it stood",
        "alarm over: the line is 80% full",
    ]
