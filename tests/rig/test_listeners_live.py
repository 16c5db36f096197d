"""Listeners composed from settings, on real sockets over loopback."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import pytest

from hw.linux.clock import FreeClock
from hw.net.listen import listen
from refclock.app.serving.services import services as services_of
from refclock.config import Config, parse
from refclock.daemon.parts import Service
from refclock.ntp.packet import Packet
from refclock.published import ClockSnapshot
from refclock.server.service import NtpService
from refclock.timebase import HOUR, MILLISECOND, SECOND, LeapSecond
from tests.fakes.published import right

REQUEST = bytes([0x23]) + bytes(39) + b"asked me"


def snapshot() -> ClockSnapshot:
    """The machine's clock is right, and a leap second is an hour away."""
    now = right()
    leap = LeapSecond(now.updated + HOUR, 37 * SECOND, 38 * SECOND)
    return replace(now, leap=leap)


@contextmanager
def serving(config: Config) -> Iterator[Sequence[Service]]:
    """The services of a daemon with these settings."""
    with ExitStack() as opened:
        services = services_of(config, snapshot, FreeClock(), ())
        yield [opened.enter_context(closing(service)) for service in services]


def ask(service: Service) -> Packet | None:
    """What it answers; None: nothing."""
    assert isinstance(service, NtpService)
    host, _, port = service.name.rpartition(":")
    family = socket.AF_INET6 if "[" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.connect((host.strip("[]"), int(port)))
        client.settimeout(0.2)
        client.send(REQUEST)
        service.serve(100 * MILLISECOND)
        try:
            return Packet.decode(client.recv(100))
        except TimeoutError:
            return None


LISTENERS = """
[server]
listen = ["127.0.0.1"]
port = 0
deny = ["::1"]
[[server.listener]]
addresses = ["127.0.0.2", "127.0.0.3"]
port = 0
leap = "smear"
[[server.listener]]
addresses = ["::1"]
port = 0
stratum_least = 7
[[server.listener]]
addresses = ["::1"]
port = 0
deny = []
stratum_least = 7
"""


@pytest.mark.parametrize("usual", ["announce", "smear"])
def test_each_listener_has_its_own_voice_and_rules(usual: str) -> None:
    config = parse(f"leap.mode = '{usual}'\n{LISTENERS}".encode())
    with serving(config) as services:
        heard = [ask(service) for service in services]
    plain, second, third, denied, last = heard
    assert denied is None
    assert plain
    assert second
    assert third
    assert last
    indicator = 1 if usual == "announce" else 0
    assert [each.leap for each in (plain, second, third, last)] == [
        indicator,
        0,
        0,
        indicator,
    ]
    assert [each.stratum for each in (plain, second, third, last)] == [1, 1, 1, 7]


def test_a_port_that_is_taken_leaves_none_of_the_others_open() -> None:
    (taken,) = listen(["127.0.0.3"], 0)
    with taken:
        port = taken.getsockname()[1]
        config = parse(
            f'server.listen = ["127.0.0.1"]\nserver.port = {port}\n'
            f'[[server.listener]]\naddresses = ["127.0.0.3"]\nport = {port}'.encode()
        )
        with (
            pytest.raises(OSError, match=f"{port} of 127.0.0.3 is taken"),
            serving(config),
        ):
            pass
        (again,) = listen(["127.0.0.1"], port)
        again.close()


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Two sockets, as systemd would pass them; where they are bound."""
    made = listen(["127.0.0.1", "127.0.0.2"], 0)
    places = [(str(host), int(port)) for host, port in (s.getsockname() for s in made)]
    first = 900
    for at, each in enumerate(made):
        os.dup2(each.fileno(), first + at)
        each.close()
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setattr("hw.net.listen._SD_LISTEN_FDS_START", first)
    return places


def test_a_socket_passed_to_us_is_the_listeners_whose_place_it_is(
    passed: list[tuple[str, int]],
) -> None:
    _, (host, port) = passed
    config = parse(
        f'[[server.listener]]\naddresses = ["{host}"]\nport = {port}\n'
        "stratum_least = 3".encode()
    )
    with serving(config) as services:
        assert [
            service.name for service in services if isinstance(service, NtpService)
        ] == [f"{host}:{port}" for host, port in passed]
        heard = [ask(service) for service in services]
    assert [packet and packet.stratum for packet in heard] == [1, 3]


@pytest.mark.usefixtures("passed")
def test_sockets_passed_to_us_are_not_for_workers() -> None:
    config = parse(b"server.workers = 2")
    with pytest.raises(OSError, match="cannot be shared by workers"), serving(config):
        pass
