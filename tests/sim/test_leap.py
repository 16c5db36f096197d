"""Leap seconds end to end, sampled ten times a second, steered and left alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from hw.emu.faults import Fault, Kind
from hw.emu.gnss.receiver import ReceiverModel
from hw.sim.fast import Run, fast
from hw.sim.scenarios import SCENARIOS, Scenario
from refclock.engine.engine import Engine
from refclock.engine.policy import EngineSettings
from refclock.published import DELETE, INSERT, NO_WARNING
from refclock.timebase import DAY, MILLISECOND, SECOND, Duration, Utc
from tests.sim.play import FREE, STEERED, engine

MIDNIGHT = Utc.of(2027, 1, 1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client was told at one moment."""

    from_midnight_s: float
    """True TAI less that of the midnight the leap second ends at or leaves out."""
    error_s: float
    bound_s: float
    indicator: int


def asked(world: Scenario, mind: Engine, seconds: int) -> list[Answer]:
    """Ten answers a second."""
    run = Run(world, mind, 1)
    assert world.leap is not None
    told: list[Answer] = []

    def ask() -> None:
        true = run.world.now()
        local, mono = run.clock.read()
        snapshot = mind.snapshot
        if not snapshot.synchronised(mono):
            return
        tai = snapshot.tai(local, Duration(local.ns - mono.ns))
        told.append(
            Answer(
                (true - turn).seconds,
                (snapshot.posix(tai) - world.leaps.posix(true)).seconds,
                snapshot.bound_at(mono).seconds,
                snapshot.indicator(tai, mono),
            )
        )

    turn = world.leap.second.at
    for k in range(seconds):
        for tenth in range(10):
            at = world.begins + k * SECOND + (50 + 100 * tenth) * MILLISECOND
            run.world.at(at, ask)
        run.second(k)
    return told


def honest(answers: list[Answer]) -> bool:
    outside = sum(abs(each.error_s) > each.bound_s for each in answers)
    return outside <= 0.003 * len(answers)


@pytest.mark.parametrize("settings", [STEERED, FREE], ids=["steered", "left alone"])
@pytest.mark.parametrize("name", ["leap-insert", "leap-delete", "leap-59-twice"])
def test_around_the_leap(name: str, settings: EngineSettings) -> None:
    world = SCENARIOS[name]
    answers = asked(world, engine(world, settings), 130)
    assert honest(answers)
    around = [each for each in answers if abs(each.from_midnight_s) < 5]
    assert len(around) > 90
    assert max(abs(each.error_s) for each in around) < 5e-6
    announced = DELETE if name == "leap-delete" else INSERT
    assert {a.indicator for a in answers if a.from_midnight_s < -0.1} == {announced}
    assert {a.indicator for a in answers if a.from_midnight_s > 0.1} == {NO_WARNING}


@pytest.mark.parametrize("seed", [4, 5])
@pytest.mark.parametrize("name", ["leap-insert", "leap-delete"])
def test_the_kernel_is_left_to_turn_its_clock(name: str, seed: int) -> None:
    """It does so at its next tick, when the pulse of that second was answered: a word
    that none is due would call it off, and the second be slewed for half an hour."""
    world = replace(SCENARIOS[name], clock_error_s=0.0)
    assert world.leap is not None
    turned = world.leap.second.at + 2 * SECOND
    lived = list(fast(world, engine(world), hours=90 / 3600, seed=seed))
    after = [second for second in lived if second.at > turned]
    assert len(after) > 25
    assert all(second.synchronised for second in lived[30:])
    assert max(abs(second.clock_error_s) for second in after) < 2e-6


@pytest.mark.parametrize(
    ("name", "indicator"), [("leap-insert", 1), ("leap-delete", 2)]
)
def test_announced_for_a_day(name: str, indicator: int) -> None:
    world = SCENARIOS[name]
    start = MIDNIGHT - DAY - 60 * SECOND
    answers = asked(replace(world, start=start), engine(world), 120)
    assert {a.indicator for a in answers if a.from_midnight_s < -86_401} == {NO_WARNING}
    assert {a.indicator for a in answers if a.from_midnight_s > -86_399} == {indicator}


@pytest.mark.parametrize("settings", [STEERED, FREE], ids=["steered", "left alone"])
def test_told_by_the_receiver_alone(settings: EngineSettings) -> None:
    world = replace(
        SCENARIOS["leap-late"],
        start=MIDNIGHT - 240 * SECOND,
        receivers=(ReceiverModel(ubx=True, leap_notice_s=120.0),),
    )
    table = replace(world.table, expires=world.start - 30 * DAY)
    answers = asked(world, engine(world, settings, table=table), 300)
    assert honest(answers)
    assert max(abs(each.error_s) for each in answers) < 1e-3


def test_in_the_dark() -> None:
    """The receiver is gone for the minutes around it; what is known is served."""
    must_not_serve = tuple(
        Fault(kind, 120, 240) for kind in (Kind.NO_PULSE, Kind.SILENT)
    )
    world = SCENARIOS["leap-insert"]
    world = replace(world, start=MIDNIGHT - 240 * SECOND, faults=must_not_serve)
    answers = asked(world, engine(world), 480)
    assert honest(answers)
    assert max(abs(each.error_s) for each in answers) < 50e-6
