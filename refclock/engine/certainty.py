"""How far the published time may be off and the mode that follows from it; how well the
frequency of the oscillator is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from refclock.discipline.bound import SIGMAS, Budget, time_left
from refclock.discipline.latency import Measured
from refclock.discipline.mode import Mode, Signal, next_mode
from refclock.discipline.sample import Learned
from refclock.engine.policy import EngineSettings
from refclock.events import MONO_DRIFT
from refclock.published import UNKNOWN
from refclock.timebase import ZERO, Duration
from refclock.upstream.filter import DRIFT


@dataclass(frozen=True, slots=True)
class Rate:
    """How the oscillator runs."""

    gain: float
    """How fast true time gains on it, s/s."""
    drift: float
    """How far `gain` may be off, s/s."""

    @classmethod
    def of(cls, learned: Learned) -> Self:
        """As far as is learned of the oscillator."""
        drift = min(max(DRIFT, SIGMAS * learned.rate_sigma), MONO_DRIFT)
        return cls(learned.rate, drift)


class Certainty:
    """The error budget and the mode. Used by one thread."""

    def __init__(
        self, settings: EngineSettings, latency_spread: Duration, precision: int
    ) -> None:
        """`latency_spread`: how far the pulse's latency may be from what is taken off.

        `precision`: log2 of the seconds one reading of the clock takes.
        """
        self._acquire = Duration.from_seconds(settings.acquire.limit_s)
        self._holdover = Duration.from_seconds(settings.holdover.limit_s)
        self.budget = Budget(
            latency=latency_spread,
            cable=Duration.from_seconds(settings.bound.cable_ns * 1e-9),
            receiver=Duration.from_seconds(settings.bound.receiver_ns * 1e-9),
            reading=Duration.from_seconds(2.0**precision),
            filter=UNKNOWN,
        )
        """The error bound by cause, as last concluded."""
        self.mode = Mode.COLD
        self._doubt = ZERO

    @property
    def limit(self) -> Duration:
        """What the bound may reach in this mode."""
        return self._holdover if self.mode is Mode.HOLDOVER else self._acquire

    @property
    def within_limit(self) -> bool:
        """Is the bound, as last concluded, within the limit of this mode?"""
        return self.budget.total <= self.limit

    def time_left(self, sigma_after: Callable[[Duration], float]) -> Duration:
        """How long until the bound reaches the holdover limit without samples.
        `sigma_after`: the estimate's sigma (s) that long from now."""
        return time_left(self.budget, sigma_after, self._holdover)

    def prefers(self, measured: Measured) -> bool:
        """Is that latency surer than the prior? Once one was, the next is too."""
        return self.budget.measured or measured.spread < self.budget.latency

    def latency_measured(self, measured: Measured) -> None:
        """The pulse's latency is known by measurement."""
        self.budget = replace(self.budget, latency=measured.spread, measured=True)

    def accepted(self, lag: Duration, bias: Duration, doubt: Duration | None) -> None:
        """A sample was used. `lag`: uncertainty of a sentence's lag. `bias`: how far
        time by another pulse may be from that by the first one. `doubt`: by how
        much another phase, no worse, contradicts the pulse; None: it was no pulse."""
        if doubt is not None:
            self._doubt = doubt
        self.budget = replace(self.budget, lag=lag, bias=bias)

    def rejected(self, doubt: Duration) -> None:
        """A pulse contradicts the clock: from now on the error may be `doubt` more."""
        self._doubt = doubt

    def signal(self, signal: Signal) -> None:
        """Change the mode as the table has it."""
        self.mode = next_mode(self.mode, signal)

    def conclude(self, sigma_s: float, published: Duration, *, fresh: bool) -> bool:
        """Reckon budget and mode; False: the holdover limit is exceeded.

        `sigma_s`: of the estimate. `published`: the bound published last, as grown
        since; it does not shrink before a sample is used. `fresh`: one was.
        """
        undisputed = published - self.budget.doubt
        self.budget = replace(self.budget.with_sigma(sigma_s), doubt=ZERO)
        if not fresh:
            self.budget = self.budget.at_least(undisputed)
        self.budget = replace(self.budget, doubt=self._doubt)
        held = self.mode
        self.signal(Signal.SETTLED if self.within_limit else Signal.LIMIT_EXCEEDED)
        return not (held is Mode.HOLDOVER and self.mode is Mode.COLD)

    def reset(self) -> None:
        """The phase is unknown."""
        self._doubt = ZERO
        self.budget = replace(self.budget, filter=UNKNOWN)
