"""The server of NTS key exchange: many TLS sessions in one thread, each bounded.

At most 100 sessions, four of one address; each has two seconds and 4 kB. Who is too
many waits in the listen queue; of an address with four unfinished sessions the oldest
gives way. So connections that never speak keep nobody out.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from typing import Final

from OpenSSL import SSL

from refclock.ntp.nts.cookies import CookieKeys
from refclock.ntp.nts.records import (
    ALPN,
    COOKIES,
    EXPORTER,
    MOST_BYTES,
    Kind,
    Record,
    answer,
    association,
    complete,
    encode,
)
from refclock.server.admission.access import Access, unmapped
from refclock.server.admission.admit import Admission, Decision
from refclock.server.admission.settings import RateLimitSettings
from refclock.timebase import Duration

_MOST: Final = 100
_MOST_OF_ONE: Final = 4
_LIMIT_S: Final = 2.0
_ACCEPTS: Final = 16
"""In one turn."""
_CHUNK: Final = 4096
_READ = select.EPOLLIN
_WRITE = select.EPOLLOUT


class State(Enum):
    """Of a session."""

    HANDSHAKE = 1
    REQUEST = 2
    ANSWER = 3


@dataclass
class Session:
    """One client."""

    connection: SSL.Connection
    raw: socket.socket
    source: bytes
    """Its address; of IPv6 the /64."""
    until_s: float
    state: State = State.HANDSHAKE
    request: bytes = b""
    answer: bytes = b""


class KeyExchangeServer:
    """Used by one thread."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        tls: SSL.Context,
        keys: Callable[[], CookieKeys],
        access: Access,
        *,
        enforce_pace: bool,
        ntp: tuple[str, int],
        draw: Callable[[], float],
    ) -> None:
        """`sockets` listen, and do not block. `ntp`: the host and port that clients are
        told to ask for the time; "": this one."""
        self._listening = {each.fileno(): each for each in sockets}
        self._tls = tls
        self._keys = keys
        self._ntp = ntp
        pace = RateLimitSettings(
            enabled=enforce_pace, interval_s=8.0, burst=8, leak=0.0, clients=1024
        )
        self._admission = Admission(access, pace, draw)
        self._sessions: dict[int, Session] = {}
        self._waiting = select.epoll()
        self._accepting = True
        for number in self._listening:
            self._waiting.register(number, _READ)
        self._counted: Counter[str] = Counter(
            {"nts_ke_sessions": 0, "nts_ke_refused": 0, "nts_ke_timeouts": 0}
        )

    def serve(self, limit: Duration) -> None:
        """Go on with all sessions that can, waiting at most `limit` for one."""
        now_s = time.monotonic()
        soonest = min(
            (each.until_s for each in self._sessions.values()),
            default=now_s + limit.seconds,
        )
        wait_s = min(max(soonest - now_s, 0.0), limit.seconds)
        for number, _ in self._waiting.poll(wait_s):
            if number in self._listening:
                self._accept(self._listening[number])
            elif (session := self._sessions.get(number)) is not None:
                self._go_on(number, session)
        now_s = time.monotonic()
        for number, session in [*self._sessions.items()]:
            if session.until_s <= now_s:
                self._counted["nts_ke_timeouts"] += 1
                self._end(number)
        self._accept_if(len(self._sessions) < _MOST)

    def counters(self) -> dict[str, int]:
        """Sessions that got cookies, were refused, or took too long."""
        return dict(self._counted)

    def close(self) -> None:
        """End all sessions; the sockets are closed too."""
        for number in [*self._sessions]:
            self._end(number)
        self._waiting.close()
        for each in self._listening.values():
            each.close()

    def _accept_if(self, wanted: bool) -> None:
        if wanted is not self._accepting:
            self._accepting = wanted
            for number in self._listening:
                self._waiting.modify(number, _READ if wanted else 0)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            if len(self._sessions) >= _MOST:
                return
            try:
                raw, (host, *_) = listening.accept()
            except OSError:  # nobody more, or he is gone again
                return
            source = unmapped(ip_address(host.partition("%")[0]).packed)
            verdict = self._admission.admit(source, 4, time.monotonic_ns())
            if verdict is not Decision.SERVE:
                self._counted["nts_ke_refused"] += 1
                raw.close()
                continue
            self._make_room(source[:8])
            raw.setblocking(False)
            connection = SSL.Connection(self._tls, raw)
            connection.set_accept_state()
            until_s = time.monotonic() + _LIMIT_S
            session = Session(connection, raw, source[:8], until_s)
            self._sessions[raw.fileno()] = session
            self._waiting.register(raw.fileno(), _READ)

    def _make_room(self, source: bytes) -> None:
        """Of an address with as many sessions as it may have, the oldest ends."""
        same = [n for n, each in self._sessions.items() if each.source == source]
        if len(same) >= _MOST_OF_ONE:
            self._counted["nts_ke_refused"] += 1
            self._end(same[0])

    def _go_on(self, number: int, session: Session) -> None:
        try:
            while self._step(session):
                pass
        except SSL.WantReadError:
            self._waiting.modify(number, _READ)
        except SSL.WantWriteError:
            self._waiting.modify(number, _WRITE)
        except (SSL.Error, OSError, ValueError):
            self._counted["nts_ke_refused"] += 1
            self._end(number)
        else:
            self._end(number)

    def _step(self, session: Session) -> bool:
        """One step of a session; is there another? ValueError: it is refused."""
        connection = session.connection
        if session.state is State.HANDSHAKE:
            connection.do_handshake()
            if connection.get_alpn_proto_negotiated() != ALPN:
                raise ValueError("another protocol")
            session.state = State.REQUEST
        elif session.state is State.REQUEST:
            session.request += connection.recv(_CHUNK)
            if len(session.request) > MOST_BYTES:
                raise ValueError("too long")
            if complete(session.request):
                session.answer = self._answer(session)
                session.state = State.ANSWER
        else:
            sent = connection.send(session.answer)
            session.answer = session.answer[sent:]
            if not session.answer:
                with contextlib.suppress(SSL.Error):
                    connection.shutdown()
                return False
        return True

    def _answer(self, session: Session) -> bytes:
        server, port = self._ntp
        said = answer(session.request, server=server, port=port)
        if said.algorithm is None:
            self._counted["nts_ke_refused"] += 1
            return encode(said.records)
        self._counted["nts_ke_sessions"] += 1

        def export(context: bytes, length: int) -> bytes:
            exported = session.connection.export_keying_material(
                EXPORTER, length, context
            )
            return bytes(exported)

        made = association(said.algorithm, export)
        keys = self._keys()
        cookies = [
            Record(Kind.COOKIE, keys.seal(made, secrets.token_bytes))
            for _ in range(COOKIES)
        ]
        return encode([*said.records, *cookies])

    def _end(self, number: int) -> None:
        session = self._sessions.pop(number)
        self._waiting.unregister(number)
        session.raw.close()
