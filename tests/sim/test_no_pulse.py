"""A receiver without a pulse: what its sentences alone are worth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hw.emu.faults import Fault, Kind
from hw.sim.fast import Run, Second
from hw.sim.scenarios import SCENARIOS, Scenario
from refclock.discipline.mode import Mode, Signal, next_mode
from refclock.engine.engine import Engine
from refclock.engine.kept.memory import Memory
from refclock.engine.policy import AcquireSettings, EngineSettings, HoldoverSettings
from refclock.timebase import Mono
from tests.sim.play import engine

CONTENT = EngineSettings(
    acquire=AcquireSettings(limit_s=1.0), holdover=HoldoverSettings(limit_s=1.0)
)
"""An operator whom a second will do."""
NOMINAL = SCENARIOS["nominal"]


def speaking(lag_s: float, *faults: Fault) -> Scenario:
    return replace(
        NOMINAL,
        receivers=(replace(NOMINAL.receiver_model, lag_s=lag_s),),
        faults=faults,
    )


def lived(world: Scenario, mind: Engine, seconds: int) -> list[Second]:
    run = Run(world, mind, 1)
    seen = [run.second(k) for k in range(seconds)]
    return [second for second in seen if second is not None]


@pytest.mark.parametrize("lag_s", [0.02, 0.25, 0.65, 0.9])
def test_of_a_lag_nobody_knows_the_bound_tells(lag_s: float) -> None:
    """400 ms off what is supposed, and it still holds: the lag is a line of it."""
    world = speaking(lag_s, Fault(Kind.NO_PULSE))
    mind = engine(world, CONTENT)
    snapshot = [second for second in lived(world, mind, 300) if second.synchronised]
    assert len(snapshot) > 270
    assert all(abs(second.error_s) < second.bound_s < 1.1 for second in snapshot)
    assert snapshot[-1].error_s == pytest.approx(0.25 - lag_s, abs=0.1)
    status = mind.status(Mono(300 * 10**9))
    assert status.bound_parts["sentence lag"] == 0.75
    assert status.reason.startswith("kept by sentences alone: no pulse")
    assert (status.stratum, status.refid) == (1, "GPS")


def test_of_a_lag_once_learned_they_are_worth_milliseconds() -> None:
    before = engine(speaking(0.65))
    lived(speaking(0.65), before, 300)
    assert "sentence lag" not in before.status(Mono(400 * 10**9)).bound_parts
    kept = Memory.parse(before.memory().text())
    world = speaking(0.65, Fault(Kind.NO_PULSE))
    after = lived(world, engine(world, CONTENT, memory=kept), 300)
    snapshot = [second for second in after if second.synchronised]
    assert len(snapshot) > 270
    assert all(abs(second.error_s) < second.bound_s for second in snapshot)
    assert snapshot[-1].bound_s < 0.05


def test_of_a_clock_not_known_yet_no_sentence_makes_a_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the start, and again when another stepped the clock."""
    modes = [Mode.COLD]

    def noted(mode: Mode, signal: Signal) -> Mode:
        changed = next_mode(mode, signal)
        if changed is not mode:
            modes.append(changed)
        return changed

    monkeypatch.setattr("refclock.engine.certainty.next_mode", noted)
    world = speaking(0.25, Fault(Kind.NO_PULSE), Fault(Kind.STEP_S, 100, 1, 5.0))
    lived(world, engine(world, CONTENT), 200)
    assert modes == [Mode.COLD, Mode.HOLDOVER, Mode.COLD, Mode.HOLDOVER]
