"""The outliers of a pulse's stamps: how many, on which side, and how far.

A pulse is either an inlier, Gaussian about the truth, or an outlier. Most are late: an
interrupt that had to wait. Where a lateness was taken off that only an idle processor
has, the stamps of a busy one are early. So on either side the density of a residual e
of standard deviation s is

    (1 - shares) N(e; 0, s^2)  +  share / (m (1 + |e|/m)^2),    m = scale s

with the share of that side and the median distance m of its outliers learned (late:
e < 0, the reference seems behind). The tail falls as e^-2 and has no end: nothing is
impossible, so nothing locks us out for ever. Where there are no outliers the shares
become small, and inliers lose nothing.

A run of outliers that agree with each other is a jump of the clock or the pulse.
"""

from __future__ import annotations

from math import copysign, exp, log, pi, sqrt
from typing import Final

_MEMORY: Final = 500.0
"""Over how many pulses the shares are averaged."""
_LEAST, _MOST = 1e-3, 0.45
"""What a share may be: a pulse that is mostly outliers has other inliers."""
_NUDGE: Final = 0.05
"""How far one outlier moves the median, as a logarithm."""
_NEAREST, _FURTHEST = 4.0, 1e4
_RUN: Final = 6
"""So many outliers one after another, and agreeing, are none."""
_BY_CHANCE: Final = log(1e-5)
"""Nor are so many of which each has the chance `share` that this comes by chance."""
_AGREE: Final = 8.0
"""Pulses no further apart than this many sigmas may be of one place."""
_WINDOW: Final = 12.0
_CHANCE: Final = 4.0
"""A mean within two standard deviations is no news."""
_ROOT: Final = sqrt(2.0 * pi)


class OutlierModel:
    """What is known of the outliers. Used by one thread."""

    def __init__(self, share: float = 0.01, scale: float = 10.0) -> None:
        self.share = share
        """Of late outliers."""
        self.scale = scale
        """Median lateness in standard deviations of an inlier."""
        self.early_share = _LEAST
        self.early_scale = 10.0
        self._count = 50.0
        self._run: list[float] = []

    def outlier(self, e: float, sigma: float) -> float:
        """Density of an outlier at the residual `e` (s), times sqrt(2 pi)."""
        late = e < 0.0
        m = (self.scale if late else self.early_scale) * sigma
        share = self.share if late else self.early_share
        return _ROOT * share / (m * (1.0 + abs(e) / m) ** 2)

    def inlier(self, e: float, s2: float, freedom: float) -> float:
        """Density of an inlier at `e`, of variance `s2` known from `freedom` pulses:
        Student's t, as good as Gaussian soon; times sqrt(2 pi)."""
        power = -0.5 * (freedom + 1.0)
        fall = exp(power * log(1.0 + e * e / (s2 * freedom)))
        return (1.0 - self.share - self.early_share) * fall / sqrt(s2)

    def agrees(self, e: float, sigma: float) -> bool:
        """Is `e` where the outliers just before it were?"""
        return bool(self._run) and abs(e - self._run[0]) < _AGREE * sigma

    def found(self, late: float, early: float, scale: float) -> None:
        """The shares of outliers were found anew."""
        self.share = min(max(late, _LEAST), _MOST)
        self.early_share = min(max(early, _LEAST), _MOST)
        self.scale = self.early_scale = min(max(scale, _NEAREST), _FURTHEST)
        self._run.clear()

    def learn(self, e: float, sigma: float, inlier: float) -> bool:
        """A residual that was an inlier with chance `inlier`; has it jumped?"""
        out = 1.0 - inlier
        late, early = (out, 0.0) if e < 0.0 else (0.0, out)
        self._count = min(self._count + 1.0, _MEMORY)
        self.share += (late - self.share) / self._count
        self.share = min(max(self.share, _LEAST), _MOST)
        self.early_share += (early - self.early_share) / self._count
        self.early_share = min(max(self.early_share, _LEAST), _MOST)
        if e < 0.0:
            self.scale = _nudged(self.scale, abs(e) / sigma, out)
        else:
            self.early_scale = _nudged(self.early_scale, abs(e) / sigma, out)
        if inlier > 0.5 or not self.agrees(e, sigma):
            self._run.clear()
        if inlier <= 0.5:
            self._run.append(e)
        share = self.share if e < 0.0 else self.early_share
        if len(self._run) < max(_RUN, _BY_CHANCE / log(share)):
            return False
        self._run.clear()
        return True


def _nudged(scale: float, distance: float, out: float) -> float:
    nudge = copysign(_NUDGE * out, distance - scale)
    return min(max(scale * exp(nudge), _NEAREST), _FURTHEST)


class InnovationBias:
    """Residuals that keep to one side: the clock is leaving and no filter says so yet.

    The mean of e/s over a window of n has the variance 1/2n by chance; what is much
    more than that is added to the variance of the offset. What a residual of a large
    s said counts no more once s is small. Used by one thread.
    """

    def __init__(self) -> None:
        self._mean = 0.0
        self.doubt = 0.0
        """Variance to add to that of the offset, s^2."""

    def learn(self, e: float, sigma: float, bulk: float) -> None:
        """A residual `e` of deviation `sigma`, an inlier with chance `bulk`."""
        self._mean += bulk * (e / sigma - self._mean) / _WINDOW
        beyond = self._mean**2 - _CHANCE / (2.0 * _WINDOW)
        self.doubt = max(beyond, 0.0) * sigma * sigma
