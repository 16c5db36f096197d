"""The log: one printable line each, and nobody waits for who reads it."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from refclock.app import logs as module
from refclock.app.logs import Deferred, logging_to

log = logging.getLogger("refclock")


@pytest.fixture(autouse=True)
def root_level() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


def test_what_came_from_outside_is_spelled_out() -> None:
    stream = io.StringIO()
    with logging_to(stream, logging.INFO):
        log.debug("not this")
        log.info("receiver: %s", "u-blox\x1b[2J\nWARNING forged")
        log.critical("this is a bug", exc_info=ValueError("a\rb"))
    first, second, *trace = stream.getvalue().splitlines()
    assert first == r"INFO receiver: u-blox\x1b[2J\nWARNING forged"
    assert second == "CRITICAL this is a bug"
    assert trace[-1] == "b"
    assert all(line.isprintable() for line in trace)


class Stalled(io.StringIO):
    """A journal that does not take lines for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.began = threading.Event()

    def write(self, text: str) -> int:
        self.began.set()
        assert self.goes_on.wait(10)
        return super().write(text)


def test_nobody_waits_for_the_journal_and_what_is_lost_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_WAITING", 10)
    stream = Stalled()
    with logging_to(stream, logging.INFO):
        log.info("first")
        assert stream.began.wait(5)
        began = time.monotonic()
        for number in range(100):
            log.info("%d", number)
        assert time.monotonic() - began < 1
        stream.goes_on.set()
        end = time.monotonic() + 5
        while "INFO 9" not in stream.getvalue():
            assert time.monotonic() < end
            time.sleep(0.01)
        log.info("last")
    assert stream.getvalue().splitlines()[-2:] == [
        "WARNING 90 lines of the log are lost",
        "INFO last",
    ]


def test_a_reader_who_left_harms_nobody() -> None:
    stream = io.StringIO()
    stream.close()
    before = [*logging.getLogger().handlers]
    with logging_to(stream, logging.INFO):
        log.info("to nobody")
    assert logging.getLogger().handlers == before


def test_a_journal_that_never_takes_a_line_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_CLOSE_S", 0.05)
    stream = Stalled()
    deferred = Deferred(stream)
    deferred.handle(logging.makeLogRecord({"msg": "x", "levelname": "INFO"}))
    deferred.finish()
    assert stream.getvalue() == "", "it ended while the journal took nothing"
    stream.goes_on.set()
