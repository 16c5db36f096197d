"""The NTP service: datagrams in, replies out, a sweep at a time.

    receive a batch -> check, admit, write replies -> read the clock -> send

The kernel stamps each request as it comes in (T2). The clock for T3 is read when
all replies of the sweep are otherwise done, so that only the stamping itself
and the sending lie between T3 and the wire.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from refclock.packet import HEADER_LENGTH, PacketError, check_length
from refclock.ports import Datagrams, SystemClock
from refclock.server.admit import (
    PRIVATE,
    Access,
    Admission,
    RateLimitSettings,
    Verdict,
)
from refclock.server.reply import DENY, RATE, Moment, answers
from refclock.server.served import Served
from refclock.settings import Range
from refclock.timebase import Duration


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen and whom to answer."""

    listen: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104 - `allow` is the guard
    """Addresses of ours; an IPv6 address may name its interface, `fe80::1%eth0`."""
    port: Annotated[int, Range(0, 65_535)] = 123
    """0: any free one."""
    allow: tuple[str, ...] = PRIVATE
    deny: tuple[str, ...] = ()
    """Networks. The longest prefix decides; unnamed addresses are denied."""
    tell_denied: bool = False
    """Send a kiss-o'-death DENY instead of nothing."""
    symmetric: bool = True
    """Answer symmetric active peers (mode 1), without keeping state of them."""
    rate_limit: RateLimitSettings = field(default_factory=RateLimitSettings)

    def __post_init__(self) -> None:
        Access(self.allow, self.deny)


class NtpService:
    """Answers on one socket. Used by one thread; `counters` by any."""

    def __init__(
        self,
        socket: Datagrams,
        published: Callable[[], Served],
        clock: SystemClock,
        settings: ServerSettings,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._socket = socket
        self._published = published
        self._clock = clock
        self._answers = answers(symmetric=settings.symmetric)
        self._kisses = {Verdict.WARNED: RATE}
        if settings.tell_denied:
            self._kisses[Verdict.DENIED] = DENY
        self._admission = Admission(
            Access(settings.allow, settings.deny), settings.rate_limit, draw
        )
        self._requests = 0
        self._answered = 0
        self._dropped: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """Where it listens."""
        return self._socket.name

    def serve(self, limit: Duration) -> None:
        """Answer what comes, waiting at most `limit` for the first request."""
        datagrams = self._socket.receive(limit)
        if not datagrams:
            return
        self._requests += len(datagrams)
        local, mono = self._clock.read()
        moment = Moment(self._published(), local, mono)
        replies = self._socket.replies
        to: list[int] = []
        for slot, (source, received_ns, request) in enumerate(datagrams):
            kind = self._kind(request)
            if isinstance(kind, str):
                self._dropped[kind] += 1
                continue
            if not moment.oldest_ns <= received_ns <= local.ns:
                self._dropped["clock stepped"] += 1
                continue
            verdict = self._admission.admit(source, kind >> 3, mono.ns)
            place = len(to) * HEADER_LENGTH
            if verdict is Verdict.SERVE:
                moment.begin(replies, place, kind, request, received_ns)
            else:
                self._dropped[verdict] += 1
                code = self._kisses.get(verdict)
                if code is None:
                    continue
                moment.kiss(replies, place, kind, request, received_ns, code)
            to.append(slot)
        transmit_ns = self._socket.now_ns()
        for place in range(0, len(to) * HEADER_LENGTH, HEADER_LENGTH):
            moment.finish(replies, place, transmit_ns)
        self._answered += self._socket.send(to)

    def counters(self) -> dict[str, int]:
        """What was asked, answered and, by reason, not answered with the time."""
        return {
            "requests": self._requests,
            "answered": self._answered,
            **dict(self._dropped),
            "kernel dropped": self._socket.dropped(),
            "clients": len(self._admission.clients()),
        }

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _kind(self, request: bytes) -> int | str:
        """Version and mode to answer with, or why there is no answer."""
        if len(request) == HEADER_LENGTH:
            return self._answers[request[0] & 63] or "mode or version"
        try:
            check_length(request)
        except PacketError:
            return "malformed"
        return self._answers[request[0] & 63] or "mode or version"
