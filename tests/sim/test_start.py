"""How fast it is right: from nothing, and from what an earlier run left."""

from __future__ import annotations

import statistics

import pytest

from hw.sim.fast import Second, fast
from hw.sim.scenarios import SCENARIOS
from refclock.engine.kept.memory import Memory
from refclock.timebase import Duration
from tests.sim.play import engine

WORLD = SCENARIOS["nominal"]


def after(seconds: list[Second], moment_s: float) -> list[Second]:
    return [s for s in seconds if s.at - WORLD.begins > Duration.from_seconds(moment_s)]


@pytest.mark.parametrize("seed", range(1, 6))
def test_cold_start(seed: int) -> None:
    lived = list(fast(WORLD, engine(WORLD), hours=0.1, seed=seed))
    assert all(second.synchronised for second in after(lived, 10))
    assert max(abs(second.error_s) for second in after(lived, 30)) < 10e-6
    assert max(abs(second.error_s) for second in after(lived, 300)) < 1e-6


@pytest.mark.slow
def test_warm_start() -> None:
    """Half of all runs are below 1 us for good within 20 s; all, within 45 s."""
    before = engine(WORLD)
    for _ in fast(WORLD, before, hours=0.3, seed=4):
        pass
    kept = Memory.parse(before.memory().text())
    below: list[int] = []
    for seed in range(100, 109):
        mind = engine(WORLD, memory=kept)
        lived = list(fast(WORLD, mind, hours=0.025, seed=seed))
        wide = [k for k, s in enumerate(lived) if abs(s.error_s) >= 1e-6]
        below.append(max(wide) + 1)
    assert statistics.median(below) <= 20
    assert max(below) <= 45
