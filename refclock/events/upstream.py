"""What other time servers answer, as facts. Every fact names the server."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from refclock.events.source import SourceId
from refclock.timebase import Duration, Mono, Utc

UPSTREAM: Final = SourceId("upstream")
"""All other time servers, as one source."""


class Trust(StrEnum):
    """What makes a server's answers its own."""

    NOTHING = "-"
    """Whoever is on the way can forge them."""
    OPERATOR = "trust"
    """The settings say that nobody is on the way (`trust`)."""
    KEY = "key"
    """A symmetric key."""
    NTS = "nts"
    """Network Time Security."""

    @property
    def proven(self) -> bool:
        """Can nobody on the way forge them?"""
        return self is not Trust.NOTHING


@dataclass(frozen=True, slots=True)
class ServerAdded:
    """A server will be asked from now on; what was kept under that name is void."""

    mono: Mono
    server: str
    """Its name, or its address where a pool named it."""
    address: str
    """"": not known yet."""
    trust: Trust
    source: SourceId = UPSTREAM


@dataclass(frozen=True, slots=True)
class ServerRemoved:
    """A server is not asked any more."""

    mono: Mono
    server: str
    source: SourceId = UPSTREAM


@dataclass(frozen=True, slots=True)
class ServerReply:
    """One exchange with a server: origin checked, and authenticated if it is to be."""

    mono: Mono
    """When the reply came."""
    server: str
    utc: Utc
    """The server's time at `mono`, half the delay added."""
    delay: Duration
    """There and back, without the time in the server."""
    stratum: int
    leap: int
    """Its leap indicator, 0 to 2."""
    root_delay: Duration
    root_dispersion: Duration
    server_id: bytes
    """The reference identifier of a clock that follows it: four bytes."""
    source: SourceId = UPSTREAM


@dataclass(frozen=True, slots=True)
class NoReply:
    """A question to a server that brought no time."""

    mono: Mono
    server: str
    why: str
    source: SourceId = UPSTREAM


UpstreamFact = ServerAdded | ServerRemoved | ServerReply | NoReply
