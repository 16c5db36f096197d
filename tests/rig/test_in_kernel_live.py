"""Requests answered by the kernel, on real interfaces, with the service behind it."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hw.abi.addresses import links
from hw.abi.interface import interface_ioctl
from hw.linux.clock import FreeClock
from hw.net.responder.responder import KernelResponder
from refclock.app.serving.in_kernel import InKernel
from refclock.app.serving.services import services as services_of
from refclock.config import parse
from refclock.daemon.parts import Service
from refclock.ntp.packet import Packet
from refclock.timebase import MILLISECOND, SECOND, Utc
from tests.fakes.frames import Frame
from tests.fakes.published import right
from tests.rig.networks import LINK_LOCAL, Network, cabled

pytestmark = pytest.mark.slow

PLAIN = b"\x23\0\x06\xec" + bytes(36) + b"asked me"
IN_KERNEL = "server.in_kernel = true\n"
_SET_TX_CHECKSUMS = 0x17
_ETHTOOL = 0x8946


@dataclass
class Served:
    """A daemon's services, each in a thread of its own."""

    services: Sequence[Service]
    kernel: InKernel

    def let_go(self) -> None:
        """Have the kernel answer no more, as when the process ends."""
        responder = self.kernel._responder
        assert isinstance(responder, KernelResponder)
        for _, attached in responder._attached.values():
            if attached:
                attached.close()
        responder._attached = dict.fromkeys(responder._attached, ("", None))

    @property
    def answered(self) -> tuple[int, int]:
        """By the kernel, and by the services behind it, which count a little later."""
        time.sleep(0.03)
        behind = (each for each in self.services if each is not self.kernel)
        by_sockets = sum(each.counters()["answered"] for each in behind)
        return self.kernel.counters()["answered"], by_sockets


@pytest.fixture
def wired() -> Iterator[tuple[Network, Network]]:
    with cabled() as networks:
        yield networks


@pytest.fixture(params=["tc", "xdp"])
def hook(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The hook that responders made by this test are attached to."""
    named: str = request.param

    def made(port: int, kinds: bytes, hosts: int) -> KernelResponder:
        return KernelResponder(port, kinds, hosts, named)

    monkeypatch.setattr("refclock.app.serving.in_kernel.KernelResponder", made)
    monkeypatch.setattr("refclock.app.serving.in_kernel.drop_privileges", lambda: None)
    return named


@contextmanager
def serving(network: Network, text: str) -> Iterator[Served]:
    """The services of a daemon in that network, its clock right."""
    stop = threading.Event()
    with ExitStack() as opened:
        with network.entered():
            made = services_of(parse(text.encode()), right, FreeClock(), ())
            services = [opened.enter_context(closing(service)) for service in made]
        kernel = services[-1]
        assert isinstance(kernel, InKernel)

        def serve(service: Service) -> None:
            with network.entered():
                while not stop.is_set():
                    service.serve(20 * MILLISECOND)

        threads = [threading.Thread(target=serve, args=(s,)) for s in services]
        for thread in threads:
            thread.start()
        served = Served(services, kernel)
        try:
            _wait(lambda: kernel._where)
            yield served
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def _wait(true: object) -> None:
    until = time.monotonic() + 30
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.01)


def client_in(network: Network, host: str, source: str = "") -> socket.socket:
    """Connected to the server's port there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with network.entered():
        made = socket.socket(family, socket.SOCK_DGRAM)
        scope = (0, socket.if_nametoindex("eth0")) if host.startswith("fe80") else ()
    made.settimeout(0.5)
    if source:
        made.bind((source, 0))
    made.connect((host, 123, *scope))
    return made


def ask(client: socket.socket, request: bytes = PLAIN) -> bytes | None:
    """The reply; None: there is none."""
    client.send(request)
    try:
        return client.recv(200)
    except TimeoutError:
        return None


@pytest.mark.usefixtures("hook")
def test_plain_requests_are_answered_by_the_kernel_and_others_by_the_service(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    server.ip("address add fd77::1/64 dev eth0 nodad")
    client.ip("address add fd77::2/64 dev eth0 nodad")
    others = [
        PLAIN + bytes(20),
        PLAIN[:24] + b"origin\1\1" + PLAIN[32:],
        b"\x21" + PLAIN[1:],
        b"\x08" + PLAIN[1:],
    ]
    with serving(server, IN_KERNEL) as served:
        for host in ("10.77.0.1", "fd77::1", LINK_LOCAL):
            with client_in(client, host) as asking:
                for version in (1, 2, 3, 4):
                    by_kernel, by_sockets = served.answered
                    reply = ask(asking, bytes([version << 3 | 3]) + PLAIN[1:])
                    assert served.answered == (by_kernel + 1, by_sockets)
                    assert reply is not None
                    assert len(reply) == 48
                    packet = Packet.decode(reply)
                    assert (packet.version, packet.mode) == (version, 4)
                    assert (packet.stratum, packet.leap) == (1, 0)
                    now = Utc(FreeClock().read()[0].ns)
                    assert abs(now - packet.transmit.near(now)) < SECOND
                for request in others:
                    by_kernel, by_sockets = served.answered
                    assert ask(asking, request)
                    assert served.answered == (by_kernel, by_sockets + 1)
                assert ask(asking, b"\x16\2" + bytes(10)) is None
                assert ask(asking, b"\x2b" + PLAIN[1:]) is None


@pytest.mark.usefixtures("hook")
def test_a_host_has_one_pace_whoever_answers(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    text = IN_KERNEL + "[server.rate_limit]\ninterval_s = 3600\nburst = 8\nleak = 0\n"
    interleaved = PLAIN[:24] + b"origin\1\1" + PLAIN[32:]
    with serving(server, text) as served:
        for first, then in ((PLAIN, interleaved), (interleaved, PLAIN)):
            asking = client_in(client, "10.77.0.1" if first is PLAIN else LINK_LOCAL)
            with asking:
                assert all(ask(asking, first) for _ in range(8))
                asking.settimeout(0.05)
                assert not any(ask(asking, each) for each in (first, then, then))
        assert served.kernel.counters()["limited"] == 6
        (first_host,) = (
            each for each in served.kernel.clients(9) if each.address == "10.77.0.2"
        )
        assert (first_host.count, first_host.limited) == (11, 3)


@pytest.mark.usefixtures("hook")
def test_who_tells_no_time_is_silent_and_who_closes_is_gone(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    with serving(server, IN_KERNEL) as served, client_in(client, "10.77.0.1") as asking:
        assert ask(asking)
        assert served.answered == (1, 0)
        served.kernel.serve = lambda limit: time.sleep(limit.seconds)  # type: ignore[method-assign]
        time.sleep(3.0)
        assert ask(asking)
        assert served.answered == (2, 0)
        time.sleep(1.3)
        assert ask(asking)
        assert served.answered == (2, 1)


@pytest.mark.usefixtures("hook")
def test_nothing_is_lost_while_rules_change_and_the_kernel_lets_go(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    text = IN_KERNEL + "server.rate_limit.enabled = false\n"
    settings = parse(text.encode()).server
    with serving(server, text) as served, client_in(client, "10.77.0.1") as asking:
        asked = answered = 0
        begun = time.monotonic()
        reload_at, close_at = begun + 0.1, begun + 1.0
        while (now := time.monotonic()) < begun + 1.5:
            if reload_at < now < close_at:
                served.kernel.reload_access(replace(settings))
                reload_at = now + 0.05
            if now > close_at:
                close_at = now + 10
                served.let_go()
            asked += 1
            answered += ask(asking) is not None
        assert asked == answered > 1000
        by_kernel, by_sockets = served.answered
        assert by_kernel > 1000
        assert by_sockets > 100


@pytest.mark.usefixtures("hook")
def test_an_address_that_comes_or_goes_and_an_interface_made_anew(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    client.ip("address add 10.78.0.2/24 dev eth0")
    with serving(server, IN_KERNEL) as served:
        server.ip("address add 10.78.0.1/24 dev eth0")
        with client_in(client, "10.78.0.1") as asking:
            assert ask(asking)
            time.sleep(1.3)
            before = served.answered[0]
            assert ask(asking)
            assert served.answered[0] == before + 1
            server.ip("address delete 10.78.0.1/24 dev eth0")
            time.sleep(1.3)
            assert ask(asking) is None
        server.ip("link delete eth0")
        server.ip(f"link add eth0 type veth peer name eth0 netns {client.pid}")
        for host, network in ((1, server), (2, client)):
            network.ip(f"address add 10.77.0.{host}/24 dev eth0")
            network.ip("link set eth0 up")
        time.sleep(1.5)
        before = served.answered[0]
        with client_in(client, "10.77.0.1") as asking:
            assert ask(asking)
        assert served.answered[0] == before + 1


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("offload", [True, False])
def test_checksums_hold_with_offload_and_without(
    wired: tuple[Network, Network], offload: bool
) -> None:
    server, client = wired
    server.ip("address add fd77::1/64 dev eth0 nodad")
    client.ip("address add fd77::2/64 dev eth0 nodad")
    for network in wired:
        with network.entered():
            told = struct.pack("=II", _SET_TX_CHECKSUMS, offload)
            interface_ioctl("eth0", _ETHTOOL, told)
    with serving(server, IN_KERNEL) as served:
        for host in ("10.77.0.1", "fd77::1"):
            with client_in(client, host) as asking:
                assert all(ask(asking) for _ in range(20))
        assert served.answered == (40, 0)
        with client.entered():
            wrong = Path("/proc/thread-self/net/snmp").read_text()
            wrong6 = Path("/proc/thread-self/net/snmp6").read_text()
        names, numbers = (
            line.split() for line in wrong.splitlines() if line.startswith("Udp:")
        )
        assert dict(zip(names, numbers, strict=True))["InCsumErrors"] == "0"
        assert dict(map(str.split, wrong6.splitlines()))["Udp6InCsumErrors"] == "0"


@pytest.mark.usefixtures("hook")
def test_what_a_router_forwards_is_left_alone(
    wired: tuple[Network, Network],
) -> None:
    """The client is on one cable, an NTP server of others on the other."""
    server, client = wired
    holder = subprocess.Popen(["unshare", "-n", "sleep", "60"])  # noqa: S607
    try:
        time.sleep(0.2)
        far = Network(holder.pid)
        server.ip(f"link add eth9 type veth peer name eth0 netns {far.pid}")
        server.ip("address add 10.79.0.1/24 dev eth9")
        server.ip("link set eth9 up")
        far.ip("address add 10.79.0.2/24 dev eth0")
        far.ip("link set eth0 up")
        far.ip("route add default via 10.79.0.1")
        client.ip("route add 10.79.0.0/24 via 10.77.0.1")
        with server.entered():
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        with far.entered():
            other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with other, serving(server, IN_KERNEL) as served:
            other.bind(("10.79.0.2", 123))
            other.settimeout(1)
            with client_in(client, "10.79.0.2") as asking:
                asking.send(PLAIN)
                data, sender = other.recvfrom(100)
                assert data == PLAIN
                assert sender[0] == "10.77.0.2"
                other.sendto(b"from afar", sender)
                assert asking.recv(100) == b"from afar"
            assert served.answered == (0, 0)
    finally:
        holder.kill()
        holder.wait()


@pytest.mark.usefixtures("hook")
def test_a_frame_with_a_vlan_tag_is_left_to_its_interface(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    with server.entered():
        (mac,) = (link.mac for link in links() if link.name == "eth0")
    frame = Frame(PLAIN, source="10.77.0.2", to="10.77.0.1").bytes()
    to = mac + b"\2refcl"
    with client.entered():
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with raw, serving(server, IN_KERNEL) as served:
        raw.bind(("eth0", 0))
        for tag, answered in ((b"\x81\0\0\5", 0), (b"", 1)):
            raw.send(to + tag + frame[12:])
            assert served.answered == (answered, 0)


@pytest.mark.usefixtures("hook")
def test_settings_say_where_the_kernel_answers(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    text = """
    server.in_kernel = true
    server.listen = []
    [[server.listener]]
    interface = "eth0"
    stratum_least = 3
    [[server.listener]]
    interface = "eth1"
    allow = ["10.77.1.0/24"]
    deny = ["10.77.1.2"]
    """
    with serving(server, text) as served:
        with client_in(client, "10.77.0.1") as asking:
            reply = ask(asking)
            assert reply
            assert reply[1] == 3
        assert served.answered[0] == 1
        with client_in(client, "10.77.1.1") as asking:
            assert ask(asking) is None
        assert served.answered == (1, 0)
        assert sum(len(s.denied(9)) for s in served.services) == 1


SERVE = """
from hw.linux.clock import FreeClock
from refclock.app.serving.services import services as services_of
from refclock.config import parse
from refclock.timebase import SECOND
from tests.fakes.frames import Frame
from tests.fakes.published import right
import threading
services = list(services_of(parse(b"server.in_kernel = true"), right, FreeClock(), ()))
def each(service):
    while True:
        service.serve(SECOND)
for service in services:
    threading.Thread(target=each, args=(service,)).start()
"""


def test_a_process_that_is_killed_answers_no_more_and_its_successor_does(
    wired: tuple[Network, Network],
) -> None:
    server, client = wired
    within = ["nsenter", "-t", str(server.pid), "-n"]
    for _ in range(2):
        daemon = subprocess.Popen([*within, sys.executable, "-c", SERVE])  # noqa: S603
        try:
            with client_in(client, "10.77.0.1") as asking:
                _wait(lambda asking=asking: ask_quietly(asking))
                assert sum(ask(asking) is not None for _ in range(20)) == 20
        finally:
            daemon.kill()
            daemon.wait()
        with client_in(client, "10.77.0.1") as asking:
            asking.settimeout(0.05)
            assert not any(ask_quietly(asking) for _ in range(5))


def ask_quietly(client: socket.socket) -> bytes | None:
    """As `ask`; None too where nobody listens."""
    try:
        return ask(client)
    except ConnectionRefusedError:
        return None


def test_the_right_to_load_is_given_up_and_what_is_missing_is_said(
    wired: tuple[Network, Network],
) -> None:
    server, _ = wired
    code = """
import sys
from refclock.app.serving.in_kernel import kernel_responder
from refclock.server.settings import ServerSettings
import logging
from refclock.server.plain import pace
logging.basicConfig(format="%(message)s", stream=sys.stdout)
made = kernel_responder(ServerSettings(in_kernel=True))
if made:
    made.admit([], pace(ServerSettings().rate_limit))
print(made is not None, open("/proc/thread-self/status").read())
"""
    for given, loaded in (("+bpf,+net_admin", True), ("+bpf", False)):
        done = subprocess.run(  # noqa: S603 - ourselves
            [
                *("nsenter", "-t", str(server.pid), "-n", "setpriv"),
                *("--reuid", "65534", "--regid", "65534", "--clear-groups"),
                *("--inh-caps", f"-all,{given}", "--ambient-caps", f"-all,{given}"),
                *(sys.executable, "-c", code),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        *said, status = done.stdout.partition("Name:")
        if loaded:
            assert said[0] == "True "
            assert "CapEff:\t0000000000000000" in status
            assert "CapPrm:\t0000000000000000" in status
        else:
            assert "takes the capabilities CAP_BPF and CAP_NET_ADMIN" in said[0]
            assert "the sockets serve" in said[0]
