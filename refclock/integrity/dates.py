"""The date a receiver names: rollovers, dates of no fix, and the last good one.

GPS counts weeks modulo 1024, so old firmware is wrong by 1024 weeks (19.6 years)
at a time, with a good checksum and status A. It is never earlier than the floor, the
day this program was built, and never excluded by a witness where another number of
rollovers is not.

The last time that was served, kept over a restart, is evidence and no floor: a receiver
that names an earlier date is held for as long as served time must have lasted to be
kept, and then believed. So a lie that was kept heals under the true sky.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from refclock.events import Witness
from refclock.integrity.alarm import AlarmKind, Alarms
from refclock.reasons import Code, Reason
from refclock.timebase import DAY, MINUTE, SECOND, Mono, Utc

ROLLOVER: Final = 7 * 1024 * DAY
BACKED: Final = 10 * MINUTE
"""A time is kept when it was served for so long (`engine.kept.memory`)."""
_GPS_BEGAN: Final = Utc.of(1980, 1, 6)
_SLACK: Final = 7 * DAY
_REACH: Final = 20 * 365 * DAY
"""Beyond the floor plus this no date is believed."""
_SILENCE: Final = 10 * SECOND
_DEFAULTS: Final = (
    (Utc.of(1980, 1, 5), 7 * DAY),
    (Utc.of(1999, 8, 21), 3 * DAY),
    (Utc.of(2019, 4, 6), 3 * DAY),
)
"""Where receivers begin that know no date: week zero of each era, vendors' defaults.
Others begin with the first day of a year."""
_NEW_YEAR: Final = "01-01"


@dataclass(frozen=True, slots=True)
class Dated:
    """A moment with its date made right."""

    utc: Utc
    rollovers: int


class DateJudge:
    """Judges the dates of one receiver. Used by one thread."""

    def __init__(self, alarms: Alarms, floor: Utc, last_good: Utc | None) -> None:
        """`floor`: it is not earlier (build date). `last_good`: served by an earlier
        run."""
        self._alarms = alarms
        self._floor = floor
        self._last_good = last_good
        self._readings: dict[str, Witness] = {}
        self._earlier: tuple[Mono, Mono] | None = None
        """Since when a date before the last good one was named, and when last."""

    def witness(self, witness: Witness) -> bool:
        """Another's reading; is it one? From before the floor it is of a clock that was
        never set."""
        if witness.utc + witness.spread < self._floor - _SLACK:
            return False
        self._readings[witness.source] = witness
        return True

    def judge(self, utc: Utc, now: Mono) -> Dated | Reason:
        """The moment that a receiver calls `utc`, or why it is not believed."""
        dated, day = self._unrolled(utc, now), utc.iso()[:10]
        if dated is None:
            impossible = Reason.of(Code.DATE_IMPOSSIBLE, day=day)
            self._alarms.raise_(AlarmKind.DATE, impossible, now)
            return impossible
        if (held := self._held(dated.utc, now)) is not None:
            self._alarms.raise_(AlarmKind.DATE, held, now)
            return held
        self._alarms.clear(AlarmKind.DATE)
        if dated.rollovers:
            weeks = dated.rollovers * 1024
            reason = Reason.of(Code.WEEK_ROLLOVER, day=day, weeks=weeks)
            self._alarms.raise_(AlarmKind.ROLLOVER, reason, now)
        else:
            self._alarms.clear(AlarmKind.ROLLOVER)
        return dated

    def _unrolled(self, utc: Utc, now: Mono) -> Dated | None:
        found = unrolled(utc, self._floor)
        if found is None:
            return None
        plain = Dated(*found)
        if not self._excluded(plain.utc, now):
            return plain
        others = (
            Dated(utc + turns * ROLLOVER, turns)
            for turns in range(plain.rollovers + 1, plain.rollovers + 4)
        )
        return next((d for d in others if not self._excluded(d.utc, now)), plain)

    def _excluded(self, utc: Utc, now: Mono) -> bool:
        """Do more witnesses exclude it than do not?"""
        against = sum(
            abs(each.utc + (now - each.mono) - utc) > each.within(now)
            for each in self._readings.values()
        )
        return 2 * against > len(self._readings)

    def _held(self, utc: Utc, now: Mono) -> Reason | None:
        """Why a date before the last good one is not believed yet."""
        last = self._last_good
        if last is None or utc >= last - DAY:
            self._earlier = None
            return None
        if self._readings and not self._excluded(utc, now):
            self._last_good = None
            return None
        since = self._earlier[0] if self._earlier is not None else now
        if self._earlier is not None and now - self._earlier[1] > _SILENCE:
            since = now
        self._earlier = since, now
        if now - since >= BACKED:
            self._last_good = None
            return None
        return Reason.of(
            Code.DATE_BEFORE_LAST_GOOD,
            day=utc.iso()[:10],
            last_good=last.iso()[:10],
            wait_s=(BACKED - (now - since)).seconds,
        )


def unrolled(utc: Utc, floor: Utc) -> tuple[Utc, int] | None:
    """`utc` moved on by whole rollovers until not before `floor`, and by how many.

    None: no date to be believed, however often it is moved: none of a count of weeks
    is before GPS began. A date that the floor shows to be past is checked for being a
    default before it is moved.
    """
    if utc < _GPS_BEGAN:
        return None
    floor -= _SLACK
    if utc < floor and is_default(utc):
        return None
    behind = floor.ns - utc.ns
    turns = max(-(-behind // ROLLOVER.ns), 0)
    moved = utc + turns * ROLLOVER
    return (moved, turns) if moved - floor < _REACH else None


def is_default(utc: Utc) -> bool:
    """Do receivers begin there that know no date?"""
    return utc.iso()[5:10] == _NEW_YEAR or any(
        start <= utc < start + long for start, long in _DEFAULTS
    )
