"""Where do most stamps agree? A second opinion on r, from a window of residuals.

A filter that learns r from what it takes for inliers has two stable states: once r is
so large that outliers look like inliers it stays so, and the estimate lies in between.
So every EVERY pulses the residuals of the last WINDOW are looked at without any model:
the shortest interval that holds HALF of them is the core (the shorth, which no share of
outliers below 1 - HALF moves: Rousseeuw and Leroy, "Robust regression and outlier
detection", 1987). For a Gaussian its length is 1.05 sigma. If a Gaussian of that centre
and width with outliers about it makes the window more likely than the model in force by
more than a factor exp(GAIN), that is what stamps are like.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Final

WINDOW: Final = 96
EVERY: Final = 16
ENOUGH: Final = 32
HALF: Final = 0.4
LENGTH: Final = 1.05
"""Length of the shortest 40 % of a Gaussian, in sigmas."""
GAIN: Final = 12.0
NARROWER: Final = 0.5
"""A core of a variance that many times the old one, or less, is another."""
BLUR: Final = 0.6
"""The centre of a Gaussian's shortest 40 % strays by some such many sigmas."""
OUTSIDE: Final = 3.5
"""Sigmas from the centre at which outliers begin."""
LEAST: Final = 2e-9
"""Least sigma of a core, s."""


@dataclass(frozen=True, slots=True)
class Core:
    """What was found: most residuals are at `centre`, s, to `sigma`, s."""

    centre: float
    sigma: float
    late: float
    """Share of outliers at more negative residuals."""
    early: float
    distance: float
    """Median distance of an outlier, sigmas."""


class CoreFinder:
    """The last residuals. Used by one thread."""

    def __init__(self) -> None:
        self._residuals: deque[float] = deque(maxlen=WINDOW)
        self._count = 0
        self.bias = 0.0
        """How far the core is from zero, beyond chance, s."""

    def observe(
        self, e: float, sigma: float, density: Callable[[float], float]
    ) -> Core | None:
        """Take in a residual; a core that contradicts the model. `density`: of a
        residual under the model in force, times sqrt(2 pi)."""
        self._residuals.append(e)
        self._count += 1
        if self._count % EVERY or len(self._residuals) < EVERY:
            return None
        core = _core(sorted(self._residuals))
        self.bias = max(abs(core.centre) - BLUR * core.sigma, 0.0)
        if len(self._residuals) < ENOUGH:
            return None
        if core.sigma**2 > NARROWER * sigma**2 and abs(core.centre) < 2.0 * core.sigma:
            return None
        now = sum(log(density(u)) for u in self._residuals)
        if _likelihood(core, self._residuals) < now + GAIN:
            return None
        self.moved(core.centre)
        return core

    def moved(self, by: float) -> None:
        """The estimate was moved by `by` (s) at once."""
        self._residuals = deque((u - by for u in self._residuals), maxlen=WINDOW)

    def clear(self) -> None:
        """Begin anew."""
        self._residuals.clear()
        self.bias = 0.0


def _core(ranked: list[float]) -> Core:
    n = len(ranked)
    held = max(round(HALF * n), 2)
    length, low = min(
        (ranked[k + held - 1] - ranked[k], k) for k in range(n - held + 1)
    )
    centre = ranked[low] + 0.5 * length
    sigma = max(length / LENGTH, LEAST)
    for _ in range(3):  # the mean and spread of what is inside
        inside = [u for u in ranked if abs(u - centre) < OUTSIDE * sigma]
        centre = sum(inside) / len(inside)
        square = sum((u - centre) ** 2 for u in inside) / len(inside)
        sigma = max(sqrt(square), LEAST)
    late = [centre - u for u in ranked if u < centre - OUTSIDE * sigma]
    early = [u - centre for u in ranked if u > centre + OUTSIDE * sigma]
    away = sorted(late + early)
    distance = away[len(away) // 2] / sigma if away else 10.0
    return Core(centre, sigma, len(late) / n, len(early) / n, distance)


def _likelihood(core: Core, residuals: deque[float]) -> float:
    m = core.distance * core.sigma
    inliers = max(1.0 - core.late - core.early, 0.1) / core.sigma
    total = 0.0
    for residual in residuals:
        u = residual - core.centre
        share = max(core.late if u < 0.0 else core.early, 1e-3)
        near = inliers * exp(-0.5 * (u / core.sigma) ** 2)
        total += log(near + 2.5 * share / (m * (1.0 + abs(u) / m) ** 2))
    return total
