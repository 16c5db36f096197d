"""The time told unasked: mode 5 packets to whole networks, where that is wished.

Whoever listens cannot tell how long a packet was on its way, nor who sent it, so
this is for old devices that know nothing better (RFC 5905 section 3, RFC 8633
section 5.7). Nothing is said while we are not synchronised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from refclock.board.ports import SystemClock
from refclock.ntp.packet import HEADER_LENGTH, PacketMode
from refclock.server.clients import ClientStatus
from refclock.server.reply import ReplyTemplate
from refclock.server.settings import ServerSettings
from refclock.timebase import SECOND, ZERO, Duration

_KIND: Final = bytes([4 << 3 | PacketMode.BROADCAST])


class Broadcast:
    """Tells the time now and then. Used by one thread; `counters` by any."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        close: Callable[[], None],
        moment: Callable[[], ReplyTemplate],
        clock: SystemClock,
        every: Duration,
        sleep: Callable[[float], None],
    ) -> None:
        """`send`: to all it is meant for; OSError: a network is not there."""
        self._send = send
        self.close = close
        self._moment = moment
        self._clock = clock
        self._every = every
        self._sleep = sleep
        _, self._due = clock.read()
        self._sent = 0

    def serve(self, limit: Duration) -> None:
        """Tell it if it is time to; wait at most `limit`."""
        _, now = self._clock.read()
        wait = min(self._due - now, limit)
        if wait > ZERO:
            self._sleep(wait.seconds)
            return
        self._due = now + self._every
        request, packet = bytearray(HEADER_LENGTH), bytearray(HEADER_LENGTH)
        request[2] = (self._every.ns // SECOND.ns).bit_length() - 1
        moment = self._moment()
        moment.begin(request, packet, _KIND, [moment.made_ns])
        packet[32:40] = bytes(8)  # nothing was received
        if not packet[1]:
            return
        local, _ = self._clock.read()
        moment.finish(packet, _KIND, local.ns, 0)
        try:
            self._send(bytes(packet))
        except OSError:
            return
        self._sent += 1

    def counters(self) -> dict[str, int]:
        """How often it was told."""
        return {"broadcast": self._sent}

    def clients(self, most: int) -> list[ClientStatus]:  # noqa: ARG002 - a Service
        """Nobody asked."""
        return []

    def denied(self, most: int) -> list[ClientStatus]:  # noqa: ARG002 - a Service
        """Nobody asked."""
        return []

    def reload_access(self, settings: ServerSettings) -> None:
        """Nobody is let in."""
