"""Who answers requests: the sockets to listen at, and a service on each of them."""

from __future__ import annotations

import errno
import logging
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Final

from hw.net.hardware import cards_here
from hw.net.listen import BroadcastSender, Place, inherited, interface_of, places
from hw.net.udp import UdpSocket
from refclock.app.keys.authentication import Authentication
from refclock.app.keys.cookiefile import CookieKeyFile
from refclock.app.serving.in_kernel import InKernel, kernel_responder, standing_at
from refclock.app.serving.workers import Workers
from refclock.board.ports import SystemClock
from refclock.config import Config
from refclock.daemon.parts import Service
from refclock.published import ClockSnapshot
from refclock.server.broadcast import Broadcast
from refclock.server.service import NtpService
from refclock.server.settings import ListenerSettings
from refclock.timebase import SECOND, Duration, LeapSecond, Utc

log = logging.getLogger("refclock")

_OWN_SOCKETS: Final = (
    "for sockets of our own take refclock.service.d/sockets.conf away as it says"
)


def key_exchange(
    config: Config,
    cookies: CookieKeyFile,
    published: Callable[[], ClockSnapshot],
    clock: SystemClock,
) -> Service:
    """The process that exchanges keys of NTS. OSError: it cannot be started."""
    try:
        module = import_module("refclock.app.keys.keyexchange")
    except ImportError as error:
        raise OSError(
            "nts is set, but the packages for it are missing:"
            " pip install 'refclock[nts]'"
        ) from error

    def now() -> Utc | None:
        snapshot, (local, mono) = published(), clock.read()
        if not snapshot.synchronised(mono):
            return None
        return snapshot.posix(snapshot.tai(local, Duration(local.ns - mono.ns)))

    try:
        exchange: Service = module.KeyExchange(config.nts, config.server, cookies, now)
    except (OSError, MemoryError) as error:
        # RestrictAddressFamilies=, and MemoryDenyWriteExecute= for the TLS library
        if isinstance(error, MemoryError) or error.errno == errno.EAFNOSUPPORT:
            raise OSError(
                f"nts: the sandbox lets no keys be exchanged; {_OWN_SOCKETS}"
            ) from error
        raise
    return exchange


def services(
    config: Config,
    published: Callable[[], ClockSnapshot],
    clock: SystemClock,
    leaps: Sequence[LeapSecond],
    authentication: Authentication | None = None,
) -> Iterator[NtpService | Workers | Broadcast | InKernel]:
    """A service for each address, or one that has workers for all of them; one that
    tells the time unasked, with the voice of the first of IPv4; and one that has the
    kernel answer in front of them."""
    settings = config.server
    responder = kernel_responder(settings)
    sockets: list[tuple[socket.socket, ListenerSettings]] = []
    for service, heard in _by_socket(config, published, clock, leaps, authentication):
        sockets += heard
        yield service
    if responder is not None:
        sockets = [each for each in sockets if settings.requirement(each[1]) is None]
        standing = [*standing_at(sockets, settings.port)]
        yield InKernel(responder, standing, published, clock, settings)


def _by_socket(
    config: Config,
    published: Callable[[], ClockSnapshot],
    clock: SystemClock,
    leaps: Sequence[LeapSecond],
    authentication: Authentication | None = None,
) -> Iterator[
    tuple[
        NtpService | Workers | Broadcast,
        Sequence[tuple[socket.socket, ListenerSettings]],
    ]
]:
    """Those that answer by sockets, each with the sockets it listens at."""
    settings = config.server
    listeners = settings.listeners(config.leap.mode)
    passed = inherited()
    if settings.workers > 1:
        if passed:
            for made in passed:
                made.close()
            raise OSError(
                "sockets passed on by systemd cannot be shared by workers; "
                f"{_OWN_SOCKETS}"
            )
        workers = Workers(
            listeners, published, settings, leaps, config.keys, config.nts
        )
        yield workers, workers.sockets
        return
    authenticators = () if authentication is None else authentication.authenticators()
    to = settings.broadcast
    for place, listener in _places(listeners, passed):
        bound = place.bound
        tell = partial(log.info, "%s: %s", bound.getsockname()[0])
        udp = UdpSocket(bound, cards_here(settings.hardware_stamps, tell), place.again)
        service = NtpService(
            udp,
            published,
            clock,
            settings,
            random.random,
            listener=listener,
            leaps=leaps,
            authenticators=authenticators,
        )
        yield service, [(bound, listener)]
        if to and bound.family == socket.AF_INET:
            sender, to = BroadcastSender(partial(getattr, place, "bound"), to), ()
            broadcast = Broadcast(
                sender.send,
                sender.close,
                service.template_now,
                clock,
                settings.broadcast_every_s * SECOND,
                time.sleep,
                log.warning,
            )
            yield broadcast, []
    if to:
        remedy = f"; {_OWN_SOCKETS}" if passed else ""
        raise OSError(
            f"to broadcast to {to[0]} takes an IPv4 address to listen at{remedy}"
        )


def _compare(
    listeners: Sequence[ListenerSettings], passed: Sequence[socket.socket]
) -> None:
    """Log what the settings name and systemd did not pass, if anything.

    A socket at :: is one at 0.0.0.0 too, unless it is for IPv6 alone.
    """
    there = set()
    for made in passed:
        address, port, *_ = made.getsockname()
        at = {address}
        if address == "::" and not made.getsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_V6ONLY
        ):
            at.add("0.0.0.0")  # noqa: S104 - compared, not bound
        there |= {(each, port, interface_of(made)) for each in at}
    missing = [
        f"{address} port {each.port}"
        + (f" on {each.interface}" if each.interface else "")
        for each in listeners
        for address in each.addresses
        if each.port and (address, each.port, each.interface) not in there
    ]
    if missing:
        log.warning(
            "not listening at %s, as the settings have it, but where systemd says (%s);"
            " %s",
            ", ".join(missing),
            ", ".join(sorted(f"{address} port {port}" for address, port, _ in there)),
            _OWN_SOCKETS,
        )


class _Passed:
    """A socket that systemd passed on, as a `Place`."""

    def __init__(self, bound: socket.socket) -> None:
        self.bound = bound

    def again(self) -> None:
        """Only systemd can open another one."""


def _places(
    listeners: Sequence[ListenerSettings], passed: Sequence[socket.socket]
) -> Iterator[tuple[Place | _Passed, ListenerSettings]]:
    """Where to listen and with which settings; on a socket passed to us those of
    `listen`, unless another listener names its place."""
    if passed:
        _compare(listeners, passed)
    for made in passed:
        address, port, *_ = made.getsockname()
        at = address, port, interface_of(made)
        named = (each for each in listeners if each.stands_at(*at))
        yield _Passed(made), next(named, listeners[0])
    if not passed:
        for listener in listeners:
            for place in places(
                listener.addresses, listener.port, listener.interface, log.warning
            ):
                yield place, listener
