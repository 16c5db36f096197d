"""All the server needs to know, published whole: one writer, many readers.

The engine publishes a `Served` after every event that changes it, at least once
a second. Between two of them the reader carries it forward itself: the time by
the published rate, the bound by its growth. A reader who finds it stale says
that it is not synchronised, so a dead engine is never served from.

The local clock may be stepped between publication and use (by us, by `date -s`,
by the kernel's own leap second). `skew` tells: it is local - monotonic as it was
at publication, and a fresh reading of the pair that differs gives the step away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Self

from refclock.timebase import (
    DAY,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    Local,
    Mono,
    Tai,
    Utc,
)

PPS: Final = b"PPS\0"
"""Reference id while pulses are used (RFC 5905, 7.3)."""
GPS: Final = b"GPS\0"
"""Reference id while none is."""
NEVER: Final = Mono(0)
"""`at` of a snapshot of nothing."""
UNKNOWN: Final = 16 * SECOND
"""The bound while nothing is known: the greatest dispersion, RFC 5905 section 7.3."""
STALE_AFTER: Final = 30 * SECOND
FOREIGN: Final = 100 * MILLISECOND
"""A step beyond this by others may be a suspended machine."""
STEPPED: Final = MILLISECOND
"""A change of local - monotonic beyond this is a step, not reading noise."""

NO_WARNING, INSERT, DELETE, ALARM = range(4)
"""Leap indicator, RFC 5905 figure 9."""


@dataclass(frozen=True, slots=True)
class ClockSnapshot:
    """Our time and how far it may be off, as estimated at `at`."""

    stratum: int
    """1 to 15 (1: from a reference clock here; n + 1: from a server of stratum n),
    or 16 while not synchronised."""
    ref_id: bytes
    """Four bytes: the name of the reference clock, or of stratum 2 and more who the
    server is that the time comes from (RFC 5905 section 7.3)."""
    at: Mono
    local: Local
    """The local clock at `at`."""
    correction: Duration
    """TAI - local at `at`: what makes a local reading right."""
    rate: float
    """How fast `correction` grows, s/s."""
    updated: Tai
    """When the clock was last set by a pulse or sentence (reference time)."""
    bound: Duration
    """The error bound at `at`; what root dispersion tells."""
    bound_rate: float
    """How fast the bound grows, s/s; never negative."""
    utc_behind_tai: Duration
    """TAI - UTC until `leap` begins."""
    leap: LeapSecond | None
    """The next leap second, if one is announced."""
    precision: int
    """log2 of the time it takes to read the clock, s (RFC 5905 section 7.3)."""
    step: Duration | None = None
    """What the local clock was ordered to be stepped by; it may be done or not."""
    root_delay: Duration = ZERO
    """Round trip to the reference clock; 0 where that is one of our own."""

    @classmethod
    def unknown(cls, precision: int) -> Self:
        """What is published before anything is known."""
        return cls(
            stratum=16,
            ref_id=bytes(4),
            at=NEVER,
            local=Local(0),
            correction=ZERO,
            rate=0.0,
            updated=Tai(0),
            bound=UNKNOWN,
            bound_rate=0.0,
            utc_behind_tai=ZERO,
            leap=None,
            precision=precision,
        )

    @property
    def realtime_offset(self) -> Duration:
        """Local - monotonic at publication."""
        return Duration(self.local.ns - self.at.ns)

    def synchronised(self, now: Mono, realtime_offset: Duration | None = None) -> bool:
        """May `now` be served as true time? `skew`: local - mono as it is now.

        A large step that nobody ordered may be a machine that slept: the local
        clock is right then and the monotonic one stood still, or it is not.
        """
        if self.stratum >= 16 or now - self.at >= STALE_AFTER:
            return False
        return realtime_offset is None or self._expected(
            realtime_offset - self.realtime_offset
        )

    def _expected(self, step: Duration) -> bool:
        """Is it small enough to be another's correction, or was it announced?"""
        ordered = [ZERO] if self.step is None else [ZERO, self.step]
        if self.leap is not None:
            ordered.append(self.leap.before - self.leap.after)
        return any(abs(step - each) < FOREIGN for each in ordered)

    def with_rate(self, now: Mono, factor: float) -> ClockSnapshot:
        """Carried forward to `now`, since when the clock runs by `factor` slower."""
        since = now - self.at
        return replace(
            self,
            at=now,
            local=self.local + since,
            correction=self.correction + Duration(round(since.ns * self.rate)),
            rate=(1.0 + self.rate) * factor - 1.0,
            bound=self.bound_at(now),
        )

    def tai(self, local: Local, realtime_offset: Duration) -> Tai:
        """The instant the local clock called `local`, where local - mono is `skew`."""
        stepped = realtime_offset - self.realtime_offset
        if abs(stepped) < STEPPED:
            stepped = ZERO
        since = local.ns - stepped.ns - self.local.ns
        return Tai(
            self.local.ns + since + self.correction.ns + round(since * self.rate)
        )

    def posix(self, tai: Tai) -> Utc:
        """What NTP calls `tai`: an inserted second reads as 23:59:59 again."""
        leap = self.leap
        if leap is not None and tai >= leap.at:
            return Utc(tai.ns - leap.after.ns)
        return Utc(tai.ns - self.utc_behind_tai.ns)

    def indicator(
        self, tai: Tai, now: Mono, realtime_offset: Duration | None = None
    ) -> int:
        """The leap indicator to send at `tai`."""
        if not self.synchronised(now, realtime_offset):
            return ALARM
        if self.leap is None or not ZERO < self.leap.at - tai <= DAY:
            return NO_WARNING
        return INSERT if self.leap.inserts else DELETE

    def leap_step(self, at: Local) -> Duration | None:
        """By how much the kernel steps its clock if a leap second begins about `at`."""
        if self.leap is None:
            return None
        near = abs(Duration(self.leap.midnight.ns - at.ns)) < 3 * SECOND
        return self.leap.before - self.leap.after if near else None

    def bound_at(self, now: Mono) -> Duration:
        """The bound, grown since publication."""
        age = max((now - self.at).ns, 0)
        return Duration(self.bound.ns + round(age * self.bound_rate))
