"""What the journal and the service manager hear: changes, not the daily round."""

from __future__ import annotations

import logging
import os
import re
import socket

from refclock.events import Configured, Event, Found, Lost
from refclock.observe.status import Status

log = logging.getLogger("refclock")


class Journal:
    """Used by the engine's thread alone."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        self._last = "", ""
        self._alarms: dict[str, str] = {}
        """By gist, as they were told first."""
        self._lost: dict[str, str] = {}

    def notify(self, say: str) -> None:
        """Tell the service manager (sd_notify), if there is one."""
        if self._address:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
                ear.sendto(say.encode(), self._address)

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

    def status(self, status: Status) -> None:
        """Log another mode, another reason for it, alarms that come and go."""
        self.notify(f"WATCHDOG=1\nSTATUS={status.mode}: {status.reason}")
        mode, reason = self._last
        if status.mode != mode:
            log.info("%s: %s", status.mode, status.reason)
        elif _gist(status.reason) != _gist(reason) and status.mode != "TRACK":
            log.info("still %s: %s", status.mode, status.reason)
        self._last = status.mode, status.reason
        alarms = {_gist(alarm.text): alarm.text for alarm in status.alarms}
        for gist in sorted(alarms.keys() - self._alarms.keys()):
            log.warning("alarm: %s", alarms[gist])
        for gist in sorted(self._alarms.keys() - alarms.keys()):
            log.info("alarm over: %s", self._alarms[gist])
        self._alarms = {g: self._alarms.get(g, text) for g, text in alarms.items()}


def _gist(reason: str) -> str:
    """The reason without its numbers and units: what is worth a line in the log."""
    return re.sub(r"[\d.]+ (?:[mµn]?s|min|h|days)\b|\d+", "", reason)
