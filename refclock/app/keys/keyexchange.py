"""The key exchange of NTS, in a process of its own at the lowest priority.

A handshake costs as much as a hundred replies, and in a thread of the service it would
delay each of them. The process has no more than the certificate, the cookie keys and
the access rules; it ends with its parent, and is started anew when it ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hw.net.shared import Shared
from refclock.app.keys.certificates import CertificateError, check, context
from refclock.app.keys.cookiefile import CookieKeyFile
from refclock.app.keys.tlsserver import KeyExchangeServer
from refclock.daemon.supervise import plain
from refclock.ntp.nts.settings import NtsSettings
from refclock.server.admission.clients import ClientStatus
from refclock.server.settings import ListenerSettings, ServerSettings
from refclock.timebase import SECOND, Duration, Utc

log = logging.getLogger("refclock")

_REST_S: Final = 1.0
"""Between two starts of the process."""
_CHECK_S: Final = 6 * 3600
"""Between two looks at the end of the certificate."""
_BACKLOG: Final = 128
_NICE: Final = 19


@dataclass(frozen=True, slots=True)
class Orders:
    """What the process reads when it starts."""

    nts: NtsSettings
    server: ServerSettings


@dataclass(frozen=True, slots=True)
class Report:
    """What it writes every second."""

    counters: Mapping[str, int] = field(default_factory=dict)


class KeyExchange:
    """The process, as a service of the daemon. Used by one thread."""

    def __init__(
        self,
        nts: NtsSettings,
        server: ServerSettings,
        keys: CookieKeyFile,
        now: Callable[[], Utc | None] = lambda: None,
    ) -> None:
        """`now`: the time as served; None: not known. OSError: a port cannot be had,
        or certificate and key cannot be used."""
        self._nts, self._keys, self._now = nts, keys, now
        try:
            context(nts.certificate, nts.key)
            check(nts.certificate, None)
        except CertificateError as error:
            raise OSError(str(error)) from error
        with contextlib.ExitStack() as opened:
            self._sockets = [
                opened.enter_context(_listening(address, nts.port))
                for address in nts.listen
            ]
            self._opened = opened.pop_all()
        self._orders, self._report = Shared(Orders), Shared(Report)
        self._orders.set(Orders(nts, server))
        self._restarts = 0
        self._checked_s = 0.0
        self._started_s = 0.0
        self._process = self._start()

    @property
    def ports(self) -> list[int]:
        """Where it listens, by address."""
        return [int(each.getsockname()[1]) for each in self._sockets]

    def serve(self, limit: Duration) -> None:
        """Keep the process alive and the cookie keys fresh, for `limit`."""
        now_s = time.monotonic()
        if self._process.poll() is not None and now_s - self._started_s > _REST_S:
            self._restarts += 1
            self._process = self._start()
        if not self._checked_s or now_s - self._checked_s > _CHECK_S:
            self._checked_s = now_s
            with contextlib.suppress(CertificateError):
                for warning in check(self._nts.certificate, self._now()):
                    log.warning("nts: %s", warning)
        try:
            self._keys.rotate()
        except OSError as error:
            log.warning("nts.cookie_keys: %s; the old keys stay", plain(error))
        time.sleep(limit.seconds)

    def counters(self) -> dict[str, int]:
        """Key exchanges done, refused and timed out; a second old."""
        with contextlib.suppress(OSError, ValueError):
            report = self._report.get() or Report()
            return {"nts_ke_restarts": self._restarts, **report.counters}
        return {"nts_ke_restarts": self._restarts}

    def clients(self, most: int) -> Sequence[ClientStatus]:  # noqa: ARG002 - a Service
        """Nobody asks it for the time."""
        return ()

    def denied(self, most: int) -> Sequence[ClientStatus]:  # noqa: ARG002 - a Service
        """They are counted only."""
        return ()

    def reload_access(self, settings: ServerSettings) -> None:
        """Start it anew, with these rules and the certificate as it is now."""
        self._orders.set(Orders(self._nts, settings))
        self._checked_s = 0.0
        self._process.terminate()

    def close(self) -> None:
        """End it, and give everything back."""
        self._process.terminate()
        self._process.wait()
        self._opened.close()
        self._orders.close()
        self._report.close()

    def _start(self) -> subprocess.Popen[bytes]:
        self._started_s = time.monotonic()
        fds = [self._orders.fd, self._report.fd, *(s.fileno() for s in self._sockets)]
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main"
        command = [sys.executable, "-I", "-c", f"{code}; main(sys.argv[1:])"]
        command += map(str, (os.getpid(), *fds))
        return subprocess.Popen(command, pass_fds=fds)  # noqa: S603 - ourselves


def main(arguments: Sequence[str]) -> None:
    """Exchange keys until the parent is gone."""
    parent, *fds = map(int, arguments)
    orders, reports = Shared(Orders, fds[0]).get(), Shared(Report, fds[1])
    assert orders is not None  # noqa: S101 - set before we were started
    os.nice(_NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent will say when
    keys = CookieKeyFile(Path(orders.nts.cookie_keys))
    keys.refresh()
    server = KeyExchangeServer(
        [socket.socket(fileno=fd) for fd in fds[2:]],
        context(orders.nts.certificate, orders.nts.key),
        keys.get,
        orders.server.access(ListenerSettings()),
        enforce_pace=orders.server.rate_limit.enabled,
        ntp=(orders.nts.server, orders.server.port),
        draw=random.random,
    )
    until = 0.0
    while os.getppid() == parent:
        server.serve(SECOND)
        if time.monotonic() > until:
            until = time.monotonic() + 1
            keys.refresh()
            reports.set(Report(server.counters()))


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise OSError(
            error.errno, f"TCP port {port} of {address}: {error.strerror}"
        ) from error
    return made
