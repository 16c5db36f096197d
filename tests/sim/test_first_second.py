"""A receiver that names another second within moments of the first pulses: alarmed,
and right again by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hw.emu.faults import Fault, Kind
from hw.sim.fast import fast
from hw.sim.scenarios import SCENARIOS
from tests.sim.play import Watched, engine

SECONDS = 130


@pytest.mark.parametrize(
    ("ahead_s", "until_s"),
    [
        (-1, 4),
        (1, 4),
        *(pytest.param(1, end, marks=pytest.mark.slow) for end in (5, 8)),
    ],
)
def test_a_second_corrected_at_the_start_is_served_right_in_the_end(
    ahead_s: int, until_s: int
) -> None:
    lie = Fault(Kind.LIE_S, for_s=until_s, size=ahead_s)
    world = replace(SCENARIOS["nominal"], faults=(lie,))
    mind = Watched(engine(world))
    lived = list(fast(world, mind, hours=SECONDS / 3600, seed=1))
    assert "second" in mind.alarms
    served = [second for second in lived[90:] if second.synchronised]
    assert len(served) == SECONDS - 90
    assert all(abs(second.error_s) < second.bound_s < 1e-3 for second in served)
