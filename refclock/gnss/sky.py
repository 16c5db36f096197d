"""GSV and GSA of one burst -> one view of the sky.

A GSV names at most four satellites, so a view comes in parts, per system and,
since NMEA 4.1, once per signal; a GSA names the satellites in the fix, one
sentence per system. Read by hand: pynmea2 has a name for each of sixteen fields
and none for the signal beyond them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from refclock.events import Satellite, SkyView
from refclock.gnss.framer import Sentence
from refclock.timebase import Mono

_SYSTEMS: Final = {
    "GP": "GPS",
    "GL": "GLONASS",
    "GA": "Galileo",
    "GB": "BeiDou",
    "BD": "BeiDou",
    "GQ": "QZSS",
    "QZ": "QZSS",
    "PQ": "QZSS",
    "GI": "NavIC",
}
_GSA_USED: Final = slice(3, 15)
_MOST: Final = 256
"""Satellites kept: more than any sky has, in case nothing ever takes the view."""


class Sky:
    """Gathers a view until it is taken. Used by one thread."""

    def __init__(self) -> None:
        self._seen: Mono | None = None
        self._view: dict[tuple[str, int], Satellite] = {}
        self._used: set[tuple[str, int]] | None = None

    def observe(self, sentence: Sentence) -> None:
        """One more part, if it is one."""
        kind = sentence.body[2:6]
        if kind not in {b"GSV,", b"GSA,"}:
            return
        if len(self._view) + len(self._used or ()) > _MOST:
            return
        fields = sentence.body.decode("ascii").split(",")
        if self._seen is None:
            self._seen = sentence.mono
        if kind == b"GSA,":
            self._used = self._used or set()
            system = fields[18] if len(fields) > 18 else fields[0][:2]
            used = map(_number, fields[_GSA_USED])
            self._used.update((system, number) for number in used if number)
            return
        name = _SYSTEMS.get(fields[0][:2], fields[0][:2])
        for first in range(4, len(fields) - 3, 4):
            number, *rest = map(_number, fields[first : first + 4])
            if number is not None:
                self._add(Satellite(name, number, *rest))

    def view(self) -> Iterator[SkyView]:
        """All that was gathered since the last one, if anything."""
        if self._seen is not None:
            used = None if self._used is None else len(self._used)
            yield SkyView(self._seen, used, tuple(self._view.values()))
        self._seen, self._view, self._used = None, {}, None

    def _add(self, satellite: Satellite) -> None:
        """Of several signals of a satellite the strongest counts."""
        key = satellite.system, satellite.number
        known = self._view.get(key)
        if known is None or (satellite.cn0 or 0) > (known.cn0 or 0):
            self._view[key] = satellite


def _number(text: str) -> int | None:
    """Of up to three ASCII digits."""
    return int(text) if text.isdigit() and len(text) <= 3 else None
