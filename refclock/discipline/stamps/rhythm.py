"""How often pulses come: silence, and a gap that an oscillator may use, are relative.

A pulse may come every 0.2 s or every 16 s, and some may be missing now and then. With
the gaps between the last KEPT pulses in ascending order,

    period = the first quartile       silence = max(MISSED period, LONGER g, SHORTEST)

where g is the third longest gap: two outages are no rhythm, and where every fifth pulse
is missing two in a row are none. A gap longer than LONGEST is an outage in any rhythm.
"""

from __future__ import annotations

from collections import deque
from typing import Final

KEPT: Final = 64
FEW: Final = 4
"""Fewer gaps tell only how long they were."""
LONGEST_S: Final = 20.0
MISSED: Final = 2.5
LONGER: Final = 2.0
SHORTEST_S: Final = 2.5


class Rhythm:
    """The gaps between pulses. Used by one thread."""

    def __init__(self) -> None:
        self._gaps: deque[float] = deque(maxlen=KEPT)
        self.period_s = 1.0
        self.silence_s = SHORTEST_S
        """No pulse for longer: the pulse is lost."""

    def observe(self, gap_s: float) -> None:
        """A pulse came so long after the one before."""
        if not 0.0 < gap_s < LONGEST_S:
            return
        self._gaps.append(gap_s)
        if len(self._gaps) < FEW and gap_s < 2.0:
            return
        ranked = sorted(self._gaps)
        self.period_s = ranked[len(ranked) // 4]
        third = ranked[-3] if len(ranked) > FEW else 0.0
        self.silence_s = max(MISSED * self.period_s, LONGER * third, SHORTEST_S)
