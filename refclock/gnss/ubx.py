"""u-blox binary messages -> facts.

Layouts: u-blox M8 receiver description (UBX-13003221), 32; NAV-SOL u-blox 6 (GPS.G6-
SW-10018), 35.10; SEC-SIG from the F9 interface descriptions. A payload of the wrong
length, or a value out of its range, is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is an exception class
from typing import Final

from refclock.events import (
    AntennaFeed,
    Dropped,
    DropReason,
    Feed,
    Fix,
    Identity,
    Interference,
    LeapNotice,
    NoTime,
    Position,
    Satellite,
    Sawtooth,
    SkyView,
    TimeMessage,
)
from refclock.gnss.framer import Binary
from refclock.timebase import (
    DAY,
    GPS_BEHIND_TAI,
    MILLISECOND,
    SECOND,
    Duration,
    LeapSecond,
    Mono,
    Utc,
)

Fact = (
    TimeMessage
    | NoTime
    | LeapNotice
    | Sawtooth
    | SkyView
    | Position
    | Interference
    | AntennaFeed
    | Identity
    | Dropped
)

_LEAST: Final = {
    (0x01, 0x03): 16,
    (0x01, 0x06): 52,
    (0x01, 0x07): 84,
    (0x0A, 0x04): 40,
    (0x0A, 0x09): 60,
    (0x27, 0x09): 4,
}
"""Bytes of messages that later firmware made longer."""
_PVT: Final = Struct("<4xHBBBBBBIiBB2xii4xi")
_TIMEUTC: Final = Struct("<4xIiHBBBBBB")
_TIMEGPS: Final = Struct("<IihbBI")
_SOL: Final = Struct("<IihBB")
_TIMELS: Final = Struct("<8xBbBbiHH3xB")
_TIMTP: Final = Struct("<IIiHBx")
_SATELLITE: Final = Struct("<BBBbh2xI")
_GPS_BEGAN: Final = Utc.of(1980, 1, 6)
_WEEK: Final = 7 * DAY
_SAWTOOTH: Final = Duration(100)
"""Larger than any: half a period of a receiver's clock of 5 MHz."""
_FRESH: Final = 1500 * MILLISECOND
"""A word on the fix so old is of the last second, or this one."""
_TIME_KNOWN: Final = 7
"""Week, time of week and leap seconds; or date, time of day and whole seconds."""
_WEEK_AND_TIME: Final = 0b1100
"""NAV-SOL: WKNSET and TOWSET."""
_FIX_TYPES: Final = {
    1: Fix.ESTIMATED,
    2: Fix.VALID,
    3: Fix.VALID,
    4: Fix.VALID,
    5: Fix.VALID,
}
"""1 dead reckoning only, 2 flat, 3 in space, 4 with dead reckoning, 5 time only."""
_DEFAULT_LEAPS: Final = 0
"""srcOfCurrLs: compiled into the firmware."""
_SYSTEMS: Final = (
    "GPS",
    "SBAS",
    "Galileo",
    "BeiDou",
    "IMES",
    "QZSS",
    "GLONASS",
    "NavIC",
)
_RF_BLOCK: Final = 20
"""Bytes at least: 24, or 20 in firmware HPS 1.30; the flags come second in both."""
_GRADES: Final = ("not watched", "none", "indicated", "severe")
"""Of jamming and of spoofing alike."""
_INDICATED: Final = 2
_FEEDS: Final = {2: Feed.WELL, 3: Feed.SHORT, 4: Feed.OPEN}
"""antStatus; 0 and 1: it does not know."""


class Ubx:
    """Reads frames. Used by one thread.

    Remembers what a verdict needs and other messages carry: the state of jamming and of
    spoofing, of the fix (some messages that name a time have none), and the count of
    leap seconds (NAV-SOL has none).
    """

    def __init__(self) -> None:
        self._jamming = 0
        self._spoofing = 0
        self._fix: tuple[Fix, Mono] | None = None
        self._behind: Duration | None = None
        """TAI - UTC, as the receiver last counted it."""
        self._readers: Mapping[tuple[int, int], Callable[[Binary], Iterator[Fact]]] = {
            (0x01, 0x03): self._nav_status,
            (0x01, 0x06): self._nav_sol,
            (0x01, 0x07): self._nav_pvt,
            (0x01, 0x20): self._nav_timegps,
            (0x01, 0x21): self._nav_timeutc,
            (0x01, 0x26): self._nav_timels,
            (0x01, 0x35): _nav_sat,
            (0x0A, 0x04): _mon_ver,
            (0x0A, 0x09): self._mon_hw,
            (0x0A, 0x38): self._mon_rf,
            (0x0D, 0x01): _tim_tp,
            (0x27, 0x09): self._sec_sig,
        }

    def facts(self, frame: Binary) -> list[Fact]:
        """The facts in a frame; nothing for one about other things."""
        try:
            return list(self._read(frame))
        except (StructError, ValueError, IndexError, OverflowError) as why:
            detail = (
                f"UBX {frame.cls:02X} {frame.id:02X}, {len(frame.payload)} bytes: {why}"
            )
            return [Dropped(frame.mono, DropReason.FIELD, detail)]

    def _read(self, frame: Binary) -> Iterator[Fact]:
        message = frame.cls, frame.id
        reader = self._readers.get(message)
        if frame.kind != "UBX" or reader is None:
            return
        if len(frame.payload) < _LEAST.get(message, 0):
            raise ValueError("cut short")
        yield from reader(frame)

    def _nav_status(self, frame: Binary) -> Iterator[Fact]:
        self._fix = _fix(frame.payload[4], frame.payload[5]), frame.mono
        yield self._interference(frame.mono, spoofing=frame.payload[7] >> 3 & 3)

    def _mon_hw(self, frame: Binary) -> Iterator[Fact]:
        yield self._interference(frame.mono, jamming=frame.payload[22] >> 2 & 3)
        yield from _feed(frame.mono, frame.payload[20])

    def _mon_rf(self, frame: Binary) -> Iterator[Fact]:
        blocks = frame.payload[1]
        size, rest = divmod(len(frame.payload) - 4, blocks) if blocks else (0, 1)
        if rest or size < _RF_BLOCK:
            raise ValueError("blocks are missing")
        jamming = max(flags & 3 for flags in frame.payload[5::size])
        yield self._interference(frame.mono, jamming=jamming)
        yield from _feed(frame.mono, frame.payload[6])

    def _sec_sig(self, frame: Binary) -> Iterator[Fact]:
        if frame.payload[0] == 1:
            jamming, spoofing = frame.payload[4], frame.payload[8]
        else:
            jamming, spoofing = frame.payload[1], frame.payload[1] >> 3
        yield self._interference(
            frame.mono, jamming=jamming >> 1 & 3, spoofing=spoofing >> 1 & 3
        )

    def _interference(
        self, mono: Mono, *, jamming: int | None = None, spoofing: int | None = None
    ) -> Interference:
        self._jamming = self._jamming if jamming is None else jamming
        self._spoofing = self._spoofing if spoofing is None else spoofing
        return Interference(
            mono,
            self._jamming >= _INDICATED,
            self._spoofing >= _INDICATED,
            f"jamming {_GRADES[self._jamming]}, spoofing {_GRADES[self._spoofing]}",
        )

    def _nav_pvt(self, frame: Binary) -> Iterator[Fact]:
        fields = _PVT.unpack_from(frame.payload)
        *civil, valid, accuracy, nano, fix_type, flags, lon, lat, height = fields
        fix = _fix(fix_type, flags)
        if valid & _TIME_KNOWN != _TIME_KNOWN:
            fix = Fix.NONE
        self._fix = fix, frame.mono
        if valid & 3 == 3:
            yield civil_time(frame.mono, "UBX-NAV-PVT", civil, nano, accuracy, fix)
        else:
            yield NoTime(frame.mono, fix)
        if flags & 1 and fix_type in {2, 3, 4}:
            yield Position(frame.mono, lat * 1e-7, lon * 1e-7, height * 1e-3)

    def _nav_timeutc(self, frame: Binary) -> Iterator[Fact]:
        accuracy, nano, *civil, valid = _TIMEUTC.unpack(frame.payload)
        if valid & 3 == 3:
            known = Fix.VALID if valid & 4 else Fix.NONE
            fix = self._by_fix(known, frame.mono)
            yield civil_time(frame.mono, "UBX-NAV-TIMEUTC", civil, nano, accuracy, fix)
        else:
            yield NoTime(frame.mono, Fix.NONE)

    def _nav_timegps(self, frame: Binary) -> Iterator[Fact]:
        tow_ms, nano, week, leaps, valid, accuracy = _TIMEGPS.unpack(frame.payload)
        if valid & 4:
            self._behind = leaps * SECOND + GPS_BEHIND_TAI
        if valid & _TIME_KNOWN == _TIME_KNOWN:
            fix = self._by_fix(Fix.PRESUMED, frame.mono)
            utc = _gps_time(week, tow_ms, nano) - leaps * SECOND
            yield named(frame.mono, "UBX-NAV-TIMEGPS", utc, fix, Duration(accuracy))
        else:
            yield NoTime(frame.mono, Fix.NONE)

    def _nav_sol(self, frame: Binary) -> Iterator[Fact]:
        tow_ms, nano, week, fix_type, flags = _SOL.unpack_from(frame.payload)
        fix = _fix(fix_type, flags)
        self._fix = fix, frame.mono
        if self._behind is None or flags & _WEEK_AND_TIME != _WEEK_AND_TIME:
            yield NoTime(frame.mono, fix)
            return
        utc = _gps_time(week, tow_ms, nano) - (self._behind - GPS_BEHIND_TAI)
        yield named(frame.mono, "UBX-NAV-SOL", utc, fix)

    def _by_fix(self, fix: Fix, now: Mono) -> Fix:
        """`fix`, unless a message beside this one denies it."""
        if self._fix is None or now - self._fix[1] > _FRESH or self._fix[0].good:
            return fix
        return self._fix[0]

    def _nav_timels(self, frame: Binary) -> Iterator[Fact]:
        source, now, change_source, change, until, week, day, valid = _TIMELS.unpack(
            frame.payload
        )
        behind = now * SECOND + GPS_BEHIND_TAI
        announced = None
        if valid & 1:
            self._behind = behind
        if valid & 3 == 3 and change_source and change and until > 0:
            if abs(change) != 1 or not 1 <= day <= 7:
                raise ValueError(f"a leap second of {change} s on day {day} of a week")
            # days count from 1, a Sunday; the change ends that day
            midnight = _GPS_BEGAN + week * _WEEK + day * DAY
            announced = LeapSecond.ending(midnight, behind, behind + change * SECOND)
        yield LeapNotice(
            frame.mono,
            "UBX-NAV-TIMELS",
            behind if valid & 1 else None,
            firmware_default=source == _DEFAULT_LEAPS,
            announced=announced,
        )


def _feed(mono: Mono, state: int) -> Iterator[Fact]:
    if state in _FEEDS:
        yield AntennaFeed(mono, _FEEDS[state])


def _fix(kind: int, flags: int) -> Fix:
    """`kind`: u-blox's gpsFix. `flags`: bit 0 is gpsFixOK. Dead reckoning is what it
    is, whatever the flag."""
    fix = _FIX_TYPES.get(kind, Fix.NONE)
    return fix if flags & 1 or not fix.good else Fix.NONE


def _gps_time(week: int, tow_ms: int, nano: int) -> Utc:
    """GPS time, as if it were UTC. ValueError: out of range."""
    tow = tow_ms * MILLISECOND
    if week < 0 or tow >= _WEEK or abs(nano) >= SECOND.ns:
        raise ValueError(f"week {week}, {tow_ms} ms, {nano} ns")
    return _GPS_BEGAN + week * _WEEK + tow + Duration(nano)


def civil_time(
    mono: Mono,
    kind: str,
    civil: Sequence[int],
    nano: int,
    accuracy_ns: int | None,
    fix: Fix,
) -> TimeMessage:
    """`civil`: year to second, rounded; `nano`, of either sign, makes it exact.
    ValueError: no date or no time of day."""
    *minute, second = civil
    if second > 60 or abs(nano) > SECOND.ns:
        raise ValueError(f"second {second}, {nano} ns")
    utc = Utc.of(*minute) + second * SECOND + Duration(nano)
    error = None if accuracy_ns is None else Duration(accuracy_ns)
    return named(mono, kind, utc, fix, error, leap_second=second == 60)


def named(
    mono: Mono,
    kind: str,
    utc: Utc,
    fix: Fix,
    error: Duration | None = None,
    *,
    leap_second: bool = False,
) -> TimeMessage:
    """A time; one known worse than half a second names no second."""
    if error is not None and fix.good and 2 * error > SECOND:
        fix = Fix.NONE
    return TimeMessage(utc, mono, kind, fix, leap_second, accuracy=error)


def _tim_tp(frame: Binary) -> Iterator[Fact]:
    """About the next pulse. u-blox does not state the sign of qErr: measured against
    a steady clock, a pulse stamp plus qErr is smooth (anderswallin.net, 2019-10,
    F9T), so a positive one is of a pulse that comes early."""
    tow_ms, tow_fraction, error_ps, week, flags = _TIMTP.unpack(frame.payload)
    if flags & 0x10:
        return
    error = Duration(-round(error_ps / 1000))
    if abs(error) > _SAWTOOTH:
        raise ValueError(f"a pulse late by {error.ns} ns, beyond ±{_SAWTOOTH.ns} ns")
    pulse = None
    if flags & 3 == 3:  # counted in UTC, and UTC is known
        pulse = _gps_time(week, tow_ms, tow_fraction * MILLISECOND.ns >> 32)
    yield Sawtooth(frame.mono, pulse, error)


def _nav_sat(frame: Binary) -> Iterator[Fact]:
    if len(frame.payload) != 8 + 12 * frame.payload[5]:
        raise ValueError("satellites are missing")
    satellites: list[Satellite] = []
    used = 0
    for system, number, cn0, elevation, azimuth, flags in _SATELLITE.iter_unpack(
        frame.payload[8:]
    ):
        used += flags >> 3 & 1
        placed = abs(elevation) <= 90 and 0 <= azimuth <= 360
        satellites.append(
            Satellite(
                _SYSTEMS[system] if system < len(_SYSTEMS) else str(system),
                number,
                elevation if placed else None,
                azimuth if placed else None,
                cn0 or None,
            )
        )
    yield SkyView(frame.mono, used, tuple(satellites))


def _mon_ver(frame: Binary) -> Iterator[Fact]:
    texts = [_text(frame.payload[:30]), _text(frame.payload[30:40])]
    texts += [
        _text(frame.payload[k : k + 30]) for k in range(40, len(frame.payload), 30)
    ]
    labels = dict(text.split("=", 1) for text in texts if "=" in text)
    model = labels.get("MOD", f"u-blox {texts[1]}")
    yield Identity(frame.mono, f"{model} {labels.get('FWVER', texts[0])}")


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace").strip()
