"""What time is: instants, durations, NTP's wire form, TAI and UTC."""

from refclock.timebase.instant import (
    DAY,
    HOUR,
    MICROSECOND,
    MILLISECOND,
    MINUTE,
    NANOSECOND,
    SECOND,
    ZERO,
    Duration,
    Instant,
    Local,
    Mono,
    Tai,
    Utc,
)
from refclock.timebase.leap import (
    GPS_BEHIND_TAI,
    LeapSecond,
    LeapTable,
    LeapTableError,
)
from refclock.timebase.ntp64 import NtpShort, NtpTimestamp

__all__ = [
    "DAY",
    "GPS_BEHIND_TAI",
    "HOUR",
    "MICROSECOND",
    "MILLISECOND",
    "MINUTE",
    "NANOSECOND",
    "SECOND",
    "ZERO",
    "Duration",
    "Instant",
    "LeapSecond",
    "LeapTable",
    "LeapTableError",
    "Local",
    "Mono",
    "NtpShort",
    "NtpTimestamp",
    "Tai",
    "Utc",
]
