"""Processes that serve what this one publishes, where one CPU is not enough.

Each worker has a socket of its own on every address (SO_REUSEPORT); the kernel
deals requests out by the client's address, so that one client always finds the
worker that remembers it. What is served is shared through memory. A worker that
ends is started anew; when we are gone, they go.
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
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from hw.linux.clock import FreeClock
from hw.net.hardware import cards_here
from hw.net.listen import listen_shared
from hw.net.shared import Shared
from hw.net.udp import UdpSocket
from refclock.app.keys.authentication import Authentication
from refclock.ntp.mac import KeysSettings
from refclock.ntp.nts.settings import NtsSettings
from refclock.published import ClockSnapshot
from refclock.server.admission.clients import ClientStatus, busiest
from refclock.server.service import NtpService
from refclock.server.settings import ListenerSettings, ServerSettings
from refclock.timebase import SECOND, Duration, LeapSecond

log = logging.getLogger("refclock")

_CLIENTS: Final = 100
"""Named in the report of one worker."""
_LOOK_S: Final = 0.02
"""How late a worker learns what was published; it carries the time on itself."""
_REST_S: Final = 1.0
"""Between two starts of a worker: one that can never run must not keep us busy."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker reads when it starts."""

    settings: ServerSettings
    listeners: tuple[ListenerSettings, ...]
    """One for each of its sockets, in their order."""
    leaps: tuple[LeapSecond, ...]
    keys: KeysSettings
    nts: NtsSettings


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker writes every second."""

    counters: Mapping[str, int] = field(default_factory=dict)
    clients: tuple[ClientStatus, ...] = ()
    """The busiest."""
    denied: tuple[ClientStatus, ...] = ()


class Workers:
    """The service of all workers, from here. Used by one thread."""

    def __init__(
        self,
        listeners: Sequence[ListenerSettings],
        published: Callable[[], ClockSnapshot],
        settings: ServerSettings,
        leaps: Sequence[LeapSecond] = (),
        keys: KeysSettings = KeysSettings(),  # noqa: B008 - a value
        nts: NtsSettings = NtsSettings(),  # noqa: B008 - a value
    ) -> None:
        """As many as `settings` say. OSError: a port cannot be had."""
        self._leaps = leaps
        self._keys, self._nts = keys, nts
        with contextlib.ExitStack() as opened:
            self._sockets = [
                (listener, [opened.enter_context(made) for made in group])
                for listener in listeners
                for group in listen_shared(
                    listener.addresses,
                    listener.port,
                    listener.interface,
                    settings.workers,
                )
            ]
            self._opened = opened.pop_all()
        self._published = published
        self._last = published()
        self._restarts = 0
        self._settings, self._snapshot = Shared(Orders), Shared(ClockSnapshot)
        self._order(settings)
        self._snapshot.set(self._last)
        self._reports = [Shared(Report) for _ in range(settings.workers)]
        self._started_s = [0.0] * settings.workers
        self._workers = [self._start(number) for number in range(settings.workers)]

    @property
    def sockets(self) -> list[tuple[socket.socket, ListenerSettings]]:
        """One for each place it listens at."""
        return [(group[0], listener) for listener, group in self._sockets]

    def serve(self, limit: Duration) -> None:
        """Pass on what is published and keep all workers alive, for `limit`."""
        until = time.monotonic_ns() + limit.ns
        while time.monotonic_ns() < until:
            snapshot = self._published()
            if snapshot is not self._last:
                self._last = snapshot
                self._snapshot.set(snapshot)
            for number, worker in enumerate(self._workers):
                rested = time.monotonic() - self._started_s[number] > _REST_S
                if rested and worker.poll() is not None:
                    self._restarts += 1
                    self._workers[number] = self._start(number)
            time.sleep(_LOOK_S)

    def counters(self) -> dict[str, int]:
        """The sums over all workers, of a second ago."""
        total: Counter[str] = Counter({"worker_restarts": self._restarts})
        for report in self._reported():
            total.update(report.counters)
        return dict(total)

    def clients(self, most: int) -> list[ClientStatus]:
        """The busiest of each worker, of a second ago: a client has but one worker."""
        each = chain.from_iterable(report.clients for report in self._reported())
        return busiest(each, most)

    def denied(self, most: int) -> list[ClientStatus]:
        """Hosts that the access rules excluded, of each worker, of a second ago."""
        each = chain.from_iterable(report.denied for report in self._reported())
        return busiest(each, most)

    def reload_access(self, settings: ServerSettings) -> None:
        """Start all workers anew, with these access rules and limits. ValueError: so
        many rules that they cannot be passed on; nothing is changed then."""
        self._order(settings)
        for worker in self._workers:
            worker.terminate()

    def close(self) -> None:
        """End the workers, and give everything back."""
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.wait()
        self._opened.close()
        self._settings.close()
        self._snapshot.close()
        for block in self._reports:
            block.close()

    def _reported(self) -> Iterator[Report]:
        """The last report of each worker."""
        for block in self._reports:
            with contextlib.suppress(OSError, ValueError):  # it died in the act
                yield block.get() or Report()

    def _order(self, settings: ServerSettings) -> None:
        """Have workers started from now on serve by these."""
        listeners = tuple(listener for listener, _ in self._sockets)
        self._settings.set(
            Orders(settings, listeners, tuple(self._leaps), self._keys, self._nts)
        )

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        blocks = self._settings, self._snapshot, self._reports[number]
        fds = [block.fd for block in blocks]
        fds += [sockets[number].fileno() for _, sockets in self._sockets]
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main"
        command = [sys.executable, "-I", "-c", f"{code}; main(sys.argv[1:])"]
        command += map(str, (os.getpid(), *fds))
        self._started_s[number] = time.monotonic()
        return subprocess.Popen(command, pass_fds=fds)  # noqa: S603 - ourselves


def main(arguments: Sequence[str]) -> None:
    """Be a worker until the parent is gone."""
    parent, *fds = map(int, arguments)
    orders, reports = Shared(Orders, fds[0]).get(), Shared(Report, fds[2])
    snapshot = Shared(ClockSnapshot, fds[1])

    def published() -> ClockSnapshot:
        value = snapshot.get()
        assert value is not None  # noqa: S101 - set before we were started
        return value

    assert orders is not None  # noqa: S101 - as above
    settings = orders.settings
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent will say when
    authentication = Authentication(orders.keys, orders.nts, owner=False)
    services = [
        NtpService(
            UdpSocket(
                socket.socket(fileno=fd),
                cards_here(settings.hardware_stamps, log.warning),
            ),
            published,
            FreeClock(),
            settings,
            random.random,
            listener=listener,
            leaps=orders.leaps,
            authenticators=authentication.authenticators(),
        )
        for fd, listener in zip(fds[3:], orders.listeners, strict=True)
    ]
    for service in services:
        threading.Thread(target=_for_ever, args=(service,), daemon=True).start()
    while os.getppid() == parent:
        total: Counter[str] = Counter()
        for service in services:
            total.update(service.counters())
        clients = chain.from_iterable(s.clients(_CLIENTS) for s in services)
        denied = chain.from_iterable(s.denied(_CLIENTS) for s in services)
        reports.set(
            Report(
                total,
                tuple(busiest(clients, _CLIENTS)),
                tuple(busiest(denied, _CLIENTS)),
            )
        )
        authentication.refresh()
        time.sleep(1)


def _for_ever(service: NtpService) -> None:
    try:
        while True:
            service.serve(SECOND)
    finally:
        os._exit(1)  # half a worker is worse than none: the parent starts a new one
