"""How often a client is answered, and what is remembered of it."""

from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_address

from refclock.server.access import Access
from refclock.server.admit import (
    KEEP,
    Admission,
    Client,
    Decision,
    RateLimitSettings,
)
from refclock.timebase import SECOND

ALL = Access(["0.0.0.0/0", "::/0"], [])
PACE = RateLimitSettings(interval_s=1.0, burst=8, leak=0.1, clients=64)
START = 10**15


def never() -> float:
    return 0.999


def admission(access: Access = ALL, draws: Iterable[float] = ()) -> Admission:
    drawn = iter(draws)
    return Admission(access, PACE, lambda: next(drawn, 0.999))


def address(text: str) -> bytes:
    return ip_address(text).packed


def test_a_burst_is_served_and_then_one_a_second() -> None:
    admit = admission().admit
    source = address("10.0.0.1")
    assert [admit(source, 4, START) for _ in range(10)] == [Decision.SERVE] * 8 + [
        Decision.LIMITED
    ] * 2
    assert admit(source, 4, START + SECOND.ns) is Decision.SERVE
    assert admit(source, 4, START + SECOND.ns) is Decision.LIMITED


def test_a_burst_of_8_in_2_s_every_16_s_is_never_punished() -> None:
    admit = admission().admit
    source = address("10.0.0.1")
    for burst in range(100):
        for request in range(8):
            at = START + burst * 16 * SECOND.ns + request * SECOND.ns // 4
            assert admit(source, 4, at) is Decision.SERVE


def test_a_sweep_of_one_client_is_served_at_once_or_judged_one_by_one() -> None:
    table = admission()
    source, other = address("fd00::1"), address("fd00::2")
    assert not table.admit_run(source, 4, START, 1)  # unknown
    for _ in range(2):
        table.admit(source, 4, START)
    assert not table.admit_run(other, 4, START, 1)  # another host of the /64
    assert not table.admit_run(source, 3, START, 7)
    assert table.admit_run(source, 3, START, 6)
    assert not table.admit_run(source, 3, START, 1)
    assert table.admit(source, 4, START) is Decision.LIMITED
    later = START + SECOND.ns
    assert table.admit_run(source, 3, later, 1)
    (client,) = table.clients()
    assert (client.count, client.version, client.last) == (10, 3, later)


def test_who_is_denied_affords_nothing() -> None:
    table = admission(Access(["10.0.0.1/32"], []))
    for who, afforded in (("10.0.0.1", True), ("10.0.0.2", False)):
        for _ in range(2):
            table.admit(address(who), 4, START)
        assert table.admit_run(address(who), 4, START, 1) is afforded


def test_one_client_does_not_pay_for_another() -> None:
    admit = admission().admit
    for _ in range(20):
        admit(address("10.0.0.1"), 4, START)
    assert admit(address("10.0.0.2"), 4, START) is Decision.SERVE


def test_ipv6_is_limited_by_64() -> None:
    admit = admission().admit
    for host in range(8):
        assert admit(address(f"fd00::{host}"), 4, START) is Decision.SERVE
    assert admit(address("fd00::9"), 4, START) is Decision.LIMITED
    assert admit(address("fd00:0:0:1::9"), 4, START) is Decision.SERVE


def test_link_local_hosts_are_no_network_of_one_client() -> None:
    table = admission()
    one, other = address("fe80::1"), address("fe80::2")
    for host in (one, other):
        for _ in range(8):
            assert table.admit(host, 4, START) is Decision.SERVE
            assert not table.admit_run(host, 4, START, 1)
        assert table.admit(host, 4, START) is Decision.LIMITED
    assert [client.name for client in table.clients()] == ["fe80::1", "fe80::2"]
    assert table.known(one) is not table.known(other)


def test_a_client_has_the_name_of_what_shares_its_bucket() -> None:
    table = admission()
    for text in ("10.0.0.1", "2001:db8:0:7::1", "::1", "fe80::1"):
        for _ in range(2):
            table.admit(address(text), 4, START)
    names = [client.name for client in table.clients()]
    assert names == ["10.0.0.1", "2001:db8:0:7::/64", "::/64", "fe80::1"]


def test_newcomers_are_counted_until_they_come_again() -> None:
    """In an order in which none loses its seat, whatever the seed of the hash."""
    table = admission(Access(["0.0.0.0/0"], ["10.0.0.9/32"]))
    counts = []
    for text in ("10.0.0.1", "10.0.0.1", "10.0.0.9", "10.0.0.2"):
        table.admit(address(text), 4, START)
        counts.append((len(table.clients()), table.newcomers()))
    assert counts == [(0, 1), (1, 0), (1, 0), (1, 1)]


def test_access_is_decided_by_the_address_even_within_a_64() -> None:
    admit = admission(Access(["fd00::1/128"], [])).admit
    for _ in range(3):
        assert admit(address("fd00::1"), 4, START) is Decision.SERVE
        assert admit(address("fd00::2"), 4, START) is Decision.DENIED


def test_of_the_requests_too_many_a_few_are_answered_and_a_few_warned() -> None:
    admit = admission(draws=[0.05, 0.15, 0.25]).admit
    source = address("10.0.0.1")
    for _ in range(8):
        admit(source, 4, START)
    verdicts = [admit(source, 4, START) for _ in range(3)]
    assert verdicts == [Decision.SERVE, Decision.WARNED, Decision.LIMITED]


def test_switched_off_everything_is_served() -> None:
    admit = Admission(ALL, RateLimitSettings(enabled=False), never).admit
    asked = Counter(admit(address("10.0.0.1"), 4, START) for _ in range(1000))
    assert asked == {Decision.SERVE: 1000}


def test_made_up_addresses_take_nothing_from_a_known_client() -> None:
    table = admission()
    honest = address("10.0.0.1")
    for _ in range(8):
        table.admit(honest, 4, START)
    assert table.admit(honest, 4, START) is Decision.LIMITED
    for made_up in range(10_000):
        source = made_up.to_bytes(4, "big")
        for _ in range(2):
            table.admit(source, 4, START + made_up)
    assert len(table.clients()) == PACE.clients
    (entry,) = [each for each in table.clients() if each.name == "10.0.0.1"]
    assert (entry.count, entry.limited, entry.version) == (9, 1, 4)
    assert table.admit(honest, 4, START) is Decision.LIMITED


def test_a_newcomer_is_served_while_the_table_is_full() -> None:
    table = admission()
    for made_up in range(200):
        for _ in range(2):
            table.admit(made_up.to_bytes(4, "big"), 4, START)
    for request in range(8):
        at = START + request
        assert table.admit(address("10.0.0.1"), 4, at) is Decision.SERVE
    assert table.admit(address("10.0.0.1"), 4, START + 8) is Decision.LIMITED


def test_who_was_silent_for_long_makes_room() -> None:
    table = admission()
    for old in range(64):
        for _ in range(2):
            table.admit(old.to_bytes(4, "big"), 4, START)
    later = START + KEEP.ns + 1
    for _ in range(2):
        table.admit(b"\0\0\0\1", 4, later)
        table.admit(address("10.0.0.1"), 4, later)
    names = [client.name for client in table.clients()]
    assert "10.0.0.1" in names
    assert "0.0.0.1" in names
    assert len(names) == 64


def test_the_denied_are_not_remembered() -> None:
    table = admission(Access([], []))
    for _ in range(5):
        assert table.admit(bytes(4), 4, START) is Decision.DENIED
    assert table.clients() == []


def test_of_a_client_the_last_four_departures_are_kept() -> None:
    source = address("10.0.0.1")
    client = Client(source, source, START, allowed=True)
    for number in range(6):
        client.departed(b"come %d" % number, b"left %d" % number)
    assert list(client.departures.values()) == [b"left %d" % n for n in range(2, 6)]
