"""Time as NTP packets carry it: era-less 64-bit timestamps, 32-bit intervals.

RFC 5905 section 6. A timestamp says nothing about its era; it becomes a time
only near a pivot, so the turn of 2036-02-07 needs no special case anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from refclock.timebase.instant import SECOND, Duration, Utc

UNIX_EPOCH_S: Final = 2_208_988_800
"""Seconds from 1900-01-01 to 1970-01-01."""

_ERA_BITS: Final = 1 << 64
_NS: Final = SECOND.ns


@dataclass(frozen=True, slots=True)
class NtpTimestamp:
    """2^-32 s since 1900, modulo 2^64. Has no order: eras wrap."""

    bits: int

    @classmethod
    def of(cls, utc: Utc) -> NtpTimestamp:
        """The wire form of `utc`. Rounds up, so that `near` is its exact inverse."""
        since_1900 = utc.ns + UNIX_EPOCH_S * _NS
        return cls(-(-(since_1900 << 32) // _NS) % _ERA_BITS)

    def near(self, pivot: Utc) -> Utc:
        """The reading of these bits within 68 years of `pivot`; ns, rounded down."""
        away = (self.bits - NtpTimestamp.of(pivot).bits) % _ERA_BITS
        if away >= _ERA_BITS // 2:
            away -= _ERA_BITS
        start = -(-((pivot.ns + UNIX_EPOCH_S * _NS) << 32) // _NS)
        return Utc(((start + away) * _NS >> 32) - UNIX_EPOCH_S * _NS)


@dataclass(frozen=True, slots=True, order=True)
class NtpShort:
    """2^-16 s, unsigned: root delay and dispersion. A bound, so it rounds up."""

    bits: int

    @classmethod
    def of(cls, length: Duration) -> NtpShort:
        """At least `length`; saturates at 65536 s; a negative length is zero."""
        return cls(min(max(-(-(length.ns << 16) // _NS), 0), 0xFFFF_FFFF))

    @property
    def seconds(self) -> float:
        """For people."""
        return self.bits / 65536.0
