"""CLOCK_REALTIME against CLOCK_MONOTONIC: who stepped it, and by how much.

The difference of both readings changes by a step alone. A step that was commanded, or
that the kernel makes at a leap second, is exact; one by others is known to a reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from refclock.published import FOREIGN
from refclock.timebase import MILLISECOND, ZERO, Duration, Local, Mono


class Stepped(Enum):
    """What became of CLOCK_REALTIME since it was last read."""

    NOT = "not"
    KNOWN = "as commanded, or by the kernel's leap second"
    SLIGHTLY = "by others, so little that the estimate stands"
    AWAY = "by others, so far that the phase is unknown"


class RealtimeClock:
    """The last readings of both clocks. Used by one thread."""

    def __init__(self) -> None:
        self.pair: tuple[Local, Mono] | None = None
        self.era = 0
        """How often CLOCK_REALTIME was stepped."""
        self.step = ZERO
        """The last step, + is forward."""

    def follow(self, local: Local, mono: Mono, era: int) -> Duration | None:
        """Both clocks were read; the step since the last time, None: there was none."""
        pair, self.pair = self.pair, (local, mono)
        was, self.era = self.era, era
        if pair is None or era == was:
            return None
        return (local - pair[0]) - (mono - pair[1])

    def judge(self, step: Duration, known: Iterable[Duration | None]) -> Stepped:
        """Which step that was; `known`: those that were to be expected."""
        self.step = step
        for each in known:
            if each is not None and abs(step - each) < MILLISECOND:
                self.step = each
                return Stepped.KNOWN
        return Stepped.SLIGHTLY if abs(step) < FOREIGN else Stepped.AWAY

    def local(self, mono: Mono) -> Local | None:
        """What it showed at `mono`, if it was not stepped meanwhile."""
        return None if self.pair is None else self.pair[0] + (mono - self.pair[1])
