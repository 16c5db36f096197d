"""The frequency of the oscillator, as the engine has learned it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from refclock.discipline.bound import SIGMAS
from refclock.discipline.sample import Learned
from refclock.events import MONO_DRIFT
from refclock.upstream.filter import DRIFT


@dataclass(frozen=True, slots=True)
class Rate:
    """How the oscillator runs."""

    gain: float
    """How fast true time gains on it, s/s."""
    drift: float
    """How far `gain` may be off, s/s."""

    @classmethod
    def of(cls, learned: Learned) -> Self:
        """As far as is learned of the oscillator."""
        drift = min(max(DRIFT, SIGMAS * learned.rate_sigma), MONO_DRIFT)
        return cls(learned.rate, drift)
