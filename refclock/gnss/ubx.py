"""u-blox binary messages -> what they say.

Layouts: u-blox M8 receiver description (UBX-13003221), 32; SEC-SIG from the F9
interface descriptions. A payload of the wrong length is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    (0x01, 0x07): 84,
    (0x0A, 0x04): 40,
    (0x0A, 0x09): 60,
    (0x27, 0x09): 4,
}
"""Bytes of messages that later firmware made longer."""
_PVT: Final = Struct("<4xHBBBBBBIiBB2xii4xi")
_TIMEUTC: Final = Struct("<4xIiHBBBBBB")
_TIMELS: Final = Struct("<8xBbBbiHH3xB")
_TIMTP: Final = Struct("<IIiHBx")
_SATELLITE: Final = Struct("<BBBbh2xI")
_GPS_BEGAN: Final = Utc.of(1980, 1, 6)
_WEEK: Final = 7 * DAY
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
    """Reads frames; remembers the last word on jamming and on spoofing, since they
    come in different messages and a verdict needs both. Used by one thread."""

    def __init__(self) -> None:
        self._jamming = 0
        self._spoofing = 0
        self._readers: Mapping[tuple[int, int], Callable[[Binary], Iterator[Fact]]] = {
            (0x01, 0x03): self._nav_status,
            (0x01, 0x07): _nav_pvt,
            (0x01, 0x21): _nav_timeutc,
            (0x01, 0x26): _nav_timels,
            (0x01, 0x35): _nav_sat,
            (0x0A, 0x04): _mon_ver,
            (0x0A, 0x09): self._mon_hw,
            (0x0A, 0x38): self._mon_rf,
            (0x0D, 0x01): _tim_tp,
            (0x27, 0x09): self._sec_sig,
        }

    def facts(self, frame: Binary) -> list[Fact]:
        """What a frame says; nothing for one about other things."""
        try:
            return list(self._read(frame))
        except (StructError, ValueError, IndexError) as why:
            told = (
                f"UBX {frame.cls:02X} {frame.id:02X}, {len(frame.payload)} bytes: {why}"
            )
            return [Dropped(frame.mono, DropReason.FIELD, told)]

    def _read(self, frame: Binary) -> Iterator[Fact]:
        message = frame.cls, frame.id
        reader = self._readers.get(message)
        if frame.kind != "UBX" or reader is None:
            return
        if len(frame.payload) < _LEAST.get(message, 0):
            raise ValueError("cut short")
        yield from reader(frame)

    def _nav_status(self, frame: Binary) -> Iterator[Fact]:
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
        self, seen: Mono, *, jamming: int | None = None, spoofing: int | None = None
    ) -> Interference:
        self._jamming = self._jamming if jamming is None else jamming
        self._spoofing = self._spoofing if spoofing is None else spoofing
        return Interference(
            seen,
            self._jamming >= _INDICATED,
            self._spoofing >= _INDICATED,
            f"jamming {_GRADES[self._jamming]}, spoofing {_GRADES[self._spoofing]}",
        )


def _feed(seen: Mono, state: int) -> Iterator[Fact]:
    if state in _FEEDS:
        yield AntennaFeed(seen, _FEEDS[state])


def _nav_pvt(frame: Binary) -> Iterator[Fact]:
    *civil, valid, accuracy, nano, fix_type, flags, lon, lat, height = _PVT.unpack_from(
        frame.payload
    )
    in_fix = bool(flags & 1)
    if valid & 7 != 7:
        fix = Fix.NONE
    elif fix_type == 1:
        fix = Fix.ESTIMATED
    else:
        fix = Fix.VALID if in_fix and fix_type in {2, 3, 4, 5} else Fix.NONE
    if valid & 3 == 3:
        yield _time(frame.mono, "UBX-NAV-PVT", civil, nano, accuracy, fix)
    else:
        yield NoTime(frame.mono, fix)
    if in_fix and fix_type in {2, 3, 4}:
        yield Position(frame.mono, lat * 1e-7, lon * 1e-7, height * 1e-3)


def _nav_timeutc(frame: Binary) -> Iterator[Fact]:
    accuracy, nano, *civil, valid = _TIMEUTC.unpack(frame.payload)
    if valid & 3 == 3:
        fix = Fix.VALID if valid & 4 else Fix.NONE
        yield _time(frame.mono, "UBX-NAV-TIMEUTC", civil, nano, accuracy, fix)
    else:
        yield NoTime(frame.mono, Fix.NONE)


def _time(
    seen: Mono, kind: str, civil: list[int], nano: int, accuracy: int, fix: Fix
) -> TimeMessage:
    """`civil` is rounded to a hundredth; `nano`, of either sign, makes it exact."""
    *minute, second = civil
    if second > 60:
        raise ValueError(f"second {second}")
    utc = Utc.of(*minute) + second * SECOND + Duration(nano)
    error = Duration(accuracy)
    if fix.good and 2 * error > SECOND:
        fix = Fix.NONE  # it cannot tell which second it is
    return TimeMessage(utc, seen, kind, fix, second == 60, accuracy=error)


def _nav_timels(frame: Binary) -> Iterator[Fact]:
    source, now, change_source, change, until, week, day, valid = _TIMELS.unpack(
        frame.payload
    )
    behind = now * SECOND + GPS_BEHIND_TAI
    announced = None
    if valid & 3 == 3 and change_source and change and until > 0:
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


def _tim_tp(frame: Binary) -> Iterator[Fact]:
    """About the next pulse. u-blox does not state the sign of qErr: measured against
    a steady clock, a pulse stamp plus qErr is smooth (anderswallin.net, 2019-10,
    F9T), so a positive one is of a pulse that comes early."""
    tow_ms, tow_fraction, error_ps, week, flags = _TIMTP.unpack(frame.payload)
    if flags & 0x10:
        return
    pulse = None
    if flags & 3 == 3:  # counted in UTC, and UTC is known
        fraction = Duration(tow_fraction * MILLISECOND.ns >> 32)
        pulse = _GPS_BEGAN + week * _WEEK + tow_ms * MILLISECOND + fraction
    yield Sawtooth(frame.mono, pulse, Duration(-round(error_ps / 1000)))


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
    told = dict(text.split("=", 1) for text in texts if "=" in text)
    model = told.get("MOD", f"u-blox {texts[1]}")
    yield Identity(frame.mono, f"{model} {told.get('FWVER', texts[0])}")


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace").strip()
