"""Which other time servers are asked, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from refclock.events.upstream import Trust
from refclock.settings import Form, Range


def _power(seconds: int) -> None:
    """ValueError: no power of two."""
    if seconds & (seconds - 1):
        raise ValueError


Poll = Annotated[
    int, Range(16, 131_072, "s"), Form(_power, "a power of two, as 16, 64 or 1024")
]


class Family(StrEnum):
    """Which addresses of a name are asked."""

    ANY = "any"
    IPV4 = "ipv4"
    IPV6 = "ipv6"


class Fallback(StrEnum):
    """Whose time is served while no pulse is there to serve from."""

    ANY = "any"
    """That of any upstreams that agree."""
    AUTHENTICATED = "authenticated"
    """That of upstreams nobody can forge."""
    OFF = "off"


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """One server, or a pool of them."""

    host: str
    """Name or address."""
    pool: bool = False
    """Ask up to four of its addresses, each as a server of its own."""
    port: Annotated[int, Range(1, 65_535)] = 123
    family: Family = Family.ANY
    key: Annotated[int, Range(0, 0xFFFF_FFFF)] = 0
    """Number of a key in `keys.file`; 0: none."""
    nts: bool = False
    nts_port: Annotated[int, Range(1, 65_535)] = 4460
    authority: str = ""
    """Who signs its certificate, a PEM file; "": the system's authorities."""
    trust: bool = False
    """Nobody else can be on the way: as good as authenticated."""
    least_s: Poll = 16
    most_s: Poll = 1024
    """Least and greatest time between two questions."""
    burst: bool = True
    """Ask four times, 2 s apart, at the start."""
    interleaved: bool = False
    """Have it tell when its previous reply truly left (RFC 9769)."""

    def __post_init__(self) -> None:
        """ValueError: settings that exclude each other."""
        if not self.host:
            raise ValueError("host: name a server or its address")
        if self.least_s > self.most_s:
            raise ValueError(f"least_s: {self.least_s} is more than most_s")
        if self.key and self.nts:
            raise ValueError("key and nts exclude each other")
        if self.nts and self.pool:
            raise ValueError("nts and pool exclude each other: name each server")
        if self.authority and not self.nts:
            raise ValueError("authority is for nts = true")

    @property
    def proof(self) -> Trust:
        """What makes its answers its own."""
        if self.nts:
            return Trust.NTS
        if self.key:
            return Trust.KEY
        return Trust.OPERATOR if self.trust else Trust.NOTHING


@dataclass(frozen=True, slots=True)
class WitnessSettings:
    """What the upstreams' time is used for."""

    fallback: Fallback = Fallback.ANY
    """Whose time is served, as one stratum more than theirs, before the first fix and
    after holdover."""
