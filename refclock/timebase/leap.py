"""TAI and UTC: the leap table, read from the IERS `leap-seconds.list`.

The format is described in the file itself: `#@` is the expiry and `#$` the
update, both in seconds since 1900; every other line is the moment a new
TAI-UTC takes effect. Reckoning is done in TAI, along which every second has a
name; UTC exists at the edges, in sentences and packets.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from refclock.timebase.instant import DAY, SECOND, Duration, Tai, Utc
from refclock.timebase.ntp64 import UNIX_EPOCH_S

GPS_BEHIND_TAI: Final = 19 * SECOND
"""TAI - GPS time, for ever."""


_DIGITS: Final = re.compile(r"[0-9]{1,10}")
_MOST_S: Final = 7_258_118_400
"""2200-01-01: further ahead no table looks."""


class LeapTableError(ValueError):
    """Text that is no leap-seconds.list."""


@dataclass(frozen=True, slots=True)
class LeapSecond:
    """TAI - UTC changes from `before` to `after` at the TAI instant `at`.

    For an inserted second, `at` is where 23:59:60 begins; for a deleted one it
    is where 23:59:59 would have begun.
    """

    at: Tai
    before: Duration
    after: Duration

    @classmethod
    def ending(cls, midnight: Utc, before: Duration, after: Duration) -> LeapSecond:
        """The change that takes effect at `midnight` (UTC, in the new count)."""
        return cls(Tai(midnight.ns + min(before, after).ns), before, after)

    @property
    def inserts(self) -> bool:
        """True for a positive leap second."""
        return self.after > self.before

    @property
    def midnight(self) -> Utc:
        """The first UTC midnight that counts by `after`."""
        return Utc(self.at.ns - min(self.before, self.after).ns)


@dataclass(frozen=True, slots=True)
class LeapTable:
    """All leap seconds known, and until when none other can come."""

    leaps: tuple[LeapSecond, ...]
    first: Duration
    """TAI - UTC before the first of `leaps`."""
    updated: Utc
    expires: Utc

    @classmethod
    def parse(cls, text: str) -> LeapTable:
        """Read a leap-seconds.list. LeapTableError names the line."""
        updated = expires = None
        rows: list[tuple[Utc, Duration]] = []
        for number, line in enumerate(text.split("\n"), 1):
            try:
                if line.startswith("#$"):
                    updated = _since_1900(line[2:].strip())
                elif line.startswith("#@"):
                    expires = _since_1900(line[2:].strip())
                elif line.strip() and not line.startswith("#"):
                    rows.append(_row(line.split("#")[0].split()))
            except ValueError as error:
                raise LeapTableError(
                    f"line {number}: {line.strip()[:60]!r}: {error}"
                ) from error
        if expires is None or not rows:
            raise LeapTableError("no expiry line (#@) or no leap second in it")
        for row, later in pairwise(rows):
            if later[0] <= row[0]:
                raise LeapTableError("leap seconds are not in order of time")
            if abs(later[1] - row[1]) != SECOND:
                raise LeapTableError("TAI - UTC changes by other than one second")
        leaps = tuple(
            LeapSecond.ending(later[0], row[1], later[1])
            for row, later in pairwise(rows)
        )
        return cls(leaps, rows[0][1], updated or rows[-1][0], expires)

    def offset(self, at: Tai) -> Duration:
        """TAI - UTC at `at`; inside an inserted second already the new one.

        With it `at - offset` is what the POSIX clock shows: an inserted second
        reads as 23:59:59 a second time.
        """
        index = bisect_right(self.leaps, at, key=lambda leap: leap.at)
        return self.leaps[index - 1].after if index else self.first

    def utc(self, at: Tai) -> Utc | None:
        """The UTC name of `at`; None inside an inserted second, which has none."""
        index = bisect_right(self.leaps, at, key=lambda leap: leap.at)
        if index:
            leap = self.leaps[index - 1]
            if leap.inserts and at - leap.at < leap.after - leap.before:
                return None
        return self.posix(at)

    def posix(self, at: Tai) -> Utc:
        """What a POSIX clock shows at `at`: 23:59:60 reads as 23:59:59 again."""
        return Utc(at.ns - self.offset(at).ns)

    def tai(self, utc: Utc) -> Tai:
        """The instant `utc` names; `tai(utc(t)) == t`."""
        index = bisect_right(self.leaps, utc, key=lambda leap: leap.midnight)
        offset = self.leaps[index - 1].after if index else self.first
        return Tai(utc.ns + offset.ns)

    def next_after(self, at: Tai) -> LeapSecond | None:
        """The next leap second not yet begun at `at`."""
        index = bisect_right(self.leaps, at, key=lambda leap: leap.at)
        return self.leaps[index] if index < len(self.leaps) else None

    def with_leap(self, leap: LeapSecond) -> LeapTable:
        """The table and one more, announced, leap second at its end."""
        if self.leaps and leap.at <= self.leaps[-1].at:
            raise LeapTableError("an announced leap second must come after the last")
        return LeapTable((*self.leaps, leap), self.first, self.updated, self.expires)


def _since_1900(text: str) -> Utc:
    """ValueError: no time, or none from 1970 to 2200."""
    if not _DIGITS.fullmatch(text):
        raise ValueError("no time in seconds since 1900")
    at = int(text) - UNIX_EPOCH_S
    if not 0 <= at < _MOST_S:
        raise ValueError("not a time from 1970 to 2200")
    return Utc(at * SECOND.ns)


def _row(fields: list[str]) -> tuple[Utc, Duration]:
    """A midnight and TAI - UTC from then on. ValueError: it is no such line."""
    if len(fields) != 2:
        raise ValueError("not a time and TAI - UTC")
    return _midnight(fields[0]), _offset(fields[1])


def _midnight(text: str) -> Utc:
    """ValueError: it is none."""
    at = _since_1900(text)
    if at.ns % DAY.ns:
        raise ValueError("a leap second comes at midnight UTC")
    return at


def _offset(text: str) -> Duration:
    """TAI - UTC. ValueError: none that can be."""
    if not _DIGITS.fullmatch(text) or not 0 < int(text) < 1000:
        raise ValueError("no TAI - UTC in seconds")
    return int(text) * SECOND
