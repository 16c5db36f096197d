from __future__ import annotations

import json
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest

from hw.linux.clock import FreeClock
from refclock.daemon.daemon import Daemon
from refclock.daemon.drive import measured_precision
from refclock.daemon.parts import Published
from refclock.daemon.supervise import Device, Driver
from refclock.engine.engine import Engine
from refclock.engine.kept.recording import Counted, Entry, Outcome
from refclock.engine.policy import EngineSettings
from refclock.events import (
    GPS0,
    PPS0,
    TEMP0,
    Command,
    Configured,
    Dropped,
    DropReason,
    Event,
    Found,
    Identity,
    InForce,
    Interference,
    Lost,
    SetRate,
    SourceId,
    Temperature,
    Tick,
)
from refclock.published import ClockSnapshot
from refclock.server.admission.clients import ClientStatus
from refclock.server.settings import ServerSettings
from refclock.timebase import (
    HOUR,
    MILLISECOND,
    SECOND,
    Duration,
    LeapTable,
    Local,
    Mono,
    Tai,
    Utc,
)

PATIENCE_S = 5.0
LEAPS = LeapTable((), 37 * SECOND, Utc.of(2017, 1, 1), Utc.of(2050, 1, 1))


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second as short as a test likes it, but for those that measure it."""
    if "real_seconds" not in request.fixturenames:
        monkeypatch.setattr("refclock.daemon.daemon._TICK", 50 * MILLISECOND)


@pytest.fixture
def real_seconds() -> None:
    """Asked for by tests of how long something takes."""


class Clock:
    """The machine's own, never steered; what it was told is kept."""

    def __init__(self) -> None:
        self._free = FreeClock()
        self.told: list[Command] = []

    @property
    def era(self) -> int:
        return self._free.era

    def read(self) -> tuple[Local, Mono]:
        return self._free.read()

    def apply(self, command: Command) -> None:
        self.told.append(command)


class FakeEngine(Engine):
    """Remembers what it was told, and by which thread; wants nothing."""

    def __init__(self, *, ends_at: int | None = None) -> None:
        super().__init__(EngineSettings(), LEAPS, LEAPS.updated)
        self.heard: list[Event] = []
        self.threads: set[int] = set()
        self._ends_at = ends_at

    def handle(self, event: Event) -> tuple[Command, ...]:
        self.heard.append(event)
        self.threads.add(threading.get_ident())
        if len(self.heard) == self._ends_at:
            raise ZeroDivisionError("a bug")
        return super().handle(event)

    def shutdown(self) -> tuple[Command, ...]:
        return (SetRate(7.0),)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.heard if isinstance(event, kind)]


class FakeDriver:
    """Gives what is put in; an exception in its turn is raised."""

    def __init__(self, *script: Event | Exception) -> None:
        self.inside: queue.SimpleQueue[Event | Exception] = queue.SimpleQueue()
        self.closed = False
        for each in script:
            self.inside.put(each)

    def poll(self) -> Iterator[Event]:
        try:
            given = self.inside.get(timeout=0.02)
        except queue.Empty:
            return
        if isinstance(given, Exception):
            raise given
        yield given

    def close(self) -> None:
        self.closed = True


class FakeService:
    def __init__(self, **counters: object) -> None:
        self._counters: dict[str, Any] = dict(counters)
        self.known: list[ClientStatus] = []
        self.settings: list[ServerSettings] = []
        self.closed = False
        self.swept = threading.Event()

    def serve(self, limit: Duration) -> None:
        assert limit <= SECOND
        time.sleep(0.01)
        self.swept.set()

    def counters(self) -> dict[str, Any]:
        return self._counters

    def denied(self, most: int) -> list[ClientStatus]:
        return [ClientStatus("8.8.8.8", 3.0, 17, 4, 0, 0)][:most]

    def clients(self, most: int) -> list[ClientStatus]:
        if self.closed:
            raise AssertionError("asked after it was closed")
        return self.known[:most]

    def reload_access(self, settings: ServerSettings) -> None:
        self.settings.append(settings)

    def close(self) -> None:
        self.closed = True


class FakeControl:
    def __init__(self) -> None:
        self.closed = False
        self.swept = threading.Event()

    def serve(self, limit_s: float) -> None:
        assert limit_s <= 1.0
        time.sleep(0.01)
        self.swept.set()

    def close(self) -> None:
        self.closed = True


class FakeRecorder:
    def __init__(self) -> None:
        self.lines: list[Entry] = []
        self.closed = False

    def write(self, line: Entry) -> None:
        self.lines.append(line)

    def close(self) -> None:
        self.closed = True


def source(
    driver: Driver | Callable[[], Driver], source: SourceId = GPS0, every_s: float = 0.0
) -> Device:
    def opened() -> tuple[Driver, str]:
        return (driver() if callable(driver) else driver), "/dev/emulated"

    return Device(source, opened, every_s)


class Running:
    """A daemon in a thread of its own, with all it needs."""

    def __init__(
        self,
        *sources: Device,
        engine: FakeEngine | None = None,
        save_every: Duration = HOUR,
        services: Sequence[FakeService] = (),
        controls: Sequence[FakeControl] = (),
        recorder: FakeRecorder | None = None,
    ) -> None:
        self.engine = engine or FakeEngine()
        self.clock = Clock()
        self.saved: list[Engine] = []
        self.error: BaseException | None = None
        self.daemon = Daemon(
            self.engine,
            self.clock,
            sources,
            self.saved.append,
            save_every,
            recorder,
        )
        for service in services:
            self.daemon.attach(service=service)
        for control in controls:
            self.daemon.attach(control=control)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.daemon.run()
        except BaseException as error:
            self.error = error

    def until(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, "it never came to that"
            time.sleep(0.005)

    def ended(self, within_s: float = PATIENCE_S) -> None:
        self._thread.join(within_s)
        assert not self._thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.daemon.stop()
        self._thread.join(PATIENCE_S)


def reading(number: float) -> Temperature:
    return Temperature(Mono(1), number, "fake", GPS0)


def test_what_is_published_is_read_whole() -> None:
    box = Published(1)
    assert box.get() == 1
    box.set(2)
    assert box.get() == 2


def test_events_reach_the_engine_in_order_and_in_one_thread() -> None:
    told = [reading(n) for n in range(50)]
    with Running(source(FakeDriver(*told))) as running:
        running.until(lambda: len(running.engine.of(Temperature)) == 50)
    assert running.engine.of(Temperature) == told
    assert len(running.engine.threads) == 1
    found = running.engine.of(Found)[0]
    assert isinstance(found, Found)
    assert (found.source, found.detail) == (GPS0, "/dev/emulated")


@pytest.mark.usefixtures("real_seconds")
def test_time_passes_for_the_engine_once_a_second() -> None:
    began = time.monotonic()
    with Running() as running:
        running.until(lambda: len(running.engine.of(Tick)) >= 2)
        assert time.monotonic() - began > 0.9
    assert SetRate(0.0) in running.clock.told  # what it wanted at the first tick


def test_a_lost_device_is_opened_again() -> None:
    drivers = [
        FakeDriver(reading(1), OSError("unplugged")),
        FakeDriver(reading(2)),
    ]
    left = list(drivers)
    with Running(source(lambda: left.pop(0))) as running:
        running.until(lambda: reading(2) in running.engine.heard)
    kinds = [type(event) for event in running.engine.heard]
    assert [kind for kind in kinds if kind not in {Tick, InForce}] == [
        Found,
        Temperature,
        Lost,
        Found,
        Temperature,
    ]
    lost = running.engine.of(Lost)[0]
    assert isinstance(lost, Lost)
    assert (lost.source, lost.why) == (GPS0, "unplugged")
    assert all(driver.closed for driver in drivers)


def test_the_longer_a_device_is_away_the_more_seldom_it_is_sought() -> None:
    tries: list[float] = []

    def away() -> Driver:
        tries.append(time.monotonic())
        raise OSError("no such device")

    with Running(source(away)) as running:
        running.until(lambda: len(tries) >= 3)
    gaps = [later - before for before, later in pairwise(tries)]
    assert gaps[0] > 0.2
    assert gaps[1] > 1.5 * gaps[0]


def test_one_lost_device_does_not_hold_up_another() -> None:
    def away() -> Driver:
        raise OSError("no such device")

    alive = FakeDriver(reading(1))
    with Running(source(away, PPS0), source(alive)) as running:
        running.until(lambda: bool(running.engine.of(Lost)))
        running.until(lambda: reading(1) in running.engine.heard)
    opened = [each for each in running.engine.heard if isinstance(each, Found)]
    assert [found.source for found in opened] == [GPS0]


def test_a_device_is_polled_as_often_as_it_is_told() -> None:
    polled: list[float] = []

    class Slow(FakeDriver):
        def poll(self) -> Iterator[Event]:
            polled.append(time.monotonic())
            yield reading(1)

    with Running(source(Slow(), every_s=0.2)) as running:
        running.until(lambda: len(polled) >= 3)
    assert polled[2] - polled[0] > 0.35


@pytest.mark.usefixtures("real_seconds")
def test_stopping_takes_less_than_two_seconds() -> None:
    parts = FakeService(), FakeControl()
    driver = FakeDriver()
    idle = FakeDriver()
    with Running(
        source(driver),
        source(idle, TEMP0, 3600.0),
        services=[parts[0]],
        controls=[parts[1]],
    ) as running:
        running.until(parts[0].swept.is_set)
        running.until(parts[1].swept.is_set)
        began = time.monotonic()
        running.daemon.stop()
        running.ended()
        assert time.monotonic() - began < 2.0
    assert running.error is None
    assert driver.closed
    assert idle.closed
    assert parts[0].closed
    assert parts[1].closed


def test_the_clock_is_left_in_good_order() -> None:
    with Running() as running:
        running.until(lambda: running.engine.heard)
    assert running.clock.told[-1] == SetRate(7.0)


@pytest.mark.parametrize("where", ["engine", "driver", "opener", "service", "control"])
def test_a_bug_in_any_thread_ends_the_run_and_is_raised(where: str) -> None:
    class BadService(FakeService):
        def serve(self, limit: Duration) -> None:
            raise ZeroDivisionError(f"{limit}")

    class BadControl(FakeControl):
        def serve(self, limit_s: float) -> None:
            raise ZeroDivisionError(f"{limit_s}")

    def bad_opener() -> Driver:
        raise ZeroDivisionError

    bad_driver = FakeDriver(ZeroDivisionError())
    opener = {"driver": lambda: bad_driver, "opener": bad_opener}.get(where, FakeDriver)
    with Running(
        source(opener),
        engine=FakeEngine(ends_at=1 if where == "engine" else None),
        services=[BadService() if where == "service" else FakeService()],
        controls=[BadControl() if where == "control" else FakeControl()],
    ) as running:
        running.ended(within_s=2.0)
    assert isinstance(running.error, ZeroDivisionError)
    assert running.saved == [running.engine]


def test_the_first_of_several_bugs_is_raised() -> None:
    serving, raised = threading.Event(), threading.Event()

    class Late(FakeService):
        def serve(self, limit: Duration) -> None:
            serving.set()
            raised.wait(limit.seconds)
            time.sleep(0.05)
            raise KeyError("second")

    def first() -> Driver:
        serving.wait(PATIENCE_S)
        raised.set()
        raise ZeroDivisionError("first")

    with Running(source(first), services=[Late()]) as running:
        running.ended()
    assert isinstance(running.error, ZeroDivisionError)


def test_what_services_count_is_summed() -> None:
    services = [
        FakeService(requests=3, served=2, clients=1),
        FakeService(requests=4, dropped=1, clients=2),
    ]
    with Running(services=services) as running:
        counted = running.daemon.counters()
        assert counted["requests"] == 7
        assert (counted["served"], counted["dropped"]) == (2, 1)
        assert counted["clients"] == 3


def test_a_client_of_two_listeners_is_told_once() -> None:
    services = FakeService(), FakeService()
    near, far = (ClientStatus(who, 2.0, 5, 4, 0, 1) for who in ("10.0.0.1", "::/64"))
    many = [replace(far, address=str(n), count=1) for n in range(20)]
    services[0].known = [near, far, *many]
    services[1].known = [replace(near, age_s=1.0, version=3)]
    with Running(services=services) as running:
        answers = running.daemon.answers()
        assert json.loads(answers["status"](True))["denied"] == [
            {**asdict(ClientStatus("8.8.8.8", 3.0, 34, 4, 0, 0))}
        ]
        shown = json.loads(answers["status"](True))["clients"]
        told = json.loads(answers["clients"](True))["clients"]
        public = json.loads(answers["status"](False))
        refused = json.loads(answers["clients"](False))
    both = ClientStatus("10.0.0.1", 1.0, 10, 3, 0, 2)
    assert shown[:2] == [asdict(both), asdict(far)]
    assert (len(shown), len(told)) == (10, 22)
    assert told[:10] == shown
    assert (public["clients"], public["denied"]) == ([], [])
    assert "told to root" in refused["error"]
    assert running.daemon.clients(10) == []


def test_what_was_counted_outlives_the_services() -> None:
    class Forgetful(FakeService):
        def counters(self) -> dict[str, Any]:
            if self.closed:
                raise AssertionError("asked after it was closed")
            return super().counters()

    with Running(services=[Forgetful(requests=3)]) as running:
        pass
    assert running.daemon.counters() == {"requests": 3}
    assert running.error is None


def test_other_rules_reach_every_service() -> None:
    services = FakeService(), FakeService()
    settings = ServerSettings(port=0, tell_denied=True)
    with Running(services=services) as running:
        running.daemon.reload_access(settings)
    assert [each.settings for each in services] == [[settings], [settings]]


def test_it_is_saved_now_and_then_and_at_the_end() -> None:
    with Running(save_every=Duration(1)) as running:
        running.until(lambda: running.saved)
        assert running.saved == [running.engine]
        before = len(running.saved)
    assert len(running.saved) > before


def test_it_is_not_saved_more_often_than_asked() -> None:
    with Running(save_every=HOUR) as running:
        running.until(lambda: len(running.engine.of(Tick)) >= 2)
        assert running.saved == []
    assert running.saved == [running.engine]


def test_errands_are_run_by_the_engines_own_thread() -> None:
    ran: list[int] = []
    with Running() as running:
        running.daemon.call_soon(lambda: ran.append(threading.get_ident()))
        running.daemon.call_soon(lambda: ran.append(threading.get_ident()))
        running.until(lambda: len(ran) == 2)
    assert set(ran) == running.engine.threads


def test_a_run_is_recorded_facts_and_outcomes() -> None:
    recorder = FakeRecorder()
    driver = FakeDriver(reading(1))
    service = FakeService(requests=3)
    with Running(source(driver), services=[service], recorder=recorder) as running:
        running.until(lambda: reading(1) in running.engine.heard)
        running.until(lambda: len(running.engine.of(Tick)) >= 3)
    facts = [line for line in recorder.lines if not isinstance(line, Outcome | Counted)]
    assert facts == running.engine.heard
    ticks = [n for n, line in enumerate(recorder.lines) if isinstance(line, Tick)]
    assert all(isinstance(recorder.lines[n + 1], Outcome) for n in ticks)
    assert recorder.lines[ticks[0] + 1] == Outcome(
        (SetRate(0.0),), running.engine.snapshot
    )
    assert isinstance(recorder.lines[ticks[0] + 2], InForce)
    assert recorder.lines[-1] == Counted({"requests": 3})
    assert recorder.closed


def test_others_are_told_how_it_is() -> None:
    with Running(
        source(FakeDriver(Identity(Mono(1), "u-blox"))),
        services=[FakeService(requests=3)],
    ) as running:
        running.until(lambda: running.daemon.status().receiver == "u-blox")
        told = json.loads(running.daemon.answers()["status"](True))
    assert told["mode"] == "COLD"
    assert told["receiver"] == "u-blox"
    assert told["server"] == {"requests": 3}
    assert running.daemon.snapshot().stratum == 16


def test_what_is_served_is_what_the_engine_published_last() -> None:
    class Serving(FakeEngine):
        def handle(self, event: Event) -> tuple[Command, ...]:
            super().handle(event)
            self._clock.snapshot = snapshot(len(self.heard))
            return ()

    with Running(engine=Serving()) as running:
        running.until(lambda: running.daemon.snapshot().stratum != 16)
    assert running.daemon.snapshot() is running.engine.snapshot


def snapshot(stratum: int) -> ClockSnapshot:
    return ClockSnapshot(
        stratum=stratum,
        ref_id=b"PPS\0",
        at=Mono(1),
        local=Local(1),
        correction=SECOND,
        rate=0.0,
        updated=Tai(1),
        bound=SECOND,
        bound_rate=0.0,
        utc_behind_tai=37 * SECOND,
        leap=None,
        precision=-20,
    )


def test_the_log_tells_of_devices_and_of_the_mode(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "refclock")
    now = FreeClock().read()[1]
    drop = Dropped(now, DropReason.BINARY, "?")
    changed = Configured(now, "GSV: 1 -> 5, changed")
    first = FakeDriver(drop, changed, OSError("unplugged"))
    left = [first, FakeDriver()]
    with Running(source(lambda: left.pop(0))) as running:
        running.until(lambda: len(running.engine.of(Found)) == 2)
        running.until(lambda: any("still COLD" in text for text in caplog.messages))
    said = caplog.messages
    assert "gps0: opened /dev/emulated" in said
    assert "gps0: GSV: 1 -> 5, changed" in said
    assert "gps0: unplugged" in said
    assert said[0].startswith("COLD: ")
    assert len([text for text in said if text.startswith("COLD: ")]) == 1


def test_the_log_tells_of_each_alarm_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("refclock.integrity.alarm.HOLD", SECOND)
    caplog.set_level(logging.INFO, "refclock")
    now = FreeClock().read()[1]
    jammed = Interference(now, jammed=True, spoofed=False, detail="jammed")
    over = Interference(now, jammed=False, spoofed=False, detail="")
    driver = FakeDriver(jammed)
    with Running(source(driver)) as running:
        running.until(lambda: any("alarm: " in text for text in caplog.messages))
        ticks = len(running.engine.of(Tick))
        running.until(lambda: len(running.engine.of(Tick)) > ticks + 2)
        driver.inside.put(over)
        running.until(lambda: any("alarm over" in text for text in caplog.messages))
    alarms = [text for text in caplog.messages if "alarm" in text]
    assert len(alarms) == 2
    assert alarms[0].removeprefix("alarm: ") == alarms[1].removeprefix("alarm over: ")


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_service_manager_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, abstract: bool
) -> None:
    path = f"@refclock-test-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path.replace("@", "\0"))
        manager.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        with Running():
            assert manager.recv(1000) == b"READY=1"
            watchdog, status = manager.recv(1000).decode().split("\n")
        told = [manager.recv(1000)]
        while told[-1].startswith(b"WATCHDOG"):
            told.append(manager.recv(1000))
    assert watchdog == "WATCHDOG=1"
    assert status.startswith("STATUS=COLD: no sentence from the receiver")
    assert told[-1] == b"STOPPING=1"


@pytest.mark.parametrize(
    ("gap_ns", "precision"), [(1, -29), (250, -21), (1000, -19), (0, -19)]
)
def test_precision_is_the_shortest_step_of_the_clock(
    gap_ns: int, precision: int
) -> None:
    class Stepping(Clock):
        at = 0

        def read(self) -> tuple[Local, Mono]:
            self.at += gap_ns
            return Local(self.at), Mono(self.at)

    assert measured_precision(Stepping()) == precision
