"""Signs that the receiver's signals are not the sky's: alarmed, never acted on.

An antenna on a roof stays where it is, and a fix comes from satellites.
"""

from __future__ import annotations

from math import cos, hypot, radians
from typing import Final

from refclock.events import Interference, Position, SkyView
from refclock.integrity.alarm import AlarmKind, Alarms
from refclock.reasons import Code, Reason
from refclock.timebase import SECOND, Mono

_SETTLING: Final = 30
"""The first positions, whose mean is home."""
_ROUGH: Final = 5.0
"""HDOP of a position not worth counting."""
_AWAY: Final = 5
"""So many positions in a row elsewhere are no stray one."""
_BLIND: Final = 10 * SECOND
_EARTH_M: Final = 6_371_000.0


class Antenna:
    """Position, satellites and interference of one receiver. Used by one thread."""

    def __init__(self, alarms: Alarms, moved_m: float | None) -> None:
        """`moved_m`: how far a position may be from home; None: it is no home."""
        self._alarms = alarms
        self._moved_m = moved_m
        self._settled = 0
        self._north = self._east = 0.0
        """Home, degrees."""
        self._away = 0
        self._heard = False
        """Whether the receiver ever reported satellites in use."""
        self._blind: Mono | None = None

    def position(self, here: Position) -> None:
        """A static antenna that moves is a false position, or a stolen antenna."""
        if self._moved_m is None or (here.hdop or 0.0) > _ROUGH:
            return
        if self._settled < _SETTLING:
            self._settled += 1
            self._north += (here.latitude - self._north) / self._settled
            self._east += (here.longitude - self._east) / self._settled
            return
        moved = self._metres(here)
        if moved <= self._moved_m:
            self._away = 0
            self._alarms.clear(AlarmKind.ANTENNA)
            return
        self._away += 1
        if self._away >= _AWAY:
            self._alarms.raise_(
                AlarmKind.ANTENNA,
                Reason.of(Code.ANTENNA_MOVED, distance_m=moved),
                here.mono,
            )

    def sky(self, view: SkyView, *, fixed: bool) -> None:
        """A fix without satellites in use is an alarm if any were ever reported."""
        if view.used is None:
            return
        if view.used or not fixed:
            self._heard = self._heard or view.used > 0
            self._blind = None
            self._alarms.clear(AlarmKind.SATELLITES)
            return
        self._blind = self._blind or view.mono
        if self._heard and view.mono - self._blind >= _BLIND:
            self._alarms.raise_(
                AlarmKind.SATELLITES,
                Reason.of(Code.SATELLITES_GONE),
                view.mono,
            )

    def interference(self, report: Interference) -> None:
        """The receiver's own word on jamming and spoofing."""
        if report.jammed or report.spoofed:
            code = Code.SPOOFED if report.spoofed else Code.JAMMED
            reason = Reason.of(code, detail=report.detail)
            self._alarms.raise_(AlarmKind.INTERFERENCE, reason, report.mono)
        else:
            self._alarms.clear(AlarmKind.INTERFERENCE)

    def _metres(self, here: Position) -> float:
        """Distance from home over ground, well below a degree."""
        north = radians(here.latitude - self._north)
        east = radians(here.longitude - self._east) * cos(radians(self._north))
        return _EARTH_M * hypot(north, east)
