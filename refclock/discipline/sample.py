"""What goes into the bank and what comes out: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from refclock.timebase import MICROSECOND, Duration, Local, Mono


class SampleSource(Enum):
    """Who says what time it is."""

    PULSE = "pulse"
    SENTENCE = "sentence"
    UPSTREAM = "upstream"


SPREAD: Final[Mapping[SampleSource, Duration]] = {
    SampleSource.SENTENCE: 5000 * MICROSECOND,
    SampleSource.UPSTREAM: 1000 * MICROSECOND,
}
"""One sigma of a sample that does not tell its own."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of our clock."""

    at: Local
    mono: Mono
    """The same moment."""
    offset: Duration
    """reference - local at `at`; the reference is TAI."""
    source: SampleSource = SampleSource.PULSE
    spread: Duration | None = None
    """One sigma, for all but pulses: the bank learns those itself."""

    @property
    def variance(self) -> float:
        """Of a sample that is no pulse, s^2."""
        spread = self.spread or SPREAD.get(self.source, MICROSECOND)
        return spread.seconds**2


@dataclass(frozen=True, slots=True)
class Innovation:
    """What a sample told us that we did not know."""

    predicted: Duration
    """reference - local as foretold."""
    residual_s: float
    """Measured less foretold; a late pulse is negative."""
    sigma_s: float
    """What the residual should be, one sigma."""
    weight: float
    """The chance that it belongs to the bulk: how far it counts."""

    @property
    def normalised(self) -> float:
        """The residual in its own standard deviations."""
        return abs(self.residual_s) / self.sigma_s


@dataclass(frozen=True, slots=True)
class Estimate:
    """What we believe of the local clock at one moment."""

    at: Mono
    offset: Duration
    """TAI - local: what to add."""
    sigma_s: float
    rate: float
    """How fast `offset` grows, s/s, steering included."""
    rate_sigma: float
    drift: float
    """How fast `rate` grows, s/s^2."""
    jitter_s: float
    """One sigma of a single pulse, as learned."""


@dataclass(frozen=True, slots=True)
class Learned:
    """The oscillator's character, for a warm start. Plain numbers."""

    rate: float
    """reference - raw oscillator, s/s."""
    rate_sigma: float
    jitter_s: float
    """One sigma of a pulse."""
    log_weight: tuple[float, ...]
    """Log weight of each hypothesis."""
    share: float
    """Of stragglers among the pulses."""
    scale: float
    """Median lateness of a straggler, sigmas."""
    omega: float
    """Of the swing that temperature makes, rad/s."""
    curve: tuple[float, ...] = ()
    """Reference temperature (deg C), a and b of `temperature` and their sigmas."""
