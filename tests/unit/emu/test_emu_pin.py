"""The emulated pin: what a processor sees of the pulse, and when it sees none."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from hw.emu.clock import VirtualClock
from hw.emu.faults import Fault, Kind, Timeline
from hw.emu.gnss.pulse import PulseModel
from hw.emu.gnss.receiver import Receiver, ReceiverModel
from hw.emu.oscillator import Oscillator, OscillatorModel
from hw.emu.pin import EmulatedPin
from hw.emu.world import World, second_after
from hw.linux.clock import FreeClock
from hw.sim.live import LiveWorld
from hw.sim.scenarios import SCENARIOS
from refclock.timebase import (
    MICROSECOND,
    MILLISECOND,
    SECOND,
    Duration,
    LeapTable,
    Local,
    Mono,
    Tai,
    Utc,
)

START = Tai(1_800_000_000 * SECOND.ns)
LEAPS = LeapTable((), 37 * SECOND, Utc.of(2017, 1, 1), Utc.of(2050, 1, 1))
TURN_S = 1e-6


def pin_and_edge(rise: Tai | None, seed: int = 1) -> tuple[EmulatedPin, VirtualClock]:
    world = World(START)
    steady = OscillatorModel(offset_ppb=0.0, walk_ppb=0.0, curve_ppb=0.0)
    clock = VirtualClock(
        world.now, Oscillator.of(steady, 1), Local(START.ns), Mono(SECOND.ns)
    )
    return EmulatedPin(clock, lambda: rise, TURN_S, seed), clock


def test_the_edge_lies_within_the_bracket() -> None:
    widths = set()
    for seed in range(200):
        rise = START + SECOND
        pin, clock = pin_and_edge(rise, seed)
        found = pin.change(Local(START.ns) + 2 * SECOND)
        assert found is not None
        low, high = found
        edge, _ = clock.at(rise + MILLISECOND)
        assert low <= edge - MILLISECOND <= high
        widths.add((high - low).ns)
    assert min(widths) == pytest.approx(2_000, abs=2)
    assert max(widths) > 10_000


def test_an_edge_that_comes_too_late_or_never_is_none() -> None:
    until = Local(START.ns) + SECOND
    late, _ = pin_and_edge(START + SECOND + 100 * MICROSECOND)
    never, _ = pin_and_edge(None)
    assert late.change(until) is None
    assert never.change(until) is None
    late.close()


def receiver(receiver_model: ReceiverModel, *faults: Fault) -> Receiver:
    return Receiver(receiver_model, START, LEAPS, Timeline(faults), 1)


def test_the_pin_rises_before_it_is_stamped_and_only_with_a_pulse() -> None:
    receiver_model = ReceiverModel(
        pulse=PulseModel(latency_s=9e-6, jitter_s=0.0, tail_share=0.0, sawtooth_s=20e-9)
    )
    second = START + SECOND
    told = receiver(receiver_model)
    rise = told.rises(second)
    assert rise is not None
    ((stamped, _),) = told.edges(second)
    assert stamped - rise == 9 * MICROSECOND
    assert abs(rise - second) <= Duration(20)
    assert receiver(receiver_model, Fault(Kind.NO_PULSE, 0)).rises(second) is None
    assert receiver(receiver_model, Fault(Kind.COLD, 0)).rises(second) is None


def test_the_second_after() -> None:
    assert second_after(START) == START
    assert second_after(START + Duration(1)) == START + SECOND


@pytest.mark.slow
def test_in_real_time_the_real_loop_looks_at_it() -> None:
    receiver_model = replace(
        SCENARIOS["nominal"].receiver_model, pulse_without_fix=True
    )
    world = LiveWorld(SCENARIOS["nominal"].having(receiver_model), 1, FreeClock())
    pin = world.open_pin()
    rise = world.mono(second_after(world.now()))
    local, now = world.clock.read()
    time.sleep(max((rise - now - 50 * MILLISECOND).seconds, 0.0))
    edge = local + (rise - now)
    found = pin.change(edge + 5 * MILLISECOND)
    assert found is not None
    assert found[0] - MICROSECOND <= edge <= found[1] + MICROSECOND
    pin.close()
    world.stop()
