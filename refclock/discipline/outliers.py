"""How surprised may we be? The tail of the pulse's noise, learned as it comes.

A pulse is either one of the bulk, Gaussian about the truth, or a straggler: an
interrupt that had to wait. Stragglers are late, hardly ever early, and how many
there are and how late is a matter of the machine. So the density of a residual e
of standard deviation s is

    (1 - share) N(e; 0, s^2)  +  share side / (2 m (1 + |e|/m)^2),    m = scale s

with the share of stragglers and their median lateness m learned, `side` near 2
for late (e < 0: the reference seems behind) and near 0 for early. The tail falls
as e^-2 and has no end: nothing is impossible, so nothing locks us out for ever. On
a machine without stragglers the share becomes small and the bulk pays nothing.

A run of pulses outside the bulk that agree with each other is no tail: the clock or
the pulse has jumped.
"""

from __future__ import annotations

from math import copysign, exp, log, pi, sqrt
from typing import Final

_LATE: Final = 1.9
_EARLY: Final = 0.1
_MEMORY: Final = 500.0
"""Over how many pulses the share is averaged."""
_LEAST, _MOST = 1e-3, 0.4
"""What the share may be: a pulse that is mostly stragglers has another bulk."""
_NUDGE: Final = 0.05
"""How far one straggler moves the median, as a logarithm."""
_NEAREST, _FURTHEST = 4.0, 1e4
_RUN: Final = 6
"""So many outliers one after another, and agreeing, are none."""
_AGREE: Final = 8.0
"""Pulses no further apart than this many sigmas may be of one place."""
_WINDOW: Final = 12.0
_CHANCE: Final = 4.0
"""A mean within two standard deviations is no news."""


class OutlierModel:
    """What is known of the stragglers. Used by one thread."""

    def __init__(self, share: float = 0.01, scale: float = 10.0) -> None:
        self.share = share
        self.scale = scale
        """Median lateness in standard deviations of the bulk."""
        self._run: list[float] = []

    def outlier(self, e: float, sigma: float) -> float:
        """How likely a straggler is to leave the residual `e` (s), times sqrt(2 pi)."""
        m = self.scale * sigma
        side = _LATE if e < 0.0 else _EARLY
        return sqrt(0.5 * pi) * self.share * side / (m * (1.0 + abs(e) / m) ** 2)

    def inlier(self, e: float, s2: float, freedom: float) -> float:
        """How likely the bulk is to leave `e`, of variance `s2` known from `freedom`
        pulses: Student's t, as good as Gaussian soon; times sqrt(2 pi)."""
        power = -0.5 * (freedom + 1.0)
        fall = exp(power * log(1.0 + e * e / (s2 * freedom)))
        return (1.0 - self.share) * fall / sqrt(s2)

    def agrees(self, e: float, sigma: float) -> bool:
        """Is `e` where the outliers just before it were?"""
        return bool(self._run) and abs(e - self._run[0]) < _AGREE * sigma

    def learn(self, e: float, sigma: float, bulk: float) -> bool:
        """A residual that belonged to the bulk with chance `bulk`; has it jumped?"""
        out = 1.0 - bulk
        self.share += (out - self.share) / _MEMORY
        self.share = min(max(self.share, _LEAST), _MOST)
        nudge = copysign(_NUDGE * out, abs(e) - self.scale * sigma)
        self.scale = min(max(self.scale * exp(nudge), _NEAREST), _FURTHEST)
        if bulk > 0.5 or not self.agrees(e, sigma):
            self._run.clear()
        if bulk <= 0.5:
            self._run.append(e)
        if len(self._run) < _RUN:
            return False
        self._run.clear()
        return True


class InnovationBias:
    """Residuals that keep to one side: the clock is leaving and no filter says so yet.

    Their mean over a window of n has the variance s^2/2n by chance; what is much
    more than that is doubt about the offset. Used by one thread.
    """

    def __init__(self) -> None:
        self._mean = 0.0
        self.doubt = 0.0
        """Variance to add to that of the offset, s^2."""

    def learn(self, e: float, sigma: float, bulk: float) -> None:
        """A residual `e` of deviation `sigma`, of the bulk with chance `bulk`."""
        self._mean += bulk * (e - self._mean) / _WINDOW
        chance = sigma * sigma / (2.0 * _WINDOW)
        self.doubt = max(self._mean**2 - _CHANCE * chance, 0.0)
