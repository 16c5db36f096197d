"""The oscillator behind the monotonic clock.

Linux runs CLOCK_MONOTONIC at the rate commanded to CLOCK_REALTIME, up to 500 ppm
while an offset is worked off. What other servers said is carried along the oscillator
itself, whose rate changes by temperature alone.
"""

from __future__ import annotations

from refclock.timebase import Mono


class RawTime:
    """The monotonic clock without the rates commanded to it. Used by one thread."""

    def __init__(self) -> None:
        self._mono = self._raw = Mono(0)
        self.rate = 0.0
        """How much faster than its oscillator the clock runs by command, s/s."""

    def in_force(self, mono: Mono, rate: float) -> None:
        """From `mono` on the clock runs by `rate` (s/s) faster."""
        self._mono, self._raw = mono, self.at(mono)
        self.rate = rate

    def at(self, mono: Mono) -> Mono:
        """What the oscillator had counted at `mono`."""
        passed = mono - self._mono
        return Mono(
            self._raw.ns + passed.ns - round(passed.ns * self.rate / (1 + self.rate))
        )
