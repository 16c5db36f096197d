"""Dates a receiver may not have: week rollovers and the dates of no fix at all.

GPS counts weeks modulo 1024, so old firmware is wrong by 1024 weeks (19.6 years)
at a time, with a good checksum and status A. It is never earlier than the floor:
the day this program was built, or the last time known to be good.
"""

from __future__ import annotations

from typing import Final

from refclock.timebase import DAY, Utc

ROLLOVER: Final = 7 * 1024 * DAY
_SLACK: Final = 7 * DAY
"""Our own last word on the time may have been ahead."""
_REACH: Final = 20 * 365 * DAY
"""Beyond the floor plus this no date is believed."""
_DEFAULTS: Final = (
    (Utc.of(1980, 1, 5), 7 * DAY),
    (Utc.of(1999, 8, 21), 3 * DAY),
    (Utc.of(2019, 4, 6), 3 * DAY),
    (Utc.of(2008, 1, 1), DAY),
    (Utc.of(2006, 1, 1), DAY),
)
"""Where receivers begin that know no date: week zero of each era, makers' defaults."""


def unrolled(utc: Utc, floor: Utc) -> tuple[Utc, int] | None:
    """`utc` moved on by whole rollovers until not before `floor`, and by how many.

    None: no date to be believed, however often it is moved. A date that the floor
    shows to be past is checked for being a default before it is moved.
    """
    floor -= _SLACK
    if utc < floor and any(start <= utc < start + long for start, long in _DEFAULTS):
        return None
    behind = floor.ns - utc.ns
    turns = max(-(-behind // ROLLOVER.ns), 0)
    moved = utc + turns * ROLLOVER
    return (moved, turns) if moved - floor < _REACH else None
