"""True time, what is to happen in it, and its dice.

The same seed gives the same run. Every purpose has dice of its own, so that a
draw more in one place changes nothing in another, and a fault can be compared
with the same run without it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from refclock.timebase import SECOND, Tai


def dice(seed: int, purpose: str) -> Random:
    """The random numbers for that purpose."""
    return Random(f"{seed}/{purpose}")


def second_after(true: Tai) -> Tai:
    """When the next second begins; now, if one does."""
    return Tai(-(-true.ns // SECOND.ns) * SECOND.ns)


class World:
    """An agenda in true time. Used by one thread."""

    def __init__(self, start: Tai) -> None:
        self._now = start
        self._order = count()
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []

    def now(self) -> Tai:
        """True time."""
        return self._now

    def at(self, when: Tai, do: Callable[[], None]) -> None:
        """Have it done then; what falls on one instant is done in the order told.

        ValueError: it is past.
        """
        if when < self._now:
            raise ValueError(f"{(self._now - when).seconds} s ago")
        heapq.heappush(self._agenda, (when.ns, next(self._order), do))

    def run(self, until: Tai) -> None:
        """Do all that falls due before `until`; then it is `until`."""
        agenda = self._agenda
        while agenda and agenda[0][0] < until.ns:
            when, _, do = heapq.heappop(agenda)
            self._now = Tai(when)
            do()
        self._now = until
