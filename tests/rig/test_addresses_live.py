"""A server of many addresses, on real interfaces: each answers for itself."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hw.net.hardware import Cards
from hw.net.listen import listen
from hw.net.udp import UdpSocket
from refclock.timebase import SECOND
from tests.rig.networks import Network, cabled

REQUEST = bytes([0x23]) + bytes(39) + b"asked me"
ELSEWHERE = ("10.78.0.1", "fd78::1")
"""Of an interface the client is not on."""
ASKED = {
    "0.0.0.0": ("10.77.0.1", "10.77.0.101", "10.77.0.102", ELSEWHERE[0]),  # noqa: S104
    "::": ("fd77::1", "fd77::101", "fd77::102", ELSEWHERE[1]),
}


@pytest.fixture(scope="module")
def wired() -> Iterator[tuple[Network, Network]]:
    with cabled() as (server, client):
        for host in (101, 102):
            server.ip(f"address add 10.77.0.{host}/24 dev eth0")
            server.ip(f"address add fd77::{host}/64 dev eth0 nodad")
        server.ip("address add fd77::1/64 dev eth0 nodad")
        client.ip("address add fd77::2/64 dev eth0 nodad")
        server.ip("link set lo up")
        for address, bits in zip(ELSEWHERE, (32, 128), strict=True):
            server.ip(f"address add {address}/{bits} dev lo")
        client.ip(f"route add {ELSEWHERE[0]} via 10.77.0.1")
        client.ip(f"route add {ELSEWHERE[1]} via fd77::1")
        yield server, client


def opened(
    server: Network, client: Network, host: str, cards: Cards | None = None
) -> tuple[UdpSocket, socket.socket]:
    """A server on all its addresses, and who asks it."""
    with server.entered():
        (made,) = listen([host], 123)
    with client.entered():
        asking = socket.socket(made.family, socket.SOCK_DGRAM)
    asking.settimeout(2)
    return UdpSocket(made, cards), asking


def answer(udp: UdpSocket, *, watch: bool = True) -> tuple[int, list[int]]:
    """Answer the one request; when it came, and when the reply left, if watched."""
    left: list[int] = []
    senders, (came,) = udp.receive(SECOND)
    assert len(senders) == 1
    udp.replies[:48] = udp.requests[:48]
    udp.watch({0: [left.append]} if watch else {})
    assert udp.send([1]) == 1
    return came, left


@pytest.mark.parametrize("watch", [False, True])
@pytest.mark.parametrize("host", ASKED)
def test_the_reply_leaves_from_the_address_that_was_asked(
    wired: tuple[Network, Network], host: str, watch: bool
) -> None:
    udp, asking = opened(*wired, host)
    with closing(udp), asking:
        for asked in ASKED[host]:
            asking.sendto(REQUEST, (asked, 123))
            answer(udp, watch=watch)
            data, sender = asking.recvfrom(100)
            assert (data, sender[0]) == (REQUEST, asked)


def test_the_reply_goes_where_the_way_back_is(wired: tuple[Network, Network]) -> None:
    """By the other cable, where it came by one on which nobody knows the client."""
    server, client = wired
    client.ip("link set lo up")
    client.ip("address add 10.80.0.1/32 dev lo")
    with client.entered():
        Path("/proc/sys/net/ipv4/conf/all/arp_ignore").write_text("1")
    server.ip("route add 10.80.0.1 via 10.77.1.2")
    udp, asking = opened(*wired, "0.0.0.0")  # noqa: S104 - the point of the test
    with closing(udp), asking:
        asking.bind(("10.80.0.1", 0))
        asking.sendto(REQUEST, ("10.77.0.1", 123))
        answer(udp)
        data, sender = asking.recvfrom(100)
    assert (data, sender[0]) == (REQUEST, "10.77.0.1")


@pytest.mark.parametrize("host", ASKED)
def test_where_no_card_stamps_the_kernel_does(
    wired: tuple[Network, Network], host: str
) -> None:
    """Asked for both, it still tells all there is, and at once."""
    told: list[str] = []
    server, _ = wired
    cards = Cards(told.append)
    udp, asking = opened(*wired, host, cards)
    with closing(udp), asking, server.entered():
        for asked in ASKED[host]:
            before = time.time_ns()
            asking.sendto(REQUEST, (asked, 123))
            came, (left,) = answer(udp)
            assert before < came < left < time.time_ns()
            assert asking.recvfrom(100)[1][0] == asked
        assert cards.of(socket.if_nametoindex("eth0")) is None
    assert told == []


def test_on_a_vlan_too(wired: tuple[Network, Network]) -> None:
    for host, network in enumerate(wired, 1):
        try:
            network.ip("link add link eth0 name eth0.7 type vlan id 7")
        except subprocess.CalledProcessError:
            pytest.skip("this kernel has no VLANs (8021q); the guest's kernel has")
        network.ip(f"address add 10.79.0.{host}/24 dev eth0.7")
        network.ip(f"address add 10.79.0.10{host}/24 dev eth0.7")
        network.ip("link set eth0.7 up")
    udp, asking = opened(*wired, "0.0.0.0")  # noqa: S104 - the point of the test
    with closing(udp), asking:
        for asked in ("10.79.0.1", "10.79.0.101", "10.77.0.1"):
            asking.sendto(REQUEST, (asked, 123))
            answer(udp)
            assert asking.recvfrom(100)[1][0] == asked
