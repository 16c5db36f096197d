"""True time, its agenda and its dice."""

from __future__ import annotations

import pytest

from hw.emu.world import World, dice
from refclock.timebase import SECOND, Duration, Tai

START = Tai(5 * SECOND.ns)


def test_what_is_due_is_done_in_order_at_its_time() -> None:
    world, done = World(START), list[tuple[str, Tai]]()
    for name, after in (("late", 3), ("first", 1), ("second", 1)):
        world.at(
            START + after * SECOND,
            lambda name=name: done.append((name, world.now())),  # type: ignore[misc]
        )
    world.run(START + 3 * SECOND)
    assert done == [("first", START + SECOND), ("second", START + SECOND)]
    assert world.now() == START + 3 * SECOND
    world.run(START + 4 * SECOND)
    assert done[2] == ("late", START + 3 * SECOND)


def test_what_is_done_may_ask_for_more() -> None:
    world, seen = World(START), list[Tai]()

    def again() -> None:
        seen.append(world.now())
        world.at(world.now() + SECOND, again)

    world.at(START, again)
    world.run(START + 5 * SECOND)
    assert seen == [START + k * SECOND for k in range(5)]


def test_the_past_cannot_be_arranged() -> None:
    world = World(START)
    with pytest.raises(ValueError, match="ago"):
        world.at(START - Duration(1), lambda: None)


def test_every_purpose_has_its_own_dice_and_every_seed_its_own_run() -> None:
    def throws(seed: int, purpose: str) -> list[float]:
        rng = dice(seed, purpose)
        return [rng.random() for _ in range(5)]

    assert throws(1, "pulse") == throws(1, "pulse")
    assert throws(1, "pulse") != throws(1, "lag")
    assert throws(1, "pulse") != throws(2, "pulse")
