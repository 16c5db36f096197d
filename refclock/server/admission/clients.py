"""Who asked: what is remembered of each host, in bounded memory.

A host that comes for the first time waits in an array of seats, where others may take
its place; one that comes again gets an entry in the table. When the table is full, the
latest entries are given away: of a handful, that of the host that was idle for longest
by the number of its requests. So a flood from forged addresses displaces other
strangers, and a newcomer is remembered whatever fills the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice
from typing import Annotated, Final

from refclock.settings import Decimals

ESTABLISHED: Final = 8
"""Requests that make a client established."""
_MOST_COUNTED: Final = 256
"""More requests than that give no more claim to an entry."""
_LOOK_AT: Final = 8
_CHAINS: Final = 8
"""Departures kept per host of clients whose interleaved mode goes on."""
_OFFERS: Final = 16
"""Departures kept per host of clients that may begin the interleaved mode."""
_MOST_DENIED: Final = 32
_DENIED_EVERY_NS: Final = 1_000_000
"""So often one of the denied gives way to another: a flood costs no more."""


class Client:
    """What is remembered of one host. Times are CLOCK_MONOTONIC, ns."""

    __slots__ = (
        "_chains",
        "_offers",
        "allowed",
        "count",
        "due",
        "every",
        "interleaved",
        "kiss_due",
        "last",
        "leak_due",
        "limited",
        "slack",
        "source",
        "version",
    )

    def __init__(self, source: bytes, now: int, *, allowed: bool) -> None:
        """`source`: its address, 4 or 16 bytes."""
        self.source = source
        self.allowed = allowed
        self.every = 0
        """Its bucket gains a request each so many ns."""
        self.slack = 0
        """How far `due` may be ahead: the size of its bucket, ns."""
        self.due = now
        """When its bucket will be full again."""
        self.leak_due = now
        """From when on a request beyond its pace may be served."""
        self.kiss_due = now
        """From when on it may be sent a kiss-o'-death."""
        self.last = now
        self.count = 0
        self.limited = 0
        self.version = 0
        self.interleaved = 0
        self._chains: dict[bytes, bytes] = {}
        self._offers: dict[bytes, bytes] = {}

    def departed(self, received: bytes, left: bytes, *, continues: bool) -> None:
        """Keep when a reply left, by when its request came; both as on the wire.

        `continues`: the request named an earlier departure of ours, which only a
        client that receives our replies can. Those that did not never displace one
        that did.
        """
        kept, most = (self._chains, _CHAINS) if continues else (self._offers, _OFFERS)
        kept[received] = left
        if len(kept) > most:
            del kept[next(iter(kept))]

    def departure(self, received: bytes) -> bytes | None:
        """When our reply to the request that came at `received` left; both as on the
        wire. None: not known. It is kept for as long as the client goes on."""
        left = self._chains.get(received)
        if left is None and (left := self._offers.pop(received, None)) is not None:
            self.departed(received, left, continues=True)
        return left

    def claim(self, now: int) -> float:
        """Idle time by the number of requests, ns: the greater, the less claim it has
        to its entry."""
        return (now - self.last) / min(self.count, _MOST_COUNTED)

    @property
    def name(self) -> str:
        """The address, for people."""
        return str(ip_address(self.source))


class ClientTable:
    """The hosts that came more than once. Used by one thread.

    Three quarters of it are settled; in the last quarter the latest displace each
    other, until one of them is established and takes a settled place.
    """

    def __init__(self, most: int) -> None:
        self._most_open = most // 4
        self._most_settled = most - self._most_open
        self._known: dict[bytes, Client] = {}
        self._settled: dict[bytes, Client] = {}
        self._open: dict[bytes, Client] = {}
        self.get = self._known.get
        """The client with that address, or None."""

    def add(self, client: Client, now: int) -> None:
        """Give it an entry; another's, where there is none free."""
        part = self._settled
        if len(self._settled) == self._most_settled:
            part = self._open
            if len(part) == self._most_open:
                del self._known[self._give_away(now).source]
        self._known[client.source] = part[client.source] = client

    def all(self) -> list[Client]:
        """From any thread."""
        return list(self._known.values())

    def _give_away(self, now: int) -> Client:
        """Who loses its entry; taken out of its part already."""
        for each in islice(self._open.values(), _LOOK_AT):
            if each.count >= ESTABLISHED:
                least = _least(self._settled, now)
                self._settled[each.source] = self._open.pop(each.source)
                return least
        return _least(self._open, now)


def _least(part: dict[bytes, Client], now: int) -> Client:
    """Takes out the one with the least claim of those in front; the others go to the
    end: strangers have less than any established client."""
    front = [*islice(part.values(), _LOOK_AT)]
    for each in front:
        part[each.source] = part.pop(each.source)
    least = max(front, key=lambda each: (each.count < ESTABLISHED, each.claim(now)))
    return part.pop(least.source)


class Newcomers:
    """Hosts that came once. Used by one thread."""

    def __init__(self, most: int) -> None:
        self._seats: list[Client | None] = [None] * (most + most % 2)

    def take(self, source: bytes) -> Client | None:
        """The one with that address, whose seat is free then; None: it is not here."""
        at = hash(source) % len(self._seats)
        for seat in (at, at ^ 1):
            client = self._seats[seat]
            if client is not None and client.source == source:
                self._seats[seat] = None
                return client
        return None

    def sit(self, client: Client, draw: int) -> None:
        """Give it a seat; of two that are taken the one that `draw` says."""
        at = hash(client.source) % len(self._seats)
        if self._seats[at] is not None and (self._seats[at ^ 1] is None or draw & 1):
            at ^= 1
        self._seats[at] = client

    def __iter__(self) -> Iterator[Client]:
        return (client for client in self._seats if client is not None)


class Denied:
    """The hosts that were denied: of many the most insistent, and the latest. Used by
    one thread; `all` by any."""

    def __init__(self) -> None:
        self._clients: dict[bytes, Client] = {}
        self._open_at = 0
        """When another may be added to those that are full (mono ns)."""

    def note(self, client: Client) -> None:
        """It was denied, just now."""
        kept = self._clients.get(client.source)
        if kept is None and client.last >= self._open_at:
            if len(self._clients) == _MOST_DENIED:
                everyone = self._clients.values()
                least = max(everyone, key=lambda each: each.claim(client.last))
                del self._clients[least.source]
                self._open_at = client.last + _DENIED_EVERY_NS
            self._clients[client.source] = client
        elif kept is not None and kept is not client:  # it lost its seat meanwhile
            kept.count += 1
            kept.last = client.last

    def all(self) -> list[Client]:
        """From any thread."""
        return list(self._clients.values())


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """A host that is remembered, or that was denied."""

    address: str
    age_s: Annotated[float, Decimals(3)]
    """Since it asked last."""
    count: int
    """Requests, those limited included."""
    version: int
    """Of the last request."""
    interleaved: int
    """Replies in the interleaved mode."""
    limited: int
    """Requests beyond its pace that were not served."""

    def also(self, other: ClientStatus) -> ClientStatus:
        """Of the same host at two listeners."""
        last = min(self, other, key=lambda each: each.age_s)
        return ClientStatus(
            self.address,
            last.age_s,
            self.count + other.count,
            last.version,
            self.interleaved + other.interleaved,
            self.limited + other.limited,
        )


def busiest(clients: Iterable[ClientStatus], most: int) -> list[ClientStatus]:
    """The `most` that asked most, each address once."""
    known: dict[str, ClientStatus] = {}
    for client in clients:
        other = known.get(client.address)
        known[client.address] = client if other is None else client.also(other)
    return sorted(known.values(), key=lambda each: each.count, reverse=True)[:most]
