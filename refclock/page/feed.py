"""The daemon's status, asked once a second however many look at it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from refclock.codec import CodecError
from refclock.observe.status import read_status

VERSION: Final = 1
"""Of the JSON below /api/v1."""
_EVERY_S: Final = 1.0
_HOSTS: Final = ("clients", "denied")
"""Told to nobody by the page."""


@dataclass(frozen=True, slots=True)
class Message:
    """What every page gets of one second."""

    number: int
    status: Mapping[str, Any] | None
    """None: the daemon gave no answer."""
    text: str
    """One JSON object: version, and status or error."""


class Feed:
    """Asks on one thread; any number of others wait for the answer."""

    def __init__(self, ask: Callable[[], str]) -> None:
        """`ask` gives the answer to `status`. OSError: nobody does."""
        self._ask = ask
        self._fresh = threading.Condition()
        self._stop = threading.Event()
        self._last = Message(0, None, _text({"error": "not asked yet"}))

    def run(self) -> None:
        """Ask every second until stopped."""
        while not self._stop.is_set():
            self.ask_once()
            self._stop.wait(_EVERY_S)

    def ask_once(self) -> None:
        """Ask, and wake those who wait."""
        status: dict[str, Any] | None = None
        try:
            status = read_status(self._ask())
        except (OSError, CodecError) as error:
            text = _text({"error": f"the daemon gives no answer: {error}"})
        else:
            for each in _HOSTS:
                status.pop(each, None)
            text = _text({"status": status})
        with self._fresh:
            self._last = Message(self._last.number + 1, status, text)
            self._fresh.notify_all()

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    def last(self) -> Message:
        """The newest."""
        return self._last

    def after(self, number: int, limit_s: float) -> Message | None:
        """The first newer than `number`; None: none came in `limit_s`."""
        with self._fresh:
            if self._fresh.wait_for(lambda: self._last.number > number, limit_s):
                return self._last
        return None


def _text(answer: Mapping[str, Any]) -> str:
    return json.dumps({"version": VERSION, **answer})
