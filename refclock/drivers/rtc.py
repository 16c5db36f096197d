"""The battery clock's time, as a witness to the date and, if it is good, the second.

It counts whole seconds. Where the driver may wait, it reads until the second changes:
then the time is known to the interval between two readings. Where it may not, the
second shown began up to a second ago.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from refclock.board.ports import Rtc, SystemClock
from refclock.events import RTC0, Witness
from refclock.timebase import MILLISECOND, Duration, Local, Mono, Utc

_HALF_A_SECOND: Final = 500 * MILLISECOND
_EVERY_S: Final = 0.01
_READINGS: Final = 110
"""A little more than a second's."""


class RtcDriver:
    """One per battery clock. Used by one thread."""

    def __init__(
        self,
        rtc: Rtc,
        clock: SystemClock,
        spread: Duration,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        """`spread`: how wrong it may be, on top of what it does not show. `sleep`:
        waits so many seconds; None: it may not wait for the next second."""
        self._rtc = rtc
        self._clock = clock
        self._spread = spread
        self._sleep = sleep

    def poll(self) -> Iterator[Witness]:
        """Its time now, or nothing when it lost it. OSError: the chip is gone."""
        era = self._clock.era
        utc, (local, mono) = self._rtc.read(), self._clock.read()
        if utc is None:
            return
        middle, within = utc + _HALF_A_SECOND, _HALF_A_SECOND
        if (tick := self._at_tick(utc)) is not None:
            (utc, local, mono), within = tick
            middle = utc
        if self._clock.era == era:
            offset = Duration(middle.ns - local.ns)
            yield Witness(RTC0, offset, local, mono, era, self._spread + within)

    def close(self) -> None:
        """Give the chip back."""
        self._rtc.close()

    def _at_tick(self, shown: Utc) -> tuple[tuple[Utc, Local, Mono], Duration] | None:
        """The next second, when it began on both clocks, and to what that is known."""
        if self._sleep is None:
            return None
        _, before = self._clock.read()
        for _ in range(_READINGS):
            self._sleep(_EVERY_S)
            utc = self._rtc.read()
            local, mono = self._clock.read()
            if utc is None:
                return None
            if utc != shown:
                return (utc, local, mono), mono - before
            before = mono
        return None
