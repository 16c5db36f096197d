"""Pulses of any period serve, where it can be known which of them is the second."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest

from hw.emu.faults import Fault, Kind
from hw.emu.server import Upstream
from hw.sim.fast import UPTIME, Second, fast
from hw.sim.scenarios import SCENARIOS, Scenario
from refclock.reasons import Code
from refclock.timebase import SECOND
from tests.sim.play import engine

NOMINAL = SCENARIOS["nominal"]


def world(
    *,
    period_s: float,
    width_s: float = 0.1,
    stamped: Literal["rising", "both"] = "rising",
) -> Scenario:
    receiver = NOMINAL.receiver_model
    pulse = replace(receiver.pulse, period_s=period_s, width_s=width_s, stamped=stamped)
    return NOMINAL.having(replace(receiver, pulse=pulse))


def served(lived: list[Second], since: int) -> None:
    """From `since` on, steadily, right and covered."""
    assert {second.mode for second in lived[since:]} == {"TRACK"}
    assert max(abs(second.error_s) for second in lived[since:]) < 5e-6
    assert all(abs(second.error_s) <= second.bound_s for second in lived[since:])


@pytest.mark.parametrize("period_s", [2.0, 8.0, 16.0])
def test_slow_pulses(period_s: float) -> None:
    mind = engine(world(period_s=period_s))
    lived = list(fast(world(period_s=period_s), mind, hours=0.1, seed=1))
    served(lived, 40 + round(5 * period_s))


def test_each_edge_of_a_square_wave_of_half_a_hertz() -> None:
    square = world(period_s=2.0, width_s=1.0, stamped="both")
    mind = engine(square)
    lived = list(fast(square, mind, hours=0.05, seed=1))
    served(lived, 60)


@pytest.mark.parametrize(("period_s", "width_s"), [(0.2, 0.05), (0.5, 0.1)])
def test_several_pulses_a_second_need_one_who_tells_them_apart(
    period_s: float, width_s: float
) -> None:
    several = world(period_s=period_s, width_s=width_s)
    mind = engine(several)
    lived = list(fast(several, mind, hours=0.03, seed=1))
    assert not any(second.synchronised for second in lived)
    assert mind.reason(UPTIME + len(lived) * SECOND).code is Code.SEVERAL_PULSES
    before = engine(NOMINAL)
    list(fast(NOMINAL, before, hours=0.05, seed=2))
    remembers = engine(several, memory=before.memory())
    served(list(fast(several, remembers, hours=0.05, seed=1)), 60)
    asked = replace(
        several, upstreams=(Upstream("other", "trust"), Upstream("third", "trust"))
    )
    served(list(fast(asked, engine(asked), hours=0.05, seed=1)), 60)


@pytest.mark.slow
def test_missing_pulses_are_no_silence() -> None:
    """Every fifth is missing: the mode stays, and so the name of the source."""
    gaps = replace(NOMINAL, faults=(Fault(Kind.MISSED, size=0.2),))
    lived = list(fast(gaps, engine(gaps), hours=0.5, seed=1))
    modes = [second.mode for second in lived[300:]]
    assert sum(a != b for a, b in pairwise(modes)) <= 4
