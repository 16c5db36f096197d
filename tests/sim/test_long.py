"""Days on end: no drift, no NaN, no growth. `REFCLOCK_DAYS=30` makes it a month."""

from __future__ import annotations

import os
import resource
from math import isfinite

import pytest

from hw.sim.fast import fast
from hw.sim.scenarios import SCENARIOS
from tests.sim.play import engine

DAYS = float(os.environ.get("REFCLOCK_DAYS", "2"))
_HOUR = 3600
_PAST_BYTES = 16
"""What the emulated oscillator keeps of each second; all else is to stay as it is."""


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_days_on_end() -> None:
    world = SCENARIOS["temperature-swing"]
    mind = engine(world)
    squares: list[float] = [0.0]
    worst = 0.0
    kept: list[int] = []
    held_kb: list[int] = []
    outside = seconds = 0
    for k, second in enumerate(fast(world, mind, hours=24 * DAYS, seed=1)):
        assert isfinite(second.error_s + second.bound_s + second.clock_error_s)
        if k < _HOUR:
            continue
        assert second.synchronised
        seconds += 1
        outside += abs(second.error_s) > second.bound_s
        squares[-1] += second.error_s**2
        worst = max(worst, abs(second.error_s))
        if k % (6 * _HOUR) == 0:
            squares.append(0.0)
            kept.append(len(mind.memory().text()))
            held_kb.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert outside < 0.003 * seconds
    assert worst < 20e-6  # a pulse that an unsettled filter took at its word
    assert squares[-1] < 4 * min(squares[1:])
    assert max(kept) < 2 * min(kept)  # a temperature curve comes in time
    past_kb = seconds * _PAST_BYTES // 1024
    assert held_kb[-1] - held_kb[0] < 2 * past_kb + 4096
