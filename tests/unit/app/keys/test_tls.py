"""Key exchange over TLS: our client with our server, and with whoever misbehaves."""

from __future__ import annotations

import random
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from refclock.app.keys.certificates import (
    CertificateError,
    check,
    context,
    make_ca,
    make_certificate,
)
from refclock.app.keys.tlsclient import exchange
from refclock.app.keys.tlsserver import KeyExchangeServer
from refclock.ntp.auth import Opened
from refclock.ntp.nts.cookies import CookieKeys
from refclock.ntp.nts.fields import NtsClient, NtsServer
from refclock.ntp.nts.records import ExchangeError, question
from refclock.server.admission.access import PRIVATE, Access
from refclock.timebase import DAY, HOUR, MILLISECOND, Utc

NOW = Utc(time.time_ns())
HEADER = b"\x23" + bytes(39) + b"whatever"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ca.pem` and a certificate for ntp.test and 127.0.0.1."""
    folder = tmp_path_factory.mktemp("pki")
    make_ca(folder, 30)
    make_certificate(folder, ["ntp.test", "127.0.0.1"], 2)
    return folder


KEYS = CookieKeys.new(NOW, secrets.token_bytes)


@contextmanager
def serving(
    pki: Path, *, pace: bool = False, allow: tuple[str, ...] = PRIVATE
) -> Iterator[tuple[KeyExchangeServer, int]]:
    """A server in a thread of its own, and its port."""
    bound = socket.create_server(("127.0.0.1", 0), backlog=128)
    bound.setblocking(False)
    port = int(bound.getsockname()[1])
    tls = context(str(pki / "ntp.test.pem"), str(pki / "ntp.test.key"))
    server = KeyExchangeServer(
        [bound],
        tls,
        lambda: KEYS,
        Access(allow, ()),
        enforce_pace=pace,
        ntp=("", 1123),
        draw=random.random,
    )
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            server.serve(20 * MILLISECOND)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server, port
    finally:
        stop.set()
        thread.join()
        server.close()


def test_keys_are_exchanged_and_good_for_a_request(pki: Path) -> None:
    with serving(pki) as (server, port):
        found = exchange("127.0.0.1", port, pki / "ca.pem", NOW, 5)
        assert server.counters()["nts_ke_sessions"] == 1
    assert (len(found.cookies), found.server, found.port) == (8, "", 1123)
    asking = NtsClient(found.association, found.cookies, secrets.token_bytes)
    opened = NtsServer(lambda: KEYS, secrets.token_bytes).open(asking.request(HEADER))
    assert isinstance(opened, Opened)
    header = b"\x24" + bytes(47)
    assert asking.proves(header + opened.seal(header))


def test_who_is_not_whom_we_asked_is_refused(pki: Path, tmp_path: Path) -> None:
    make_ca(tmp_path, 30)
    ca = pki / "ca.pem"
    with serving(pki) as (_, port):
        for host, authorities, now, says in (
            ("localhost", ca, NOW, "not good"),
            ("127.0.0.1", tmp_path / "ca.pem", NOW, "not good"),
            ("127.0.0.1", None, NOW, "not good"),
            ("127.0.0.1", ca, NOW + 3 * DAY, "not good"),
            ("127.0.0.1", ca, NOW - 2 * DAY, "not good"),
        ):
            with pytest.raises(ExchangeError, match=says):
                exchange(host, port, authorities, now, 5)


def tls_client(pki: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    made.set_alpn_protocols(["ntske/1"])
    return made


def answered(client: ssl.SSLContext, port: int, request: bytes) -> bytes:
    """All that comes back; b"": nothing, or the end of the session."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 3) as raw,
            client.wrap_socket(raw, server_hostname="ntp.test") as tls,
        ):
            tls.sendall(request)
            got = b""
            while more := tls.recv(4096):
                got += more
            return got
    except (ssl.SSLError, ConnectionError):
        return b""


def test_other_protocols_and_versions_get_nothing(pki: Path) -> None:
    with serving(pki) as (server, port):
        assert answered(tls_client(pki), port, question())
        http = tls_client(pki)
        http.set_alpn_protocols(["http/1.1"])
        none = ssl.create_default_context(cafile=str(pki / "ca.pem"))
        old = tls_client(pki)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        for wrong in (http, none, old):
            assert answered(wrong, port, question()) == b""
        assert answered(tls_client(pki), port, b"\0\x09\xff\xff" + bytes(5000)) == b""
        assert server.counters()["nts_ke_refused"] >= 4
        assert answered(tls_client(pki), port, question())


def test_a_request_that_is_none_gets_an_error_record(pki: Path) -> None:
    with serving(pki) as (_, port):
        got = answered(tls_client(pki), port, b"\x80\0\0\0")
    assert got == b"\x80\2\0\2\0\1" + b"\x80\0\0\0"


@pytest.mark.slow
@pytest.mark.parametrize("handshake", [False, True])
def test_connections_that_never_speak_keep_nobody_out(
    pki: Path, handshake: bool
) -> None:
    """130 of them, each from an address of its own."""
    with serving(pki) as (server, port), ExitStack() as opened:
        for host in range(130):
            raw = opened.enter_context(socket.socket())
            raw.bind((f"127.0.1.{host + 1}", 0))
            raw.settimeout(5)
            raw.connect(("127.0.0.1", port))
            if handshake and host < 60:
                client = tls_client(pki)
                opened.enter_context(
                    client.wrap_socket(raw, server_hostname="ntp.test")
                )
        for _ in range(5):
            begun = time.monotonic()
            exchange("127.0.0.1", port, pki / "ca.pem", NOW, 8)
            assert time.monotonic() - begun < 6
        assert server.counters()["nts_ke_timeouts"] > 0


def test_of_one_address_the_oldest_unfinished_session_gives_way(pki: Path) -> None:
    with serving(pki) as (_, port), ExitStack() as opened:
        silent = [
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(4)
        ]
        time.sleep(0.1)
        exchange("127.0.0.1", port, pki / "ca.pem", NOW, 5)
        silent[0].settimeout(1)
        assert silent[0].recv(1) == b""


def test_an_address_exchanges_keys_within_its_pace(pki: Path) -> None:
    with serving(pki, pace=True) as (server, port):
        got = [answered(tls_client(pki), port, question()) for _ in range(10)]
        assert [bool(each) for each in got] == [True] * 8 + [False] * 2
        assert server.counters()["nts_ke_refused"] == 2


def test_who_is_denied_exchanges_no_keys(pki: Path) -> None:
    with serving(pki, allow=("10.0.0.0/8",)) as (server, port):
        assert answered(tls_client(pki), port, question()) == b""
        assert server.counters()["nts_ke_sessions"] == 0


def test_a_server_that_never_answers_is_given_up(pki: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(TimeoutError),
    ):
        exchange("127.0.0.1", silent.getsockname()[1], pki / "ca.pem", NOW, 0.2)


def test_what_is_wrong_with_a_certificate_is_said(pki: Path, tmp_path: Path) -> None:
    certificate, key = str(pki / "ntp.test.pem"), str(pki / "ntp.test.key")
    other = make_ca(tmp_path, 30)
    with pytest.raises(CertificateError, match="do not match"):
        context(certificate, str(other.with_suffix(".key")))
    with pytest.raises(CertificateError, match="no PEM file"):
        context(key, key)
    with pytest.raises(FileNotFoundError):
        context(str(tmp_path / "none"), key)
    with pytest.raises(CertificateError, match=r"names no host \(subjectAltName\)"):
        check(str(other), None)
    with pytest.raises(CertificateError, match="is no certificate"):
        check(key, None)
    assert check(certificate, None) == ()
    assert check(certificate, NOW + HOUR) == ("the certificate ends in 1 days",)
    assert check(certificate, NOW + 50 * HOUR) == (
        "the certificate ended 0 days ago",
    ) or check(certificate, NOW + 5 * DAY)[0].startswith("the certificate ended")
    made = make_certificate(pki, ["long.test"], 100)
    assert check(str(made), NOW) == ()
    assert made.with_suffix(".key").stat().st_mode & 0o777 == 0o600


def test_an_authority_is_made_once(pki: Path) -> None:
    with pytest.raises(FileExistsError):
        make_ca(pki, 30)
    with pytest.raises(FileNotFoundError):
        make_certificate(pki / "nowhere", ["ntp.test"], 2)


def test_the_server_s_sockets_are_closed_with_it(pki: Path) -> None:
    with serving(pki) as (_, port):
        pass
    with pytest.raises(ConnectionRefusedError), closing(socket.socket()) as raw:
        raw.connect(("127.0.0.1", port))
