from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from hw.emu.server import EmulatedServer, Upstream
from hw.emu.world import World
from refclock.drivers.servers.associations import Entry
from refclock.drivers.servers.driver import UpstreamDriver
from refclock.drivers.servers.network import Exchange, Job, Network, Place, RefusedError
from refclock.events import (
    Command,
    Event,
    NoReply,
    ServerAdded,
    ServerRemoved,
    ServerReply,
)
from refclock.ntp.nts.aead import Algorithm
from refclock.ntp.nts.cookies import Association
from refclock.ntp.nts.records import Agreed
from refclock.published import ClockSnapshot
from refclock.timebase import (
    DAY,
    MINUTE,
    SECOND,
    Duration,
    LeapTable,
    Local,
    Mono,
    Tai,
    Utc,
)
from refclock.upstream.sealing import Plain
from refclock.upstream.settings import UpstreamSettings

LEAPS = LeapTable((), 37 * SECOND, Utc.of(2017, 1, 1), Utc.of(2050, 1, 1))
NOON = Utc.of(2026, 12, 1, 12)
AGREED = Agreed(
    Association(Algorithm.SIV, bytes(32), bytes(32)), [bytes(96)] * 8, "ntp.test", 1123
)


@dataclass
class Done:
    """A job that ends as told."""

    value: object = None
    error: OSError | None = None
    given_up: bool = False

    def result(self) -> object:
        if self.error is not None:
            raise self.error
        return self.value

    def end(self) -> None:
        self.given_up = True


@dataclass
class Wire:
    """A socket to an emulated server that answers at once; silent if its address is."""

    net: Net
    place: Place
    held: list[bytes] = field(default_factory=list)
    closed: bool = False

    @property
    def ours(self) -> str:
        return "192.0.2.100"

    def send(self, data: bytes) -> Local:
        if self.place[0] in self.net.unroutable:
            raise OSError(101, "Network is unreachable")
        self.net.sent.append((self.place, data))
        answer = self.net.server.answer(data, self.net.world.now())
        if answer is not None and self.place[0] not in self.net.silent:
            self.held.append(answer.data)
        return self.net.clock.read()[0]

    def read(self) -> tuple[bytes, Local]:
        if not self.held:
            raise BlockingIOError
        return self.held.pop(0), self.net.clock.read()[0]

    def fileno(self) -> int:
        return self.net.readable if self.held else self.net.quiet

    def close(self) -> None:
        self.closed = True


class Clock:
    """One that is right and that nobody sets. Used by one test."""

    era = 0

    def __init__(self, world: World) -> None:
        self._world = world
        self._began = world.now()

    def read(self) -> tuple[Local, Mono]:
        passed = self._world.now() - self._began
        return Local(NOON.ns) + passed, Mono(1000 * SECOND.ns) + passed

    def apply(self, _command: Command) -> None:
        raise AssertionError("no server commands our clock")


class Net:
    """What the driver sees of the world. Used by one test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = World(LEAPS.tai(NOON))
        self.clock = Clock(self.world)
        model = Upstream("a", there_s=0.0, back_s=0.0, jitter_s=0.0)
        self.server = EmulatedServer(model, Tai(self.world.now().ns), LEAPS, 1)
        self.places: Sequence[Place] = [("192.0.2.1", 123)]
        self.lookup_error: OSError | None = None
        self.keys: Done = Done(AGREED)
        self.true = False
        self.silent: set[str] = set()
        self.unroutable: set[str] = set()
        self.sent: list[tuple[Place, bytes]] = []
        self.looked_up: list[tuple[str, int]] = []
        self.exchanges = 0
        self.readable, self.quiet = 1, 2
        monkeypatch.setattr("select.poll", lambda: Polled(self))
        self.wires: list[Wire] = []

    def look_up(self, host: str, port: int, _family: str) -> Job[Sequence[Place]]:
        self.looked_up.append((host, port))
        return Done(self.places, self.lookup_error)  # type: ignore[return-value]

    def exchange(self, _settings: UpstreamSettings) -> tuple[Exchange, bool]:
        self.exchanges += 1
        return self.keys, self.true  # type: ignore[return-value]

    def open(self, place: Place) -> Wire:
        self.wires.append(Wire(self, place))
        return self.wires[-1]

    def driver(self, settings: UpstreamSettings) -> UpstreamDriver:
        network = Network(self.look_up, self.exchange, lambda: self.true)
        sealing = None if settings.nts else Plain()
        entry = Entry(settings, sealing, network, Random(1))
        snapshot = ClockSnapshot.unknown(-20)
        return UpstreamDriver(
            [entry], self.open, self.clock, lambda: snapshot, Random(1)
        )

    def run(self, driver: UpstreamDriver, length: Duration) -> list[Event]:
        """Poll every second for so long."""
        found: list[Event] = []
        for _ in range(round(length.seconds)):
            found += driver.poll()
            self.world.run(self.world.now() + SECOND)
        return found


class Polled:
    """select.poll, of wires."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._numbers: set[int] = set()

    def register(self, number: int, _what: int) -> None:
        self._numbers.add(number)

    def poll(self, _limit_ms: float) -> list[tuple[int, int]]:
        return [(n, 1) for n in self._numbers if n == self._net.readable]


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    return Net(monkeypatch)


def kinds(events: Sequence[Event], kind: type) -> list[Event]:
    return [each for each in events if isinstance(each, kind)]


def test_one_server_is_asked_in_a_burst_and_then_every_16_seconds(net: Net) -> None:
    found = net.run(net.driver(UpstreamSettings("ntp.test")), MINUTE)
    first, second = kinds(found, ServerAdded)
    assert (first.address, second.address) == ("", "192.0.2.1")  # type: ignore[union-attr]
    assert 6 <= len(kinds(found, ServerReply)) <= 8
    assert not kinds(found, NoReply)
    assert net.looked_up == [("ntp.test", 123)]
    assert all(wire.closed for wire in net.wires)
    assert len(net.wires) == len(net.sent)


def test_a_pool_is_four_servers_and_one_that_is_dead_is_replaced(net: Net) -> None:
    net.places = [(f"192.0.2.{n}", 123) for n in range(1, 7)]
    settings = UpstreamSettings("pool.test", pool=True)
    driver = net.driver(settings)
    found = net.run(driver, 10 * SECOND)
    asked = {place[0] for place, _ in net.sent}
    assert len(asked) == 4
    assert [each.server for each in kinds(found, ServerRemoved)] == ["pool.test"]  # type: ignore[union-attr]
    dead = min(asked)
    net.silent = {dead}
    found = net.run(driver, 10 * MINUTE)
    assert [each.server for each in kinds(found, ServerRemoved)] == [dead]  # type: ignore[union-attr]
    net.sent.clear()
    net.run(driver, MINUTE)
    assert len({place[0] for place, _ in net.sent} - {dead}) == 4


def test_the_only_address_is_kept_however_dead(net: Net) -> None:
    net.silent = {"192.0.2.1"}
    found = net.run(net.driver(UpstreamSettings("ntp.test")), 30 * MINUTE)
    assert len(kinds(found, ServerAdded)) == 2
    assert len(kinds(found, NoReply)) > 10
    assert len(net.looked_up) <= 6


def test_a_name_that_is_not_known_is_tried_again(net: Net) -> None:
    net.lookup_error = OSError("unknown name: Temporary failure")
    driver = net.driver(UpstreamSettings("ntp.test"))
    (silent,) = kinds(net.run(driver, 30 * SECOND), NoReply)
    assert silent.why == "unknown name: Temporary failure"  # type: ignore[union-attr]
    net.lookup_error = None
    assert kinds(net.run(driver, 2 * MINUTE), ServerReply)


def test_an_address_without_a_route_is_told(net: Net) -> None:
    net.unroutable = {"192.0.2.1"}
    found = net.run(net.driver(UpstreamSettings("ntp.test")), 3 * SECOND)
    assert "cannot be reached: Network is unreachable" in {
        each.why  # type: ignore[union-attr]
        for each in kinds(found, NoReply)
    }


NTS = UpstreamSettings("ke.test", nts=True)


def test_with_nts_the_keys_come_first_and_say_whom_to_ask(net: Net) -> None:
    found = net.run(net.driver(NTS), 3 * SECOND)
    assert net.looked_up == [("ntp.test", 1123)]
    assert all(len(data) > 200 for _, data in net.sent)
    assert not kinds(found, ServerReply)  # it does not prove its answers


def test_a_key_exchange_under_way_ends_with_its_driver(net: Net) -> None:
    net.keys = Done()  # not done yet
    driver = net.driver(NTS)
    net.run(driver, 3 * SECOND)
    assert not net.keys.given_up
    driver.close()
    assert net.keys.given_up


def test_keys_nobody_answers_to_are_exchanged_anew(net: Net) -> None:
    driver = net.driver(NTS)
    net.run(driver, 3 * SECOND)
    assert net.exchanges == 1
    net.run(driver, 20 * SECOND)
    assert net.exchanges == 2
    net.run(driver, 10 * MINUTE)
    assert net.exchanges <= 6


@pytest.mark.parametrize(
    ("error", "most"), [(OSError("no route"), 7), (RefusedError("not it"), 2)]
)
def test_a_key_exchange_that_fails_is_tried_ever_more_seldom(
    net: Net, error: OSError, most: int
) -> None:
    net.keys = Done(None, error)
    found = net.run(net.driver(NTS), 20 * MINUTE)
    assert net.exchanges == most
    assert f"key exchange: {error}" in {each.why for each in kinds(found, NoReply)}  # type: ignore[union-attr]
    assert not net.sent


def test_the_certificate_is_checked_again_at_the_true_time(net: Net) -> None:
    driver = net.driver(NTS)
    net.run(driver, 2 * SECOND)
    assert net.exchanges == 1
    net.true = True
    net.keys = Done(None, RefusedError("its certificate is not good: expired"))
    net.run(driver, 2 * SECOND)
    assert net.exchanges == 2
    net.sent.clear()
    net.run(driver, MINUTE)
    assert not net.sent


def test_after_two_weeks_the_address_is_kept_if_it_is_listed(net: Net) -> None:
    driver = net.driver(UpstreamSettings("ntp.test", least_s=1024))
    net.run(driver, 3 * SECOND)
    net.world.run(net.world.now() + 15 * DAY)
    found = net.run(driver, 3 * SECOND)
    assert len(net.looked_up) == 2
    assert not kinds(found, ServerAdded)
    net.places = [("192.0.2.2", 123)]
    net.world.run(net.world.now() + 15 * DAY)
    (added,) = kinds(net.run(driver, 3 * SECOND), ServerAdded)
    assert added.address == "192.0.2.2"  # type: ignore[union-attr]
