"""What every `Datagrams` promises: a list in a test, and the kernel's sockets.

The machine's are tried over loopback, in the plain run and again as `hardware`.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Final

import pytest

from hw.net.listen import listen
from hw.net.udp import UdpSocket
from refclock.board.ports import Datagrams
from refclock.timebase import SECOND
from tests.contract.conftest import of_any_machine
from tests.fakes.wire import Wire

PLAIN: Final = [bytes([number]) * 48 for number in (1, 2, 3)]
SHORT: Final = b"\x04" * 47
LONG: Final = b"\x05" * 100
_PLACE: Final = 48


@dataclass(frozen=True, slots=True)
class Asked:
    """Clients that asked, each once, and the socket they asked."""

    socket: Datagrams
    client: bytes
    """Their address."""
    heard: Callable[[], Sequence[bytes | None]]
    """What each was answered."""


Asking = Callable[[ExitStack, Sequence[bytes]], Asked]


def on_a_list(_opened: ExitStack, requests: Sequence[bytes]) -> Asked:
    client = bytes((10, 0, 0, 1))
    wire = Wire(*((client, 10, request) for request in requests), now_ns=100)

    def heard() -> Sequence[bytes | None]:
        replies = dict(wire.sent)
        return [replies.get(place) for place in range(len(requests))]

    return Asked(wire, client, heard)


def over_loopback(address: str, opened: ExitStack, requests: Sequence[bytes]) -> Asked:
    try:
        (bound,) = listen([address], 0)
    except OSError as error:
        if error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
            raise
        pytest.skip(str(error))
    made = opened.enter_context(closing(UdpSocket(bound)))
    clients: list[socket.socket] = []
    for request in requests:
        client = opened.enter_context(socket.socket(bound.family, socket.SOCK_DGRAM))
        client.connect(bound.getsockname())
        client.setblocking(False)
        client.send(request)
        clients.append(client)

    def answer(client: socket.socket) -> bytes | None:
        try:
            return client.recv(2048)
        except BlockingIOError:
            return None

    return Asked(
        made, ip_address(address).packed, lambda: [answer(each) for each in clients]
    )


@pytest.fixture(
    params=[
        pytest.param(on_a_list, id="list"),
        *of_any_machine(partial(over_loopback, "127.0.0.1"), "udp4"),
        *of_any_machine(partial(over_loopback, "::1"), "udp6"),
    ]
)
def ask(request: pytest.FixtureRequest) -> Iterator[Callable[..., Asked]]:
    with ExitStack() as opened:
        yield lambda *requests: request.param(opened, requests)


def test_each_request_lies_at_its_place(ask: Callable[..., Asked]) -> None:
    asked = ask(*PLAIN)
    senders, came = asked.socket.receive(SECOND)
    assert bytes(asked.socket.requests[: 3 * _PLACE]) == b"".join(PLAIN)
    assert list(senders) == [asked.client] * 3
    assert list(came) == sorted(came)
    assert 0 < came[-1] <= asked.socket.now_ns()
    assert not asked.socket.odd


def one_more(opened: ExitStack, asked: Asked) -> socket.socket:
    """A client of the same IPv4 socket that has not asked yet."""
    client = opened.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    host, _, port = asked.socket.name.rpartition(":")
    client.connect((host, int(port)))
    return client


def test_each_stamp_has_its_own_second() -> None:
    with ExitStack() as opened:
        asked = over_loopback("127.0.0.1", opened, ())
        client = one_more(opened, asked)
        sent = []
        for _ in range(2):
            sent.append(asked.socket.now_ns())
            client.send(PLAIN[0])
            time.sleep((-sent[-1] % SECOND.ns) * 1e-9)
        _, came = asked.socket.receive(SECOND)
    assert len({at // SECOND.ns for at in sent}) == 2
    assert all(at <= then for at, then in zip(sent, came, strict=True))


def test_only_what_is_answered_is_sent(ask: Callable[..., Asked]) -> None:
    asked = ask(*PLAIN)
    asked.socket.receive(SECOND)
    replies = [bytes([number]) * _PLACE for number in (11, 12, 13)]
    asked.socket.replies[: 3 * _PLACE] = b"".join(replies)
    assert asked.socket.send(bytes((1, 0, 1))) == 2
    assert asked.heard() == [replies[0], None, replies[2]]


def test_a_sealed_reply_has_a_trailer(ask: Callable[..., Asked]) -> None:
    asked = ask(PLAIN[0], LONG, PLAIN[1], LONG)
    udp = asked.socket
    udp.receive(SECOND)
    left: list[int] = []
    udp.watch({1: [left.append]})
    assert udp.send_sealed({1: b"trailer!", 3: b"another trailer."}) == 2
    assert len(left) == 1
    heard = asked.heard()
    assert [each and each[48:] for each in heard] == [
        None,
        b"trailer!",
        None,
        b"another trailer.",
    ]


def test_a_plain_reply_at_the_place_of_a_sealed_one_has_no_trailer() -> None:
    (bound,) = listen(["127.0.0.1"], 0)
    with (
        closing(UdpSocket(bound)) as udp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(1)
        client.connect(bound.getsockname())
        for request, length in ((LONG, 56), (PLAIN[0], 48), (LONG, 56)):
            client.send(request)
            udp.receive(SECOND)
            sealed = len(request) > 48
            assert (udp.send_sealed({0: b"trailer!"}) if sealed else udp.send([1])) == 1
            assert len(client.recv(2048)) == length


def test_those_of_another_length_are_told_whole(ask: Callable[..., Asked]) -> None:
    asked = ask(SHORT, PLAIN[0], LONG)
    asked.socket.receive(SECOND)
    assert asked.socket.odd == {0: SHORT, 2: LONG}
    places = memoryview(asked.socket.requests)
    assert places[_PLACE : 2 * _PLACE] == PLAIN[0]
    assert places[2 * _PLACE : 3 * _PLACE] == LONG[:_PLACE]


def test_of_the_next_sweep_none_is_odd_for_the_last() -> None:
    with ExitStack() as opened:
        asked = over_loopback("127.0.0.1", opened, (SHORT, LONG))
        assert len(asked.socket.receive(SECOND)[0]) == 2
        client = one_more(opened, asked)
        client.send(PLAIN[0])
        asked.socket.receive(SECOND)
        assert not asked.socket.odd
        assert asked.socket.requests[:_PLACE] == PLAIN[0]


def test_once_closed_nothing_is_received() -> None:
    with ExitStack() as opened:
        asked = over_loopback("127.0.0.1", opened, PLAIN)
        asked.socket.receive(SECOND)
        asked.socket.close()
        reused = opened.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        reused.setblocking(False)
        with pytest.raises(OSError, match="Bad file descriptor"):
            asked.socket.receive(SECOND)


def test_who_wants_to_know_is_told_when_it_left(ask: Callable[..., Asked]) -> None:
    asked = ask(*PLAIN)
    _, came = asked.socket.receive(SECOND)
    left: list[int] = []
    asked.socket.watch({1: [left.append, left.append]})
    before = asked.socket.now_ns()
    assert asked.socket.send(bytes((1, 1, 1))) == 3
    assert len(left) == 2
    assert left[0] == left[1] >= max(before, came[1])


def test_on_a_socket_of_both_families_an_ipv4_sender_has_four_bytes() -> None:
    """As systemd passes it on for `ListenDatagram=123`."""
    bound = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    bound.bind(("::", 0))
    with (
        closing(UdpSocket(bound)) as both,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six,
    ):
        port = bound.getsockname()[1]
        for client, host in ((four, "127.0.0.1"), (six, "::1")):
            client.settimeout(1)
            client.connect((host, port))
            client.send(bytes(48))
            senders, _ = both.receive(SECOND)
            assert list(senders) == [ip_address(host).packed]
            assert both.send([1]) == 1
            assert len(client.recv(100)) == 48


def test_it_counts_what_was_dropped_and_has_a_name(ask: Callable[..., Asked]) -> None:
    asked = ask(*PLAIN)
    assert asked.socket.dropped() >= 0
    assert asked.socket.name
