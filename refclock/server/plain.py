"""Plain requests answered in front of the service: with what, where, and for whom.

A responder in the kernel needs all that the service decides by, as values: the served
time as a straight line, the places with their access rules, and the pace of hosts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from refclock.board.responder import AnsweredHost, Pace, Place, Rule, Statement
from refclock.published import STALE_AFTER, ClockSnapshot
from refclock.server.admission.access import Access
from refclock.server.admission.admit import LEAK_EVERY_NS, LEAK_SLACK_NS
from refclock.server.admission.clients import ClientStatus
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.reply import ReplyTemplate
from refclock.server.settings import LeapMode, ListenerSettings, ServerSettings
from refclock.timebase import DAY, HOUR, SECOND, ZERO, Duration, Local, Mono

LASTS: Final = 4 * SECOND
"""How long a statement is good for, if no other follows."""
LEAP_GUARD: Final = 2 * SECOND
"""So near to a leap second every request is left to the service."""
_LONGEST_BOUND: Final = 65_535 * SECOND


@dataclass(frozen=True, slots=True)
class Standing:
    """A socket of the service: its address, its interface, and what holds there."""

    address: str
    interface: str | None
    listener: ListenerSettings


def statement(snapshot: ClockSnapshot, local: Local, mono: Mono) -> Statement:
    """What plain requests are answered with from now on; both clocks read together."""
    template = ReplyTemplate(snapshot, local, mono)
    return Statement(
        mono,
        _lasts(snapshot, local, mono),
        template.wire(local.ns),
        snapshot.rate,
        snapshot.bound_at(mono),
        snapshot.bound_rate,
        template.header,
    )


def _lasts(snapshot: ClockSnapshot, local: Local, mono: Mono) -> Duration:
    """How long the served time is known, synchronised, and a straight line."""
    realtime_offset = Duration(local.ns - mono.ns)
    if (
        not snapshot.synchronised(mono, realtime_offset)
        or snapshot.bound_at(mono + LASTS) > _LONGEST_BOUND
        or not 0.0 <= snapshot.bound_rate < 1.0
    ):
        return ZERO
    lasts = min(LASTS, snapshot.at + STALE_AFTER - mono)
    if snapshot.leap is not None:
        away = snapshot.leap.at - snapshot.tai(local, realtime_offset)
        if abs(away) <= LEAP_GUARD:
            return ZERO
        if away > DAY:
            lasts = min(lasts, away - DAY)  # from then on it is announced
        elif away > ZERO:
            lasts = min(lasts, away - LEAP_GUARD)
    return max(lasts, ZERO)


def places(standing: Iterable[Standing], settings: ServerSettings) -> list[Place]:
    """Where plain requests are answered: not where a leap second is smeared, and
    nowhere while hosts are sent a kiss-o'-death, which the services do."""
    if settings.rate_limit.kiss:
        return []
    found = []
    for each in standing:
        listener = settings.as_now(each.listener)
        if each.listener.leap is not LeapMode.SMEAR:
            rules = _rules(settings, listener)
            address = ip_address(each.address)
            found.append(
                Place([address], each.interface, listener.stratum_least, rules)
            )
    return found


def _rules(settings: ServerSettings, listener: ListenerSettings) -> list[Rule]:
    """The access rules and the shared networks, as one set of rules."""
    access = settings.access(listener)
    shared = Access(settings.rate_limit.shared, ())
    return [
        Rule(network, access.allows_all(network), shared.allows_all(network))
        for network in {*access.networks, *shared.networks}
    ]


def pace(settings: RateLimitSettings) -> Pace:
    """How often a host is answered: as `Admission` has it."""
    every = Duration(round(settings.interval_s * SECOND.ns) * settings.enabled)
    return Pace(
        every,
        Duration(every.ns // settings.network),
        # a stamp may be older than one of another CPU before: no limit has room for it
        (settings.burst - 1) * every if every > ZERO else HOUR,
        settings.leak,
        Duration(LEAK_EVERY_NS),
        Duration(LEAK_SLACK_NS),
    )


def host_status(host: AnsweredHost, now: Mono) -> ClientStatus:
    """What the kernel counted of a host, as the service tells it of its own."""
    age_s = max((now - host.last).seconds, 0.0)
    return ClientStatus(
        str(host.address), age_s, host.count, host.version, 0, host.limited
    )
