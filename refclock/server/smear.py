"""A leap second spread over a day, for clients that cannot bear one.

From noon to noon UTC around it, TAI - UTC goes from the old count to the new along
a straight line: over 86,401 s (86,399 s if the second is deleted) by 11.6 ppm, as
the public smearing services do it. In the middle of the leap second smeared time is
half a second from true time, so no client may ever hear both from one address.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from refclock.published import ClockSnapshot
from refclock.timebase import HOUR, Duration, LeapSecond, Mono, Tai


def window(leap: LeapSecond) -> tuple[Tai, Tai]:
    """Noon before it and noon after it, by UTC."""
    midnight = leap.midnight
    return (
        Tai((midnight - 12 * HOUR + leap.before).ns),
        Tai((midnight + 12 * HOUR + leap.after).ns),
    )


def smeared(snapshot: ClockSnapshot, leap: LeapSecond, now: Mono) -> ClockSnapshot:
    """What is to be said about `now` instead of `served`; no leap is announced.

    Within the window the old count holds, and what is told as TAI runs slow (fast,
    if the second is deleted). It is the line in force at `now`: true until the
    window begins or ends.
    """
    begin, end = window(leap)
    if not begin <= _tai(snapshot, now) < end:
        return _pulse_lost(snapshot)
    by, length = leap.after - leap.before, end - begin

    def lag(tai: Tai) -> Duration:
        return Duration(by.ns * (tai - begin).ns // length.ns)

    return replace(
        _pulse_lost(snapshot),
        correction=snapshot.correction - lag(_tai(snapshot, snapshot.at)),
        rate=(1.0 + snapshot.rate) * (1.0 - by.ns / length.ns) - 1.0,
        updated=snapshot.updated - lag(max(snapshot.updated, begin)),
        utc_behind_tai=leap.before,
    )


class Smear:
    """Knows the leap seconds there were, and those it saw announced."""

    def __init__(self, leaps: Iterable[LeapSecond]) -> None:
        """`leaps`: those known by now, in order."""
        self._leaps = tuple(leaps)

    def __call__(self, snapshot: ClockSnapshot, now: Mono) -> ClockSnapshot:
        """What is to be said about `now` instead of `served`."""
        fresh = snapshot.leap
        if fresh is not None and (not self._leaps or self._leaps[-1].at < fresh.at):
            self._leaps = (*self._leaps, fresh)
        tai = _tai(snapshot, now)
        for leap in reversed(self._leaps):
            if window(leap)[0] <= tai:
                return smeared(snapshot, leap, now)
        return _pulse_lost(snapshot)


def _pulse_lost(snapshot: ClockSnapshot) -> ClockSnapshot:
    """Without the leap; but the kernel may still step its clock for it."""
    step = snapshot.step
    if step is None and snapshot.leap is not None:
        step = snapshot.leap.before - snapshot.leap.after
    return replace(snapshot, leap=None, step=step)


def _tai(snapshot: ClockSnapshot, now: Mono) -> Tai:
    return snapshot.tai(snapshot.local + (now - snapshot.at), snapshot.realtime_offset)
