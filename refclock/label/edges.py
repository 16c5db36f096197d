"""Which edge of the pulse is the second, where a board stamps both.

A receiver's pulse rises with the second, and is mostly short. Where the shorter state
begins with the rising edge, both speak for that edge. Where it begins with the falling
edge, it is a short pulse turned round on its way, or one longer than its pause; and of
a pulse as long as its pause either edge may be the second. That cannot be decided by
the widths, so other evidence must decide, and without any there is no second.

Where both states last a second each, as in a square wave of half a hertz, every edge
begins one.
"""

from __future__ import annotations

from typing import Final

from refclock.events import Edge, PulseEdge
from refclock.timebase import MILLISECOND, SECOND, Duration, Mono

_HALF: Final = 500 * MILLISECOND
_ALIKE: Final = 20 * MILLISECOND
_WHOLE: Final = 950 * MILLISECOND
"""After a state this long an edge was missed: it tells nothing."""
_SECOND: Final = 5 * MILLISECOND
"""A state this close to one second is that of a square wave of half a hertz."""
_GONE: Final = 3000 * MILLISECOND
_MOST: Final = 20
"""More pulses a second than this are noise."""
_EVEN: Final = 0.005
"""How evenly pulses come that come several times a second."""
_AGAINST: Final = 4
"""So many states in a row must speak against what was learned."""


class EdgeSelector:
    """Learns from both edges. Used by one thread."""

    def __init__(self) -> None:
        self._last: dict[Edge, Mono] = {}
        self._wanted: Edge | None = None
        self._against = 0
        self._square = 0
        """So many states in a row lasted a second."""
        self.each = SECOND
        """From one edge to the next of its kind: a share of a second where pulses come
        several times a second, else a second."""
        self._several = 0
        """So many in a row came so."""
        self.apart = _HALF
        """Length of the shorter state, as last seen."""

    def begins(self, edge: PulseEdge) -> bool | None:
        """Is this edge the second? Where one kind alone is stamped, it is.

        None: the widths do not tell; who knows otherwise says so by `choose`.
        """
        other = Edge.CLEAR if edge.edge is Edge.ASSERT else Edge.ASSERT
        if same := self._last.get(edge.edge):
            self._pace(edge.mono - same)
        self._last[edge.edge] = edge.mono
        before = self._last.get(other)
        if before is None or edge.mono - before > _GONE:
            return True
        lasted = edge.mono - before
        self._square = self._square + 1 if abs(lasted - SECOND) < _SECOND else 0
        if self._square >= _AGAINST:
            return True
        if lasted < _WHOLE:
            self.apart = min(lasted, abs(SECOND - lasted))
            if abs(lasted - _HALF) >= _ALIKE:
                self._learn(rises=(edge.edge is Edge.CLEAR) is (lasted < _HALF))
        return None if self._wanted is None else edge.edge is self._wanted

    def _pace(self, gap: Duration) -> None:
        """Edges of a kind came `gap` apart."""
        count = SECOND.ns / max(gap.ns, 1)
        whole = round(count)
        even = 2 <= whole <= _MOST and abs(count - whole) < _EVEN * whole
        self._several = self._several + 1 if even else 0
        if even and self._several >= whole * _AGAINST:
            self.each = Duration(SECOND.ns // whole)
        elif not even and gap > _HALF:
            self.each = SECOND

    def choose(self, edge: Edge) -> None:
        """Other evidence says that the second is this edge."""
        self._wanted, self._against = edge, 0

    def _learn(self, *, rises: bool) -> None:
        """One more state: do the widths speak for the rising edge?"""
        if rises is (self._wanted is not Edge.CLEAR):
            self._against = 0
        else:
            self._against += 1
        if self._wanted is None and rises:
            self.choose(Edge.ASSERT)
        elif self._against >= _AGAINST:
            self._wanted, self._against = (Edge.ASSERT if rises else None), 0
