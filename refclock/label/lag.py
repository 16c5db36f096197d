"""How late a kind of sentence comes after the moment it names: learned, robustly.

A sentence that comes about a second late and one that names the second before look
the same, but not how they begin: the names of the one run on, and only take longer, by
what is no whole second to the millisecond; those of the other go back, or leap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from refclock.timebase import MILLISECOND, ZERO, Duration, Tai

MEMORY: Final = 60
"""Over how many sentences; a lag that wanders is followed within a minute or two."""
KNOWN: Final = 5
"""From so many sentences on it is more than a guess."""
_LEAST: Final = MILLISECOND
"""No lag is known better than a serial line is read."""
_FIRST: Final = 50 * MILLISECOND
"""The spread of a lag measured once."""
_FAR: Final = 3
"""Spreads beyond which a sentence counts no further: it was held up."""
_NEAR, _REMOTE = 50 * MILLISECOND, 250 * MILLISECOND
_RUN_ON: Final = 50 * MILLISECOND
"""Stamps of a free-running fix wander by less."""


@dataclass(frozen=True, slots=True)
class Lag:
    """What was learned of one kind of sentence."""

    mean: Duration = ZERO
    """First byte - the moment it names."""
    spread: Duration = ZERO
    """Mean distance from it, times 1.25: one sigma, if it were Gaussian."""
    count: int = 0

    @property
    def known(self) -> bool:
        """Has it been measured often enough to be used?"""
        return self.count >= KNOWN

    @property
    def tells(self) -> bool:
        """Can it tell one second from the next? Not where it scatters so widely that
        four spreads are more than a quarter of a second."""
        return self.known and 4 * self.spread <= _REMOTE

    @property
    def reach(self) -> Duration:
        """A lag further from the mean is another one: the receiver was set anew."""
        return min(max(4 * self.spread, _NEAR), _REMOTE)

    def learn(self, lag: Duration) -> Lag:
        """The lag with one more sentence; one held up changes the mean no more than one
        three spreads away."""
        if self.count == 0:
            return Lag(lag, _FIRST, 1)
        count = min(self.count + 1, MEMORY)
        far = max(self.spread, _LEAST).ns * _FAR
        away = min(max((lag - self.mean).ns, -far), far)
        spread = self.spread.ns + (abs(away) * 5 // 4 - self.spread.ns) // count
        return Lag(
            self.mean + Duration(away // count),
            max(Duration(spread), _LEAST),
            self.count + 1,
        )


class LabelHistory:
    """The moments that one kind of sentence names, one after another. Used by one
    thread."""

    def __init__(self) -> None:
        self._last: Tai | None = None
        self._step: Duration | None = None
        self._late: bool | None = None
        """Whether those that are astray came late; None: none is."""

    def observe(self, named: Tai, *, off_by_seconds: bool, exactly: bool) -> bool:
        """Is one that is astray by whole seconds, exactly or about, only late?"""
        step = None if self._last is None else named - self._last
        if not off_by_seconds:
            self._late = None
        elif self._late is None:
            self._late = self._runs_on(step) and not exactly
        self._last, self._step = named, step
        return bool(self._late)

    def _runs_on(self, step: Duration | None) -> bool:
        """Is `step` what it was before?"""
        if step is None or self._step is None:
            return False
        return abs(step - self._step) < _RUN_ON
