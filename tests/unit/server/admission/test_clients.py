"""What is remembered of hosts, and who gives way."""

import pytest

from refclock.server.admission.clients import Client, ClientTable, Denied, Newcomers
from refclock.timebase import MILLISECOND, SECOND

START = 10**15


def client(number: int, count: int = 1, last: int = START) -> Client:
    made = Client(number.to_bytes(4, "big"), last, allowed=True)
    made.count = count
    return made


def filled(count: int, most: int = 64) -> ClientTable:
    table = ClientTable(most)
    for number in range(most):
        table.add(client(number, count), START)
    return table


def test_strangers_give_way_to_strangers() -> None:
    table = ClientTable(64)
    for number in range(40):
        table.add(client(number, 100), START)
    for number in range(40, 5000):
        table.add(client(number, 2, START + number), START + number)
    known = {int.from_bytes(each.source, "big") for each in table.all()}
    assert len(known) == 64
    assert set(range(40)) < known


def test_of_many_established_the_one_idle_for_longest_gives_way() -> None:
    table = filled(100)
    table.all()[3].last -= SECOND.ns
    table.add(client(1000, 100), START)
    assert table.get((3).to_bytes(4, "big")) is None
    assert len(table.all()) == 64


def test_the_latest_have_a_quarter_of_the_table() -> None:
    table = filled(100)
    for number in range(1000, 1200):
        table.add(client(number, 2, START + number), START + number)
    strangers = [each for each in table.all() if each.count < 8]
    assert len(strangers) == 16
    assert max(int.from_bytes(each.source, "big") for each in strangers) == 1199


def test_who_gets_established_among_strangers_stays() -> None:
    table = filled(2)
    regular = client(7777, 2)
    table.add(regular, START)
    for number in range(1000, 1008):
        table.add(client(number, 2, START + number), START + number)
    regular.count = 8
    regular.last = START + 1008
    for number in range(1008, 3000):
        table.add(client(number, 2, START + number), START + number)
        assert len(table.all()) == 64
    assert table.get(regular.source) is regular


def test_two_hosts_of_one_hash_both_have_a_seat() -> None:
    newcomers = Newcomers(64)
    pairs = [client(number) for number in range(64)]
    by_seat: dict[int, list[Client]] = {}
    for each in pairs:
        by_seat.setdefault(hash(each.source) % 64, []).append(each)
    two = next((each[:2] for each in by_seat.values() if len(each) > 1), pairs[:2])
    for each in two:
        newcomers.sit(each, 0)
    assert [newcomers.take(each.source) for each in two] == two
    assert [newcomers.take(each.source) for each in two] == [None, None]


@pytest.mark.parametrize("draw", [0, 1])
def test_newcomers_are_bounded(draw: int) -> None:
    newcomers = Newcomers(64)
    for number in range(10_000):
        newcomers.sit(client(number), draw)
    assert 32 <= len(list(newcomers)) <= 64


def test_strangers_cannot_push_out_a_departure_that_goes_on() -> None:
    host = client(1)
    host.departed(b"first", b"left 1", continues=False)
    assert host.departure(b"first") == b"left 1"
    host.departed(b"second", b"left 2", continues=True)
    for forged in range(1000):
        assert host.departure(b"guess %d" % forged) is None
        host.departed(b"forged %d" % forged, b"left", continues=False)
    assert host.departure(b"first") == b"left 1"
    assert host.departure(b"second") == b"left 2"
    assert len(host._offers) == 16


def test_a_client_can_begin_among_a_few_strangers() -> None:
    host = client(1)
    host.departed(b"first", b"left 1", continues=False)
    for forged in range(15):
        host.departed(b"forged %d" % forged, b"left", continues=False)
    assert host.departure(b"first") == b"left 1"


def test_of_those_that_go_on_the_last_eight_are_kept() -> None:
    host = client(1)
    for number in range(12):
        host.departed(b"come %d" % number, b"left %d" % number, continues=True)
    kept = [host.departure(b"come %d" % number) for number in range(12)]
    assert kept == [None] * 4 + [b"left %d" % n for n in range(4, 12)]


def test_of_the_denied_the_most_insistent_and_the_latest_are_listed() -> None:
    denied = Denied()
    insistent = client(7, 500)
    denied.note(insistent)
    for number in range(1000, 3000):
        denied.note(client(number, 1, START + number * MILLISECOND.ns))
    again = client(7, 1, START + 3_001 * MILLISECOND.ns)
    denied.note(again)
    listed = {int.from_bytes(each.source, "big"): each for each in denied.all()}
    assert len(listed) == 32
    assert {7, 2999} < set(listed)
    assert (listed[7].count, listed[7].last) == (501, again.last)
