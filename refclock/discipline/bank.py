"""The filter that tunes itself: a bank of filters, one per hypothesis on the noise.

Nobody can tell us his q and r. So every hypothesis on the ratio q/r runs its own
filter, learns its own r, and is weighed by how well it foretold each pulse:

    log w_i  <-  (1 - 1/MEMORY) log w_i + log p_i(e)

with p the density of `gate`. The estimate is the mixture, its variance the
mixture's: what the filters doubt (within) and how they differ (between).
A weight never falls below a floor, so a hypothesis that was wrong all day can win
within a minute when the sun comes out.

The filters see the raw oscillator: the offset X between the reference and the
clock as it would run without us, in the time R it would itself count. Steering is
a known input and never touches them. Under a rate u (local = raw + C)

    dR = dL / (1 + u)      dC = u dR      x = X - C      y = (1 + Y)/(1 + u) - 1

holds exactly, L being the local (and monotonic) clock, which is slewed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import exp, log, pi, sqrt
from typing import Final

from refclock.discipline.gate import Alarm, Lean, Tail, density
from refclock.discipline.noise import Filter, Noise
from refclock.discipline.temperature import PITCH, Swing
from refclock.timebase import MICROSECOND, ZERO, Duration, Local, Mono

GRID: Final = (
    *(Noise(q2=10.0**k) for k in range(-14, 3)),
    *(Noise(q2=10.0 ** (1.1 * k / 1.5), q3=10.0**k) for k in range(-15, 0)),
)
SWINGS: Final = tuple(Noise(q2=10.0**k) for k in range(-10, 2))
UNHEARD_OF: Final = 25.0
DOUBT: Final = 20.0
REIGN: Final = 300
LOST: Final = 3.0
RECENT: Final = 200.0
"""Over how many pulses each filter averages its r."""
MEMORY: Final = 2000.0
"""Over how many pulses the evidence is weighed."""
FLOOR: Final = -12.0
"""No log weight is further than this below the best."""
COLD_R: Final = 1e-12
"""Variance of a pulse before anything was learned: (1 us)^2, and soon forgotten."""
NEGLIGIBLE: Final = 1e-3
"""A weight below this has no say in the estimate."""
AGEING: Final = 1e-7
"""How far the rate may be from what it was before a restart, 1 sigma."""


class Source(Enum):
    """Who says what time it is."""

    PULSE = "pulse"
    SENTENCE = "sentence"
    UPSTREAM = "upstream"


SPREAD: Final[Mapping[Source, Duration]] = {
    Source.SENTENCE: Duration(5_000_000),
    Source.UPSTREAM: Duration(1_000_000),
}
"""One sigma of a sample that does not tell its own."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of our clock."""

    at: Local
    seen: Mono
    """The same moment."""
    offset: Duration
    """reference - local at `at`; the reference is TAI."""
    source: Source = Source.PULSE
    spread: Duration | None = None
    """One sigma, for all but pulses: the bank learns those itself."""


@dataclass(frozen=True, slots=True)
class Innovation:
    """What a sample told us that we did not know."""

    predicted: Duration
    """reference - local as foretold."""
    residual_s: float
    """Measured less foretold; a late pulse is negative."""
    surprise: float
    """The residual in its own standard deviations."""
    weight: float
    """The chance that it belongs to the bulk: how far it counts."""


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
    """The oscillator's character, for a warm start."""

    rate: float
    """reference - raw oscillator, s/s."""
    rate_sigma: float
    variance: float
    """Of a pulse, s^2."""
    evidence: tuple[float, ...]
    """Log weight of each hypothesis in `GRID`."""
    share: float
    scale: float
    pitch: float
    """Of the swing that temperature makes, rad/s."""


class Steering:
    """How far our own commands moved the clock. Exact reckoning, no filter."""

    def __init__(self) -> None:
        self.u = 0.0
        """The rate in force: local = (1 + u) raw."""
        self._since = Mono(0)
        self._raw_s = 0.0
        self._added_s = 0.0

    def raw(self, now: Mono) -> float:
        """Raw seconds since the last `rebase`."""
        return self._raw_s + (now - self._since).seconds / (1.0 + self.u)

    def added(self, now: Mono) -> float:
        """What slewing added to the clock since the last `rebase`, s."""
        return self._added_s + (now - self._since).seconds * self.u / (1.0 + self.u)

    def set(self, now: Mono, u: float) -> None:
        """From `now` on the rate is `u`."""
        self._raw_s, self._added_s = self.raw(now), self.added(now)
        self._since, self.u = now, u

    def rebase(self, now: Mono) -> None:
        """Count from `now`."""
        self._since, self._raw_s, self._added_s = now, 0.0, 0.0


class Bank:
    """All we know of the clock. Used by one thread."""

    def __init__(self, learned: Learned | None = None) -> None:
        self.started = False
        """Is there an estimate?"""
        self._filters = _filters(COLD_R, 0.5, PITCH)
        self._evidence = [0.0] * len(self._filters)
        self._tail = Tail()
        self._rate: tuple[float, float] | None = None
        """Rate and its sigma, where known before the first pulse."""
        if learned is not None:
            self._rate = learned.rate, learned.rate_sigma + AGEING
            self._filters = _filters(learned.variance, 10.0, learned.pitch)
            self._tail = Tail(learned.share, learned.scale)
            if len(learned.evidence) == len(self._filters):
                self._evidence = list(learned.evidence)
        self._weights = _normalised(self._evidence)
        self._leader = self._reign = 0
        self._lean = Lean()
        self._steering = Steering()
        self._base = ZERO
        """The filters hold X - base."""
        self._first: Sample | None = None

    def add(self, sample: Sample) -> Innovation:
        """Take in a sample; never earlier than the one before."""
        if not self.started:
            return self._start(sample)
        innovation = self.surprise(sample)
        self._carry(sample.seen, innovation.predicted)
        z = (sample.offset - self._base).seconds
        if sample.source is Source.PULSE:
            self._weigh(z, innovation)
        else:
            for f in self._filters:
                f.update(z - f.x, f.pxx + _variance(sample) / f.r, 1.0)
        return innovation

    def surprise(self, sample: Sample) -> Innovation:
        """What `sample` would tell, without taking it in."""
        if not self.started:
            return Innovation(sample.offset, 0.0, 0.0, 1.0)
        x, _, _, xx, _, r = self._mixture(self._steering.raw(sample.seen))
        x -= self._steering.added(sample.seen)
        predicted = self._base + Duration.from_seconds(x)
        residual = (sample.offset - self._base).seconds - x
        noise = r if sample.source is Source.PULSE else _variance(sample)
        sigma = sqrt(xx + noise)
        inlier = (1.0 - self._tail.share) * exp(-0.5 * (residual / sigma) ** 2) / sigma
        straggler = self._tail.density(residual, sigma) * sqrt(2.0 * pi)
        return Innovation(
            predicted, residual, abs(residual) / sigma, inlier / (inlier + straggler)
        )

    def estimate(self, now: Mono) -> Estimate:
        """The clock at `now`, not before the last sample. Changes nothing."""
        x, y, d, xx, yy, r = self._mixture(self._steering.raw(now))
        x -= self._steering.added(now)
        u = self._steering.u
        return Estimate(
            now,
            self._base + Duration.from_seconds(x),
            sqrt(xx + self._lean.doubt),
            (y - u) / (1.0 + u),
            sqrt(yy),
            d,
            sqrt(r),
        )

    def stepped(self, by: Duration, sigma: Duration = ZERO) -> None:
        """The local clock was set forward by `by`, known to `sigma`."""
        self._base -= by
        for f in self._filters:
            f.pxx += sigma.seconds**2 / f.r

    def rate_changed(self, now: Mono, by_ppb: float) -> None:
        """The clock runs `by_ppb` faster since `now`. What is in force when the bank
        is made must be told too, if the learned rate is to be the raw oscillator's."""
        self._steering.set(now, self._steering.u + by_ppb * 1e-9)

    def upset(self) -> None:
        """Forget the phase, keep the rate: the clock jumped, nobody knows how far."""
        if self.started:
            _, y, _, _, yy, _ = self._mixture(0.0)
            self._rate = y, sqrt(yy) + AGEING
        self._first = None
        self.started = False

    def learned(self) -> Learned:
        """What is worth keeping over a restart."""
        if self.started:
            _, rate, _, _, yy, r = self._mixture(0.0)
            sigma = sqrt(yy)
        else:
            rate, sigma = self._rate or (0.0, 5e-4)
            r = self._filters[0].r
        top = max(self._evidence)
        evidence = tuple(e - top for e in self._evidence)
        swings = [
            (w, f.pitch)
            for w, f in zip(self._weights, self._filters, strict=True)
            if isinstance(f, Swing)
        ]
        return Learned(
            rate,
            sigma,
            r,
            evidence,
            self._tail.share,
            self._tail.scale,
            max(swings)[1],
        )

    def _start(self, sample: Sample) -> Innovation:
        """One pulse makes a phase; with a second one, or from memory, a rate.

        Two pulses leave nothing to guess: no prior for r or for the rate is needed.
        """
        first, self._first = self._first, sample
        t = self._steering.raw(sample.seen)
        x = (sample.offset - self._base).seconds + self._steering.added(sample.seen)
        self._base = sample.offset
        self._steering.rebase(sample.seen)
        if self._rate is not None:
            rate, sigma = self._rate
            for f in self._filters:
                f.start(_variance(sample) / f.r, rate, 0.0, sigma * sigma / f.r)
        elif first is not None and t > 0.0:
            for f in self._filters:
                f.start(1.0, x / t, 1.0 / t, 2.0 / t**2)
        else:
            return Innovation(sample.offset, 0.0, 0.0, 1.0)
        self.started = True
        return Innovation(sample.offset, 0.0, 0.0, 1.0)

    def _carry(self, now: Mono, base: Duration) -> None:
        """Bring every filter to `now`, counting from `base`: what they hold stays
        small, and so exact."""
        t = self._steering.raw(now)
        shift = self._steering.added(now) + (base - self._base).seconds
        for f in self._filters:
            f.predict(t)
            f.x -= shift
        self._base = base
        self._steering.rebase(now)

    def _weigh(self, z: float, innovation: Innovation) -> None:
        """Take in a pulse `z`: every filter by itself, then the evidence."""
        tail = self._tail
        e = innovation.residual_s
        sigma = abs(e) / innovation.surprise if innovation.surprise else 1e-9
        straggler = tail.density(e, sigma) * sqrt(2.0 * pi)
        keep = 1.0 - 1.0 / MEMORY
        bulk = 0.0
        for i, f in enumerate(self._filters):
            e = z - f.x
            s = f.pxx + 1.0
            inlier = (1.0 - tail.share) * density(e, s * f.r, f.count + 1.0)
            w = inlier / (inlier + straggler)
            bulk += self._weights[i] * w
            f.update(e, s, w)
            t2 = e * e / (s * f.r)
            if e > 0.0:
                w = 1.0
                if t2 > UNHEARD_OF:
                    t2, f.count = UNHEARD_OF, min(f.count, DOUBT)
            f.count = min(f.count + w, RECENT)
            f.r += w * (t2 - 1.0) * f.r / f.count
            self._evidence[i] = keep * self._evidence[i] + log(inlier + straggler)
        best = max(self._evidence)
        self._evidence = [max(v - best, FLOOR) for v in self._evidence]
        self._weights = _normalised(self._evidence)
        leader = self._weights.index(max(self._weights))
        self._reign = self._reign + 1 if leader == self._leader else 0
        self._leader = leader
        if self._reign > REIGN:
            self._recall()
        self._lean.learn(innovation.residual_s, sigma, bulk)
        match tail.learn(innovation.residual_s, sigma, bulk):
            case Alarm.JUMP:
                self._jumped(innovation.residual_s)
            case Alarm.NOISE:
                for f in self._filters:
                    f.count = min(f.count, 8.0)
                    f.r *= (innovation.surprise) ** 2
            case Alarm.NONE:
                pass

    def _recall(self) -> None:
        """A filter that calls noise what the others foresee has lost its way; it
        begins again where they are, lest the next burst of noise make it right."""
        known = sum(w * f.r for w, f in zip(self._weights, self._filters, strict=True))
        lost = [
            f for f in self._filters if f.r > LOST * known and isinstance(f, Filter)
        ]
        if lost:
            x, y, _, xx, yy, r = self._mixture(0.0)
            for f in lost:
                f.start(xx / r, y, 0.0, yy / r)
                f.x, f.r = x, r

    def _jumped(self, by_s: float) -> None:
        """The phase is another one: the last residual is the best word on it."""
        for f in self._filters:
            f.pxx += by_s * by_s / f.r

    def _mixture(self, t: float) -> tuple[float, float, float, float, float, float]:
        """x, y, d, var x, var y and r of the mixture `t` raw seconds from now."""
        ahead = [
            (w, f.r, *f.ahead(t))
            for w, f in zip(self._weights, self._filters, strict=True)
            if w > NEGLIGIBLE
        ]
        total = sum(part[0] for part in ahead)
        x = sum(w * fx for w, _, fx, *_ in ahead) / total
        y = sum(w * fy for w, _, _, fy, *_ in ahead) / total
        d = sum(w * fd for w, _, _, _, fd, *_ in ahead) / total
        r = sum(w * fr for w, fr, *_ in ahead) / total
        xx = sum(w * (fr * fxx + (fx - x) ** 2) for w, fr, fx, _, _, fxx, _ in ahead)
        yy = sum(w * (fr * fyy + (fy - y) ** 2) for w, fr, _, fy, _, _, fyy in ahead)
        return x, y, d, xx / total, yy / total, r


def _filters(r: float, count: float, pitch: float) -> list[Filter | Swing]:
    plain: list[Filter | Swing] = [Filter(noise, r, count) for noise in GRID]
    return plain + [Swing(noise, r, count, pitch) for noise in SWINGS]


def _variance(sample: Sample) -> float:
    spread = sample.spread or SPREAD.get(sample.source, MICROSECOND)
    return spread.seconds**2


def _normalised(evidence: list[float]) -> list[float]:
    weights = [exp(v) for v in evidence]
    total = sum(weights)
    return [w / total for w in weights]
