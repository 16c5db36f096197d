"""Listeners by interface, and clients that have no address but fe80::."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

import pytest

from hw.linux.clock import FreeClock
from hw.net.listen import interface_of, listen, listen_shared
from refclock.app.serving.services import services as services_of
from refclock.config import parse
from refclock.daemon.parts import Service
from refclock.ntp.packet import Packet, PacketMode
from refclock.server.service import NtpService
from refclock.timebase import MILLISECOND, SECOND, ZERO, Utc
from tests.fakes.published import right
from tests.rig.networks import LINK_LOCAL, Network, cabled

REQUEST = bytes([0x23]) + bytes(39) + b"asked me"


@pytest.fixture
def wired() -> Iterator[tuple[Network, Network]]:
    with cabled() as networks:
        yield networks


@contextmanager
def serving(network: Network, text: str) -> Iterator[Sequence[Service]]:
    """The services of a daemon in that network."""
    with ExitStack() as opened:
        with network.entered():
            made = services_of(parse(text.encode()), right, FreeClock(), ())
            services = [opened.enter_context(closing(service)) for service in made]
        yield services


def test_the_time_is_broadcast_only_where_it_is_asked_for(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    told = 'server.broadcast = ["10.9.9.255", "10.77.0.255"]\n'
    for text, heard in ((told, [True, False]), ("", [False, False])):
        with ExitStack() as opened:
            services = opened.enter_context(serving(server, text))
            with client.entered():
                ears = listen(["10.77.0.255", "10.77.1.255"], 123)
            for ear in ears:
                opened.enter_context(ear).settimeout(0.2)
            for service in services:
                service.serve(30 * MILLISECOND)
            assert [_hears(ear) for ear in ears] == heard
            names = {name for service in services for name in service.counters()}
            assert ("broadcast" in names) is bool(text)


def _hears(ear: socket.socket) -> bool:
    try:
        data, sender = ear.recvfrom(100)
    except TimeoutError:
        return False
    assert sender == ("10.77.0.1", 123)
    packet = Packet.decode(data)
    assert (len(data), packet.version, packet.mode) == (48, 4, PacketMode.BROADCAST)
    assert (packet.stratum, packet.leap, packet.poll) == (1, 0, 6)
    now = Utc(FreeClock().read()[0].ns)
    assert ZERO < now - packet.transmit.near(now) < SECOND
    return True


def test_to_broadcast_takes_a_voice(wired: tuple[Network, Network]) -> None:
    server, _ = wired
    text = 'server.listen = ["::"]\nserver.broadcast = ["10.77.0.255"]'
    with (
        pytest.raises(OSError, match=r"to broadcast to 10.77.0.255 takes an IPv4"),
        serving(server, text),
    ):
        pass


def ask(
    services: Sequence[Service], within: Network, host: str, via: str
) -> Packet | None:
    """One question out of the interface `via`; None: no answer, or from elsewhere."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with within.entered():
        client = socket.socket(family, socket.SOCK_DGRAM)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, via.encode())
        scope = socket.if_nametoindex(via)
    with client:
        place = (host, 123, 0, scope) if family == socket.AF_INET6 else (host, 123)
        client.settimeout(0.2)
        client.sendto(REQUEST, place)
        for service in services:
            service.serve(30 * MILLISECOND)
        try:
            data, sender = client.recvfrom(100)
        except TimeoutError:
            return None
        assert sender[0].partition("%")[0] == host
        return Packet.decode(data)


BY_INTERFACE = """
server.listen = []
[[server.listener]]
interface = "eth0"
[[server.listener]]
interface = "lo"
addresses = ["0.0.0.0"]
"""


def test_who_asks_on_another_interface_gets_nothing(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    with serving(server, BY_INTERFACE) as services:
        assert ask(services, client, "10.77.0.1", "eth0")
        assert not ask(services, client, "10.77.1.1", "eth1")
        client.ip("route replace 10.77.0.1/32 dev eth1")
        assert not ask(services, client, "10.77.0.1", "eth1")
        assert ask(services, client, LINK_LOCAL, "eth0")
        assert not ask(services, client, LINK_LOCAL, "eth1")


def test_an_interface_is_served_whatever_its_address_becomes(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    with serving(server, BY_INTERFACE) as services:
        server.ip("address replace 10.77.0.9/24 dev eth0")
        server.ip("address delete 10.77.0.1/24 dev eth0")
        server.ip("address replace 10.77.0.9/24 dev eth0")
        assert ask(services, client, "10.77.0.9", "eth0")
        assert not ask(services, client, "10.77.0.1", "eth0")


def test_as_shipped_a_link_local_client_is_answered_the_way_it_came(
    wired: tuple[Network, Network],
) -> None:
    """The server's address is the same on both cables, and so is the client's."""
    server, client = wired
    with serving(server, "") as services:
        for via in ("eth0", "eth1", "eth0"):
            packet = ask(services, client, LINK_LOCAL, via)
            assert packet
            assert packet.stratum == 1
        assert ask(services, client, "10.77.1.1", "eth1")


def test_two_interfaces_are_two_places_and_missing_ones_are_named(
    wired: tuple[Network, Network],
) -> None:
    server, _ = wired
    with server.entered(), ExitStack() as opened:
        for interface in ("eth0", "eth1"):
            for made in listen(["0.0.0.0", "::"], 123, interface):  # noqa: S104
                opened.enter_context(made)
                assert interface_of(made) == interface
        (group,) = listen_shared(["::"], 1123, "eth0", 2)
        for made in group:
            opened.enter_context(made)
            assert interface_of(made) == "eth0"
        missing = (
            r"port 5 of \S+ on eth9: this machine has no .*; it has lo, eth0, eth1"
        )
        with pytest.raises(OSError, match=missing):
            listen(["0.0.0.0"], 5, "eth9")  # noqa: S104
        missing = r"port 5 of fe80::1%eth9: .* no such interface; it has lo, eth0, eth1"
        with pytest.raises(OSError, match=missing):
            listen(["fe80::1%eth9"], 5)
        with pytest.raises(OSError, match="123 of :: on eth0 is taken by"):
            listen(["::"], 123, "eth0")
        (every,) = listen(["10.77.0.1"], 5)
        opened.enter_context(every)
        assert interface_of(every) is None


def test_a_listener_hears_once_its_address_is_there(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    text = 'server.listen = ["10.77.0.50", "fd77::50"]'
    client.ip("address add fd77::2/64 dev eth0 nodad")
    with serving(server, text) as services:
        server.ip("address add 10.77.0.50/24 dev eth0")
        server.ip("address add fd77::50/64 dev eth0 nodad")
        for host in ("10.77.0.50", "fd77::50"):
            assert ask(services, client, host, "eth0")


IN_VAIN = """
server.listen = []
[[server.listener]]
interface = "later"
addresses = ["0.0.0.0"]
[[server.listener]]
addresses = ["fe80::7%later"]
"""


def test_a_listener_comes_and_goes_with_its_interface(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    with serving(server, IN_VAIN) as services:
        for _ in range(2):
            server.ip(f"link add later type veth peer name later netns {client.pid}")
            for host, network in ((7, server), (8, client)):
                network.ip("link set later addrgenmode none")
                network.ip(f"address add 10.78.0.{host}/24 dev later")
                network.ip(f"address add fe80::{host}/64 dev later nodad")
                network.ip("link set later up")
            with server.entered():
                for service in services:
                    service.serve(5 * MILLISECOND)  # nothing came: it looks again
            assert ask(services, client, "10.78.0.7", "later")
            assert ask(services, client, "fe80::7", "later")
            server.ip("link delete later")
        counted = [service.counters()["answered"] for service in services]
        assert counted == [2, 2]


def test_a_request_in_the_name_of_a_network_is_not_answered(
    wired: tuple[Network, Network],
) -> None:
    """While the time is broadcast there, and although the rules allow the address."""
    server, client = wired
    text = 'server.broadcast = ["10.77.0.255"]\nserver.broadcast_every_s = 8\n'
    with serving(server, text) as services:
        for service in services:
            service.serve(30 * MILLISECOND)
        with client.entered():
            (ear,) = listen(["10.77.1.255"], 123)
            forging = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            forging.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        with ear, forging:
            plain = services[0]
            assert isinstance(plain, NtpService)
            with pytest.raises(PermissionError):
                plain._socket._socket.sendto(REQUEST, ("10.77.1.255", 123))  # type: ignore[attr-defined]
            ear.settimeout(0.2)
            with pytest.raises(TimeoutError):
                ear.recv(100)
        assert ask(services, client, "10.77.0.1", "eth0")
