"""CASIC binary messages (AT6558, AT6668; Quectel L76K, ATGM336H) -> facts.

CASIC multimode receiver protocol V4.2, 2.7: NAV-SOL and NAV-PV for the state of the
fix, NAV-TIMEUTC for the time. The specification leaves out the milliseconds of
NAV-TIMEUTC, which stand before the year: with them its 24 bytes are whole.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - it is an exception class
from typing import Final

from refclock.events import Dropped, DropReason, Fix, NoTime, TimeMessage
from refclock.gnss.framer import Binary
from refclock.gnss.ubx import civil_time
from refclock.timebase import MILLISECOND, SECOND, Mono

_NAV_SOL, _NAV_PV, _NAV_TIMEUTC = (0x01, 0x02), (0x01, 0x03), (0x01, 0x10)
_STATE: Final = Struct("<4xB")
_TIMEUTC: Final = Struct("<4x4xfHHBBBBBBBB")
_KNOWN: Final = 7
"""Time of week, week and leap seconds are valid."""
_DATED: Final = 2
"""dateValid from here on: by satellites."""
_RECKONED, _FLAT = 4, 6
"""posValid: dead reckoning; and from here on a fix."""
_FRESH: Final = 1500 * MILLISECOND


class Casic:
    """Reads frames; remembers the state of the fix. Used by one thread."""

    def __init__(self) -> None:
        self._fix: tuple[Fix, Mono] | None = None

    def facts(self, frame: Binary) -> list[TimeMessage | NoTime | Dropped]:
        """The facts in a frame; nothing for one about other things."""
        try:
            return self._read(frame)
        except (StructError, ValueError) as why:
            detail = f"CASIC {frame.cls:02X} {frame.id:02X}: {why}"
            return [Dropped(frame.mono, DropReason.FIELD, detail)]

    def _read(self, frame: Binary) -> list[TimeMessage | NoTime | Dropped]:
        match frame.cls, frame.id:
            case message if message in {_NAV_SOL, _NAV_PV}:
                (state,) = _STATE.unpack_from(frame.payload)
                self._fix = _fix(state), frame.mono
                return []
            case message if message == _NAV_TIMEUTC:
                return [self._timeutc(frame)]
            case _:
                return []

    def _timeutc(self, frame: Binary) -> TimeMessage | NoTime:
        error_ms, ms, *civil, valid, _, dated = _TIMEUTC.unpack(frame.payload)
        fix = Fix.PRESUMED
        if self._fix is not None and frame.mono - self._fix[1] <= _FRESH:
            fix = self._fix[0]
        if valid & _KNOWN != _KNOWN or dated < _DATED:
            return NoTime(frame.mono, Fix.NONE)
        if ms >= 1000 or not abs(error_ms) <= 1:
            raise ValueError(f"{ms} ms and {error_ms} ms")
        nano = ms * MILLISECOND.ns + round(error_ms * MILLISECOND.ns)
        return civil_time(
            frame.mono, "CASIC-NAV-TIMEUTC", civil, min(nano, SECOND.ns), None, fix
        )


def _fix(state: int) -> Fix:
    if state == _RECKONED:
        return Fix.ESTIMATED
    return Fix.VALID if state >= _FLAT else Fix.NONE
