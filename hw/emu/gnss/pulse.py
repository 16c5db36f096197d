"""A receiver's pulse: when its flanks come, and when the board stamps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from hw.emu.faults import Kind, Timeline
from hw.emu.world import dice
from refclock.events import Edge
from refclock.settings import Range
from refclock.timebase import MILLISECOND, SECOND, Duration, Tai

_AGAIN: Final = 30 * MILLISECOND
"""A doubled pulse comes again so much later."""
_Share = Annotated[float, Range(0.0, 1.0)]
_Length = Annotated[float, Range(0.0, 1.0, "s")]


@dataclass(frozen=True, slots=True)
class LateMode:
    """A share of the pulses, stamped later, evenly between two limits."""

    share: _Share
    late_s: _Length = 0.0
    """At least."""
    spread_s: _Length = 0.0
    """At most so much more."""


@dataclass(frozen=True, slots=True)
class PulseModel:
    """What the pulse is like, and how its board stamps it."""

    period_s: Annotated[float, Range(0.01, 60.0, "s")] = 1.0
    """Whole seconds, or a whole number of pulses a second."""
    width_s: Annotated[float, Range(0.0, 59.0, "s")] = 0.1
    second: Literal["rising", "falling"] = "rising"
    """The flank that marks the second; the other comes `width_s` later."""
    stamped: Literal["rising", "falling", "both"] = "rising"
    """The flanks that the board stamps."""
    jitter_s: _Length = 1e-6
    """Of a stamp, one sigma."""
    tail_share: _Share = 0.01
    """How many pulses are stamped late, by interrupts."""
    tail_s: _Length = 10e-6
    """By how much, on average; exponential."""
    modes: tuple[LateMode, ...] = ()
    """Further latenesses; what their shares leave of one is not stamped later."""
    sawtooth_s: _Length = 0.0
    """Half the period of the clock the pulse is made from."""
    sawtooth_hz: Annotated[float, Range(0.0, 1.0, "Hz")] = 0.0731
    """How fast it goes through its teeth; near 0 it hangs, and averages see it."""
    latency_s: Annotated[float, Range(-0.001, 0.001, "s")] = 0.0
    """How late the board stamps every pulse, as it also knows."""
    look_s: Annotated[float, Range(0.0, 0.001, "s")] = 0.0
    """How long the board takes to look at the pulse's pin; 0: it cannot."""
    coast_ppb: Annotated[float, Range(-1e5, 1e5, "ppb")] = 0.0
    """Without a fix, where pulses go on: later by so many ns every second."""

    def __post_init__(self) -> None:
        """ValueError: a period that does not divide into seconds."""
        whole = self.period_s if self.period_s >= 1 else 1 / self.period_s
        if abs(whole - round(whole)) > 1e-9:
            raise ValueError(
                "period_s: neither whole seconds nor a whole number of pulses a second"
            )
        if sum(mode.share for mode in self.modes) > 1:
            raise ValueError("modes: their shares are more than 1 together")


class Pulse:
    """The flanks of one receiver's pulse, second by second. Used by one thread.

    Dice are thrown whether a fault needs them or not, so that a run with a fault is
    the same run.
    """

    def __init__(
        self, model: PulseModel, start: Tai, faults: Timeline, seed: int, name: str
    ) -> None:
        """`name` keeps the dice of several receivers apart."""
        self._model = model
        self._start = start
        self._faults = faults
        self._dice = dice(seed, f"{name}pulse")
        self._mode_dice = dice(seed, f"{name}pulse modes")

    def edges(
        self, second: Tai, there: Callable[[float], bool]
    ) -> list[tuple[Tai, Edge]]:
        """The flanks of the pulses that begin in that second, when they are stamped.
        `there`: is there a pulse at a time after the start, s?"""
        flanks: list[tuple[Tai, Edge]] = []
        for at in self._beginnings(second):
            flanks += self._flanks(at, there)
        return sorted(flanks, key=lambda flank: flank[0])

    def _beginnings(self, second: Tai) -> Iterator[Tai]:
        period_s = self._model.period_s
        if period_s >= 1:
            if second.ns // SECOND.ns % round(period_s) == 0:
                yield second
            return
        count = round(1 / period_s)
        for i in range(count):
            yield second + Duration(i * SECOND.ns // count)

    def _flanks(
        self, at: Tai, there: Callable[[float], bool]
    ) -> list[tuple[Tai, Edge]]:
        model, rng = self._model, self._dice
        late_s = model.latency_s + model.jitter_s * rng.gauss(0.0, 1.0)
        if rng.random() < model.tail_share:
            late_s += model.tail_s * rng.expovariate(1.0)
        late_s += self._mode_s()
        missed, doubled = rng.random(), rng.random()
        t = (at - self._start).seconds
        if not there(t) or missed < self._faults.size(Kind.MISSED, t):
            return []
        first = self.risen(at, late_s)
        begins, ends = Edge.ASSERT, Edge.CLEAR
        if model.second == "falling":
            begins, ends = ends, begins
        flanks = [(first, begins)]
        if doubled < self._faults.size(Kind.DOUBLED, t):
            flanks.append((first + _AGAIN, begins))
        flanks.append((first + Duration.from_seconds(model.width_s), ends))
        return [flank for flank in flanks if _STAMPED[flank[1]] & {model.stamped}]

    def _mode_s(self) -> float:
        """By how much a mode makes this one later."""
        if not self._model.modes:
            return 0.0
        luck, where = self._mode_dice.random(), self._mode_dice.random()
        for mode in self._model.modes:
            if luck < mode.share:
                return mode.late_s + where * mode.spread_s
            luck -= mode.share
        return 0.0

    def risen(self, second: Tai, late_s: float) -> Tai:
        """When it is told that the pulse of `second` begins, `late_s` after it did."""
        t = (second - self._start).seconds
        faults = self._faults
        late_s += self.sawtooth_s(second) + faults.size(Kind.SHIFT_S, t)
        late_s += faults.grown(Kind.DRAG_PPB, t) * 1e-9
        if self._model.coast_ppb:
            late_s += self._coasted_s(t) * self._model.coast_ppb * 1e-9
        return second + Duration.from_seconds(late_s)

    def sawtooth_s(self, second: Tai) -> float:
        """How much later than it should that pulse is made: its clock's beat."""
        phase = (second.ns // SECOND.ns) * self._model.sawtooth_hz % 1.0
        return self._model.sawtooth_s * (2.0 * phase - 1.0)

    def _coasted_s(self, t: float) -> float:
        """For how long there has been no fix."""
        gone = (*self._faults.of(Kind.NO_FIX), *self._faults.of(Kind.COLD))
        return max((t - fault.at_s for fault in gone if fault.on(t)), default=0.0)


_STAMPED: Final = {
    Edge.ASSERT: {"rising", "both"},
    Edge.CLEAR: {"falling", "both"},
}
"""Which settings have a flank stamped."""
