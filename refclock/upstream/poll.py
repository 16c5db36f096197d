"""When a server is asked next.

    begin      a burst of up to 8 questions 2 s apart, until 4 are answered
    answered   after 8 answers at one interval it is doubled, up to the greatest
    missed     after 3 misses in a row it is doubled
    RATE       at once it is doubled, never less again, and 4 intervals are passed over
    eager      while the clock has no pulse, the least interval

Each interval is lengthened by a random 1 to 5 %, so that clients do not ask in step.
"""

from __future__ import annotations

from typing import Final

from refclock.timebase import SECOND, Duration

BURST_EVERY: Final = 2 * SECOND
_BURST: Final = 8
_ENOUGH: Final = 4
_LONGER_AFTER: Final = 8
_MISSED: Final = 3
_RATE_REST: Final = 4
_MOST_S: Final = 131_072


class Poll:
    """The intervals of one server. Used by one thread."""

    def __init__(self, least_s: int, most_s: int, *, burst: bool) -> None:
        self._least_s = least_s
        self._most_s = most_s
        self._with_burst = burst
        self._interval_s = least_s
        self._good = 0
        self._missed = 0
        self._rest = 0
        self.restart()

    @property
    def interval_s(self) -> int:
        """Between two questions, once the burst is over."""
        return self._interval_s

    def restart(self) -> None:
        """It is another address: with a burst again, and no less polite than before."""
        self._burst = _BURST if self._with_burst else 0
        self._answers = 0
        self._missed = self._good = 0

    def answered(self) -> None:
        """There was a good reply."""
        self._missed = 0
        self._answers += 1
        if self._answers >= _ENOUGH:
            self._burst = 0
        self._good += 1
        if not self._burst and self._good >= _LONGER_AFTER:
            self._good = 0
            self._double(self._most_s)

    def missed(self) -> None:
        """There was none."""
        self._missed += 1
        if not self._burst and self._missed >= _MISSED:
            self._missed = self._good = 0
            self._double(self._most_s)

    def rate(self) -> None:
        """It said, provably to our question, that it is asked too often."""
        self._burst = 0
        self._rest = _RATE_REST
        self._double(_MOST_S)
        self._least_s = max(self._least_s, self._interval_s)
        self._most_s = max(self._most_s, self._least_s)

    def next(self, chance: float, *, eager: bool) -> Duration:
        """How long from the last question to the next. `chance`: random, 0 to 1."""
        if self._burst:
            self._burst -= 1
            return BURST_EVERY
        if eager and self._interval_s > self._least_s:
            self._interval_s, self._good = self._least_s, 0
        intervals = 1 + self._rest
        self._rest = 0
        longer = 1.01 + 0.04 * chance
        return Duration.from_seconds(intervals * self._interval_s * longer)

    def _double(self, most_s: int) -> None:
        self._interval_s = min(2 * self._interval_s, most_s)
