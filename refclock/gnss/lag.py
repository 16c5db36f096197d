"""How late a kind of sentence comes after the moment it names: learned, robustly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from refclock.timebase import MILLISECOND, ZERO, Duration

MEMORY: Final = 60
"""Over how many sentences; a lag that wanders is followed within a minute or two."""
_LEAST: Final = MILLISECOND
"""No lag is known better than a serial line is read."""
_FAR: Final = 3
"""Spreads beyond which a sentence counts no further: it was held up."""


@dataclass(frozen=True, slots=True)
class Lag:
    """What was learned of one kind of sentence."""

    mean: Duration = ZERO
    """First byte - the moment it names."""
    spread: Duration = ZERO
    """Mean distance from it, times 1.25: one sigma, if it were Gaussian."""
    count: int = 0

    def learn(self, lag: Duration) -> Lag:
        """With one more; a straggler pulls no further than a plain one could."""
        if self.count == 0:
            return Lag(lag, 50 * MILLISECOND, 1)
        count = min(self.count + 1, MEMORY)
        far = max(self.spread, _LEAST).ns * _FAR
        away = min(max((lag - self.mean).ns, -far), far)
        spread = self.spread.ns + (abs(away) * 5 // 4 - self.spread.ns) // count
        return Lag(
            self.mean + Duration(away // count),
            max(Duration(spread), _LEAST),
            self.count + 1,
        )
