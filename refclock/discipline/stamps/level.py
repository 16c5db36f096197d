"""The noise of stamps grows and falls at once; that is no move of the clock.

A filter learns its r over minutes. When a processor becomes busy the noise is ten
times as large from one pulse to the next, and until r has grown every residual looks
like a move of the clock. So r is multiplied by a level g, common to all filters, that
may change at every pulse: a hidden Markov chain over

    g in {0.1, 1, 10, 100, 1000}     P'(g) = (1 - CHANGE) P(g) + CHANGE PRIOR(g)

weighed by the density of each residual under variance x + g r (switching observation
noise: Ackerson and Fu, IEEE Trans. Automatic Control 15, 1970). A residual counts with
the mean of 1/g. While the level is not one, r itself follows it, by g^(1/FOLLOW) each
pulse, so that the level comes back to one.

A residual where the one before it was is a jump and not noise: it says nothing here.
Noise is independent from pulse to pulse, and a clock whose rate has jumped is not. So
instead of a residual beyond 3 deviations, behind others on that side, the scatter s of
the last four about a straight line counts, if that is below 2: with a, b, c, d in order
the squares left over are

    2 s^2 = (a - b - c + d)^2/4 + (a - 3 b + 3 c - d)^2/20

Where noise grows, or a stamp is late, s is as large as the residual.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Final

LEVELS: Final = (1.0, 10.0, 100.0, 1000.0, 0.1)
PRIOR: Final = (0.84, 0.06, 0.05, 0.02, 0.03)
CHANGE: Final = 0.03
FOLLOW: Final = 40.0
QUIET: Final = 0.9
"""Above this chance of level one the others do not count."""
FAR: Final = 25.0
"""Normalised square of a residual that may be a jump."""
EVEN: Final = 4.0
"""Normalised square of a scatter that is no more than noise of level one has."""
LARGE: Final = 9.0
"""Normalised square of a residual that may be of a clock whose rate has jumped."""
NEAR: Final = 9.0
"""Normalised square of the distance of two residuals of one jump."""
_LOGS: Final = tuple(log(g) for g in LEVELS)


class NoiseLevel:
    """How large the noise is now, over what was learned. Used by one thread."""

    def __init__(self) -> None:
        self.chances = list(PRIOR)
        """Of each level, before the next residual."""
        self._last = 0.0, 0.0, 0.0
        """Residuals, the last one last."""

    @property
    def quiet(self) -> bool:
        """Is the level surely one?"""
        return self.chances[0] > QUIET

    def observe(self, e: float, x: float, r: float, outlier: float) -> float:
        """Take in a residual (s) of an offset of variance `x`; `outlier`: the density
        of it as an outlier, times sqrt(2 pi). What to multiply r with for it."""
        a, b, c = self._last
        self._last = b, c, e
        e2, before = e * e, c
        s2 = x + r
        apart = e - before
        if e2 > FAR * s2 and apart * apart < NEAR * s2:
            return self._multiplier(self.chances)
        if e2 > LARGE * s2 and b * e > 0.0 and c * e > EVEN * s2:
            line, cube = a - b - c + e, a - 3.0 * b + 3.0 * c - e
            scatter2 = 0.5 * (line * line / 4.0 + cube * cube / 20.0)
            e2 = scatter2 if scatter2 < EVEN * s2 else e2
        weighed = [
            chance * exp(-0.5 * e2 / (x + g * r)) / sqrt(x + g * r)
            for chance, g in zip(self.chances, LEVELS, strict=True)
        ]
        total = sum(weighed)
        known = total / (total + outlier)
        if total > 0.0:
            weighed = [each / total for each in weighed]
        else:
            weighed = list(self.chances)
        self.chances = [
            (1.0 - CHANGE) * (known * new + (1.0 - known) * old) + CHANGE * prior
            for new, old, prior in zip(weighed, self.chances, PRIOR, strict=True)
        ]
        return self._multiplier(weighed)

    def growth(self) -> float:
        """By what factor r follows the level at this pulse."""
        if self.quiet:
            return 1.0
        mean = sum(c * g for c, g in zip(self.chances, _LOGS, strict=True))
        return exp(mean / FOLLOW)

    def _multiplier(self, chances: list[float]) -> float:
        return 1.0 / sum(c / g for c, g in zip(chances, LEVELS, strict=True))
