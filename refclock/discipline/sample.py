"""What goes into the bank and what comes out: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Final

from refclock.settings import Decimals, Form, Range
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


_SLOPE, _SIGMA = Range(-1e-4, 1e-4), Range(1e-12, 1e-3)
CURVE: Final = (Range(-100, 200, "deg C"), _SLOPE, _SLOPE, _SIGMA, _SIGMA)
"""What the values of a learned temperature curve may be."""


def _curve(values: tuple[float, ...]) -> None:
    """ValueError: neither none nor five values in range."""
    if values and len(values) != len(CURVE):
        raise ValueError(f"{len(values)} values, not {len(CURVE)}")
    if not all(
        allowed.least <= value <= allowed.most
        for value, allowed in zip(values, CURVE, strict=False)
    ):
        raise ValueError("a value is out of range")


@dataclass(frozen=True, slots=True)
class Learned:
    """The oscillator model, for a warm start. Plain numbers.

    Each range is what the filters can start from; the decimals are what is known.
    """

    rate: Annotated[float, Range(-1e-3, 1e-3), Decimals(15)]
    """reference - raw oscillator, s/s."""
    rate_sigma: Annotated[float, Range(1e-15, 0.01), Decimals(15)]
    jitter_s: Annotated[float, Range(5e-8, 1e-4, "s"), Decimals(12)]
    """One sigma of a pulse."""
    log_weight: tuple[Annotated[float, Range(-100.0, 0.0), Decimals(6)], ...]
    """Log weight of each hypothesis, that of the best being 0."""
    share: Annotated[float, Range(1e-3, 0.4), Decimals(6)]
    """Of outliers among the pulses."""
    scale: Annotated[float, Range(4.0, 1e4), Decimals(6)]
    """Median lateness of an outlier, sigmas."""
    omega: Annotated[float, Range(6e-5, 0.0131, "rad/s"), Decimals(9)]
    """Of the harmonic that temperature makes in the rate."""
    curve: Annotated[
        tuple[Annotated[float, Decimals(15)], ...],
        Form(_curve, f"none or five values in {', '.join(map(str, CURVE))}"),
    ] = ()
    """Reference temperature (deg C), a and b of `temperature` and their sigmas; or
    nothing."""
