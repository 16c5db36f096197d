"""Who asked: what is told of each client, and the busiest of many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """Someone who asked more than once, and is remembered."""

    address: str
    """Of IPv6 the network, a /64."""
    age_s: float
    """Since it asked last."""
    count: int
    """Requests, those limited included."""
    version: int
    """Of the last request."""
    interleaved: int
    """Replies in the interleaved mode."""
    limited: int
    """Requests beyond its pace."""

    def also(self, other: ClientStatus) -> ClientStatus:
        """Of the same client at two listeners."""
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
