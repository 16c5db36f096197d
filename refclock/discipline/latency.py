"""How late pulses are stamped, measured: the stamp against the pin itself.

Of some pulses we know between which readings of the clock the pin changed. What is
compared with that is not the pulse's own stamp but the one it would have got
unwatched: the stamp less its surprise to the filter. For the filter follows pulses
nobody watches, and to watch one may hasten it (a Pi 5's link to its pins sleeps,
and wakes 5 us later: SatPulse, 2026). So what is measured is the bias of the time
we serve; and of the stamp's own jitter only what the filter leaves is in it.

A bracket is two turns of a loop: clock, look, clock, look, clock. The edge lies
between the two looks, and a look lies anywhere within its turn, but each time at
the same place. So the middle of many brackets is right to half a turn, a quarter of
the bracket; no average betters that, and all else averages out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import Final

from refclock.events import Bracket
from refclock.timebase import MILLISECOND, Duration, Local

ENOUGH: Final = 16
"""Brackets that say something, before there is a measurement."""
_KEPT: Final = 64
"""The last so many count: an hour, at one a minute."""
_WIDE: Final = 1.5
"""Times the usual width: somebody else had the processor meanwhile."""
_FAR: Final = MILLISECOND
"""A stamp and a bracket further apart are of two different edges."""
_SIGMAS: Final = 4.0
"""Three, and a median strays 1.25 times as far as a mean."""
_MAD: Final = 1.4826
"""From the median deviation of a Gaussian to its sigma."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How late a pulse is stamped, + is late."""

    latency: Duration
    spread: Duration
    """The true lateness is within ± this."""


class LatencyMeter:
    """Pairs brackets with stamps. Used by one thread."""

    def __init__(self) -> None:
        self._stamp: tuple[Local, int] | None = None
        self._bracket: Bracket | None = None
        self._looks: deque[tuple[int, int]] = deque(maxlen=_KEPT)
        """The stamp less the bracket's middle, and the bracket's width; ns."""

    def stamped(self, usual: Local, era: int) -> Measured | None:
        """A pulse came that unwatched would have been stamped `usual`."""
        self._stamp = usual, era
        return self._paired()

    def watched(self, bracket: Bracket) -> Measured | None:
        """The pin was watched; before or after the pulse's stamp was told."""
        self._bracket = bracket
        return self._paired()

    def _paired(self) -> Measured | None:
        """The new measurement, if this made one."""
        if self._stamp is None or self._bracket is None:
            return None
        (stamp, era), bracket = self._stamp, self._bracket
        if era != bracket.era or abs(stamp - bracket.low) > _FAR:
            return None
        self._stamp = self._bracket = None
        width = bracket.high - bracket.low
        late = (stamp - bracket.low).ns - width.ns // 2
        self._looks.append((late, width.ns))
        return self._measured()

    def _measured(self) -> Measured | None:
        """From the brackets that nobody cut in on."""
        usual = median(width for _, width in self._looks)
        late = [late for late, width in self._looks if width <= _WIDE * usual]
        if len(late) < ENOUGH:
            return None
        middle = median(late)
        scatter = _MAD * median(abs(each - middle) for each in late)
        spread = usual / 4 + _SIGMAS * scatter / sqrt(len(late))
        return Measured(Duration(round(middle)), Duration(round(spread)))
