"""`refclock query` against real sockets on loopback: the answer, and each failure."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from refclock.cli import main
from refclock.ntp.packet import Packet
from refclock.timebase import MILLISECOND, NtpTimestamp, Utc

Answer = Callable[[bytes, int], bytes]
"""A request and how often was asked before, to a reply; empty: silence."""


@contextmanager
def server(answer: Answer, host: str = "127.0.0.1") -> Iterator[int]:
    """Somebody who answers on the port yielded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as bound:
        bound.bind((host, 0))
        bound.settimeout(0.05)
        stop = threading.Event()

        def serve() -> None:
            asked = 0
            while not stop.is_set():
                try:
                    request, client = bound.recvfrom(1000)
                except TimeoutError:
                    continue
                if reply := answer(request, asked):
                    bound.sendto(reply, client)
                asked += 1

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield bound.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def stamp() -> bytes:
    return NtpTimestamp.of(Utc(time.time_ns())).bits.to_bytes(8, "big")


def good(request: bytes, _asked: int = 0) -> bytes:
    first = bytes([request[0] & 0x38 | 4, 1, 6, 0xE9])
    about = bytes(7) + b"\x42" + b"GPS\0"
    return first + about + stamp() + request[40:48] + stamp() + stamp()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("version", [3, 4])
def test_a_good_server(
    host: str, version: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(good, host) as port:
        asked = f"query {host} --port {port} --count 3 --interval 0.01 --json"
        assert main([*asked.split(), "--version", str(version)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["server"] == host
    assert (report["stratum"], report["refid"], report["leap"]) == (1, "GPS", 0)
    assert (report["version"], report["samples"]) == (version, 3)
    assert abs(report["offset_s"]) < report["error_s"] < 0.1
    assert 0 <= report["delay_s"] < 0.1
    assert report["root_delay_s"] == 0
    assert report["root_dispersion_s"] == 0x42 / 65536
    assert report["reference_time"].startswith("20")


def test_a_person_reads_offset_and_error(capsys: pytest.CaptureFixture[str]) -> None:
    with server(good) as port:
        assert main(["query", "localhost", "--port", str(port)]) == 0
    text = capsys.readouterr().out
    assert "server - us" in text
    assert "stratum          1, reference GPS" in text


def test_a_lost_request_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    def second_time(request: bytes, asked: int) -> bytes:
        return good(request) if asked else b""

    with server(second_time) as port:
        assert main(["query", "127.0.0.1", "--port", str(port)]) == 0
    assert capsys.readouterr().err == ""


def kiss(request: bytes, _asked: int) -> bytes:
    reply = good(request)
    return bytes([reply[0] | 0xC0, 0]) + reply[2:12] + b"RATE" + reply[16:]


def unsynchronised(request: bytes, _asked: int) -> bytes:
    reply = good(request)
    return bytes([reply[0] | 0xC0, 0]) + reply[2:12] + bytes(4) + reply[16:]


def bogus(request: bytes, _asked: int) -> bytes:
    return good(request[:40] + bytes(8))


def silent(_request: bytes, _asked: int) -> bytes:
    return b""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a reply a tenth of the time."""
    monkeypatch.setattr("refclock.cli.query._PATIENCE", 200 * MILLISECOND)


FAILURES = [
    pytest.param(kiss, "", "refuses to serve us: RATE", id="kiss"),
    pytest.param(unsynchronised, "", "not synchronised", id="unsynchronised"),
    pytest.param(bogus, "", "we did not ask", id="bogus"),
    pytest.param(silent, "", "no answer", id="silent"),
    pytest.param(good, "--interleaved", "interleaved", id="not interleaved"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("answer", "option", "says"), FAILURES)
def test_no_time_is_said_in_a_sentence(
    answer: Answer, option: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    with server(answer) as port:
        asked = f"query 127.0.0.1 --port {port} --interval 0.01 {option}"
        assert main(asked.split()) == 1
    assert time.monotonic() - begun < 1
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_closed_port_is_told_at_once(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(good, host) as port:
        pass
    assert main(["query", host, "--port", str(port)]) == 1
    assert "refused" in capsys.readouterr().err


def test_an_unknown_name_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert main(["query", "no.such.host"]) == 1
    assert "unknown name" in capsys.readouterr().err


def test_a_resolver_that_hangs_is_not_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    woken = threading.Event()
    looked_up = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        woken.wait()
        looked_up.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr("refclock.cli.query._NAME_WAIT_S", 0.01)
    assert main(["query", "no.such.host"]) == 1
    woken.set()
    assert looked_up.wait(2)
    assert "looked up in time" in capsys.readouterr().err


def test_our_packets_decode_as_requests() -> None:
    seen: list[Packet] = []

    def look(request: bytes, _asked: int) -> bytes:
        seen.append(Packet.decode(request))
        return good(request)

    with server(look) as port:
        main(["query", "127.0.0.1", "--port", str(port), "--version", "2", "--json"])
    (packet,) = seen
    assert (packet.version, packet.mode) == (2, 3)
    assert packet.reference.bits == packet.origin.bits == packet.receive.bits == 0
