"""A sentence whose checksum was right -> facts.

The position of each field comes from pynmea2; its meaning is read here, by patterns
that match it whole. pynmea2's own readings do not serve for time: its
clock raises TypeError on second 60 and on an empty date, and its RMC.is_valid is
False for every healthy receiver of NMEA 4.1.

Time is UTC in every sentence, whatever zone a ZDA names beside it. Satellites
are read in `sky`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - a field of Timed is called date
from typing import Final

from pynmea2 import GGA, GLL, GNS, RMC, ZDA, NMEASentence
from pynmea2.nmea_utils import dm_to_sd

from refclock.events import (
    AntennaFeed,
    Dropped,
    DropReason,
    Feed,
    Identity,
    LeapNotice,
    Position,
)
from refclock.gnss.framer import Sentence
from refclock.timebase import GPS_BEHIND_TAI, SECOND, Duration, Mono

_CLOCK: Final = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(?:\.(\d*))?")
_SHORT: Final = re.compile(r"(?:[3-9]|2(?=[45]))\d{4}(?:\.\d*)?")
"""The hour without its leading zero, where the first two digits are no hour: those of
other hours can be read in several ways."""
_DATE: Final = re.compile(r"(\d\d)(\d\d)(\d\d)|(\d\d?),(\d\d?),(\d{4})")
_NUMBER: Final = re.compile(r"-?\d{1,9}(?:\.\d*)?")
_LEAPS: Final = re.compile(r"(\d{1,3})(D?)")
_IDENTITY: Final = re.compile(
    r"..TXT,\d+,\d+,\d+,(?:MOD[ =]|HW +|SW=)(.+)"
    r"|(?:PMTK705|PQVERNO|PQTMVERNO|PDTINFO),(.+)"
    r"|PSRFTXTVersion:? *(.+)"
)
_FEED: Final = re.compile(
    r"..TXT,\d+,\d+,\d+,(?:ANTSTATUS=|ANTENNA )(OK|OPEN|SHORT)|(?:PGTOP|PCD),11,([123])"
)
"""u-blox's, CASIC's, and GlobalTop's: shorted, its own patch, an active antenna."""
_FEEDS: Final = {
    "OK": Feed.WELL,
    "OPEN": Feed.OPEN,
    "SHORT": Feed.SHORT,
    "1": Feed.SHORT,
    "2": Feed.WELL,
    "3": Feed.WELL,
}
_OF_THE_SKY: Final = frozenset({"GSV", "GSA", "VTG"})
"""Frequent, and without a time or a name."""
_GPS_BEGAN: Final = 80
"""A two-digit year from here on is of the last century: GPS time began in 1980."""


@dataclass(frozen=True, slots=True)
class Timed:
    """The time in a sentence, and its validity.

    Of the letters, in capitals, '' is an empty field and '?' is no single letter.
    """

    mono: Mono
    offset: int
    """Bytes of the stream before it."""
    address: str
    """Talker and kind: `GNRMC`, `PGRMF`, `PUBX`."""
    kind: str
    """`RMC`, `GGA`, `ZDA`, `GLL`, `GNS`, `PGRMF` or `PUBX04`."""
    tod: Duration | None
    """Since midnight UTC; None where the field is empty or cannot be read."""
    leap_second: bool
    """It was written as second 60."""
    date: Date | None
    status: str
    mode: str
    quality: str
    systems: str
    """GNS: one mode letter for each system."""
    unreadable: bool = False
    """There is a time in it that cannot be read: `tod` is None, and not for want of a
    time."""

    @property
    def talker(self) -> str:
        """The first two letters of the address; all of a proprietary one."""
        return self.address if self.address.startswith("P") else self.address[:2]


Fact = Timed | Position | LeapNotice | AntennaFeed | Identity | Dropped


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which field is what, counted from the one after the address; None: it has
    no such field."""

    clock: int
    date: tuple[int, ...] = ()
    status: int | None = None
    mode: int | None = None
    quality: int | None = None
    systems: int | None = None
    leaps: int | None = None
    latitude: int | None = None
    """The next three are its hemisphere, the longitude and its hemisphere."""
    hdop: int | None = None
    altitude: int | None = None


def _layout(sentence: type[NMEASentence], **names: str) -> _Layout:
    """pynmea2's field names, by those of `_Layout`."""
    where: Mapping[str, int] = sentence.name_to_idx
    date = tuple(where[name] for name in names.pop("date", "").split())
    return _Layout(date=date, **{ours: where[name] for ours, name in names.items()})


_LAYOUTS: Final[Mapping[str, _Layout]] = {
    "RMC": _layout(
        RMC,
        clock="timestamp",
        date="datestamp",
        status="status",
        mode="mode_indicator",
        latitude="lat",
    ),
    "GGA": _layout(
        GGA,
        clock="timestamp",
        quality="gps_qual",
        latitude="lat",
        hdop="horizontal_dil",
        altitude="altitude",
    ),
    "GLL": _layout(GLL, clock="timestamp", status="status", mode="faa_mode"),
    "GNS": _layout(GNS, clock="timestamp", systems="mode_indicator"),
    "ZDA": _layout(ZDA, clock="timestamp", date="day month year"),
    # u-blox M8 protocol specification, 31.3.4
    "PUBX04": _Layout(clock=1, date=(2,), leaps=5),
    # Garmin GPS 18x technical specifications, 4.2.6
    "PGRMF": _Layout(clock=3, date=(2,), status=10, leaps=4),
}


def facts(sentence: Sentence) -> Iterator[Fact]:
    """The facts in it; nothing for a sentence about other things."""
    text = sentence.body.decode("ascii")
    address, *data = text.split(",")
    address = address.upper()
    kind = _kind(address, data)
    layout = _LAYOUTS.get(kind)
    if layout is not None:
        yield from _timely(sentence, address, kind, layout, data)
    elif kind in _OF_THE_SKY:
        return
    elif named := _IDENTITY.fullmatch(text):
        name = next(filter(None, named.groups()))
        yield Identity(sentence.mono, " ".join(name.replace(",", " ").split()))
    elif feed := _FEED.fullmatch(text):
        yield AntennaFeed(sentence.mono, _FEEDS[feed[1] or feed[2]])


def _kind(address: str, data: Sequence[str]) -> str:
    if not address.startswith("P"):
        return address[2:] if len(address) == 5 else ""
    return address + data[0] if address == "PUBX" and data else address


def _timely(
    sentence: Sentence, address: str, kind: str, layout: _Layout, data: Sequence[str]
) -> Iterator[Fact]:
    def field(index: int | None) -> str:
        return data[index].strip() if index is not None and index < len(data) else ""

    tod: Duration | None = None
    date: Date | None = None
    leap_second = False
    unreadable: list[str] = []
    try:
        tod, leap_second = _time_of_day(field(layout.clock))
    except ValueError:
        unreadable.append("time")
    try:
        date = _date(",".join(map(field, layout.date)))
    except ValueError:
        unreadable.append("date")
    status = _letter(field(layout.status))
    if kind == "PGRMF":  # the type of the fix: 0 none, 1 flat, 2 in space
        status = "A" if status in {"1", "2"} else "V"
    quality = _letter(field(layout.quality))
    yield Timed(
        sentence.mono,
        sentence.offset,
        address,
        kind,
        tod,
        leap_second,
        date,
        status,
        _letter(field(layout.mode)),
        quality,
        field(layout.systems).upper(),
        "time" in unreadable,
    )
    if layout.latitude is not None and (status == "A" or quality not in {"", "0"}):
        place = [field(layout.latitude + k) for k in range(4)]
        try:
            if any(place):
                yield Position(
                    sentence.mono,
                    *_place(*place),
                    _number(field(layout.altitude)),
                    _number(field(layout.hdop)),
                )
        except ValueError:
            unreadable.append("place")
    if leaps := _LEAPS.fullmatch(field(layout.leaps)):
        behind = int(leaps[1]) * SECOND + GPS_BEHIND_TAI
        yield LeapNotice(sentence.mono, kind, behind, firmware_default=leaps[2] == "D")
    if unreadable:
        detail = f"{' and '.join(unreadable)} of {sentence.body.decode('ascii')}"
        yield Dropped(sentence.mono, DropReason.FIELD, detail[:100])


def _time_of_day(text: str) -> tuple[Duration | None, bool]:
    """hhmmss.fff, and whether it is second 60. ValueError: not a time of day."""
    if not text:
        return None, False
    if _SHORT.fullmatch(text):
        text = f"0{text}"
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        raise ValueError(text)
    hour, minute, second, fraction = clock.groups(default="")
    whole = int(hour) * 3600 + int(minute) * 60 + int(second)
    return Duration(whole * SECOND.ns + int(f"{fraction:0<9.9}")), second == "60"


def _date(text: str) -> Date | None:
    """ddmmyy, or d,m,yyyy as a ZDA has it. ValueError: not a date."""
    if not text.strip(","):
        return None
    date = _DATE.fullmatch(text)
    if date is None:
        raise ValueError(text)
    day, month, year = (int(digits) for digits in date.groups() if digits)
    if date[1]:
        year += 1900 if year >= _GPS_BEGAN else 2000
    return Date(year, month, day)


def _place(latitude: str, north: str, longitude: str, east: str) -> tuple[float, float]:
    """Degrees, + is north and east. ValueError: no place."""
    if (
        not latitude
        or north not in {"N", "S"}
        or not longitude
        or east not in {"E", "W"}
    ):
        raise ValueError(latitude)
    lat: float = dm_to_sd(latitude)
    lon: float = dm_to_sd(longitude)
    if lat > 90 or lon > 180:
        raise ValueError(latitude)
    return (lat if north == "N" else -lat), (lon if east == "E" else -lon)


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _letter(text: str) -> str:
    return text.upper() if len(text) < 2 else "?"
