"""The port to a responder: what the kernel is to answer plain requests with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Protocol

from refclock.timebase import Duration, Mono

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Statement:
    """The served time as a straight line, and the rest of a reply."""

    since: Mono
    lasts: Duration
    """From `since` on it may be served for so long, 0 to 4 s; 0: not at all."""
    stamp: int
    """The NTP timestamp at `since`, 2^-32 s."""
    rate: float
    """How much faster served time runs than CLOCK_MONOTONIC, s/s."""
    bound: Duration
    """Root dispersion at `since`."""
    bound_rate: float
    """How fast it grows, s/s."""
    header: bytes
    """The first 24 bytes of a reply, with version and mode 0."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for the hosts of a network; of several the longest prefix decides."""

    network: IpNetwork
    allowed: bool
    shared: bool
    """Each address stands for many hosts."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests are answered, and how."""

    addresses: Sequence[IpAddress]
    """Of ours; an unspecified one stands for all of its IP version."""
    interface: str | None
    """Only of those that arrive there; None: of all."""
    stratum_least: int
    rules: Sequence[Rule]
    """A host in none of them is left to the socket."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Token buckets of hosts, and of IPv6 networks for hosts not remembered yet."""

    every: Duration
    """A bucket gains a request; 0, and a large `slack`: no limit."""
    every_network: Duration
    """That of a network, and of a shared address."""
    slack: Duration
    """The size of a bucket."""
    leak: float
    """Share of the requests beyond the pace that is answered, 0 to below 1."""
    leak_every: Duration
    """Of one host at most one each so often,"""
    leak_slack: Duration
    """after a pause of this length several at once."""


@dataclass(frozen=True, slots=True)
class AnsweredHost:
    """A host that the kernel answered, or refused an answer for its pace."""

    address: IpAddress
    last: Mono
    count: int
    """Requests answered or refused."""
    limited: int
    """Of these, refused."""
    version: int
    """Of the last request."""


class Responder(Protocol):
    """Answers plain requests in the kernel. Used by one thread; what reads, by any."""

    def state(self, statement: Statement) -> None:
        """Answer with this from now on."""
        ...

    def admit(self, places: Sequence[Place], pace: Pace) -> None:
        """Answer at these places by these rules from now on; all hosts are new."""
        ...

    def look(self) -> list[str]:
        """Follow what became of interfaces and addresses; the interfaces attached to.

        To be called each second.
        """
        ...

    def counters(self) -> tuple[int, int]:
        """Requests answered, and refused for their pace."""
        ...

    def hosts(self) -> list[AnsweredHost]:
        """All that are remembered."""
        ...

    def close(self) -> None:
        """Detach: all requests go to the sockets."""
        ...
