"""Whether a request is answered: by the access rules, and by the pace of its host.

Each host, an IPv4 or an IPv6 address, has a token bucket. Hosts of an IPv6 /64 that
are not remembered yet have one together besides, of `network` times the size: who
changes addresses within his /64 gets no more than that, while a whole LAN that starts
at once is served. Kisses-o'-death are paced, for each host and for all together.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from refclock.server.admission.access import Access
from refclock.server.admission.clients import Client, ClientTable, Denied, Newcomers
from refclock.server.admission.settings import RateLimitSettings
from refclock.timebase import SECOND

LEAK_EVERY_NS: Final = 400_000
LEAK_SLACK_NS: Final = SECOND.ns
"""Of the requests of one host beyond its pace at most 2,500 a second are served."""
_KISS_EVERY_NS: Final = 4 * SECOND.ns
_ALL_KISSES_EVERY_NS: Final = SECOND.ns // 16
_NETWORK: Final = 8
"""Bytes of an IPv6 address that name its /64."""


class Decision(StrEnum):
    """What to do with a well-formed request."""

    SERVE = "serve"
    DENIED = "denied"
    """By the access rules: no answer."""
    DENIED_KISS = "denied, told"
    """By the access rules: answer with a kiss-o'-death DENY."""
    LIMITED = "limited"
    """Beyond the pace of its host: no answer."""
    LIMITED_KISS = "warned"
    """Beyond the pace of its host: answer with a kiss-o'-death RATE."""


_SERVE: Final = Decision.SERVE  # a name of the module is found five times as quickly


class Admission:
    """Access, pace and the table of clients. Used by one thread."""

    def __init__(
        self,
        access: Access,
        pace: RateLimitSettings,
        draw: Callable[[], float],
        *,
        kiss_denied: bool = False,
    ) -> None:
        """`draw`: a random number, 0 up to but not 1."""
        self._access = access
        self._draw = draw
        every = round(pace.interval_s * SECOND.ns) if pace.enabled else 0
        self._every = every
        self._slack = (pace.burst - 1) * every
        self._network = pace.network
        self._shared = Access(pace.shared, ())
        self._leak = pace.leak
        self._kiss_limited = pace.kiss
        self._kiss_denied = kiss_denied
        self._kiss_due = 0
        self._table = ClientTable(pace.clients)
        self._newcomers = Newcomers(pace.clients)
        self._networks: dict[bytes, int] = {}
        """When the bucket of newcomers of a /64 will be full again."""
        self._most_networks = pace.clients
        self._denied = Denied()
        self.known = self._table.get
        """The client with that address, if it came more than once, or None."""

    def admit(self, source: bytes, version: int, now: int) -> Decision:
        """What to do with a request from `source` (an address) at `now` (mono ns)."""
        client = self.known(source)
        crowded = False
        if client is None:
            client = self._newcomer(source, now)
            crowded = len(source) == 16 and not self._network_affords(source, now)
        client.last = now
        client.count += 1
        client.version = version
        if not client.allowed:
            self._denied.note(client)
            kiss = self._kiss_denied and self._may_kiss(client, now)
            return Decision.DENIED_KISS if kiss else Decision.DENIED
        due = client.due
        if due <= now:
            due = now
        elif due - now > client.slack:
            return self._beyond_pace(client, now)
        if crowded:
            return self._beyond_pace(client, now)
        client.due = due + client.every
        return _SERVE

    def admit_run(self, source: bytes, version: int, now: int, times: int) -> bool:
        """Are `times` requests from `source` at `now` all to be served, as is usual?

        If not, nothing is charged: each is a matter for `admit`.
        """
        client = self.known(source)
        if client is None:
            return False
        every = client.every
        due = max(client.due, now) + times * every
        if due - every - now > client.slack:
            return False
        client.due = due
        client.last = now
        client.count += times
        client.version = version
        return True

    def clients(self) -> list[Client]:
        """All that came more than once and are remembered. From any thread."""
        return self._table.all()

    def newcomers(self) -> int:
        """How many came once and are remembered. From any thread."""
        return sum(client.allowed for client in self._newcomers)

    def denied(self) -> list[Client]:
        """Hosts that were denied, a few at most. From any thread."""
        return self._denied.all()

    def _newcomer(self, source: bytes, now: int) -> Client:
        """One not in the table yet; it gets there when it comes again."""
        client = self._newcomers.take(source)
        if client is None:
            client = Client(source, now, allowed=self._access.allows(source))
            hosts = self._network if self._shared.allows(source) else 1
            client.every = self._every // hosts
            client.slack = self._slack
            self._newcomers.sit(client, now >> 10)
        elif client.allowed:
            self._table.add(client, now)
        else:
            self._newcomers.sit(client, now >> 10)
        return client

    def _network_affords(self, source: bytes, now: int) -> bool:
        """Has the /64 of a newcomer a request left? It is charged then."""
        network = source[:_NETWORK]
        due = max(self._networks.pop(network, now), now)
        affords = due - now <= self._slack
        self._networks[network] = due + self._every // self._network * affords
        if len(self._networks) > self._most_networks:
            del self._networks[next(iter(self._networks))]
        return affords

    def _beyond_pace(self, client: Client, now: int) -> Decision:
        if self._draw() < self._leak:
            due = max(client.leak_due, now - LEAK_SLACK_NS)
            if due <= now:
                client.leak_due = due + LEAK_EVERY_NS
                return _SERVE
        client.limited += 1
        kiss = self._kiss_limited and self._may_kiss(client, now)
        return Decision.LIMITED_KISS if kiss else Decision.LIMITED

    def _may_kiss(self, client: Client, now: int) -> bool:
        """Is a kiss to it within the pace of kisses? It is charged then."""
        if client.kiss_due > now or self._kiss_due > now:
            return False
        client.kiss_due = now + _KISS_EVERY_NS
        self._kiss_due = max(self._kiss_due, now - SECOND.ns) + _ALL_KISSES_EVERY_NS
        return True
