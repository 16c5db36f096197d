"""Plain requests answered in the kernel, in front of the services.

The responder in the kernel is told what is published, who may ask and how often; what
it does not answer comes to the services. It lives as long as this process, and stops
answering 4 s after it was last told the time: then the services answer all.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from hw.abi.addresses import interfaces
from hw.abi.capabilities import drop_privileges
from hw.net.hardware import switch_on_all
from hw.net.listen import interface_of
from hw.net.responder.responder import KernelResponder
from refclock.board.ports import SystemClock
from refclock.board.responder import Responder
from refclock.published import ClockSnapshot
from refclock.server.admission.clients import ClientStatus, busiest
from refclock.server.plain import Standing, host_status, pace, places, statement
from refclock.server.reply import answers
from refclock.server.settings import ListenerSettings, ServerSettings
from refclock.timebase import Duration

log = logging.getLogger("refclock")

_LOOK_S: Final = 0.02
"""How late the kernel learns what was published; it carries the time on itself."""


def kernel_responder(settings: ServerSettings) -> KernelResponder | None:
    """A responder for the port of `listen`, loaded; None, with the reason logged, if
    it is not wanted or cannot be had.

    The capabilities that takes are given up then, in this thread and those it starts.
    Cards that can stamp are set up before, since that takes one of them too.
    """
    if settings.in_kernel is False:
        return None
    kinds = answers(symmetric=settings.symmetric)
    try:
        if not settings.port:
            raise OSError("that takes a port that is known, not 0")  # noqa: TRY301
        responder = KernelResponder(settings.port, kinds, settings.rate_limit.clients)
    except OSError as error:
        how = logging.INFO if settings.in_kernel == "auto" else logging.WARNING
        log.log(how, "no answers from the kernel: %s; the sockets serve", _why(error))
        return None
    if settings.hardware_stamps:
        switch_on_all(interfaces())
    drop_privileges()
    return responder


def _why(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return (
            "that takes the capabilities CAP_BPF and CAP_NET_ADMIN and the system call"
            " bpf, which the drop-in in-kernel.conf gives the systemd unit"
        )
    if error.errno in {errno.EINVAL, errno.ENOSYS}:
        return f"that takes Linux 6.1 with BPF ({error})"
    return str(error)


def standing_at(
    sockets: Iterable[tuple[socket.socket, ListenerSettings]], port: int
) -> Iterator[Standing]:
    """Those of the services' sockets that are bound to `port`."""
    for bound, listener in sockets:
        address, at, *_ = bound.getsockname()
        if at == port:
            yield Standing(address, interface_of(bound), listener)


class InKernel:
    """A responder, as a service of the daemon. `serve` is used by one thread."""

    def __init__(
        self,
        responder: Responder,
        standing: Sequence[Standing],
        published: Callable[[], ClockSnapshot],
        clock: SystemClock,
        settings: ServerSettings,
    ) -> None:
        """`standing`: the sockets of the services behind it."""
        self._responder = responder
        self._standing = standing
        self._published = published
        self._clock = clock
        self._settings = settings
        self._fault = ""
        self._snapshot = published()
        self._told_s = 0.0
        """When the responder was last told the time, monotonic."""
        self._where: list[str] = []
        self._admitted = settings
        self._admit(settings)

    def serve(self, limit: Duration) -> None:
        """Keep the responder up to date, for `limit`."""
        until = time.monotonic() + limit.seconds
        while (now := time.monotonic()) < until:
            if self._settings is not self._admitted:
                self._admit(self._settings)
            snapshot = self._published()
            if now - self._told_s >= 1.0:
                self._told_s = now
                self._state(snapshot)
                self._look()
            elif snapshot is not self._snapshot:
                self._state(snapshot)
            time.sleep(_LOOK_S)

    def counters(self) -> dict[str, int]:
        """What was answered here, and not answered: no socket ever saw it."""
        answered, refused = self._responder.counters()
        return {
            "requests": answered + refused,
            "answered": answered,
            "limited": refused,
            "answered_in_kernel": answered,
        }

    def clients(self, most: int) -> list[ClientStatus]:
        """The `most` that asked most, of those remembered. From any thread."""
        _, now = self._clock.read()
        return busiest((host_status(h, now) for h in self._responder.hosts()), most)

    def denied(self, most: int) -> list[ClientStatus]:
        """None: the services deny."""
        return [][:most]

    def reload_access(self, settings: ServerSettings) -> None:
        """Access, pace and stratum are as `settings` say within 20 ms, and all hosts
        new. From any thread."""
        self._settings = settings

    def close(self) -> None:
        """All requests go to the services."""
        self._responder.close()

    def _state(self, snapshot: ClockSnapshot) -> None:
        self._snapshot = snapshot
        self._responder.state(statement(snapshot, *self._clock.read()))

    def _admit(self, settings: ServerSettings) -> None:
        self._admitted = settings
        self._attempt(
            lambda: self._responder.admit(
                places(self._standing, settings), pace(settings.rate_limit)
            )
        )

    def _look(self) -> None:
        self._attempt(self._follow)

    def _follow(self) -> None:
        where = self._responder.look()
        if where != self._where:
            self._where = where
            log.info(
                "answering in the kernel at %s", ", ".join(where) or "no interface"
            )

    def _attempt(self, do: Callable[[], object]) -> None:
        """What the kernel refuses is left to the services, and logged once."""
        try:
            do()
        except OSError as error:
            if self._fault != str(error):
                self._fault = str(error)
                log.warning("answers from the kernel: %s", error)
