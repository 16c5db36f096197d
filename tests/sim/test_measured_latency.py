"""What watching the pulse's pin is worth: the same world, with the pin and without."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from statistics import fmean

import pytest

from hw.sim.fast import Second, fast
from hw.sim.scenarios import SCENARIOS
from refclock.engine.engine import Engine
from refclock.events import Bracket, Command, Event
from refclock.timebase import MICROSECOND, Duration
from tests.sim.play import STEERED, Watched

TRUE_US = 9.0
PRIOR_US = 5.0
SPREAD_US = 5
MINUTES = 20
SETTLED_S = 360


class Blind(Watched):
    """An engine that is not told what was seen of the pin."""

    def handle(self, event: Event) -> tuple[Command, ...]:
        """Pass it on, unless it is of the pin."""
        return () if isinstance(event, Bracket) else super().handle(event)


@cache
def lived(kind: type[Watched], seed: int, look_s: float = 1e-6) -> list[Second]:
    """A while on a board that stamps later than its kind."""
    nominal = SCENARIOS["nominal"]
    receiver = nominal.receiver_model
    pulse = replace(receiver.pulse, latency_s=TRUE_US * 1e-6, look_s=look_s)
    world = nominal.having(replace(receiver, pulse=pulse))
    mind = Engine(
        STEERED,
        world.table,
        world.table.updated,
        latency=Duration.from_seconds(PRIOR_US * 1e-6),
        latency_spread=SPREAD_US * MICROSECOND,
        precision=-30,
    )
    return list(fast(world, kind(mind), hours=MINUTES / 60, seed=seed))


def bias_us(seconds: list[Second]) -> float:
    """Of what was served, once settled."""
    return 1e6 * fmean(second.error_s for second in seconds[SETTLED_S:])


@pytest.mark.slow
def test_watching_the_pin_takes_the_bias_off() -> None:
    for seed in (1, 2):
        assert abs(bias_us(lived(Watched, seed))) < 0.3


def test_without_it_the_board_errs_by_what_its_prior_is_off() -> None:
    bias = bias_us(lived(Blind, 1))
    assert abs(abs(bias) - (TRUE_US - PRIOR_US)) < 0.3


def test_the_bound_shrinks_and_holds() -> None:
    with_pin, without = lived(Watched, 1), lived(Blind, 1)
    assert with_pin[-1].bound_s < 0.5 * without[-1].bound_s
    outside = [s for s in with_pin[30:] if abs(s.error_s) > s.bound_s]
    assert len(outside) <= 0.003 * len(with_pin)


def test_what_is_seen_too_coarsely_is_not_believed_over_the_prior() -> None:
    coarse = lived(Watched, 1, look_s=20e-6)
    assert abs(abs(bias_us(coarse)) - (TRUE_US - PRIOR_US)) < 0.3
