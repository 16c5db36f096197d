"""Binary messages of a u-blox receiver.

Written from its maker's documents (M8 protocol specification UBX-13003221, section
32), never from our own reader.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from hw.emu.gnss.sentences import FixState
from refclock.timebase import GPS_BEHIND_TAI, SECOND, Duration, LeapSecond, Tai, Utc

_DAY_S: Final = 86_400
_WEEK_S: Final = 604_800
_GPS_BEGAN: Final = Utc.of(1980, 1, 6)
_GPS_FIX: Final = 3
"""gpsFix, fixType: a fix in three dimensions."""
_USED: Final = 9
_ACCURACY_NS: Final = 25


def ubx(cls: int, number: int, payload: bytes) -> bytes:
    """A frame: sync, class, id, length, payload, Fletcher's checksum."""
    body = struct.pack("<BBH", cls, number, len(payload)) + payload
    a = b = 0
    for byte in body:
        a = (a + byte) & 0xFF
        b = (b + a) & 0xFF
    return b"\xb5b" + body + bytes((a, b))


def timels(
    at: Tai, utc_behind_tai: Duration, leap: LeapSecond | None, *, from_sky: bool
) -> bytes:
    """NAV-TIMELS: the leap-second count, and the next leap second if announced.

    What is not `from_sky` is what the firmware was built with. The day of the event
    is the one that ends with it, Sunday being 1 (IS-GPS-200, 20.3.3.5.2.4).
    """
    _, tow = _gps(at)
    behind_gps = (utc_behind_tai - GPS_BEHIND_TAI).ns // SECOND.ns
    count = struct.pack("<IB3xBb", tow, 0, 2 if from_sky else 0, behind_gps)
    if leap is None:
        event = struct.pack("<BbiHH3xB", 0, 0, 0, 0, 0, 0b01 * from_sky)
    else:
        last_day = (leap.midnight - _GPS_BEGAN).ns // (_DAY_S * SECOND.ns) - 1
        event = struct.pack(
            "<BbiHH3xB",
            2,
            (leap.after - leap.before).ns // SECOND.ns,
            (leap.at - at).ns // SECOND.ns,
            last_day // 7,
            last_day % 7 + 1,
            0b11 * from_sky,
        )
    return ubx(0x01, 0x26, count + event)


def timtp(pulse: Tai, lateness_s: float) -> bytes:
    """TIM-TP: the quantisation error of the pulse to come, named in GPS time.

    qErr is what to add to the measured lateness to be rid of it, so a late pulse
    has a negative one (measured: anderswallin.net, 2019, ublox-f9t-qerr).
    """
    week, tow = _gps(pulse)
    return ubx(
        0x0D,
        0x01,
        struct.pack("<IIiHBB", tow, 0, round(-lateness_s * 1e12), week, 0b10, 0x0F),
    )


def _gps(at: Tai) -> tuple[int, int]:
    """GPS week, and milliseconds into it."""
    since = at.ns - GPS_BEHIND_TAI.ns - _GPS_BEGAN.ns
    week, into = divmod(since, _WEEK_S * SECOND.ns)
    return week, into // 1_000_000


def _nav_pvt(report: FixState) -> bytes:
    """NAV-PVT: UTC, its validity, and the fix."""
    known, (date, clock, ns), (_, tow) = _times(report)
    place = report.place
    return ubx(
        0x01,
        0x07,
        struct.pack(
            "<I H5B B Ii BBBB iiii II 5i IIH6x i4x",
            tow,
            *date,
            *clock,
            0b111 * known,
            _ACCURACY_NS,
            ns,
            _GPS_FIX * report.fixed,
            int(report.fixed),
            0,
            _USED * report.fixed,
            round(place.longitude * 1e7),
            round(place.latitude * 1e7),
            round(place.altitude_m * 1000),
            round(place.altitude_m * 1000),
            2000,
            3000,
            *(0,) * 5,
            50,
            180_000,
            150,
            0,
        ),
    )


def _nav_timeutc(report: FixState) -> bytes:
    """NAV-TIMEUTC."""
    known, (date, clock, ns), (_, tow) = _times(report)
    return ubx(
        0x01,
        0x21,
        struct.pack("<IIi H5B B", tow, _ACCURACY_NS, ns, *date, *clock, 0b111 * known),
    )


def _nav_timegps(report: FixState) -> bytes:
    """NAV-TIMEGPS: week, time of week, and the leap seconds since 1980."""
    known, _, (week, tow) = _times(report)
    leaps = 0
    if report.utc is not None and report.tai is not None:
        leaps = round((report.tai.ns - report.utc.ns - GPS_BEHIND_TAI.ns) / SECOND.ns)
    return ubx(
        0x01,
        0x20,
        struct.pack("<IihbBI", tow, 0, week, leaps, 0b111 * known, _ACCURACY_NS),
    )


def _nav_sol(report: FixState) -> bytes:
    """NAV-SOL: week, time of week, and the fix; of receivers up to u-blox 7."""
    known, _, (week, tow) = _times(report)
    return ubx(
        0x01,
        0x06,
        struct.pack(
            "<IihBB iiiI iiiI HBBI",
            tow,
            0,
            week,
            _GPS_FIX * report.fixed,
            0b1101 * known if report.fixed else 0,
            *(391_000_000, 35_000_000, 500_000_000, 300),
            *(0, 0, 0, 50),
            *(150, 0, _USED * report.fixed, 0),
        ),
    )


FRAMES: Final[Mapping[str, Callable[[FixState], bytes]]] = {
    "UBX-NAV-PVT": _nav_pvt,
    "UBX-NAV-TIMEUTC": _nav_timeutc,
    "UBX-NAV-TIMEGPS": _nav_timegps,
    "UBX-NAV-SOL": _nav_sol,
}
"""The messages that may stand among a receiver's sentences."""

_Times = tuple[
    bool, tuple[tuple[int, int, int], tuple[int, int, int], int], tuple[int, int]
]


def _times(report: FixState) -> _Times:
    """Is the time known; date, time of day and ns as UTC; GPS week and time of week
    (ms)."""
    if report.utc is None or report.tai is None:
        return False, ((0, 0, 0), (0, 0, 0), 0), (0, 0)
    whole, ns = divmod(report.utc.ns, SECOND.ns)
    at = datetime.fromtimestamp(whole, UTC)
    clock = at.hour, at.minute, at.second + report.leap_second
    return True, ((at.year, at.month, at.day), clock, ns), _gps(report.tai)
