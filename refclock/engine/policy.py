"""What the operator decides about the clock; the engine's settings in one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from refclock.discipline.bound import BoundSettings
from refclock.discipline.servo import SteerSettings
from refclock.integrity.monitor import IntegritySettings
from refclock.label.labeller import LabelSettings
from refclock.settings import Range
from refclock.upstream.settings import WitnessSettings


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """Whether we move the machine's clock, or only correct what we serve."""

    steer: bool = True


@dataclass(frozen=True, slots=True)
class AcquireSettings:
    """When the time is good enough to be served."""

    limit_s: Annotated[float, Range(1e-6, 1.0, "s")] = 1e-3


@dataclass(frozen=True, slots=True)
class HoldoverSettings:
    """How far the bound may grow before we say that we do not know the time."""

    limit_s: Annotated[float, Range(1e-6, 10.0, "s")] = 0.1


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The settings of the engine."""

    clock: ClockSettings = field(default_factory=ClockSettings)
    steer: SteerSettings = field(default_factory=SteerSettings)
    acquire: AcquireSettings = field(default_factory=AcquireSettings)
    holdover: HoldoverSettings = field(default_factory=HoldoverSettings)
    label: LabelSettings = field(default_factory=LabelSettings)
    integrity: IntegritySettings = field(default_factory=IntegritySettings)
    bound: BoundSettings = field(default_factory=BoundSettings)
    witness: WitnessSettings = field(default_factory=WitnessSettings)
