"""The client of NTS key exchange: one session with one server, all in a time limit.

The server's certificate is checked for its name, its chain and, at a time that is
given, its validity: the machine's own clock may be what is to be set.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
import warnings
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.verification import (
    PolicyBuilder,
    Store,
    Subject,
    VerificationError,
)
from OpenSSL import SSL

from refclock.ntp.nts.records import (
    ALPN,
    EXPORTER,
    MOST_ANSWER_BYTES,
    Agreed,
    ExchangeError,
    agreed,
    complete,
    question,
)
from refclock.timebase import Utc

_CHUNK: Final = 4096


def exchange(
    host: str, port: int, authorities: Path | None, now: Utc, limit_s: float
) -> Agreed:
    """Keys and cookies from that server. OSError: it cannot be reached in time.
    ExchangeError: it is not who it should be, or refuses.

    `authorities`: PEM; None: the system's. `now`: when certificates must be valid.
    """
    until_s = time.monotonic() + limit_s
    raw = socket.create_connection((host, port), limit_s)
    try:
        raw.setblocking(False)
        tls = SSL.Context(SSL.TLS_CLIENT_METHOD)
        tls.set_min_proto_version(SSL.TLS1_3_VERSION)
        tls.set_alpn_protos([ALPN])
        connection = SSL.Connection(tls, raw)
        if not _is_address(host):
            connection.set_tlsext_host_name(host.encode("idna"))
        connection.set_connect_state()
        return _session(connection, raw, host, authorities, now, until_s)
    except SSL.Error as error:
        raise ExchangeError(f"no TLS 1.3 with it: {_reason(error)}") from error
    finally:
        raw.close()


def _session(
    connection: SSL.Connection,
    raw: socket.socket,
    host: str,
    authorities: Path | None,
    now: Utc,
    until_s: float,
) -> Agreed:
    request, data, shaken = question(), b"", False
    while True:
        try:
            if not shaken:
                connection.do_handshake()
                shaken = True
                if connection.get_alpn_proto_negotiated() != ALPN:
                    raise ExchangeError("it speaks another protocol on that port")
                _verify(connection, host, authorities, now)
            while request:
                request = request[connection.send(request) :]
            data += connection.recv(_CHUNK)
        except SSL.WantReadError:
            _wait(raw, until_s, write=False)
        except SSL.WantWriteError:
            _wait(raw, until_s, write=True)
        except SSL.ZeroReturnError:
            raise ExchangeError("it ended before it answered") from None
        if complete(data):

            def export(context: bytes, length: int) -> bytes:
                return bytes(
                    connection.export_keying_material(EXPORTER, length, context)
                )

            return agreed(data, export)
        if len(data) > MOST_ANSWER_BYTES:
            raise ExchangeError("its answer has no end")


def _verify(
    connection: SSL.Connection, host: str, authorities: Path | None, now: Utc
) -> None:
    """ExchangeError: nobody we trust says that this is the host."""
    chain = connection.get_peer_cert_chain(as_cryptography=True) or []
    if not chain:
        raise ExchangeError("it has no certificate")
    try:
        policy = PolicyBuilder().store(Store(_trusted(authorities)))
        policy = policy.time(datetime.fromtimestamp(now.ns // 10**9, UTC))
        policy.build_server_verifier(_subject(host)).verify(chain[0], chain[1:])
    except (VerificationError, ValueError) as error:
        raise ExchangeError(f"its certificate is not good: {error}") from error


def _subject(host: str) -> Subject:
    if _is_address(host):
        return x509.IPAddress(ip_address(host))
    return x509.DNSName(host)


def _trusted(authorities: Path | None) -> list[x509.Certificate]:
    if authorities is not None:
        return x509.load_pem_x509_certificates(authorities.read_bytes())
    system = ssl.create_default_context().get_ca_certs(binary_form=True)
    with warnings.catch_warnings():  # of old ones among the system's
        warnings.simplefilter("ignore")
        return [x509.load_der_x509_certificate(each) for each in system]


def _wait(raw: socket.socket, until_s: float, *, write: bool) -> None:

    left_s = until_s - time.monotonic()
    waiting = select.poll()
    waiting.register(raw, select.POLLOUT if write else select.POLLIN)
    if left_s <= 0 or not waiting.poll(left_s * 1e3):
        raise TimeoutError("it did not answer in time")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _reason(error: SSL.Error) -> str:
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(each[-1]) for each in reasons) or "it ended"
