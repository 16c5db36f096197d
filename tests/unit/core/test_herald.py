"""Changes are told, the daily round is not."""

from __future__ import annotations

import logging

import pytest

from refclock.events import Found, Lost
from refclock.herald import Herald, _gist
from refclock.timebase import Mono

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
    herald = Herald()
    for event in (
        Lost("receiver", NOW, "no such device"),
        Lost("receiver", NOW, "no such device"),
        Lost("pulse", NOW, "no such device"),
        Lost("receiver", NOW, "not allowed"),
        Found("receiver", NOW, "/dev/gps0"),
        Lost("receiver", NOW, "not allowed"),
    ):
        herald.event(event)
    assert caplog.messages == [
        "receiver: no such device",
        "pulse: no such device",
        "receiver: not allowed",
        "receiver: opened /dev/gps0",
        "receiver: not allowed",
    ]
