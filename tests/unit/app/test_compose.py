from __future__ import annotations

import logging
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from hw.linux.clock import FreeClock
from refclock.app import compose as module
from refclock.app.compose import compose, leap_table
from refclock.app.storage.recorder import lines
from refclock.app.storage.state import recall, remember
from refclock.board.ports import Board, Chunk, EdgeEvent
from refclock.board.wiring import ReceiverSettings
from refclock.config import Config, ControlSettings, StateSettings
from refclock.daemon.control import ask
from refclock.daemon.daemon import Daemon
from refclock.discipline.bank import Bank
from refclock.engine.kept.memory import Memory
from refclock.engine.kept.recording import Beginning
from refclock.engine.policy import ClockSettings
from refclock.events import GPS0, PIN0, PPS0, RTC0, TEMP0
from refclock.receiver.configurator import QUESTION, TRIES
from refclock.server.settings import ServerSettings
from refclock.timebase import (
    DAY,
    Duration,
    LeapTable,
    LeapTableError,
    Local,
    Mono,
    Utc,
)

PACKAGED = Path(module.__file__).parents[1] / "timebase" / "leap-seconds.list"
MEMORY = Memory.parse(Memory(Bank().learned(), {}, Utc.of(2026, 11, 23)).text())


def table(expires: Utc) -> str:
    """A leap-seconds.list that is good until then."""
    since_1900 = 2_208_988_800
    return (
        f"#$ {expires.ns // 10**9 + since_1900 - 86_400 * 180}\n"
        f"#@ {expires.ns // 10**9 + since_1900}\n"
        f"{Utc.of(2017, 1, 1).ns // 10**9 + since_1900} 37 # 1 Jan 2017\n"
    )


@pytest.fixture
def system_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Put files where the system's leap tables are sought."""

    def put(*contents: bytes | None) -> None:
        paths = [tmp_path / f"{n}.list" for n in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            if content is not None:
                path.write_bytes(content)
        monkeypatch.setattr(module, "_SYSTEM_LEAP_FILES", tuple(paths))

    return put


# the leap table


def test_the_packaged_table_serves_where_the_system_has_none(
    system_files: Callable[..., None],
) -> None:
    system_files(None, None)
    assert leap_table("auto") == LeapTable.parse(PACKAGED.read_text())


def test_the_newest_table_wins(system_files: Callable[..., None]) -> None:
    packaged = LeapTable.parse(PACKAGED.read_text())
    older, newer = packaged.expires - 300 * DAY, packaged.expires + 300 * DAY
    system_files(table(older).encode())
    assert leap_table("auto") == packaged
    system_files(table(older).encode(), table(newer).encode())
    assert leap_table("auto").expires == newer
    system_files(table(newer).encode(), table(older).encode())
    assert leap_table("auto").expires == newer


@pytest.mark.parametrize("damage", [b"", b"#@ x\n", b"\xff\xfe\x00", b"1 2 3\n"])
def test_a_system_table_that_is_none_is_passed_over(
    damage: bytes, system_files: Callable[..., None]
) -> None:
    system_files(damage)
    assert leap_table("auto") == LeapTable.parse(PACKAGED.read_text())


def test_a_table_that_is_named_is_used_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "leap"
    path.write_text(table(Utc.of(2027, 6, 28)))
    assert leap_table(str(path)).expires == Utc.of(2027, 6, 28)
    path.write_bytes(b"\xff\n")
    with pytest.raises(LeapTableError):
        leap_table(str(path))
    with pytest.raises(FileNotFoundError):
        leap_table(str(tmp_path / "none"))


# the daemon


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        clock=ClockSettings(steer=False),
        server=ServerSettings(listen=("127.0.0.1",), port=0),
        control=ControlSettings(str(tmp_path / "run" / "control.sock")),
        state=StateSettings(str(tmp_path / "state.json")),
    )


@pytest.fixture
def leaps() -> LeapTable:
    return LeapTable.parse(PACKAGED.read_text())


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def board() -> Board:
    return Board("bare", FreeClock(), None, None)


def test_a_board_without_devices_makes_a_daemon(
    config: Config, leaps: LeapTable, tmp_path: Path
) -> None:
    tape = tmp_path / "run.tape"
    daemon = compose(config, board(), leaps, tape)
    door = Path(config.control.socket)
    assert stat.S_ISSOCK(door.stat().st_mode)
    assert daemon.snapshot().stratum == 16
    daemon.stop()
    daemon.run()
    assert not door.exists()
    assert recall(Path(config.state.file)) is not None
    beginning = next(lines(tape))
    assert isinstance(beginning, Beginning)
    assert (beginning.floor, beginning.memory) == (leaps.updated, None)


def test_the_date_of_build_is_the_floor_whatever_the_state_holds(
    config: Config, leaps: LeapTable, tmp_path: Path
) -> None:
    later = replace(MEMORY, last_good=leaps.updated + 900 * DAY)
    remember(Path(config.state.file), later)
    tape = tmp_path / "run.tape"
    daemon = compose(config, board(), leaps, tape)
    daemon.stop()
    daemon.run()
    beginning = next(lines(tape))
    assert isinstance(beginning, Beginning)
    assert beginning.floor == leaps.updated
    assert beginning.memory == later


def test_a_taken_port_leaves_nothing_open(
    config: Config, leaps: LeapTable, taken: int
) -> None:
    server = replace(config.server, port=taken)
    with pytest.raises(OSError, match=str(taken)):
        compose(replace(config, server=server), board(), leaps)
    assert not Path(config.control.socket).exists()
    daemon = compose(config, board(), leaps)  # the socket's path is free
    daemon.stop()
    daemon.run()


def test_a_second_daemon_on_one_control_socket_is_refused(
    config: Config, leaps: LeapTable
) -> None:
    first = compose(config, board(), leaps)
    with pytest.raises(OSError, match="another refclock answers"):
        compose(config, board(), leaps)
    first.stop()
    first.run()


def test_a_memory_that_cannot_be_written_is_told_and_harms_nobody(
    config: Config,
    leaps: LeapTable,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("")
    state = StateSettings(str(tmp_path / "file" / "state.json"))
    daemon = compose(replace(config, state=state), board(), leaps)
    daemon.stop()
    daemon.run()
    assert "nothing will be remembered" in caplog.text


class Device:
    """A receiver, pulse line, thermometer or battery clock with nothing to say."""

    bits_per_second = 9600

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    def __call__(self) -> Self:
        return self

    def wait(self, limit: Duration) -> EdgeEvent | None:
        time.sleep(min(limit.seconds, 0.02))
        return None

    def write(self, _: object) -> None: ...

    def celsius(self) -> float:
        return 48.5

    def close(self) -> None:
        self.closed = True


class Line(Device):
    def read(self, limit: Duration) -> Chunk | None:
        time.sleep(min(limit.seconds, 0.02))
        return Chunk(b"$GPTXT,hello*00\r\n", Mono(1), Mono(2))


class LostClock(Device):
    def read(self) -> Utc | None:
        return None


@pytest.mark.parametrize("recorded", [False, True])
def test_every_device_of_the_board_gets_its_driver(
    config: Config, leaps: LeapTable, tmp_path: Path, *, recorded: bool
) -> None:
    line, pulse = Line("/dev/gps0 at 9600 Bd"), Device("/dev/pps0")
    sensor, chip = Device("cpu"), LostClock("ds3231")
    full = Board("full", FreeClock(), line, pulse, sensor, chip)
    tape = tmp_path / "run.tape" if recorded else None
    daemon = compose(config, full, leaps, tape)
    running = threading.Thread(target=daemon.run)
    running.start()
    try:
        end = time.monotonic() + 5
        while daemon.status().temperature_c is None or len(daemon.status().devices) < 4:
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        daemon.stop()
        running.join()
    assert daemon.status().devices == {
        GPS0: "/dev/gps0 at 9600 Bd",
        PPS0: "/dev/pps0",
        TEMP0: "cpu",
        RTC0: "ds3231",
    }
    assert all(each.closed for each in (line, pulse, sensor, chip))
    if tape is not None:
        told = [each for each in lines(tape) if isinstance(each, Chunk)]
        assert told[0] == Chunk(b"$GPTXT,hello*00\r\n", Mono(1), Mono(2))


class Talker(Device):
    """A receiver that speaks once a second of its own time, and is written to."""

    def __init__(self) -> None:
        super().__init__("talker")
        self.told: list[object] = []
        self.second = 0

    def read(self, limit: Duration) -> Chunk | None:
        time.sleep(min(limit.seconds, 0.001))
        self.second += 1
        now = Mono(self.second * 10**9)
        return Chunk(b"$GPGGA,,,,,,0,,,,,,,,*66\r\n", now, now)

    def write(self, data: object) -> None:
        self.told.append(data)


@pytest.mark.parametrize("configure", [False, True])
def test_a_receiver_is_configured_only_where_that_is_wished(
    config: Config, leaps: LeapTable, *, configure: bool
) -> None:
    talker = Talker()
    wished = replace(config, receiver=ReceiverSettings(configure=configure))
    daemon = compose(wished, Board("one", FreeClock(), talker, None), leaps)
    running = threading.Thread(target=daemon.run)
    running.start()
    try:
        end = time.monotonic() + 5
        while talker.second < 30:
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        daemon.stop()
        running.join()
    assert talker.told == [QUESTION] * (TRIES if configure else 0)


class Pin(Device):
    def change(
        self,
        until: Local,  # noqa: ARG002 - it never does
    ) -> tuple[Local, Local] | None:
        return None


def latency_of(daemon: Daemon) -> str:
    """What the status says of the pin, once it was opened."""
    running = threading.Thread(target=daemon.run)
    running.start()
    try:
        end = time.monotonic() + 5
        while not (said := daemon.status().devices.get(PIN0)):
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        daemon.stop()
        running.join()
    return said


def test_a_pin_is_watched_where_the_board_has_one(
    config: Config, leaps: LeapTable
) -> None:
    pin = Pin("GPIO18 in memory")
    seen = Board("full", FreeClock(), None, None, open_pin=pin)
    assert latency_of(compose(config, seen, leaps)) == "GPIO18 in memory"
    assert pin.closed


def test_a_pin_that_cannot_be_seen_is_told_once_and_the_prior_stands(
    config: Config, leaps: LeapTable, caplog: pytest.LogCaptureFixture
) -> None:
    def refused() -> Pin:
        raise FileNotFoundError("no way to look at it")

    caplog.set_level(logging.INFO)
    unobservable = Board("blind", FreeClock(), None, None, open_pin=refused)
    said = latency_of(compose(config, unobservable, leaps))
    assert said == "nothing: no way to look at it; the board's prior stands"
    assert caplog.text.count("no way to look at it") == 1


def test_nobody_is_served_where_nothing_listens(
    config: Config, leaps: LeapTable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = replace(config.server, listen=())
    daemon = compose(replace(config, server=server), board(), leaps)
    assert daemon.counters() == {}
    daemon.stop()
    daemon.run()
    with pytest.raises(OSError, match="No such file"):
        ask(Path(config.control.socket), "status")
