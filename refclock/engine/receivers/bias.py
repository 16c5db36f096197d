"""How far a pulse that is watched is from the clock that another one steers.

A running mean over some minutes. Which of the two is right cannot be known, so while
the watched one stands in for the other, the whole of it is a line of the bound.
"""

from __future__ import annotations

import math
from typing import Final

from refclock.timebase import ZERO, Duration

LEAST: Final = 60
"""Pulses after which it is known."""
MEMORY: Final = 256
"""Pulses it is averaged over."""
_SIGMAS: Final = 4.0


class Bias:
    """Of one pulse. Used by one thread."""

    def __init__(self) -> None:
        self._count = 0
        self._mean_s = 0.0
        self._square_s2 = 0.0
        """Mean square of what a pulse is from the mean."""

    def restart(self) -> None:
        """It is another one."""
        self._count, self._mean_s, self._square_s2 = 0, 0.0, 0.0

    def add(self, residual: Duration) -> None:
        """One more pulse: its second less the clock's time then (+ is early)."""
        self._count += 1
        gain = 1.0 / min(self._count, MEMORY)
        away_s = residual.seconds - self._mean_s
        self._mean_s += gain * away_s
        self._square_s2 += gain * (away_s * away_s - self._square_s2)

    @property
    def known(self) -> bool:
        """Is it worth anything?"""
        return self._count >= LEAST

    @property
    def mean(self) -> Duration:
        """What a pulse is from the clock; zero while that is not known."""
        return Duration.from_seconds(self._mean_s) if self.known else ZERO

    @property
    def line(self) -> Duration:
        """How far time by that pulse may be from time by the other one, at most."""
        pulses = max(min(self._count, MEMORY), 1)
        sigma_s = math.sqrt(self._square_s2 / pulses)
        return Duration.from_seconds(abs(self._mean_s) + _SIGMAS * sigma_s)
