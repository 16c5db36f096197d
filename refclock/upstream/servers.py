"""All other time servers together: who can be used, who agrees, and on what.

If any server is authenticated, the authenticated ones alone decide: others are shown as
agreeing or not, and have no vote. One server is a majority only where nobody can forge
its answers; else it takes two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from refclock.events.upstream import (
    NoReply,
    ServerAdded,
    ServerRemoved,
    ServerReply,
    Trust,
    UpstreamFact,
)
from refclock.reasons import Code, Reason
from refclock.timebase import MILLISECOND, SECOND, Duration, Mono
from refclock.upstream.filter import DRIFT, Interval, SampleFilter
from refclock.upstream.select import Agreement, agreement

LEAST_SAMPLES: Final = 3
MOST_DISTANCE: Final = 1500 * MILLISECOND
"""A server that may be further from true time is of no use (MAXDIST, RFC 5905)."""
MOST_JITTER: Final = SECOND
_REACH: Final = 0xFF


class Standing(Enum):
    """What a server is to us."""

    SELECTED = "*"
    """Of those that agree the best."""
    AGREES = "+"
    NO_VOTE = "-"
    """It agrees, but has no vote: others are authenticated."""
    FALSETICKER = "x"
    UNUSABLE = "?"


@dataclass
class Server:
    """What is known of one server. Used by one thread."""

    name: str
    trust: Trust
    address: str = ""
    samples: SampleFilter = field(default_factory=SampleFilter)
    reach: int = 0
    """The last eight questions, the newest in the lowest bit: was there a reply?"""
    fault: str = ""
    """Why the last question brought no time."""

    @property
    def stratum(self) -> int | None:
        """As it said last."""
        last = self.samples.last
        return None if last is None else last.stratum

    def unusable(self, interval: Interval | None, jitter: Duration) -> Reason | None:
        """Why its interval has no place in the vote."""
        if not self.reach:
            why = self.fault or "not asked yet"
            return Reason.of(Code.SERVER_UNREACHABLE, why=why)
        if interval is None or len(self.samples) < LEAST_SAMPLES:
            return Reason.of(Code.SERVER_NEW, needed=LEAST_SAMPLES)
        if jitter > MOST_JITTER:
            return Reason.of(Code.SERVER_JITTERY, jitter_s=jitter.seconds)
        if interval.half > MOST_DISTANCE:
            return Reason.of(Code.SERVER_FAR, distance_s=interval.half.seconds)
        return None


@dataclass(frozen=True, slots=True)
class Selected:
    """The time that more than half of the deciding servers agree on."""

    interval: Interval
    """At the moment that was asked about."""
    peer: str
    """The server nearest to the reference clock among them."""
    last: ServerReply
    """The peer's last reply."""
    agree: int
    of: int
    """So many of so many servers that decide."""
    nts: int
    """How many of those that agree are authenticated by NTS."""
    proven: bool
    """Can nobody on the way have forged it?"""
    leap: int
    """The leap indicator that more than half of those that agree give; else 0."""


@dataclass(frozen=True, slots=True)
class Row:
    """One server, for people."""

    server: Server
    standing: Standing
    interval: Interval | None
    jitter: Duration
    why: Reason | None
    """Why it is not used."""


class Upstreams:
    """All servers by name. Used by one thread."""

    def __init__(self) -> None:
        self._servers: dict[str, Server] = {}

    def __len__(self) -> int:
        return len(self._servers)

    def observe(self, fact: UpstreamFact) -> None:
        """What a server answered, or that it did not; of one not added, nothing."""
        match fact:
            case ServerAdded():
                self._servers[fact.server] = Server(
                    fact.server, fact.trust, fact.address
                )
            case ServerRemoved():
                self._servers.pop(fact.server, None)
            case ServerReply():
                if server := self._servers.get(fact.server):
                    server.samples.add(fact)
                    server.reach = (server.reach << 1 | 1) & _REACH
                    server.fault = ""
            case NoReply():
                if server := self._servers.get(fact.server):
                    server.reach = server.reach << 1 & _REACH
                    server.fault = fact.why

    def forget(self) -> None:
        """The monotonic clock stood still: what was measured by it is void."""
        for server in self._servers.values():
            server.samples = SampleFilter()

    def select(
        self, now: Mono, rate: float = 0.0, drift: float = DRIFT
    ) -> Selected | None:
        """What the servers agree on at `now`; None: on nothing.

        `rate`: how fast true time gains on our monotonic clock, s/s, to ± `drift`.
        """
        intervals, proven, found = self._vote(now, rate, drift)
        if found is None:
            return None
        agree = [self._servers[name] for name in found.truechimers]
        if not proven and len(agree) < 2:
            return None
        peer = min(agree, key=lambda each: _rank(each, intervals[each.name]))
        last = peer.samples.last
        if last is None:
            return None
        return Selected(
            found.interval,
            peer.name,
            last,
            len(agree),
            sum(self._votes(self._servers[name]) for name in intervals),
            sum(each.trust is Trust.NTS for each in agree),
            proven,
            _leap(agree),
        )

    def rows(self, now: Mono, rate: float = 0.0, drift: float = DRIFT) -> list[Row]:
        """Every server and what it is to us, in the order they were added."""
        intervals, _, found = self._vote(now, rate, drift)
        selected = self.select(now, rate, drift)
        return [
            self._row(each, intervals, found, selected, now, rate, drift)
            for each in self._servers.values()
        ]

    def _row(
        self,
        server: Server,
        intervals: dict[str, Interval],
        found: Agreement | None,
        selected: Selected | None,
        now: Mono,
        rate: float,
        drift: float,
    ) -> Row:
        interval = server.samples.interval(now, rate, drift)
        jitter = server.samples.jitter(now, rate, drift)
        why = server.unusable(interval, jitter)
        standing = Standing.UNUSABLE
        if why is None and server.name in intervals:
            mine = intervals[server.name]
            if found is None:
                why = Reason.of(Code.SERVERS_DISAGREE)
            elif not mine.touches(found.interval):
                standing = Standing.FALSETICKER
                apart_s = (mine.utc - found.interval.utc).seconds
                why = Reason.of(Code.SERVER_FALSETICKER, offset_s=apart_s)
            elif not self._votes(server):
                standing = Standing.NO_VOTE
                why = Reason.of(Code.SERVER_WITHOUT_VOTE)
            elif selected is None:
                why = Reason.of(Code.SERVER_ALONE)
            else:
                chosen = server.name == selected.peer
                standing = Standing.SELECTED if chosen else Standing.AGREES
        return Row(server, standing, interval, jitter, why)

    def _vote(
        self, now: Mono, rate: float, drift: float
    ) -> tuple[dict[str, Interval], bool, Agreement | None]:
        """All usable intervals by name, whether the authenticated ones decide, and what
        the deciding ones agree on."""
        intervals: dict[str, Interval] = {}
        for name, server in self._servers.items():
            found = server.samples.interval(now, rate, drift)
            jitter = server.samples.jitter(now, rate, drift)
            if found is not None and server.unusable(found, jitter) is None:
                intervals[name] = found
        proven = any(each.trust.proven for each in self._servers.values())
        deciding = {
            name: each
            for name, each in intervals.items()
            if self._votes(self._servers[name])
        }
        return intervals, proven, agreement(deciding) if deciding else None

    def _votes(self, server: Server) -> bool:
        """Does it decide?"""
        return server.trust.proven or not any(
            each.trust.proven for each in self._servers.values()
        )


def _rank(server: Server, interval: Interval) -> tuple[int, int, str]:
    return server.stratum or 16, interval.half.ns, server.name


def _leap(agree: list[Server]) -> int:
    said = [each.samples.last.leap for each in agree if each.samples.last is not None]
    return next((leap for leap in (1, 2) if 2 * said.count(leap) > len(agree)), 0)
