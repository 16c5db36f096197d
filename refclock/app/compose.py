"""Settings and a board made into a daemon: the composition root of `run` and `demo`."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final

from refclock.app.keys.authentication import Authentication
from refclock.app.serving.services import key_exchange, services
from refclock.app.storage.files import read_at_most
from refclock.app.storage.recorder import FileRecorder, RecordedStream
from refclock.app.storage.state import StateFile, recall
from refclock.app.upstreams import upstream_devices
from refclock.board.ports import Board, ByteStream, PpsLine, SystemClock
from refclock.config import Config
from refclock.daemon.control import ControlServer
from refclock.daemon.daemon import Daemon
from refclock.daemon.drive import measured_precision
from refclock.daemon.supervise import Device, Driver, plain
from refclock.drivers.gnss import GnssDriver
from refclock.drivers.latency import PAUSE_S, LatencyDriver, Unseen
from refclock.drivers.pps import PpsDriver
from refclock.drivers.rtc import RtcDriver
from refclock.drivers.thermometer import ThermometerDriver
from refclock.engine.kept.recording import Beginning
from refclock.events import GPS0, ONE_PAIR, PIN0, PPS0, RTC0, TEMP0
from refclock.published import ClockSnapshot
from refclock.receiver.configurator import Configurator
from refclock.receiver.profile import profile
from refclock.timebase import (
    SECOND,
    Duration,
    LeapTable,
    LeapTableError,
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
    with _advising("it is set in keys.file or [nts]", "keys: "):
        authentication = Authentication(config.keys, config.nts)
    state = StateFile(path)
    engine = beginning.engine()
    sources = [
        *_sources(config, board, recorder, lambda: engine.snapshot),
        *upstream_devices(
            config,
            authentication.keys,
            board.clock,
            lambda: engine.snapshot,
            leaps.updated,
        ),
    ]
    daemon = Daemon(
        engine,
        board.clock,
        sources,
        save=lambda engine: state.save(engine.memory()),
        save_every=config.state.save_every_s * SECOND,
        recorder=recorder,
        finish=state.close,
    )
    with contextlib.ExitStack() as opened:
        opened.callback(state.close)
        if recorder is not None:
            opened.callback(recorder.close)
        daemon.attach(reload=authentication.reload)
        published, clock = daemon.snapshot, board.clock
        if packets is not None:
            move = packets.moved
            published, clock = (lambda: move(daemon.snapshot())), packets.clock
        if authentication.cookies is not None:
            exchange = key_exchange(config, authentication.cookies, published, clock)
            daemon.attach(service=opened.enter_context(contextlib.closing(exchange)))
        for service in services(config, published, clock, leaps.leaps, authentication):
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
