"""Which flank of the pulse is the second, where a board tells both.

The receiver's pulse is short: the flank that begins the shorter state is the
second, whichever way round it is wired. Of a pulse as long as its pause it is the
rising one.
"""

from __future__ import annotations

from typing import Final

from refclock.events import Edge, PulseEdge
from refclock.timebase import MILLISECOND, Duration, Mono

_HALF: Final = 500 * MILLISECOND
_ALIKE: Final = 20 * MILLISECOND
_WHOLE: Final = 950 * MILLISECOND
"""After a state this long a flank was missed: it tells nothing."""
_GONE: Final = 3000 * MILLISECOND
_AGAINST: Final = 4
"""So many states in a row must speak against what was learned."""


class EdgeSelector:
    """Learns from both flanks. Used by one thread."""

    def __init__(self) -> None:
        self._last: dict[Edge, Mono] = {}
        self._wanted: Edge | None = None
        self._against = 0

    def begins(self, flank: PulseEdge) -> bool:
        """Is this flank the second? Of a line that tells one kind only, it is."""
        other = Edge.CLEAR if flank.edge is Edge.ASSERT else Edge.ASSERT
        self._last[flank.edge] = flank.mono
        before = self._last.get(other)
        if before is None or flank.mono - before > _GONE:
            return True
        lasted = flank.mono - before
        if lasted < _WHOLE:
            self._learn(_shorter(flank.edge, other, lasted))
        return flank.edge is self._wanted

    def _learn(self, edge: Edge) -> None:
        self._against = 0 if edge is self._wanted else self._against + 1
        if self._wanted is None or self._against >= _AGAINST:
            self._wanted, self._against = edge, 0


def _shorter(edge: Edge, other: Edge, lasted: Duration) -> Edge:
    """The flank that begins the shorter state: `other` began one, and `edge` ended it
    after `lasted`."""
    if abs(lasted - _HALF) < _ALIKE:
        return Edge.ASSERT
    return other if lasted < _HALF else edge
