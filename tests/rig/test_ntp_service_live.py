"""The service on real sockets, over loopback, with the kernel's stamps."""

import json
import os
import random
import re
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from hw.abi.sockets import RX_SOFTWARE, SO_TIMESTAMPING, SOFTWARE
from hw.linux.clock import FreeClock
from hw.net.listen import inherited, listen
from hw.net.udp import UdpSocket
from refclock.cli import main
from refclock.ntp.packet import Packet
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.service import NtpService
from refclock.server.settings import ServerSettings
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    Duration,
    Utc,
)
from tests.fakes.published import right
from tests.rig.demo import demo, free_port

UNLIMITED = ServerSettings(rate_limit=RateLimitSettings(enabled=False))
REQUEST = bytes([0x23]) + bytes(39) + b"asked me"


@pytest.fixture(params=["127.0.0.1", "::1", "0.0.0.0", "::"])  # noqa: S104
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[NtpService, socket.socket]]:
    """A service and a client connected to it."""
    (bound,) = listen([request.param], 0)
    host = "::1" if ":" in request.param else "127.0.0.1"
    with (
        closing(
            NtpService(UdpSocket(bound), right, FreeClock(), UNLIMITED, random.random)
        ) as service,
        socket.socket(bound.family, socket.SOCK_DGRAM) as client,
    ):
        client.connect((host, *bound.getsockname()[1:]))
        client.settimeout(2)
        yield service, client


def test_one_request(pair: tuple[NtpService, socket.socket]) -> None:
    service, client = pair
    before = Utc(time.time_ns())
    client.send(REQUEST)
    service.serve(SECOND)
    packet = Packet.decode(client.recv(100))
    after = Utc(time.time_ns())
    assert packet.origin.bits.to_bytes(8, "big") == b"asked me"
    stamps = [stamp.near(before) for stamp in (packet.receive, packet.transmit)]
    assert [before, *stamps, after] == sorted([before, *stamps, after])


def test_a_burst_is_answered_in_order_in_few_sweeps(
    pair: tuple[NtpService, socket.socket],
) -> None:
    service, client = pair
    for number in range(100):
        filler = bytes(20) if number % 3 == 0 else b""
        broken = b"?" if number % 7 == 0 else b""
        client.send(REQUEST[:47] + bytes([number]) + filler + broken)
    for _ in range(2):
        service.serve(SECOND)
    wanted = [number for number in range(100) if number % 7]
    assert [client.recv(100)[31] for _ in wanted] == wanted
    counters = service.counters()
    assert (counters["requests"], counters["malformed"]) == (100, 15)
    assert counters["kernel_dropped"] == 0


def test_each_reply_goes_to_its_own_client_past_the_refused(
    pair: tuple[NtpService, socket.socket],
) -> None:
    service, client = pair
    with socket.socket(client.family, socket.SOCK_DGRAM) as other:
        other.connect(client.getpeername())
        other.settimeout(2)
        for sweep in range(3):
            for number, (sender, good) in enumerate(
                [(client, sweep), (other, 1), (other, 0), (client, 1), (other, 1)]
            ):
                sender.send(REQUEST[:47] + bytes([number]) if good else b"?")
            service.serve(SECOND)
            wanted = [(client, 0), (other, 1), (client, 3), (other, 4)]
            for sender, number in wanted[0 if sweep else 1 :]:
                assert sender.recv(100)[31] == number


def test_a_datagram_too_long_or_empty_harms_nobody(
    pair: tuple[NtpService, socket.socket],
) -> None:
    service, client = pair
    for datagram in (b"", bytes(1), REQUEST + bytes(4000), REQUEST):
        client.send(datagram)
    service.serve(SECOND)
    assert len(client.recv(100)) == 48
    assert service.counters()["malformed"] == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_as_shipped_bursts_of_8_are_never_punished(host: str) -> None:
    (bound,) = listen([host], 0)
    place = bound.getsockname()
    shipped = ServerSettings()
    with (
        closing(
            NtpService(UdpSocket(bound), right, FreeClock(), shipped, random.random)
        ) as service,
        socket.socket(bound.family, socket.SOCK_DGRAM) as client,
    ):
        client.connect(place)
        client.settimeout(2)
        for burst in (8, 1, 1, 1, 1, 1, 1, 1, 1, 8):
            for _ in range(burst):
                client.send(REQUEST)
            service.serve(SECOND)
            for _ in range(burst):
                assert Packet.decode(client.recv(100)).stratum == 1
        counters = service.counters()
        assert not {"limited", "warned", "denied"} & counters.keys()


def test_waiting_is_bounded(pair: tuple[NtpService, socket.socket]) -> None:
    service, _ = pair
    begun = time.monotonic()
    service.serve(Duration(20_000_000))
    assert 0.015 < time.monotonic() - begun < 1.0


def test_what_the_kernel_drops_is_counted(
    pair: tuple[NtpService, socket.socket],
) -> None:
    service, client = pair
    service._socket._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # type: ignore[attr-defined]
    for _ in range(20):
        client.send(REQUEST)
    assert service.counters()["kernel_dropped"] > 0


def test_the_reply_leaves_from_the_address_that_was_asked() -> None:
    (bound,) = listen(["0.0.0.0"], 0)  # noqa: S104 - the point of the test
    port = bound.getsockname()[1]
    with (
        closing(
            NtpService(UdpSocket(bound), right, FreeClock(), UNLIMITED, random.random)
        ) as service,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(2)
        for host in ("127.0.0.2", "127.9.9.9", "127.0.0.1"):
            client.sendto(REQUEST, (host, port))
            service.serve(SECOND)
            assert client.recvfrom(100)[1] == (host, port)


def test_the_kernel_tells_when_replies_left(
    pair: tuple[NtpService, socket.socket],
) -> None:
    service, client = pair
    wire = service._socket
    for told in range(3):
        heard: list[tuple[int, int]] = []
        for _ in range(5):
            client.send(REQUEST)
        senders, _ = wire.receive(SECOND)
        assert len(senders) == 5
        before = wire.now_ns()
        tell = {place: [partial(_note, heard, place)] for place in (0, 4)}
        wire.watch(tell if told != 1 else {})
        assert wire.send([1] * 5) == 5
        after = wire.now_ns()
        assert [place for place, _ in heard] == ([0, 4] if told != 1 else [])
        assert all(before < left < after for _, left in heard)
        for _ in range(5):
            client.recv(100)


def _note(heard: list[tuple[int, int]], place: int, left_ns: int) -> None:
    heard.append((place, left_ns))


def test_a_reply_that_cannot_be_sent_stops_no_other(
    pair: tuple[NtpService, socket.socket],
) -> None:
    service, client = pair
    wire = service._socket
    assert isinstance(wire, UdpSocket)
    for _ in range(3):
        client.send(REQUEST)
    wire.receive(SECOND)
    heard: list[tuple[int, int]] = []
    wire.watch({1: [partial(_note, heard, 1)]})
    wire._answers[1].header.name_length = 1
    assert wire.send([1] * 3) == 2
    assert heard == []
    wire._answers[1].header.name_length = wire._answers[0].header.name_length
    wire.watch({2: [partial(_note, heard, 2)]})
    assert wire.send([1] * 3) == 3
    assert [place for place, _ in heard] == [2]


def test_unstamped_requests_are_stamped_here(
    pair: tuple[NtpService, socket.socket],
) -> None:
    service, client = pair
    wire = service._socket
    assert isinstance(wire, UdpSocket)
    wire._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, 0)
    before = time.time_ns()
    for stamping in (0, SOFTWARE | RX_SOFTWARE):
        wire._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, stamping)
        client.send(REQUEST)
        _, (came_ns,) = wire.receive(SECOND)
        assert before < came_ns <= time.time_ns()
        assert wire.send([1]) == 1
        assert len(client.recv(100)) == 48


@contextmanager
def answering(service: NtpService) -> Iterator[None]:
    """It serves meanwhile."""
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            service.serve(20 * MILLISECOND)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_query_interleaved_is_told_when_replies_left(
    pair: tuple[NtpService, socket.socket], capsys: pytest.CaptureFixture[str]
) -> None:
    service, client = pair
    host, port, *_ = client.getpeername()
    asked = f"query {host} --port {port} --interleaved --count 4 --interval 0.01 --json"
    with answering(service):
        assert main(asked.split()) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["samples"] == 4
    assert abs(report["offset_s"]) < 0.001
    assert service.clients(1)[0].interleaved >= 4


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_query_asks_in_each_version_at_its_pace(
    version: int,
    pair: tuple[NtpService, socket.socket],
    capsys: pytest.CaptureFixture[str],
) -> None:
    service, client = pair
    host, port, *_ = client.getpeername()
    asked = f"query {host} --port {port} --version {version} --count 3 --interval 0.03"
    began = time.monotonic()
    with answering(service):
        assert main(asked.split()) == 0
    assert time.monotonic() - began > 0.06
    assert [each.version for each in service.clients(9)] == [version]
    text = capsys.readouterr().out
    assert f"NTP version {version}\n" in text
    assert "the least of 3\n" in text
    assert re.search(r"offset +[+-]?[\d.]+ \S+ ± [\d.]+ \S+  \(server - us", text)


def test_a_port_taken_names_the_process_that_holds_it() -> None:
    (bound,) = listen(["127.0.0.1"], 0)
    with bound, pytest.raises(OSError, match=rf"\(process {os.getpid()}\)"):
        listen(["127.0.0.1"], bound.getsockname()[1])


def test_an_address_not_ours_is_named() -> None:
    with pytest.raises(OSError, match="no such address"):
        listen(["192.0.2.1"], 0)


def test_sockets_handed_over_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    (ours,) = listen(["127.0.0.1"], 0)
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setattr("hw.net.listen._SD_LISTEN_FDS_START", ours.fileno())
    (passed,) = inherited()
    assert passed.getsockname() == ours.getsockname()
    assert not select.select([passed], [], [], 0)[0]
    monkeypatch.setenv("LISTEN_PID", "1")
    assert inherited() == []
    ours.detach()
    passed.close()


PASSES_A_SOCKET = """
import os, socket, sys
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.bind(("127.0.0.2", int(sys.argv[1])))
os.dup2(made.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execvp(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.slow
def test_the_daemon_serves_on_the_socket_it_was_passed_and_on_no_other(
    tmp_path: Path,
) -> None:
    port = free_port()
    systemd = sys.executable, "-c", PASSES_A_SOCKET, str(port)
    with demo(tmp_path, port=port, within=systemd) as running:
        running.await_stratum(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.sendto(REQUEST, ("127.0.0.2", port))
            assert Packet.decode(client.recv(100)).stratum == 1
            client.connect(("127.0.0.1", port))
            client.send(REQUEST)
            with pytest.raises(ConnectionRefusedError):
                client.recv(100)
        assert running.end().code == 0
