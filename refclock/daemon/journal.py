"""What the journal and the service manager hear: changes, not the daily round."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterable
from typing import Final

from refclock.diagnose.words import sentence
from refclock.discipline.mode import Mode
from refclock.events import Configured, Event, Found, Lost
from refclock.integrity.alarm import Alarm, Ledger
from refclock.observe.escape import escape
from refclock.observe.text import headline
from refclock.reasons import Code, Reason
from refclock.timebase import Mono

log = logging.getLogger("refclock")

_NOTIFY_S: Final = 0.2
"""The longest wait for a service manager that does not take what it is told."""


class Journal:
    """Used by the engine's thread alone."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        self._last: tuple[Mode | None, tuple[Code, ...]] = None, ()
        self._ledger = Ledger()
        self._lost: dict[str, str] = {}

    def notify(self, say: str) -> None:
        """Tell the service manager (sd_notify), if there is one that listens."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        ):
            manager.settimeout(_NOTIFY_S)
            manager.sendto(say.encode(errors="replace"), self._address)

    def event(self, event: Event) -> None:
        """Log devices lost, found and set up; one sought in vain, once a reason."""
        if isinstance(event, Lost):
            if self._lost.get(event.source) != event.why:
                log.warning("%s: %s", event.source, event.why)
            self._lost[event.source] = event.why
        elif isinstance(event, Found):
            self._lost.pop(event.source, None)
            log.info("%s: opened %s", event.source, event.detail)
        elif isinstance(event, Configured):
            log.info("%s: %s", event.source, event.text)

    def state(
        self, mode: Mode, reason: Reason, alarms: Iterable[Alarm], now: Mono
    ) -> None:
        """Log another mode, another reason for it, alarms raised and over.

        Reasons and alarms are recognised by their codes: a number in one that changes
        is worth no line.
        """
        text, alarms = sentence(reason), tuple(alarms)
        shown = headline(mode.name, len(alarms))
        self.notify(f"WATCHDOG=1\nSTATUS={shown}: {escape(text)}")
        last_mode, last_codes = self._last
        if mode is not last_mode:
            log.info("%s: %s", mode.name, text)
        elif reason.codes != last_codes and mode is not Mode.TRACK:
            log.info("still %s: %s", mode.name, text)
        self._last = mode, reason.codes
        for change in self._ledger.update(alarms, now):
            said = sentence(change.alarm.reason)
            if change.raised:
                log.warning("alarm: %s", said)
            else:
                log.info("alarm over: %s", said)
