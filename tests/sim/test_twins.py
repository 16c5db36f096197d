"""Twins: the same world with a feature and without, and what the feature is worth."""

from __future__ import annotations

from dataclasses import replace
from math import fsum, sqrt

import pytest

from hw.emu.faults import Fault, Kind
from hw.emu.gnss.pulse import PulseModel
from hw.emu.gnss.receiver import ReceiverModel
from hw.emu.oscillator import Environment, OscillatorModel
from hw.sim.fast import fast
from hw.sim.scenarios import SCENARIOS, Scenario
from refclock.discipline import outliers
from refclock.engine.engine import Engine
from refclock.events import Command, Event, Sawtooth, Temperature
from tests.sim.play import Watched, engine


class Deaf(Watched):
    """An engine that is not told of one kind of fact."""

    def __init__(self, inner: Engine, kind: type[Event]) -> None:
        super().__init__(inner)
        self._kind = kind

    def handle(self, event: Event) -> tuple[Command, ...]:
        """Pass it on, unless it is of that kind."""
        return () if isinstance(event, self._kind) else super().handle(event)


def rms_us(world: Scenario, mind: Watched, hours: float, since_s: int) -> float:
    """Of what was served from then on, synchronised or not."""
    errors = [second.error_s for second in fast(world, mind, hours=hours, seed=1)]
    errors = errors[since_s:]
    return 1e6 * sqrt(fsum(e * e for e in errors) / len(errors))


@pytest.mark.slow
def test_the_thermometer_is_worth_its_while_in_holdover() -> None:
    environment = Environment(swing_c=3.0, period_s=2400.0)
    world = replace(
        SCENARIOS["nominal"],
        oscillator=OscillatorModel(environment=environment, walk_ppb=0.02),
        faults=tuple(Fault(kind, 7200) for kind in (Kind.NO_PULSE, Kind.SILENT)),
    )
    warm = rms_us(world, Watched(engine(world)), 2.4, 7200)
    numb = rms_us(world, Deaf(engine(world), Temperature), 2.4, 7200)
    assert warm < 0.5 * numb


def test_the_sawtooth_is_taken_off() -> None:
    receiver_model = ReceiverModel(
        ubx=True, pulse=PulseModel(sawtooth_s=95e-9, jitter_s=2e-9, tail_share=0.0)
    )
    world = SCENARIOS["nominal"].having(receiver_model)
    told = rms_us(world, Watched(engine(world)), 0.1, 60)
    untold = rms_us(world, Deaf(engine(world), Sawtooth), 0.1, 60)
    assert told < 0.75 * untold


@pytest.mark.slow
def test_a_sawtooth_that_hangs_is_taken_off_a_pulse_stamped_by_hardware() -> None:
    """The teeth of 40 ns of a timing receiver, on a clock that stamps to 2 ns."""
    receiver_model = ReceiverModel(
        ubx=True,
        pulse=PulseModel(
            sawtooth_s=20e-9, sawtooth_hz=0.0031, jitter_s=2e-9, tail_share=0.0
        ),
    )
    world = SCENARIOS["nominal"].having(receiver_model)
    told = rms_us(world, Watched(engine(world)), 0.3, 300)
    untold = rms_us(world, Deaf(engine(world), Sawtooth), 0.3, 300)
    assert told < 0.006  # 5 ns
    assert told < 0.5 * untold  # 13 ns


def test_stragglers_are_told_from_the_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    pulse = PulseModel(tail_share=0.2, tail_s=20e-6, jitter_s=5e-7)
    world = SCENARIOS["nominal"].having(ReceiverModel(pulse=pulse))
    robust = rms_us(world, Watched(engine(world)), 0.2, 120)
    monkeypatch.setattr(outliers.OutlierModel, "outlier", lambda *_: 1e-9)
    gullible = rms_us(world, Watched(engine(world)), 0.2, 120)
    assert robust < 0.5 * gullible
