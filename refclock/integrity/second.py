"""A change of the second: who may vouch for how much of one, and how long it is held.

Our clock carries the second along the oscillator. Sentences that name another one, with
no change of the pulse, are held off until the change has lasted `persist` and somebody
vouches for it. What vouches for a change may vouch only for what it knows:

    voucher           may move the second by     because
    WITNESS           what it decides            it excludes our second, not theirs
    LEAP_COUNT        +-3 s                      the receiver has just begun to count
                                                 by the sky, and as the table does: what
                                                 it named before was by another count
    LATE_COUNT        -18 s to -1 s              the firmware's count was corrected from
                                                 the sky; in the first hour, and only
                                                 while the receiver told no count that
                                                 was right before
    EXPIRED_TABLE     +-1 s                      a leap second that the table could not
                                                 know, about the turn of a half-year
    POLICY            +-1 day                    the operator said `follow`

Everything beyond is held and alarmed for as long as it lasts. A date is a witness's
matter alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from refclock.integrity.alarm import AlarmKind, Alarms
from refclock.reasons import Code, Reason
from refclock.timebase import DAY, HOUR, SECOND, ZERO, Duration, Mono


class Voucher(Enum):
    """What may vouch for a change of the second."""

    WITNESS = "witness"
    LEAP_COUNT = "leap_count"
    LATE_COUNT = "late_count"
    EXPIRED_TABLE = "expired_table"
    POLICY = "policy"


LIMITS: Final[Mapping[Voucher, tuple[Duration, Duration]]] = {
    Voucher.LEAP_COUNT: (-3 * SECOND, 3 * SECOND),
    Voucher.LATE_COUNT: (-18 * SECOND, -1 * SECOND),
    Voucher.EXPIRED_TABLE: (-1 * SECOND, 1 * SECOND),
    Voucher.POLICY: (-1 * DAY, 1 * DAY),
}
"""Least and greatest change each may vouch for; a witness knows its own limits."""
SETTLING: Final = HOUR
"""A count of leap seconds comes from the sky within 12.5 minutes of good sight."""
_SILENCE: Final = 10 * SECOND


@dataclass(frozen=True, slots=True)
class _Held:
    """Sentences that differ from our clock, all by the same."""

    by: Duration
    since: Mono
    last: Mono


class SecondJudge:
    """Holds off a change of the second of one receiver. Used by one thread."""

    def __init__(self, alarms: Alarms, persist: Duration) -> None:
        self._alarms = alarms
        self._persist = persist
        self._held: _Held | None = None

    def restarted(self) -> None:
        """The clock began afresh: what was held off is forgotten."""
        self._held = None

    def since(self, now: Mono) -> Mono:
        """When sentences began to differ as they do at `now`."""
        return now if self._held is None else self._held.since

    def adopt(
        self,
        ahead: Duration,
        now: Mono,
        vouchers: frozenset[Voucher],
        *,
        confirmed: bool | None,
        gps_time: bool,
    ) -> bool:
        """Sentences are `ahead` of the second our clock carries: adopt theirs?

        `vouchers`: who vouches for the receiver now, beside witnesses. `confirmed`:
        witnesses exclude our second and not theirs, or (False) the other way round.
        """
        if ahead == ZERO:
            self._held = None
            self._alarms.clear(AlarmKind.SECOND)
            return False
        held = self._held
        if held is None or held.by != ahead or now - held.last > _SILENCE:
            held = _Held(ahead, now, now)
        self._held = replace(held, last=now)
        if confirmed:
            vouchers |= {Voucher.WITNESS}
        if (
            confirmed is not False
            and any(may_vouch(each, ahead) for each in vouchers)
            and now - held.since >= self._persist
        ):
            self._held = None
            reason = Reason.of(
                Code.SECOND_CORRECTED,
                offset_s=ahead.seconds,
                lasted_s=self._persist.seconds,
            )
            self._alarms.tell(AlarmKind.SECOND, reason, now)
            return True
        witness = {True: "for", False: "against", None: "none"}[confirmed]
        reason = Reason.of(
            Code.SECOND_OFF, offset_s=ahead.seconds, gps_time=gps_time, witness=witness
        )
        self._alarms.raise_(AlarmKind.SECOND, reason, now)
        return False


def may_vouch(voucher: Voucher, ahead: Duration) -> bool:
    """Is a change by `ahead` within what that voucher knows?"""
    if voucher is Voucher.WITNESS:
        return True
    least, most = LIMITS[voucher]
    return least <= ahead <= most
