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
    SILENCE = "no pulse for some seconds"
    UPSET = "the clock was stepped by others, or the machine slept"
    BUDGET_SPENT = "the bound grew beyond its limit"


NEXT: Final[Mapping[tuple[Mode, Signal], Mode]] = {
    (Mode.COLD, Signal.SAMPLE): Mode.ACQUIRE,
    (Mode.COLD, Signal.SENTENCE): Mode.HOLDOVER,
    (Mode.ACQUIRE, Signal.SETTLED): Mode.TRACK,
    (Mode.ACQUIRE, Signal.SILENCE): Mode.COLD,
    (Mode.TRACK, Signal.SILENCE): Mode.HOLDOVER,
    (Mode.TRACK, Signal.UPSET): Mode.ACQUIRE,
    (Mode.TRACK, Signal.BUDGET_SPENT): Mode.ACQUIRE,
    (Mode.HOLDOVER, Signal.SAMPLE): Mode.TRACK,
    (Mode.HOLDOVER, Signal.UPSET): Mode.COLD,
    (Mode.HOLDOVER, Signal.BUDGET_SPENT): Mode.COLD,
}
"""Everything that is not here changes nothing."""


def next_mode(mode: Mode, signal: Signal) -> Mode:
    """The mode after `signal`."""
    return NEXT.get((mode, signal), mode)
