"""Whether a request is answered: by rules and pace."""

from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_address

import pytest

from refclock.server.admission.access import Access
from refclock.server.admission.admit import Admission, Decision
from refclock.server.admission.settings import RateLimitSettings
from refclock.timebase import MILLISECOND, SECOND

ALL = Access(["0.0.0.0/0", "::/0"], [])
PACE = RateLimitSettings(interval_s=1.0, burst=8, leak=0.1, network=1, clients=64)
START = 10**15


def admission(
    access: Access = ALL,
    draws: Iterable[float] = (),
    pace: RateLimitSettings = PACE,
    *,
    kiss_denied: bool = False,
) -> Admission:
    drawn = iter(draws)
    return Admission(access, pace, lambda: next(drawn, 0.999), kiss_denied=kiss_denied)


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
    source, other = address("10.0.0.1"), address("10.0.0.2")
    assert not table.admit_run(source, 4, START, 1)  # unknown
    for _ in range(2):
        table.admit(source, 4, START)
    assert not table.admit_run(other, 4, START, 1)
    assert not table.admit_run(source, 3, START, 7)
    assert table.admit_run(source, 3, START, 6)
    assert not table.admit_run(source, 3, START, 1)
    assert table.admit(source, 4, START) is Decision.LIMITED
    later = START + SECOND.ns
    assert table.admit_run(source, 3, later, 1)
    (client,) = table.clients()
    assert (client.count, client.version, client.last) == (10, 3, later)


def test_a_denied_host_is_never_served_in_a_run() -> None:
    table = admission(Access(["10.0.0.1/32"], []))
    for who, served in (("10.0.0.1", True), ("10.0.0.2", False)):
        for _ in range(2):
            table.admit(address(who), 4, START)
        assert table.admit_run(address(who), 4, START, 1) is served


@pytest.mark.parametrize("other", ["10.0.0.2", "fd00::2", "fe80::2"])
def test_one_host_does_not_pay_for_another(other: str) -> None:
    admit = admission(pace=RateLimitSettings()).admit
    beside = {"10.0.0.2": "10.0.0.1", "fd00::2": "fd00::1", "fe80::2": "fe80::1"}
    asked = [admit(address(beside[other]), 4, START) for _ in range(100)]
    assert asked.count(Decision.LIMITED) == 68
    for _ in range(32):
        assert admit(address(other), 4, START) is Decision.SERVE


@pytest.mark.parametrize("together", [False, True])
def test_500_hosts_of_one_64_are_all_served(together: bool) -> None:
    """Eight requests from each, 2 s apart as after a power cut, then one each 64 s."""
    table = admission(pace=RateLimitSettings())
    hosts = [address(f"2001:db8::{host:x}") for host in range(1, 501)]
    asked: Counter[Decision] = Counter()
    for round_ in range(8):
        for number, host in enumerate(hosts):
            at = START + 2 * round_ * SECOND.ns + number * (not together)
            asked[table.admit(host, 4, at)] += 1
    for round_ in range(1, 20):
        for number, host in enumerate(hosts):
            at = START + (64 * round_ * 1_000 + number * 128) * MILLISECOND.ns
            asked[table.admit(host, 4, at)] += 1
    assert asked == {Decision.SERVE: 27 * 500}
    assert len(table.clients()) > 490


def test_who_changes_his_address_within_a_64_has_a_network_s_pace() -> None:
    pace = RateLimitSettings(interval_s=1.0, burst=8, leak=0.0, network=4)
    table = admission(pace=pace)
    known = address("fd00::7777")
    for _ in range(2):
        table.admit(known, 4, START)
    hosts = [address(f"fd00::1:{host:x}") for host in range(1000)]
    asked = Counter(table.admit(host, 4, START) for host in hosts)
    assert asked[Decision.SERVE] in {27, 28, 29}  # the known one was a newcomer once
    later = START + 10 * SECOND.ns
    asked = Counter(table.admit(host, 4, later) for host in hosts)
    assert 28 <= asked[Decision.SERVE] <= 29 + 28
    assert table.admit(known, 4, later) is Decision.SERVE
    assert table.admit(address("fd00:0:0:1::9"), 4, later) is Decision.SERVE


def test_an_address_of_many_hosts_has_the_pace_of_a_network() -> None:
    pace = RateLimitSettings(network=100, shared=("172.17.0.1/32",), leak=0.0)
    table = admission(pace=pace)
    for source, served in (("172.17.0.1", 3101), ("172.17.0.2", 32)):
        asked = Counter(table.admit(address(source), 4, START) for _ in range(4000))
        assert asked[Decision.SERVE] == served


@pytest.mark.parametrize("text", ["10.0.0.1", "2001:db8:0:7::1", "::1", "fe80::1"])
def test_a_client_has_the_name_of_its_address(text: str) -> None:
    table = admission()
    for _ in range(2):
        table.admit(address(text), 4, START)
    assert [client.name for client in table.clients()] == [text]


def test_newcomers_are_counted_until_they_come_again() -> None:
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


def test_of_the_requests_beyond_the_pace_a_share_is_served() -> None:
    admit = admission(draws=[0.05, 0.15, 0.25]).admit
    source = address("10.0.0.1")
    for _ in range(8):
        admit(source, 4, START)
    verdicts = [admit(source, 4, START) for _ in range(3)]
    assert verdicts == [Decision.SERVE, Decision.LIMITED, Decision.LIMITED]


def test_what_is_served_beyond_the_pace_is_limited_itself() -> None:
    pace = RateLimitSettings(interval_s=3600, leak=0.5)
    table = Admission(ALL, pace, lambda: 0.0)
    source = address("10.0.0.1")
    asked = Counter(
        table.admit(source, 4, START + at * 10_000) for at in range(200_000)
    )
    assert asked[Decision.SERVE] == pytest.approx(32 + 2 * 2500, abs=60)


@pytest.mark.parametrize("forged_a_second", [3, 20, 50, 300, 2000])
def test_forged_requests_in_a_host_s_name_leave_it_a_share(
    forged_a_second: int,
) -> None:
    """Nearly all at 20 a second; a quarter whatever comes."""
    draws = (n * 0.618034 % 1 for n in range(10**9))
    table = admission(pace=RateLimitSettings(), draws=draws)
    source = address("10.0.0.1")
    asked, served, at = 0, 0, START
    for forged in range(300 * forged_a_second):
        at += SECOND.ns // forged_a_second
        table.admit(source, 4, at)
        if forged % forged_a_second == 0 and forged > 3 * forged_a_second:
            asked += 1
            own = at + SECOND.ns * asked // 300 // forged_a_second
            served += table.admit(source, 4, own) is Decision.SERVE
    assert served / asked > (0.95 if forged_a_second <= 20 else 0.2)


def test_nobody_is_kissed_by_default() -> None:
    admit = admission(pace=RateLimitSettings()).admit
    asked = {admit(address("10.0.0.1"), 4, START) for _ in range(1000)}
    assert asked == {Decision.SERVE, Decision.LIMITED}


@pytest.mark.parametrize("denied", [False, True])
def test_kisses_are_paced(denied: bool) -> None:
    access = Access([], []) if denied else ALL
    pace = RateLimitSettings(interval_s=3600, leak=0.0, kiss=True)
    kiss = Decision.DENIED_KISS if denied else Decision.LIMITED_KISS
    table = admission(access, pace=pace, kiss_denied=True)
    hosts = [address(f"10.0.0.{host}") for host in range(1, 251)]
    for source in hosts[1:]:
        for _ in range(32):
            table.admit(source, 4, START)
    minute = [
        table.admit(hosts[0], 4, START + 8 * SECOND.ns + at * 10 * MILLISECOND.ns)
        for at in range(6000)
    ]
    assert 14 <= minute.count(kiss) <= 15
    later = START + 100 * SECOND.ns
    flood = [table.admit(source, 4, later) for source in hosts for _ in range(40)]
    assert flood.count(kiss) <= 17


def test_kisses_to_the_denied_are_off_by_default() -> None:
    table = admission(Access([], []))
    asked = {table.admit(address("10.0.0.1"), 4, START) for _ in range(99)}
    assert asked == {Decision.DENIED}


def test_switched_off_everything_is_served() -> None:
    admit = admission(pace=RateLimitSettings(enabled=False)).admit
    for source in ("10.0.0.1", "fd00::1"):
        asked = Counter(admit(address(source), 4, START) for _ in range(1000))
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


@pytest.mark.parametrize("requests", [2, 20])
def test_a_newcomer_is_remembered_however_full_the_table(requests: int) -> None:
    table = admission(pace=RateLimitSettings(clients=64))
    for made_up in range(1000):
        for _ in range(requests):
            table.admit(made_up.to_bytes(4, "big"), 4, START + made_up)
    for again in range(2):
        table.admit(address("10.0.0.1"), 4, START + 2000 + again)
    assert table.known(address("10.0.0.1")) is not None
    assert len(table.clients()) == 64


def test_the_denied_are_listed_and_not_remembered() -> None:
    table = admission(Access(["10.0.0.0/8"], []))
    for asked in range(5):
        assert table.admit(bytes(4), 4, START + asked) is Decision.DENIED
    assert table.admit(address("10.0.0.1"), 4, START) is Decision.SERVE
    assert table.clients() == []
    ((denied,)) = (table.denied(),)
    assert [(each.source, each.count) for each in denied] == [(bytes(4), 5)]
