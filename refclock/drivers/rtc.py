"""What the battery clock says, as a witness to the date."""

from __future__ import annotations

from collections.abc import Iterator

from refclock.board.ports import Rtc, SystemClock
from refclock.events import RTC0, Witness
from refclock.timebase import MILLISECOND, Duration

_HALF_A_SECOND = 500 * MILLISECOND


class RtcDriver:
    """One per battery clock. Used by one thread."""

    def __init__(self, rtc: Rtc, clock: SystemClock, spread: Duration) -> None:
        """`spread`: how wrong it may be, on top of what it does not show."""
        self._rtc = rtc
        self._clock = clock
        self._spread = spread

    def poll(self) -> Iterator[Witness]:
        """Its time now, or nothing when it lost it. OSError: the chip is gone.

        It counts whole seconds: what it shows began up to a second ago.
        """
        era = self._clock.era
        utc = self._rtc.read()
        local, mono = self._clock.read()
        if utc is not None and self._clock.era == era:
            middle = utc + _HALF_A_SECOND
            offset = Duration(middle.ns - local.ns)
            spread = self._spread + _HALF_A_SECOND
            yield Witness(RTC0, offset, local, mono, era, spread)

    def close(self) -> None:
        """Give the chip back."""
        self._rtc.close()
