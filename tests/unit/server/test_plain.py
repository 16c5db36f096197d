"""What a responder in the kernel is told."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refclock.board.responder import AnsweredHost, Rule
from refclock.published import STALE_AFTER
from refclock.server.admission.access import Access
from refclock.server.admission.clients import ClientStatus
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.plain import (
    LASTS,
    LEAP_GUARD,
    Standing,
    host_status,
    pace,
    places,
    statement,
)
from refclock.server.settings import LeapMode, ListenerSettings, ServerSettings
from refclock.timebase import (
    DAY,
    HOUR,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    Local,
    Mono,
    NtpTimestamp,
    Tai,
    Utc,
)
from tests.fakes.published import right_at

LOCAL, MONO = Local(1_800_000_000 * SECOND.ns), Mono(5_000 * SECOND.ns)
RIGHT = right_at(LOCAL, MONO)


def test_the_time_is_a_line_from_now_on() -> None:
    told = statement(replace(RIGHT, rate=3e-6, bound_rate=1e-6), LOCAL, MONO)
    assert (told.since, told.lasts) == (MONO, LASTS)
    expected = NtpTimestamp.of(Utc(LOCAL.ns)).bits
    assert abs(expected - told.stamp) <= 1  # a quarter of a nanosecond
    assert (told.rate, told.bound_rate) == (3e-6, 1e-6)
    assert told.header[:4] == bytes([0, 1, 0, 0x100 - 24])
    assert told.header[12:16] == b"PPS\0"
    later = statement(RIGHT, LOCAL + HOUR, MONO + SECOND)
    assert later.lasts == ZERO


@pytest.mark.parametrize(
    ("age", "lasts"),
    [
        (STALE_AFTER - HOUR, LASTS),
        (STALE_AFTER - 5 * SECOND, LASTS),
        (STALE_AFTER - SECOND, SECOND),
        (STALE_AFTER, ZERO),
    ],
)
def test_a_statement_ends_with_the_snapshot(age: Duration, lasts: Duration) -> None:
    old = right_at(LOCAL - age, MONO - age)
    assert statement(old, LOCAL, MONO).lasts == lasts


@pytest.mark.parametrize(
    ("away", "lasts"),
    [
        (2 * DAY, LASTS),
        (DAY + SECOND, SECOND),
        (DAY, LASTS),
        (10 * SECOND, LASTS),
        (5 * SECOND, 5 * SECOND - LEAP_GUARD),
        (LEAP_GUARD + MILLISECOND, MILLISECOND),
        (LEAP_GUARD, ZERO),
        (ZERO, ZERO),
        (-LEAP_GUARD, ZERO),
        (-LEAP_GUARD - MILLISECOND, LASTS),
    ],
)
def test_none_spans_a_leap_second_or_its_announcement(
    away: Duration, lasts: Duration
) -> None:
    at = Tai(LOCAL.ns) + 37 * SECOND + away
    leap = LeapSecond(at, 37 * SECOND, 38 * SECOND)
    assert statement(replace(RIGHT, leap=leap), LOCAL, MONO).lasts == lasts


def test_places_are_the_sockets_that_do_not_smear() -> None:
    announcing = ListenerSettings(("10.0.0.1",), leap=LeapMode.ANNOUNCE)
    named = replace(announcing, addresses=("10.0.0.2",), stratum_least=4, allow=())
    standing = [
        Standing("0.0.0.0", None, announcing),  # noqa: S104
        Standing("10.0.0.2", "eth1", named),
        Standing("10.0.0.3", None, replace(announcing, leap=LeapMode.SMEAR)),
    ]
    settings = ServerSettings(
        listen=("10.0.0.1",), listener=(replace(named, stratum_least=5),)
    )
    one, two = places(standing, settings)
    assert (one.addresses, one.interface) == ([IPv4Address(0)], None)
    assert Rule(ip_network("10.0.0.0/8"), True, False) in one.rules
    assert (two.addresses, two.interface) == ([ip_address("10.0.0.2")], "eth1")
    assert two.stratum_least == 5
    assert not any(rule.allowed for rule in two.rules)
    kissing = replace(settings, rate_limit=RateLimitSettings(kiss=True))
    assert places(standing, kissing) == []


def test_the_pace_is_that_of_the_service() -> None:
    told = pace(RateLimitSettings(interval_s=0.5, burst=9, network=4, leak=0.125))
    assert (told.every, told.every_network) == (
        SECOND * 1 - 500 * MILLISECOND,
        125 * MILLISECOND,
    )
    assert (told.slack, told.leak) == (4 * SECOND, 0.125)
    none = pace(RateLimitSettings(enabled=False))
    assert none.every == none.every_network == ZERO
    assert none.slack > SECOND


def test_a_host_is_told_as_the_service_tells_it() -> None:
    host = AnsweredHost(ip_address("fd00::1"), MONO - SECOND, 7, 2, 4)
    assert host_status(host, MONO) == ClientStatus("fd00::1", 1.0, 7, 4, 0, 2)


NETWORKS = st.lists(
    st.builds(
        lambda bits, free: str(
            ip_network((10 << 24 | bits >> free << free, 32 - free))
        ),
        st.integers(0, 255),
        st.integers(0, 8),
    ),
    max_size=6,
)


@given(NETWORKS, NETWORKS, st.integers(0, 255))
def test_what_its_networks_allow_is_what_the_rules_allow(
    allow: list[str], deny: list[str], host: int
) -> None:
    """By the longest prefix, as a trie in the kernel finds it."""
    access = Access(allow, deny)
    address = ip_address(10 << 24 | host)
    holding = [each for each in access.networks if address in each]
    longest = max(holding, key=lambda each: each.prefixlen, default=None)
    found = longest is not None and access.allows_all(longest)
    assert found is access.allows(address.packed)
