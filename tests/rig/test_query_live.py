"""`refclock query` against real sockets on loopback: the answer, and each failure."""

import io
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


def old(request: bytes, _asked: int) -> bytes:
    reply = good(request)
    return bytes([3 << 3 | 4]) + reply[1:]


def test_a_server_that_answers_in_version_3(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with server(old) as port:
        assert main(["query", "127.0.0.1", "--port", str(port)]) == 0
    assert "NTP version 3\n" in capsys.readouterr().out


def test_a_server_that_does_not_tell_when_it_was_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def never_set(request: bytes, _asked: int) -> bytes:
        reply = good(request)
        return reply[:16] + bytes(8) + reply[24:]

    with server(never_set) as port:
        asked = ["query", "127.0.0.1", "--port", str(port)]
        assert main(asked) == 0
        assert "reference        unknown\n" in capsys.readouterr().out
        assert main([*asked, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["reference_time"], report["reference_age_s"]) == (None, None)


def test_a_late_answer_counts_within_the_timeout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def late(request: bytes, _asked: int) -> bytes:
        reply = good(request)
        time.sleep(0.25)
        return reply

    for timeout, code in (("0.1", 1), ("2", 0)):
        with server(late) as port:
            asked = f"query 127.0.0.1 --port {port} --timeout {timeout} --json"
            assert main(asked.split()) == code
    assert json.loads(capsys.readouterr().out)["delay_s"] > 0.2


@pytest.mark.parametrize("dead", ["silent", "refused"])
def test_every_address_is_tried(
    dead: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(good) as port, server(silent, "::1") as deaf:
        at = deaf if dead == "silent" else port  # at which nobody listens on ::1
        places: list[object] = [
            (0, 0, 0, "", ("::1", at, 0, scope)) for scope in range(4)
        ]
        places += [(0, 0, 0, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        begun = time.monotonic()
        assert main(["query", "five.addresses", "--count", "3", "--json"]) == 0
    assert time.monotonic() - begun < 3
    report = json.loads(capsys.readouterr().out)
    assert (report["address"], report["samples"]) == ("127.0.0.1", 3)


def test_what_was_measured_before_a_loss_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def five(request: bytes, asked: int) -> bytes:
        return good(request) if asked < 5 else b""

    asked = "query 127.0.0.1 --count 20 --interval 0 --timeout 0.05"
    with server(five) as port:
        assert main([*asked.split(), "--port", str(port), "--json"]) == 0
    said = capsys.readouterr()
    assert "no answer" in said.err
    report = json.loads(said.out)
    assert (report["samples"], report["lost"]) == (5, 3)


def test_one_loss_in_between_is_no_end(capsys: pytest.CaptureFixture[str]) -> None:
    def without_third(request: bytes, asked: int) -> bytes:
        return b"" if 2 <= asked < 5 else good(request)

    asked = "query 127.0.0.1 --count 4 --interval 0 --timeout 0.1"
    with server(without_third) as port:
        assert main([*asked.split(), "--port", str(port)]) == 0
    said = capsys.readouterr()
    assert ", the least of 3; 1 lost\n" in said.out
    assert said.err == ""


def test_interrupted_it_reports_what_it_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("refclock.app.asking.time.sleep", interrupt)
    with server(good) as port:
        assert main(["query", "127.0.0.1", "--count", "9", "--port", str(port)]) == 130
    assert "the least of 1\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [
        "--port 88539",
        "--port 0",
        "--port -1",
        "--interval -1",
        "--interval nan",
        "--interval inf",
        "--timeout 0",
        "--count 0",
        "--count x",
        "--version 5",
        "-4 -6",
    ],
)
def test_arguments_are_checked(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["query", "127.0.0.1", *wrong.split()])
    assert ended.value.code == 2
    assert wrong.split()[-2].strip() in capsys.readouterr().err


def test_where_the_terminal_knows_no_micro_it_is_written_in_plain_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr("sys.stdout", page)
    with server(good) as port:
        assert main(["query", "127.0.0.1", "--port", str(port)]) == 0
    page.flush()
    text = page.buffer.getvalue().decode("ascii")
    assert " +- " in text
