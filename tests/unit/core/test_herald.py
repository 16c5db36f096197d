from __future__ import annotations

from refclock.herald import _gist


def test_an_age_that_grows_is_no_news() -> None:
    say = "holding over: no pulse for {} though the receiver has a fix".format
    assert _gist(say("12.1 s")) == _gist(say("13.1 s")) == _gist(say("4 min"))
    assert _gist(say("1 h 05 min")) == _gist(say("2 h 15 min"))
    assert _gist(say("12.1 s")) != _gist("holding over: the receiver is gone")
