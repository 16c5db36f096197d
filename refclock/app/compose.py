"""Settings and a board made into a daemon: the composition root of `run` and `demo`."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Final

from hw.net.hardware import cards_here
from hw.net.listen import BroadcastSender, Place, inherited, interface_of, places
from hw.net.udp import UdpSocket
from refclock.app.authentication import Authentication
from refclock.app.cookiefile import CookieKeyFile
from refclock.app.files import read_at_most
from refclock.app.in_kernel import InKernel, kernel_responder, standing_at
from refclock.app.recorder import FileRecorder, RecordedStream
from refclock.app.state import StateFile, recall
from refclock.app.workers import Workers
from refclock.board.ports import Board, ByteStream, PpsLine, SystemClock
from refclock.config import Config
from refclock.daemon.control import ControlServer
from refclock.daemon.daemon import Daemon
from refclock.daemon.drive import measured_precision
from refclock.daemon.parts import Service
from refclock.daemon.supervise import Device, Driver, plain
from refclock.drivers.gnss import GnssDriver
from refclock.drivers.latency import PAUSE_S, LatencyDriver, Unseen
from refclock.drivers.pps import PpsDriver
from refclock.drivers.rtc import RtcDriver
from refclock.drivers.thermometer import ThermometerDriver
from refclock.engine.recording import Beginning
from refclock.events import GPS0, ONE_PAIR, PIN0, PPS0, RTC0, TEMP0
from refclock.published import ClockSnapshot
from refclock.receiver.configurator import Configurator
from refclock.receiver.profile import profile
from refclock.server.broadcast import Broadcast
from refclock.server.service import NtpService
from refclock.server.settings import ListenerSettings
from refclock.timebase import (
    SECOND,
    Duration,
    LeapSecond,
    LeapTable,
    LeapTableError,
    Utc,
)

log = logging.getLogger("refclock")

_SEEK_AFTER: Final = 15 * SECOND
"""A receiver unreadable for so long may speak at another speed now."""

_SYSTEM_LEAP_FILES: Final = (
    Path("/usr/share/zoneinfo/leap-seconds.list"),
    Path("/var/lib/refclock/leap-seconds.list"),
)
_LARGEST_LEAP_FILE: Final = 1 << 20


def leap_table(setting: str) -> LeapTable:
    """The table `leap.file` names; "auto": the newest of the system's and ours.

    OSError, LeapTableError: the file named cannot be used.
    """
    if setting != "auto":
        return LeapTable.parse(_text(Path(setting)))
    packaged = files("refclock.timebase").joinpath("leap-seconds.list").read_text()
    tables = [LeapTable.parse(packaged)]
    for path in _SYSTEM_LEAP_FILES:
        try:
            tables.append(LeapTable.parse(_text(path)))
        except (OSError, LeapTableError) as error:
            log.debug("%s: %s", path, error)
    return max(tables, key=lambda table: table.expires)


def _text(path: Path) -> str:
    return read_at_most(path, _LARGEST_LEAP_FILE).decode("ascii", errors="replace")


@dataclass(frozen=True, slots=True)
class PacketClock:
    """What stamps packets, where that is not the board's clock but another one."""

    clock: SystemClock
    moved: Callable[[ClockSnapshot], ClockSnapshot]
    """The same time, for readings of that clock."""


def compose(
    config: Config,
    board: Board,
    leaps: LeapTable,
    record: Path | None = None,
    packets: PacketClock | None = None,
) -> Daemon:
    """The daemon, its doors open. OSError: a port, socket or file cannot be had.

    `record`: a file to keep the run in, for `refclock replay`.
    """
    path = Path(config.state.file)
    memory = recall(path)
    beginning = Beginning(
        config.engine(),
        leaps,
        leaps.updated,
        board.pulse_latency,
        board.pulse_latency_spread,
        measured_precision(board.clock),
        memory,
        (*ONE_PAIR, *(each.sources for each in board.watched)),
    )
    with _advising("name a file in a folder that is there and may be written"):
        recorder = None if record is None else FileRecorder(record, beginning)
    state = StateFile(path)
    engine = beginning.engine()
    daemon = Daemon(
        engine,
        board.clock,
        list(_sources(config, board, recorder, lambda: engine.snapshot)),
        save=lambda engine: state.save(engine.memory()),
        save_every=config.state.save_every_s * SECOND,
        recorder=recorder,
        finish=state.close,
    )
    with contextlib.ExitStack() as opened:
        opened.callback(state.close)
        if recorder is not None:
            opened.callback(recorder.close)
        with _advising("it is set in keys.file or [nts]", "keys: "):
            authentication = Authentication(config.keys, config.nts)
        daemon.attach(reload=authentication.reload)
        published, clock = daemon.snapshot, board.clock
        if packets is not None:
            move = packets.moved
            published, clock = (lambda: move(daemon.snapshot())), packets.clock
        if authentication.cookies is not None:
            exchange = _key_exchange(config, authentication.cookies, published, clock)
            daemon.attach(service=opened.enter_context(contextlib.closing(exchange)))
        for service in _services(config, published, clock, leaps.leaps, authentication):
            daemon.attach(service=opened.enter_context(contextlib.closing(service)))
        door = Path(config.control.socket)
        everyone = config.control.everyone
        with _advising("control.socket may name another path", "control.socket: "):
            control = ControlServer(door, daemon.answers(), everyone=everyone)
        daemon.attach(control=control)
        opened.pop_all()
    return daemon


@contextlib.contextmanager
def _advising(action: str, key: str = "") -> Iterator[None]:
    """An OSError with its path also gets the setting and what to do next."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{key}{plain(error)}; {action}") from error


def _key_exchange(
    config: Config,
    cookies: CookieKeyFile,
    published: Callable[[], ClockSnapshot],
    clock: SystemClock,
) -> Service:
    """The process that exchanges keys of NTS. OSError: it cannot be started."""
    try:
        module = import_module("refclock.app.keyexchange")
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

    exchange: Service = module.KeyExchange(config.nts, config.server, cookies, now)
    return exchange


def _services(
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
            raise OSError("sockets passed on by systemd cannot be shared by workers")
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
        raise OSError(f"to broadcast to {to[0]} takes an IPv4 address to listen at")


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


def _sources(
    config: Config,
    board: Board,
    recorder: FileRecorder | None,
    snapshot: Callable[[], ClockSnapshot],
) -> Iterator[Device]:
    """Every device the board has, and how a driver is put on it."""
    if open_receiver := board.open_receiver:
        found: dict[str, bytes] = {}
        seek = _SEEK_AFTER if config.receiver.baud == "auto" else None

        def receiver() -> tuple[Driver, str]:
            stream = open_receiver()
            heard = stream if recorder is None else RecordedStream(stream, recorder)
            if not config.receiver.configure:
                return GnssDriver(heard, seek_after=seek), stream.name
            configurator = Configurator(profile(stream.bits_per_second), found)
            tell = partial(log.info, "receiver: %s")
            return GnssDriver(heard, configurator, tell, seek), stream.name

        yield Device(GPS0, receiver)
    if open_pulse := board.open_pulse:
        yield Device(PPS0, partial(_pulse_driver, open_pulse, board))
    for pair in board.watched:
        yield Device(
            pair.sources.receiver, partial(_receiver_driver, pair.open_receiver)
        )
        if pair.open_pulse is not None:
            yield Device(
                pair.sources.pulse, partial(_pulse_driver, pair.open_pulse, board)
            )
    if open_pin := board.open_pin:

        def pin() -> tuple[Driver, str]:
            try:
                seen = open_pin()
            except OSError as error:
                return Unseen(), f"nothing: {error}; the board's prior stands"
            return LatencyDriver(seen, board.clock, snapshot, time.sleep), seen.name

        yield Device(PIN0, pin, PAUSE_S)
    if open_thermometer := board.open_thermometer:

        def thermometer() -> tuple[Driver, str]:
            sensor = open_thermometer()
            return ThermometerDriver(sensor, board.clock), sensor.name

        yield Device(TEMP0, thermometer, config.thermometer.every_s)
    if open_rtc := board.open_rtc:

        def rtc() -> tuple[Driver, str]:
            chip = open_rtc()
            spread = Duration.from_seconds(config.rtc.spread_s)
            return RtcDriver(chip, board.clock, spread, time.sleep), chip.name

        yield Device(RTC0, rtc, config.rtc.every_s)


def _receiver_driver(open_receiver: Callable[[], ByteStream]) -> tuple[Driver, str]:
    stream = open_receiver()
    return GnssDriver(stream), stream.name


def _pulse_driver(
    open_pulse: Callable[[], PpsLine], board: Board
) -> tuple[Driver, str]:
    line = open_pulse()
    return PpsDriver(line, board.clock), line.name
