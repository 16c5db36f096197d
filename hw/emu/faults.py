"""What can go wrong, and when: named values on a timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf


class Kind(StrEnum):
    """A fault, and what its size is; the size is 1 where nothing is said."""

    # the sky
    COLD = "knows no time and no place"
    NO_FIX = "lost the sky, and goes on by its own clock, status V"
    ESTIMATED = "reckons its place without the sky, status A, mode E"
    NO_SATELLITES = "has a fix and no satellites"
    MOVED_M = "its antenna is so many metres north of where it stands"
    # what it says
    PULSE_LOST_AFTER = "says nothing"
    LIE_S = "names a time so many seconds ahead, flags as ever"
    WEEKS = "its date is so many weeks ahead"
    LEAP_DEFAULT = "its leap-second count is the firmware's, not the sky's"
    # when it says it
    LATE_S = "speaks so many seconds later"
    LAG_DRIFT_S_PER_S = "speaks later every second"
    # the line
    CORRUPT = "that share of sentences has a wrong bit"
    CUT = "that share of sentences lacks its end"
    INTERLEAVED = "that share of sentences begins within the one before"
    ENDLESS = "a line without end, every second"
    WRONG_BAUD = "the line runs at another speed: all is garbage"
    UNPLUGGED = "line and pulse are gone"
    # the pulse
    NO_PULSE = "no pulses"
    MISSED = "that share of pulses does not come"
    DOUBLED = "that share of pulses comes again 30 ms later"
    SHIFT_S = "pulses come so many seconds late (- is early)"
    DRAG_PPB = "pulses wander off: later by so many ns every second"
    # the machine
    STEP_S = "another program sets the clock forward by so many seconds, once"
    TOLD_LATE_S = "pulses are told so many seconds after they were stamped"
    SLEEP = "the machine is suspended"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong for a while."""

    kind: Kind
    at_s: float = 0.0
    """After the start, in true time."""
    for_s: float = inf
    size: float = 1.0
    """In the unit that the kind is named by, or a share."""

    def on(self, t_s: float) -> bool:
        """Is it going on?"""
        return self.at_s <= t_s < self.at_s + self.for_s


class Timeline:
    """All that goes wrong in one run. For any thread."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._of = {kind: [f for f in faults if f.kind is kind] for kind in Kind}

    def of(self, kind: Kind) -> Sequence[Fault]:
        """The faults of that kind."""
        return self._of[kind]

    def on(self, kind: Kind, t_s: float) -> bool:
        """Is one of that kind going on?"""
        return any(fault.on(t_s) for fault in self._of[kind])

    def size(self, kind: Kind, t_s: float) -> float:
        """How large those of that kind are together; 0: none is going on."""
        return sum(fault.size for fault in self._of[kind] if fault.on(t_s))

    def grown(self, kind: Kind, t_s: float) -> float:
        """What those going on have added up to, their size being by the second."""
        return sum(
            fault.size * (t_s - fault.at_s) for fault in self._of[kind] if fault.on(t_s)
        )
