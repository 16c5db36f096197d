"""What other servers do to an engine: names, stops, alarms, and what is served."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from refclock.discipline.mode import Mode
from refclock.engine.policy import EngineSettings
from refclock.events import NoReply, ServerAdded, ServerReply, Trust
from refclock.integrity.alarm import AlarmKind
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapTable,
    Utc,
)
from refclock.upstream.settings import Fallback, WitnessSettings
from tests.unit.engine.by_hand import LEAPS, World, engine

ONLY_PROVEN = EngineSettings(witness=WitnessSettings(Fallback.AUTHENTICATED))
NEVER = EngineSettings(witness=WitnessSettings(Fallback.OFF))


@dataclass
class Servers:
    """Three of them in one world, that all err alike. Used by one test."""

    world: World
    trust: Trust = Trust.NOTHING
    error: Duration = ZERO
    leap: int = 0
    stratum: int = 1
    names: tuple[str, ...] = field(default=("a", "b", "c"))

    def __post_init__(self) -> None:
        self.world.run(1)
        for name in self.names:
            self.world.tell(ServerAdded(self.world.mono, name, "", self.trust))

    def run(self, seconds: int) -> None:
        """Each answers every second."""
        for _ in range(seconds):
            self.world.second()
            true = self.world.leaps.posix(self.world.true)
            for name in self.names:
                self.world.tell(
                    ServerReply(
                        self.world.mono,
                        name,
                        true + self.error,
                        20 * MILLISECOND,
                        self.stratum,
                        self.leap,
                        2 * MILLISECOND,
                        MILLISECOND,
                        bytes([192, 0, 2, 1]),
                    )
                )

    def kinds(self) -> set[AlarmKind]:
        return {each.kind for each in self.world.engine.alarms(self.world.mono)}


def without_receiver(settings: EngineSettings = EngineSettings()) -> World:  # noqa: B008
    return World(engine(settings), pulses=False, sentences=False)


def test_before_the_first_fix_their_time_is_served_as_one_stratum_more() -> None:
    servers = Servers(without_receiver(), stratum=2)
    servers.run(5)
    world, served = servers.world, servers.world.engine.snapshot
    assert world.serves
    assert (served.stratum, served.ref_id) == (3, bytes([192, 0, 2, 1]))
    assert served.root_delay == 22 * MILLISECOND
    assert abs(world.wrong) <= world.bound < 30 * MILLISECOND
    assert world.mode() is Mode.COLD
    assert world.engine.status(world.mono).refid == "192.0.2.1"


@pytest.mark.parametrize(
    ("settings", "trust", "serves"),
    [
        (ONLY_PROVEN, Trust.NOTHING, False),
        (ONLY_PROVEN, Trust.KEY, True),
        (NEVER, Trust.NTS, False),
    ],
)
def test_a_setting_says_whose_time_is_served(
    settings: EngineSettings, trust: Trust, serves: bool
) -> None:
    servers = Servers(without_receiver(settings), trust)
    servers.run(5)
    assert servers.world.serves is serves


@pytest.mark.slow
def test_nothing_is_commanded_and_no_memory_is_made_of_them() -> None:
    servers = Servers(without_receiver(), Trust.NTS)
    servers.run(700)
    assert [each for each in servers.world.commands if "Step" in repr(each)] == []
    assert servers.world.engine.memory().last_good is None


def test_of_stratum_15_nobody_can_be_served() -> None:
    servers = Servers(without_receiver(), Trust.NTS, stratum=15)
    servers.run(5)
    assert not servers.world.serves


def test_the_served_time_ends_when_they_are_silent_for_long() -> None:
    servers = Servers(without_receiver(), Trust.NTS)
    servers.run(5)
    world = servers.world
    for name in servers.names:
        for _ in range(8):
            world.tell(NoReply(world.mono, name, "no answer"))
    world.run(2)
    assert not world.serves


def test_servers_nobody_can_forge_stop_a_wrong_second_for_as_long() -> None:
    world = World(engine(), ahead=2 * SECOND)
    world.pulses = False
    servers = Servers(world, Trust.NTS)
    servers.run(5)
    world.pulses = True
    servers.run(120)
    assert world.mode() is Mode.COLD
    assert world.engine.snapshot.stratum == 2
    assert AlarmKind.UPSTREAM in servers.kinds()
    world.ahead = ZERO
    servers.run(30)
    assert world.mode() is Mode.TRACK
    assert AlarmKind.UPSTREAM not in servers.kinds()


def test_servers_that_can_be_forged_stop_it_for_a_minute() -> None:
    world = World(engine(), pulses=False)
    servers = Servers(world, error=2 * SECOND)
    servers.run(5)
    world.pulses = True
    servers.run(50)
    assert world.mode() is not Mode.TRACK
    assert not world.serves  # nor is theirs, which the receiver contradicts
    servers.run(30)
    assert world.mode() is Mode.TRACK
    assert abs(world.wrong) < MILLISECOND
    assert "from 3 of 3 servers" in " ".join(world.alarms)


def test_a_contradiction_for_three_rounds_is_an_alarm_and_no_more() -> None:
    world = World(engine())
    servers = Servers(world, Trust.NTS)
    servers.run(30)
    assert servers.kinds() == set()
    servers.error = SECOND
    servers.run(60)
    assert servers.kinds() == {AlarmKind.UPSTREAM}
    assert world.engine.snapshot.stratum == 1
    assert abs(world.wrong) < MILLISECOND
    servers.error = ZERO
    servers.run(60)
    assert servers.kinds() == set()


def test_their_leap_second_is_believed_only_beyond_the_table() -> None:
    expired = replace(LEAPS, expires=Utc.of(2026, 1, 1))
    for table, believed in ((LEAPS, False), (expired, True)):
        world = World(engine(leaps=table), start=Utc.of(2026, 12, 31, 20))
        servers = Servers(world, Trust.NTS, leap=1)
        servers.run(30)
        leap = world.engine.snapshot.leap
        assert (leap is not None) is believed
        assert (AlarmKind.LEAP in servers.kinds()) is not believed
        if leap is not None:
            assert leap.midnight == Utc.of(2027, 1, 1)


def test_no_leap_second_at_the_end_of_another_month() -> None:
    expired: LeapTable = replace(LEAPS, expires=Utc.of(2026, 1, 1))
    servers = Servers(World(engine(leaps=expired)), Trust.NTS, leap=2)
    servers.run(30)
    assert servers.world.engine.snapshot.leap is None
