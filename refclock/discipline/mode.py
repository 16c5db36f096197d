"""How much the clock is worth: four modes and the table between them.

COLD      no trusted label yet                      leap 3, stratum 16
ACQUIRE   labelled pulses, bound above its limit    leap 3, stratum 16
TRACK     pulses, bound within its limit            stratum 1
HOLDOVER  no pulses, bound within its limit         stratum 1, bound growing, or that
                                                    of sentences
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Mode(Enum):
    """What is served depends on nothing else."""

    COLD = "cold"
    ACQUIRE = "acquire"
    TRACK = "track"
    HOLDOVER = "holdover"

    @property
    def serves(self) -> bool:
        """May time be handed out as stratum 1?"""
        return self in {Mode.TRACK, Mode.HOLDOVER}


class Signal(Enum):
    """What happened to the clock."""

    SAMPLE = "a pulse with its second known"
    SENTENCE = "sentences alone keep the bound below its limit"
    SETTLED = "the bound fell below its limit"
    PULSE_LOST = "no pulse for some seconds"
    PHASE_LOST = "the clock was stepped by others, or the machine slept"
    LIMIT_EXCEEDED = "the bound grew beyond its limit"


NEXT: Final[Mapping[tuple[Mode, Signal], Mode]] = {
    (Mode.COLD, Signal.SAMPLE): Mode.ACQUIRE,
    (Mode.COLD, Signal.SENTENCE): Mode.HOLDOVER,
    (Mode.ACQUIRE, Signal.SETTLED): Mode.TRACK,
    (Mode.ACQUIRE, Signal.PULSE_LOST): Mode.COLD,
    (Mode.TRACK, Signal.PULSE_LOST): Mode.HOLDOVER,
    (Mode.TRACK, Signal.PHASE_LOST): Mode.ACQUIRE,
    (Mode.TRACK, Signal.LIMIT_EXCEEDED): Mode.ACQUIRE,
    (Mode.HOLDOVER, Signal.SAMPLE): Mode.TRACK,
    (Mode.HOLDOVER, Signal.PHASE_LOST): Mode.COLD,
    (Mode.HOLDOVER, Signal.LIMIT_EXCEEDED): Mode.COLD,
}
"""Everything that is not here changes nothing."""


def next_mode(mode: Mode, signal: Signal) -> Mode:
    """The mode after `signal`."""
    return NEXT.get((mode, signal), mode)
