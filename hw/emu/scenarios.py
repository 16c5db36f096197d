"""Worlds with a name: what the clock, the receiver and the sky are like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hw.emu.faults import Fault, Kind
from hw.emu.oscillator import Character, Climate
from hw.emu.receiver import Habits
from refclock.timebase import SECOND, LeapSecond, LeapTable, Tai, Utc

_UTC_BEHIND_TAI: Final = 37 * SECOND
"""Since 2017."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One world, from its start to its troubles. Times are in true time."""

    name: str
    description: str
    faults: tuple[Fault, ...] = ()
    habits: Habits = field(default_factory=Habits)
    character: Character = field(default_factory=Character)
    start: Utc = Utc.of(2026, 12, 1, 12)
    live_at_start: bool = False
    """A live world begins at `start` too, and not at the machine's own time."""
    clock_error_s: float = 0.037
    """Local clock less UTC at the start."""
    leap: LeapSecond | None = None

    @property
    def leaps(self) -> LeapTable:
        """The truth about leap seconds from 2017 on."""
        since = Utc.of(2017, 1, 1)
        table = LeapTable((), _UTC_BEHIND_TAI, since, Utc.of(2050, 1, 1))
        return table if self.leap is None else table.with_leap(self.leap)

    @property
    def begins(self) -> Tai:
        """True time at the start."""
        return self.leaps.tai(self.start)


_ALL: Final = (
    Scenario("nominal", "a healthy receiver under a clear sky"),
    Scenario(
        "noisy-oscillator",
        "a restless crystal in a draught",
        character=Character(
            white_ppb=5.0,
            flicker_ppb=5.0,
            walk_ppb=10.0,
            climate=Climate(swing_c=2.0, draught_c=1.0),
        ),
    ),
    Scenario(
        "fix-lost",
        "the sky is gone for a minute, and the pulse with it",
        (Fault(Kind.NO_FIX, 60, 60),),
    ),
)

SCENARIOS: Final[Mapping[str, Scenario]] = {each.name: each for each in _ALL}
