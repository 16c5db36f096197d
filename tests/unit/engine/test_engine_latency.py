"""What the engine makes of a pin that was watched."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from refclock.engine.engine import Engine
from refclock.engine.policy import ClockSettings, EngineSettings
from refclock.events import Bracket, Edge, PulseEdge
from refclock.timebase import MICROSECOND, MILLISECOND, ZERO, Duration
from tests.unit.engine.by_hand import LEAPS, World

FREE = EngineSettings(clock=ClockSettings(steer=False))
PRIOR = 20 * MICROSECOND


@dataclass
class Watched(World):
    """Every pulse's pin is watched: it rose `late` before the stamp."""

    half: Duration = MICROSECOND
    """Half a bracket."""
    hastened: Duration = ZERO
    """How much sooner a pulse that is watched is stamped."""
    every: int = 1
    watched: int = 0
    stale: bool = False
    """Brackets of a clock that was stepped since."""

    def edge(self, edge: Edge = Edge.ASSERT) -> PulseEdge:
        stamped = super().edge(edge)
        if self.seq % self.every:
            return stamped
        self.watched += 1
        rose = stamped.at - self.late
        era = self.era - self.stale
        self.tell(Bracket(rose - self.half, rose + self.half, self.mono, era))
        hastened = self.hastened
        return PulseEdge(
            stamped.at - hastened, stamped.mono - hastened, self.seq, self.era, edge
        )


def engine(settings: EngineSettings = FREE, spread: Duration = PRIOR) -> Engine:
    return Engine(settings, LEAPS, LEAPS.updated, latency=PRIOR, latency_spread=spread)


def budget(world: World) -> dict[str, float]:
    return dict(world.engine.status(world.mono).bound_parts)


@pytest.mark.parametrize("late_us", [0, 12, 33])
@pytest.mark.parametrize("steer", [False, True])
def test_a_measured_latency_replaces_the_prior(late_us: int, steer: bool) -> None:
    settings = EngineSettings(clock=ClockSettings(steer=steer))
    world = Watched(engine(settings), late=late_us * MICROSECOND)
    world.run(10)
    assert abs(world.wrong - (PRIOR - world.late)) < 2 * MICROSECOND
    assert budget(world)["pulse latency"] == pytest.approx(20e-6)
    world.run(60)
    assert abs(world.wrong) < MICROSECOND
    assert budget(world)["measured pulse latency"] < 2e-6
    assert "pulse latency" not in budget(world)


def test_the_time_served_is_right_from_the_moment_it_is_measured() -> None:
    world = Watched(engine(), late=ZERO)
    errors = []
    for _ in range(60):
        world.run(1)
        errors.append(abs(world.wrong))
    assert not any(2 * MICROSECOND < error < 18 * MICROSECOND for error in errors[10:])


def test_what_is_measured_after_the_stamp_counts_before_the_next() -> None:
    world = Watched(engine(), late=12 * MICROSECOND, every=1_000_000)
    world.run(20)
    told_us = now_us = 0.0
    while "pulse latency" in budget(world):
        world.pass_(500 * MILLISECOND)
        rose = world.local
        world.pass_(world.late)
        world.tell(world.edge())
        told_us = abs(world.wrong.ns) / 1000
        world.tell(Bracket(rose - world.half, rose + world.half, world.mono, 0))
        now_us = abs(world.wrong.ns) / 1000
        world.say()
        world.pass_(500 * MILLISECOND - world.late)
    assert told_us > 7
    assert now_us < 1


def test_no_jump_is_suspected_and_no_pulse_lost_by_it() -> None:
    world = Watched(engine(), late=ZERO)
    world.run(60)
    assert world.alarms == []
    assert world.engine.status(world.mono).pulses == pytest.approx(58, abs=2)


def test_what_is_surer_than_the_measurement_stands() -> None:
    world = Watched(engine(spread=MICROSECOND), late=ZERO, half=4 * MICROSECOND)
    world.run(60)
    assert world.watched > 50
    assert abs(world.wrong - PRIOR) < MICROSECOND
    assert budget(world)["pulse latency"] == pytest.approx(1e-6)


def test_a_bracket_of_before_a_step_is_not_used() -> None:
    world = Watched(engine(), late=ZERO, stale=True)
    world.run(60)
    assert "measured pulse latency" not in budget(world)


def test_it_is_the_latency_of_pulses_nobody_watches() -> None:
    world = Watched(engine(), late=12 * MICROSECOND, hastened=5 * MICROSECOND, every=8)
    world.run(300)
    assert budget(world)["measured pulse latency"] < 4e-6
    assert abs(world.wrong) < MICROSECOND


def test_it_follows_a_latency_that_changes() -> None:
    world = Watched(engine(), late=12 * MICROSECOND)
    world.run(100)
    world.late += 3 * MICROSECOND
    world.run(200)
    assert abs(world.wrong) < MICROSECOND
