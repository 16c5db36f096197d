"""Edges of the pulse line, as facts. Whether an edge is any good is not its matter."""

from __future__ import annotations

from collections.abc import Iterator

from refclock.board.ports import PpsLine, SystemClock
from refclock.events import PulseEdge
from refclock.timebase import SECOND


class PpsDriver:
    """One per line. Used by one thread."""

    def __init__(self, line: PpsLine, clock: SystemClock) -> None:
        self._line = line
        self._clock = clock

    def poll(self) -> Iterator[PulseEdge]:
        """The next edge, or nothing within two seconds. OSError: the line is gone.

        An edge in flight while the clock was stepped is not told: its stamp and
        our reading are of two different clocks.
        """
        era = self._clock.era
        flank = self._line.wait(2 * SECOND)
        if flank is None:
            return
        local, mono = self._clock.read()
        if self._clock.era == era:
            seen = mono - (local - flank.at)
            yield PulseEdge(flank.at, seen, flank.seq, era, flank.edge)

    def close(self) -> None:
        """Give the line back."""
        self._line.close()
