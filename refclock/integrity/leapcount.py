"""The receiver's leap seconds against the table's: the count, and the next one.

A receiver knows the count from the sky, up to 12.5 minutes after its first fix; until
then its firmware guesses, and its UTC is wrong by whole seconds with status A. The
table knows all leap seconds up to its expiry; beyond that the receiver is all there
is. A leap second ends June or December; one at the end of March or September would be
the first, and only the table is believed on it.
"""

from __future__ import annotations

from typing import Final

from refclock.events import LeapNotice
from refclock.integrity.alarm import AlarmKind, Alarms
from refclock.reasons import Code, Reason
from refclock.timebase import (
    DAY,
    MINUTE,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    LeapTable,
    Mono,
    Tai,
)

SEASONS: Final = ("01-01", "07-01")
"""Leap seconds come before these days."""
_AHEAD: Final = 400 * DAY
"""Nobody announces a leap second earlier."""
_NOTICE: Final = 14 * DAY
_SETTLES: Final = MINUTE
"""Around a leap second the receiver may count by either."""


class LeapCount:
    """What the receiver said last. Used by one thread."""

    def __init__(self, alarms: Alarms, leaps: LeapTable, persist: Duration) -> None:
        """`persist`: an announcement must last so long."""
        self._alarms = alarms
        self._persist = persist
        self._notice: LeapNotice | None = None
        self._announced: tuple[LeapSecond, Mono, str] | None = None
        """Since when, and in what kind of message."""
        self._lasting = False
        self.right_since: Mono | None = None
        """Since when the receiver tells, from the sky, the count of the table."""
        self.know(leaps)

    def know(self, leaps: LeapTable) -> None:
        """A leap second more is known."""
        self._leaps = leaps
        self._expires = leaps.tai(leaps.expires)

    def observe(self, notice: LeapNotice, now: Tai | None) -> None:
        """The receiver's count, and its announcement, if any. `now`: as we know it."""
        if notice.utc_behind_tai is not None or notice.firmware_default:
            self._notice = notice
        leap = notice.announced
        if leap is None:
            if self._announced is not None and self._announced[2] == notice.kind:
                self._announced = None
            return
        if now is None:
            return
        known = self._leaps.next_after(now)
        if leap == known:
            self._alarms.clear(AlarmKind.LEAP)
        elif self._credible(leap, now, known):
            if self._announced is None or self._announced[0] != leap:
                self._announced = leap, notice.mono, notice.kind
            needed = min(self._persist, leap.at - now)  # a late one may last for less
            self._lasting = notice.mono - self._announced[1] >= needed
        else:
            self._alarms.raise_(
                AlarmKind.LEAP,
                Reason.of(
                    Code.LEAP_SECOND_NOT_IN_TABLE,
                    day=leap.midnight.iso()[:10],
                    expires=self._leaps.expires.iso()[:10],
                ),
                notice.mono,
            )

    def refusal(self, at: Tai, now: Mono) -> Reason | None:
        """Why what the receiver calls `at` is not to be believed, if it counts wrong.

        A firmware's count is good enough where the table has the same.
        """
        notice = self._notice
        if notice is None:
            return None
        if at < self._expires and notice.utc_behind_tai is not None:
            good = self._right(notice.utc_behind_tai, at)
        else:
            good = not notice.firmware_default
        if good:
            self._alarms.clear(AlarmKind.COUNT)
            if not self.agrees(at):
                self.right_since = None
            elif self.right_since is None:
                self.right_since = now
            return None
        count = notice.utc_behind_tai
        known = {} if count is None else {"count_s": count.seconds}
        reason = Reason.of(
            Code.LEAP_COUNT_WRONG,
            firmware_default=notice.firmware_default,
            table_s=self._leaps.offset(at).seconds,
            **known,
        )
        self._alarms.raise_(AlarmKind.COUNT, reason, now)
        return reason

    def date(self, at: Tai, now: Mono) -> None:
        """A table that has expired knows of no leap second to come, and then the
        receiver alone does, if it tells what it counts. Newer tables are out half a
        year before."""
        left = self._expires - at
        if left > _NOTICE or self._counted:
            self._alarms.clear(AlarmKind.TABLE)
            return
        code = Code.LEAP_TABLE_EXPIRES if left > ZERO else Code.LEAP_TABLE_EXPIRED
        reason = Reason.of(code, day=self._leaps.expires.iso()[:10])
        self._alarms.raise_(AlarmKind.TABLE, reason, now)

    def agrees(self, at: Tai) -> bool:
        """Does the receiver say, from the sky, that it counts as the table does?"""
        count = self._counted
        return count is not None and at < self._expires and self._right(count, at)

    def missed(self, at: Tai) -> bool:
        """May a leap second just have come that the table is too old to know of?"""
        day = self._leaps.posix(at).iso()[5:10]
        return at >= self._expires and day in SEASONS

    def next(self, now: Tai) -> LeapSecond | None:
        """The next leap second: the table's; beyond its expiry the receiver's."""
        known = self._leaps.next_after(now)
        if known is not None or self._announced is None or not self._lasting:
            return known
        announced = self._announced[0]
        return announced if announced.at > now else None

    @property
    def _counted(self) -> Duration | None:
        """What the receiver counts, if it has that from the sky."""
        notice = self._notice
        return (
            None if notice is None or notice.firmware_default else notice.utc_behind_tai
        )

    def _right(self, count: Duration, at: Tai) -> bool:
        around = (at - _SETTLES, at, at + _SETTLES)
        return any(count == self._leaps.offset(each) for each in around)

    def _credible(self, leap: LeapSecond, now: Tai, known: LeapSecond | None) -> bool:
        """Could it be, by all that the table knows?"""
        return (
            known is None
            and leap.at > self._expires
            and now < leap.at <= now + _AHEAD
            and leap.midnight.ns % DAY.ns == 0
            and leap.midnight.iso()[5:10] in SEASONS
            and leap.before == self._leaps.offset(now)
            and abs(leap.after - leap.before) == SECOND
        )
