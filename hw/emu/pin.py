"""The pulse's pin as a processor sees it that looks without a pause.

It sees the true edge, without the stamp's latency, within two turns of its loop;
now and then somebody else has the processor in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hw.emu.clock import VirtualClock
from hw.emu.world import dice
from refclock.timebase import Duration, Local, Tai

_LOOKS_AT: Final = 0.6
"""Where in its turn the pin is looked at: not at its middle, which is a bias."""
_CUT_IN: Final = 0.1
"""How often somebody else has the processor just then."""
_AWAY_S: Final = 10e-6
"""For how long, on average."""


class EmulatedPin:
    """A `Pin` in fast time: it does not wait but tells what will be seen."""

    name = "emulated pin"

    def __init__(
        self,
        clock: VirtualClock,
        rises: Callable[[], Tai | None],
        turn_s: float,
        seed: int,
    ) -> None:
        """`rises`: the next edge in true time, if the receiver makes one."""
        self._clock = clock
        self._rises = rises
        self._turn_s = turn_s
        self._dice = dice(seed, "pin")

    def change(self, until: Local) -> tuple[Local, Local] | None:
        """Between which readings of the clock the pin will rise."""
        phase, luck = self._dice.random(), self._dice.random()
        away_s = self._dice.expovariate(1.0) * _AWAY_S
        if (edge := self._rises()) is None:
            return None
        between_s = (phase - _LOOKS_AT) * self._turn_s
        after_s = self._turn_s + (away_s if luck < _CUT_IN else 0.0)
        low, _ = self._clock.at(edge + Duration.from_seconds(between_s - self._turn_s))
        high, _ = self._clock.at(edge + Duration.from_seconds(between_s + after_s))
        return (low, high) if high <= until else None

    def close(self) -> None:
        """Nothing is held."""
