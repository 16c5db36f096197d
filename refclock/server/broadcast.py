"""Mode 5 packets, which nobody asked for, to whole networks, where that is set.

A receiver of them knows neither their delay nor their sender, so this is for old
devices that can do nothing better (RFC 5905 section 3, RFC 8633 section 5.7). Nothing
is sent while the clock is not synchronised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from refclock.board.ports import SystemClock
from refclock.ntp.packet import HEADER_LENGTH, PacketMode
from refclock.server.admission.clients import ClientStatus
from refclock.server.reply import ReplyTemplate
from refclock.server.settings import ServerSettings
from refclock.timebase import SECOND, ZERO, Duration

_KIND: Final = bytes([4 << 3 | PacketMode.BROADCAST])


class Broadcast:
    """Sends the time each so many seconds. Used by one thread; `counters` by any."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        close: Callable[[], None],
        template: Callable[[], ReplyTemplate],
        clock: SystemClock,
        every: Duration,
        sleep: Callable[[float], None],
        report: Callable[[str], None],
    ) -> None:
        """`send`: to all addresses; OSError: one cannot be reached, which is passed to
        `report` once, and that it can be again."""
        self._send = send
        self.close = close
        self._template = template
        self._clock = clock
        self._every = every
        self._sleep = sleep
        self._report = report
        self._fault = ""
        _, self._due = clock.read()
        self._sent = self._failed = 0

    def serve(self, limit: Duration) -> None:
        """Send if it is time to; wait at most `limit`."""
        _, now = self._clock.read()
        wait = min(self._due - now, limit)
        if wait > ZERO:
            self._sleep(wait.seconds)
            return
        self._due = now + self._every
        request, packet = bytearray(HEADER_LENGTH), bytearray(HEADER_LENGTH)
        request[2] = (self._every.ns // SECOND.ns).bit_length() - 1
        template = self._template()
        template.begin(request, packet, _KIND, [template.made_ns])
        packet[32:40] = bytes(8)  # nothing was received
        if not packet[1]:
            return
        local, _ = self._clock.read()
        template.finish(packet, _KIND, local.ns, 0)
        fault = ""
        try:
            self._send(bytes(packet))
            self._sent += 1
        except OSError as error:
            fault = error.strerror or str(error)
            self._failed += 1
        if fault != self._fault:
            self._fault = fault
            self._report(f"broadcast: {fault or 'all addresses are reached again'}")

    def counters(self) -> dict[str, int]:
        """How often it was sent, and how often an address could not be reached."""
        failed = {"broadcast failed": self._failed} if self._failed else {}
        return {"broadcast": self._sent, **failed}

    def clients(self, most: int) -> list[ClientStatus]:  # noqa: ARG002 - a Service
        """Nobody asked."""
        return []

    def denied(self, most: int) -> list[ClientStatus]:  # noqa: ARG002 - a Service
        """Nobody asked."""
        return []

    def reload_access(self, settings: ServerSettings) -> None:
        """Nobody is let in."""
