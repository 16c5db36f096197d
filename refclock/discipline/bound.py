"""The published error bound, line by line, and how long it will hold.

What averaging cannot see is a systematic error: how late this board stamps a
pulse, the cable, the receiver. What it can is in the filter's sigma. The bound is
the sum of all lines: |true time - served time| <= bound, at least 997 times in a
thousand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Final

from refclock.settings import Range
from refclock.timebase import DAY, SECOND, ZERO, Duration

SIGMAS: Final = 4.0
"""Three cover 997 in a thousand of a Gaussian whose variance is known; ours is not,
and while the clock does something new no hypothesis has won yet."""
FURTHEST: Final = 30 * DAY
"""Nobody asks for a longer holdover."""


@dataclass(frozen=True, slots=True)
class BoundSettings:
    """What the operator knows of errors that no average reveals, either way."""

    cable_ns: Annotated[float, Range(0.0, 100_000.0, "ns")] = 0.0
    """How far the configured antenna delay may be off."""
    receiver_ns: Annotated[float, Range(0.0, 10_000_000.0, "ns")] = 50.0
    """How far the receiver's pulse may be from its own time."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The error bound, by cause; all lines are positive."""

    latency: Duration = ZERO
    """The pulse's stamp may be this much later or earlier than is taken off."""
    cable: Duration = ZERO
    receiver: Duration = ZERO
    reading: Duration = ZERO
    """How coarsely the clock reads, and how long reading it takes."""
    lag: Duration = ZERO
    """Without pulses: a sentence may come this much later or sooner than it is taken
    to."""
    bias: Duration = ZERO
    """How far the pulse that stands in for the first one may be from that."""
    doubt: Duration = ZERO
    """By how much pulses contradict our clock, while neither is known to be right."""
    filter: Duration = ZERO
    """Four sigma of the estimate."""
    measured: bool = False
    """The latency is not the board's prior but measured here."""

    @property
    def total(self) -> Duration:
        """The bound."""
        return self.systematic + self.filter

    @property
    def systematic(self) -> Duration:
        """What no pulse can better."""
        fixed = self.latency + self.cable + self.receiver + self.reading
        return fixed + self.lag + self.bias + self.doubt

    def lines(self) -> dict[str, float]:
        """Each cause and its share, s, for the status page."""
        passing = {
            "sentence lag": self.lag,
            "bias of the other pulse": self.bias,
            "disagreement": self.doubt,
        }
        return {name: line.seconds for name, line in passing.items() if line} | {
            f"{'measured ' * self.measured}pulse latency": self.latency.seconds,
            "cable": self.cable.seconds,
            "receiver": self.receiver.seconds,
            "reading": self.reading.seconds,
            "filter (4 sigma)": self.filter.seconds,
        }

    def with_sigma(self, sigma_s: float) -> Budget:
        """The same systematic lines about another estimate; rounded up."""
        ns = -int(-SIGMAS * sigma_s * 1e9 // 1)
        return replace(self, filter=Duration(ns))

    def at_least(self, bound: Duration) -> Budget:
        """No less than `bound` in total: the filter's line fills it."""
        return replace(self, filter=max(self.filter, bound - self.systematic))


def growth(sigma_after: Callable[[Duration], float], over: Duration) -> float:
    """How fast the bound grows (s/s) at most, on the way to `over` from now."""
    now = sigma_after(ZERO)
    ends = (SECOND, over)
    return max(0.0, *(SIGMAS * (sigma_after(end) - now) / end.seconds for end in ends))


def time_left(
    budget: Budget, sigma_after: Callable[[Duration], float], limit: Duration
) -> Duration:
    """How long until the bound reaches `limit` if nothing more is heard; to a
    hundredth, at most `FURTHEST`. `sigma_after` tells the sigma that far ahead."""

    def spent(after: Duration) -> bool:
        return budget.with_sigma(sigma_after(after)).total >= limit

    if spent(ZERO):
        return ZERO
    low, high = SECOND.ns, FURTHEST.ns
    if not spent(FURTHEST):
        return FURTHEST
    while high > 1.01 * low:
        middle = round((low * high) ** 0.5)
        if spent(Duration(middle)):
            high = middle
        else:
            low = middle
    return Duration(low)
