"""How often a client is answered, and what is remembered of it.

A token bucket per client (IPv6: per /64, but per host within fe80::/64, which all
hosts of a link share), in bounded memory. A newcomer waits in a fixed array
where the next one of the same hash takes its place; who comes a second time gets
an entry of its own, and no entry that was in use within `KEEP` is ever taken away.
So a flood from made-up addresses only churns the array: it costs no client its
state, and no client is limited for another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Final

from refclock.server.access import Access
from refclock.settings import Range
from refclock.timebase import HOUR, SECOND

KEEP: Final = 3 * HOUR
"""How long a client may be silent before its entry can be given away."""

_LINK_LOCAL: Final = bytes.fromhex("fe80000000000000")
_TRIES: Final = 4
_DEPARTURES: Final = 4
"""Hosts behind one address, or in one /64, that can be interleaved at a time."""


class Decision(StrEnum):
    """What to do with a well-formed request."""

    SERVE = "serve"
    DENIED = "denied"
    """By the access rules."""
    LIMITED = "limited"
    """It asks too often: no answer."""
    WARNED = "warned"
    """It asks too often, and is told so."""


_SERVE: Final = Decision.SERVE  # a name of the module is found five times as quickly


@dataclass(frozen=True, slots=True)
class RateLimitSettings:
    """How often one client may ask."""

    enabled: bool = True
    interval_s: Annotated[float, Range(0.001, 3600, "s")] = 0.25
    """Between two requests, in the long run."""
    burst: Annotated[int, Range(8, 1024, "requests")] = 32
    """Requests that may come at once; measuring clients send up to 8."""
    leak: Annotated[float, Range(0.0, 0.5)] = 0.0625
    """Share of the requests too many that is answered nonetheless, so that
    nobody is shut out by someone who borrows his address; and, of the same
    size, the share that is told to slow down."""
    clients: Annotated[int, Range(64, 1_000_000, "clients")] = 4096
    """How many are remembered at most; and as many newcomers."""


class Client:
    """What we remember of one client. Times are CLOCK_MONOTONIC, ns."""

    __slots__ = (
        "allowed",
        "count",
        "departures",
        "due",
        "interleaved",
        "key",
        "last",
        "limited",
        "source",
        "version",
    )

    def __init__(self, key: bytes, source: bytes, now: int, *, allowed: bool) -> None:
        self.key = key
        """What has one bucket: see `_key`."""
        self.source = source
        """The address that asked last; one of a /64 if it is IPv6."""
        self.allowed = allowed
        self.due = now
        """When its bucket will be full again."""
        self.last = now
        self.count = 0
        self.limited = 0
        self.version = 0
        self.interleaved = 0
        self.departures: dict[bytes, bytes] = {}
        """When our last replies left, by when their requests came; for the
        interleaved mode. Both as on the wire."""

    def departed(self, received: bytes, left: bytes) -> None:
        """Keep when a reply left; of a few only."""
        self.departures[received] = left
        if len(self.departures) > _DEPARTURES:
            del self.departures[next(iter(self.departures))]

    @property
    def name(self) -> str:
        """The address, for people; of IPv6 the network that shares a bucket."""
        if self.key == self.source:
            return str(ip_address(self.key))
        return f"{ip_address(self.key.ljust(16, bytes(1)))}/64"


class Admission:
    """Access, pace and the table of clients. Used by one thread."""

    def __init__(
        self, access: Access, pace: RateLimitSettings, draw: Callable[[], float]
    ) -> None:
        """`draw`: a random number, 0 up to but not 1."""
        self._access = access
        self._draw = draw
        self._every = round(pace.interval_s * SECOND.ns) if pace.enabled else 0
        self._slack = (pace.burst - 1) * self._every
        self._leak = pace.leak
        self._known: dict[bytes, Client] = {}
        self._most = pace.clients
        self._newcomers: list[Client | None] = [None] * pace.clients

    def admit(self, source: bytes, version: int, now: int) -> Decision:
        """What to do with a request from `source` (an address) at `now` (mono ns)."""
        key = _key(source)
        client = self._known.get(key) or self._newcomer(source, key, now)
        client.last = now
        client.count += 1
        client.version = version
        if client.source != source:  # another host of the same /64
            client.source = source
            client.allowed = self._access.allows(source)
        if not client.allowed:
            return Decision.DENIED
        due = client.due
        if due <= now:
            client.due = now + self._every
            return _SERVE
        if due - now <= self._slack:
            client.due = due + self._every
            return _SERVE
        client.limited += 1
        draw = self._draw()
        if draw < self._leak:
            return Decision.SERVE
        return Decision.WARNED if draw < 2 * self._leak else Decision.LIMITED

    def admit_run(self, source: bytes, version: int, now: int, times: int) -> bool:
        """Are `times` requests from `source` at `now` all to be served, as is usual?

        If not, nothing is charged: each is a matter for `admit`, as always for
        link-local hosts.
        """
        client = self._known.get(source[:8])
        if client is None or client.source != source:
            return False
        due = max(client.due, now) + times * self._every
        if due - self._every - now > self._slack or not client.allowed:
            return False
        client.due = due
        client.last = now
        client.count += times
        client.version = version
        return True

    def known(self, source: bytes) -> Client | None:
        """The client with that address, if it came more than once."""
        return self._known.get(_key(source))

    def clients(self) -> list[Client]:
        """All that came more than once and are remembered. From any thread."""
        return list(self._known.values())

    def newcomers(self) -> int:
        """How many came once and are remembered. From any thread."""
        return sum(seat is not None and seat.allowed for seat in self._newcomers)

    def _newcomer(self, source: bytes, key: bytes, now: int) -> Client:
        """One not in the table yet; it gets there when it comes again."""
        seat = hash(key) % self._most
        client = self._newcomers[seat]
        if client is None or client.key != key:
            client = Client(key, source, now, allowed=self._access.allows(source))
            self._newcomers[seat] = client
        elif client.allowed and self._has_room(now):
            self._known[key] = client
            self._newcomers[seat] = None
        return client

    def _has_room(self, now: int) -> bool:
        """Is there a free entry, or one idle for so long that it can be given away?"""
        if len(self._known) < self._most:
            return True
        for _ in range(_TRIES):
            oldest = next(iter(self._known))
            client = self._known.pop(oldest)
            if now - client.last > KEEP.ns:
                return True
            self._known[oldest] = client
        return False


def _key(source: bytes) -> bytes:
    """What has one bucket: an IPv4 address, a /64, or a host of the link."""
    key = source[:8]
    return source if key == _LINK_LOCAL else key
