"""Of what an engine serves, whatever its pulses were like."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refclock.discipline.mode import Mode
from refclock.engine.engine import Engine
from refclock.engine.policy import EngineSettings, HoldoverSettings
from refclock.events import Temperature
from refclock.timebase import MICROSECOND, MILLISECOND, SECOND, ZERO, Duration
from tests.unit.engine.by_hand import LEAPS, World

SETTINGS = EngineSettings(holdover=HoldoverSettings(1.0))
late = st.integers(0, 5_000).map(Duration)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(late, min_size=12, max_size=50),
    st.lists(st.integers(1, 3_000), min_size=20, max_size=60),
    st.lists(st.floats(20.0, 60.0), min_size=60, max_size=60),
)
def test_while_nothing_is_heard_the_bound_only_grows(
    pulses: list[Duration], waits_ms: list[int], celsius: list[float]
) -> None:
    """At every instant, through updates and between them."""
    engine = Engine(SETTINGS, LEAPS, LEAPS.updated, latency_spread=MICROSECOND)
    world = World(engine, error=ZERO)
    for world.late in pulses:
        world.second()
    world.pulses = world.sentences = False
    world.pass_(3 * SECOND)
    world.tell(world.tick())
    assert world.mode() is Mode.HOLDOVER
    before = world.bound
    for wait_ms, warmth in zip(waits_ms, celsius, strict=False):
        world.pass_(wait_ms * MILLISECOND)
        assert world.bound >= before
        before = world.bound
        world.tell(Temperature(world.mono, warmth, "beside it"))
        world.tell(world.tick())
        assert world.mode() is Mode.HOLDOVER
        assert world.bound >= before
        parts = engine.status(world.mono).bound_parts
        assert sum(parts.values()) * 1e9 == pytest.approx(world.bound.ns)
