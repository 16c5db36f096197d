"""Which servers agree, by Marzullo's intersection: more than half must.

Of n intervals true time is in every one that is right. If more than half are, every
true time is covered by at least m = n // 2 + 1 of them, so it lies between the first
and the last point that m intervals cover: that is the interval selected. RFC 5905
section 11.2.1 takes the least interval that so many *midpoints* lie in, chrony the
deepest overlap; both can exclude the truth while a minority overlaps with it, and the
interval selected here cannot. A server whose interval does not touch it is a
falseticker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refclock.timebase import Duration, Utc
from refclock.upstream.filter import Interval


@dataclass(frozen=True, slots=True)
class Agreement:
    """What more than half of the servers agree on."""

    interval: Interval
    truechimers: frozenset[str]
    """Those that touch it."""


def agreement(intervals: Mapping[str, Interval]) -> Agreement | None:
    """Of servers by name; None: no point is covered by more than half of them."""
    needed = len(intervals) // 2 + 1
    ends = sorted(
        [(each.low.ns, -1) for each in intervals.values()]
        + [(each.high.ns, 1) for each in intervals.values()]
    )
    low: int | None = None
    high: int | None = None
    depth = 0
    for at, end in ends:
        if end < 0:
            depth += 1
            if depth == needed and low is None:
                low = at
        else:
            if depth == needed:
                high = at
            depth -= 1
    if low is None or high is None:
        return None
    half = (high - low + 1) // 2
    found = Interval(Utc(low + half), Duration(half))
    return Agreement(
        found,
        frozenset(name for name, each in intervals.items() if each.touches(found)),
    )
