"""What a receiver writes: NMEA 0183 sentences.

Written from the standard (NMEA 0183 4.10), never from our own reader: two
independent readings of one text. Fields a receiver does not know stay empty; their
commas stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, reduce
from operator import xor
from typing import Final

from refclock.timebase import SECOND, Tai, Utc

_DAY_S: Final = 86_400
_PER_GSV: Final = 4
_PER_GSA: Final = 12
_SYSTEM: Final[Mapping[str, int]] = {"GP": 1, "GL": 2, "GA": 3, "GB": 4}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the antenna is: degrees, + is north and east; metres above the sea."""

    latitude: float = 52.0907
    longitude: float = 5.1214
    altitude_m: float = 11.0


@dataclass(frozen=True, slots=True)
class Sat:
    """A satellite in view, as GSV numbers it."""

    talker: str
    number: int
    elevation: int
    azimuth: int
    cn0: int | None


@dataclass(frozen=True, slots=True)
class FixState:
    """All a receiver has to say of one moment."""

    utc: Utc | None
    """As it believes; None: it knows no time."""
    leap_second: bool = False
    """It is inside an inserted second, of which `utc` shows the 59 again."""
    mode: str = "A"
    """A autonomous, E estimated, N none: NMEA's mode indicator."""
    place: Place = Place()
    sats: tuple[Sat, ...] = ()
    tai: Tai | None = None
    """The instant as it believes; what GPS time is counted from."""

    @property
    def fixed(self) -> bool:
        """Does it have a position?"""
        return self.mode != "N"


def write(kind: str, talker: str, report: FixState) -> list[bytes]:
    """The sentences of that kind, each with its line end."""
    return WRITERS[kind](talker, report)


def sealed(body: str) -> bytes:
    """`$`, the body, its checksum and the line end."""
    raw = body.encode("ascii")
    return b"$%b*%02X\r\n" % (raw, reduce(xor, raw))


def _rmc(talker: str, report: FixState) -> list[bytes]:
    clock, (day, month, year) = _clock(report), _date(report)
    status = "A" if report.fixed else "V"
    moving = "0.004,," if report.fixed else ",,"
    safe = "V"  # nav status: no integrity information, as of every common receiver
    return [
        sealed(
            f"{talker}RMC,{clock},{status},{_position(report)},{moving}"
            f"{day}{month}{year[2:]},,,{report.mode},{safe}"
        )
    ]


def _gga(talker: str, report: FixState) -> list[bytes]:
    quality = {"A": 1, "E": 6}.get(report.mode, 0)
    used = sum(sat.cn0 is not None for sat in report.sats) if report.fixed else 0
    height = f"{report.place.altitude_m:.1f},M,45.9,M" if report.fixed else ",M,,M"
    hdop = "0.82" if report.fixed else "99.99"
    return [
        sealed(
            f"{talker}GGA,{_clock(report)},{_position(report)},{quality},"
            f"{min(used, _PER_GSA):02d},{hdop},{height},,"
        )
    ]


def _zda(talker: str, report: FixState) -> list[bytes]:
    day, month, year = _date(report)
    zone = "00,00" if report.utc else ","
    return [sealed(f"{talker}ZDA,{_clock(report)},{day},{month},{year},{zone}")]


def _gll(talker: str, report: FixState) -> list[bytes]:
    status = "A" if report.fixed else "V"
    return [
        sealed(
            f"{talker}GLL,{_position(report)},{_clock(report)},{status},{report.mode}"
        )
    ]


def _vtg(talker: str, report: FixState) -> list[bytes]:
    moving = ",T,,M,0.004,N,0.007,K" if report.fixed else ",T,,M,,N,,K"
    return [sealed(f"{talker}VTG,{moving},{report.mode}")]


def _gsa(talker: str, report: FixState) -> list[bytes]:
    lines = []
    for system, number in _SYSTEM.items():
        used = [
            f"{sat.number:02d}"
            for sat in report.sats
            if sat.talker == system and sat.cn0 is not None
        ]
        if not any(sat.talker == system for sat in report.sats):
            continue
        if not report.fixed:
            used = []
        ids = ",".join((used + [""] * _PER_GSA)[:_PER_GSA])
        dops = "3,{},1.49,0.82,1.24" if report.fixed else "1,{},99.99,99.99,99.99"
        lines.append(sealed(f"{talker}GSA,A,{dops.format(ids)},{number}"))
    return lines


def _gsv(_: str, report: FixState) -> list[bytes]:
    lines = []
    for system in _SYSTEM:
        sats = [sat for sat in report.sats if sat.talker == system]
        rows = [sats[i : i + _PER_GSV] for i in range(0, len(sats), _PER_GSV)]
        for n, row in enumerate(rows, 1):
            told = ",".join(map(_sat, row))
            lines.append(
                sealed(f"{system}GSV,{len(rows)},{n},{len(sats):02d},{told},1")
            )
    return lines


WRITERS: Final[Mapping[str, Callable[[str, FixState], list[bytes]]]] = {
    "RMC": _rmc,
    "GGA": _gga,
    "ZDA": _zda,
    "GLL": _gll,
    "VTG": _vtg,
    "GSA": _gsa,
    "GSV": _gsv,
}


def _sat(sat: Sat) -> str:
    cn0 = "" if sat.cn0 is None else f"{sat.cn0:02d}"
    return f"{sat.number:02d},{sat.elevation:02d},{sat.azimuth:03d},{cn0}"


def _clock(report: FixState) -> str:
    if report.utc is None:
        return ""
    whole, ns = divmod(report.utc.ns, SECOND.ns)
    minutes, second = divmod(whole % _DAY_S, 60)
    hour, minute = divmod(minutes, 60)
    second += report.leap_second
    return f"{hour:02d}{minute:02d}{second:02d}.{ns // 10_000_000:02d}"


def _date(report: FixState) -> tuple[str, str, str]:
    if report.utc is None:
        return "", "", ""
    return _day(report.utc.ns // (_DAY_S * SECOND.ns))


@lru_cache(8)
def _day(number: int) -> tuple[str, str, str]:
    day = datetime.fromtimestamp(number * _DAY_S, UTC)
    return f"{day.day:02d}", f"{day.month:02d}", f"{day.year:04d}"


def _position(report: FixState) -> str:
    return _angles(report.place) if report.fixed else ",,,"


@lru_cache(8)
def _angles(place: Place) -> str:
    """Degrees and minutes run together, the hemisphere beside them."""
    north = f"{_angle(place.latitude, 2)},{'N' if place.latitude >= 0 else 'S'}"
    return (
        f"{north},{_angle(place.longitude, 3)},{'E' if place.longitude >= 0 else 'W'}"
    )


def _angle(degrees: float, digits: int) -> str:
    whole, parts = divmod(round(abs(degrees) * 60e5), 60 * 100_000)
    return f"{whole:0{digits}d}{parts // 100_000:02d}.{parts % 100_000:05d}"
