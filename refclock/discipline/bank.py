"""The filter that tunes itself: a bank of filters, one per hypothesis on the noise.

Nobody can tell us his q and r. So every hypothesis on the ratio q/r runs its own
filter, learns its own r, and is weighed by how well it foretold each pulse:

    log w_i  <-  (1 - 1/MEMORY) log w_i + log p_i(e)

with p_i the density of `gate`. The estimate is the mixture, its variance the
mixture's: what the filters doubt (within) and how they differ (between). A weight
never falls below a floor, so a hypothesis that was wrong all day can win within a
minute when the sun comes out.

One second ahead, a hypothesis that needs more states is as good as it foretold of
late. An hour ahead it also needs a reason: there it is judged by its merit, the same
sum over LONG_MEMORY, and by a prior. With t since the last sample the weights move
from the one to the other as t^2/(t^2 + MINUTE^2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Final

from refclock.discipline.filters.harmonic import OMEGA, HarmonicFilter, harmonic_filters
from refclock.discipline.filters.holdover import unseen
from refclock.discipline.filters.kalman import DRIFTING, WANDERING, ClockFilter
from refclock.discipline.filters.thermal import (
    UNKNOWN,
    ThermalFilter,
    thermal_filters,
)
from refclock.discipline.outliers import InnovationBias, OutlierModel
from refclock.discipline.sample import (
    Estimate,
    Innovation,
    Learned,
    Sample,
    SampleSource,
)
from refclock.discipline.servo import ControlInput
from refclock.discipline.stamps.core import Core, CoreFinder
from refclock.discipline.stamps.level import LEVELS, NoiseLevel
from refclock.discipline.stamps.modes import Modes
from refclock.discipline.stamps.quantum import Quantum
from refclock.discipline.stamps.rhythm import Rhythm
from refclock.events import Temperature
from refclock.timebase import ZERO, Duration, Mono

__all__ = ["Bank", "Estimate", "Innovation", "Learned", "Sample", "SampleSource"]

WILDEST: Final = 1e-15
"""Random-walk FM of the worst of crystals, 1/s^3: 3e-8 per sqrt(s). What moves faster
is the stamp."""
MEMORY: Final = 2000.0
"""Over how many pulses the evidence is weighed."""
LONG_MEMORY: Final = 20_000.0
"""The same, for what is to come in an hour."""
RECENT: Final = 200.0
"""Over how many pulses each filter averages its r."""
FLOOR: Final = -12.0
"""Least log weight, the best being 0: a filter so far behind can be back in seconds."""
NEGLIGIBLE: Final = 1e-3
"""A weight below this has no say in the estimate."""
DRIFT, SWING, CURVE = -10.0, -6.0, 4.0
"""Log weight, in the long run, of hypotheses with more than two states."""
MINUTE: Final = 60.0
LEAST_R: Final = 1e-19
"""Least r, s^2: instants are whole nanoseconds."""
WANDER: Final = 15e-9
"""A receiver's pulse strays by so much within minutes, one sigma, s: the ionosphere,
satellites that come and go."""
QUANTISED: Final = 0.2e-9
"""What a step of one ns leaves of error, one sigma, s."""
FADE: Final = 0.7
"""How soon a move is forgotten, per pulse."""
FAR: Final = 9.0
"""Normalised square of a residual beyond which another level of noise may be."""
RESET_COUNT: Final = 20.0
"""So many pulses then still stand behind r."""
DIVERGED_RATIO: Final = 3.0
"""A filter with an r so many times that of the others mistakes wander for noise."""
RESEED_INTERVAL: Final = 100
"""After so many pulses under one leader the lost are called back."""
SETTLED: Final = 3
"""Pulses before there is an estimate: two for a rate, one to confirm it."""
CONTRADICTION: Final = 6.0
"""A measured rate so many sigmas from the remembered one contradicts it."""
AGEING: Final = 1e-7
"""How far the rate may be from what it was before a restart, one sigma."""


@dataclass(frozen=True, slots=True)
class _Mixed:
    """The mixture: offset (s, from the base, raw), rate, drift, variances, r."""

    x: float
    y: float
    d: float
    xx: float
    yy: float
    r: float


class Bank:
    """All we know of the clock. Used by one thread."""

    def __init__(self, learned: Learned | None = None) -> None:
        self._filters: list[ClockFilter | ThermalFilter | HarmonicFilter] = [
            *(ClockFilter(noise, 0.0) for noise in WANDERING),
            *(ClockFilter(noise, DRIFT) for noise in DRIFTING),
            *harmonic_filters(SWING),
        ]
        self._tail = OutlierModel()
        self._lean = InnovationBias()
        self._level = NoiseLevel()
        self._core = CoreFinder()
        self._modes = Modes()
        self._quantum = Quantum()
        self.rhythm = Rhythm()
        """How often pulses come."""
        self._pulse: Mono | None = None
        """When the last one came."""
        self._pulses = 0
        """How many came since the start or the last reset."""
        self._added_s = 0.0
        """What slewing added to the clock up to the filters' time, s."""
        self._moved = 0.0
        """How far pulses moved the estimate of late, s."""
        self._rate: tuple[float, float] | None = None
        """Rate and its sigma, where known before the first pulse."""
        self._curve: tuple[float, ...] = ()
        self._heated: Mono | None = None
        """When the thermometer was last read; None: no filter listens to it."""
        if learned is not None:
            self._remember(learned)
        self._near, self._far = _weights(self._filters)
        self._leader = self._reign = 0
        self._steering = ControlInput()
        self._base = ZERO
        """The filters hold X - base."""
        self._heard = 0
        """Samples since the start or the last upset."""
        self._silent_s = 0.0
        """How long before the filters' time the last sample was."""

    @property
    def started(self) -> bool:
        """Is there an estimate?"""
        return self._heard >= SETTLED

    def add(self, sample: Sample, innovation: Innovation | None = None) -> Innovation:
        """Take in a sample; never earlier than the one before. `innovation`: its own,
        where it was reckoned already and nothing has changed since."""
        if sample.source is SampleSource.PULSE:
            if self._pulse is not None:
                self.rhythm.observe((sample.mono - self._pulse).seconds)
            self._pulse = sample.mono
            self._pulses += 1
        running = self._heard > 1 or (self._heard > 0 and self._rate is not None)
        self._heard += 1
        if not running:
            self._start(sample)
            return Innovation(sample.offset, 0.0, 1.0, 1.0)
        if self._heard == 2 and self._doubt_rate(sample):
            innovation = None
        innovation = innovation or self._innovation(sample)
        self._propagate(sample.mono, innovation.predicted)
        self._widen()
        z = (sample.offset - self._base).seconds
        if sample.source is SampleSource.PULSE:
            raw_ns = sample.offset.ns + round(self._added_s * 1e9)
            self._quantum.observe(sample.offset.ns, raw_ns)
            self._update_filters(z, innovation)
        else:
            for f in self._filters:
                f.update(z - f.x, sample.variance / f.r, innovation.weight)
        return innovation

    def _doubt_rate(self, sample: Sample) -> bool:
        """The rate is remembered, and this is the second sample: does it contradict it?
        Then the rate is known to the contradiction only, and is learned anew."""
        t = self._steering.raw(sample.mono)
        if self._rate is None or t <= 0.0:
            return False
        y, sigma = self._rate
        pulse = sample.source is SampleSource.PULSE
        noise_s = sqrt(self._filters[0].r if pulse else sample.variance)
        x = (sample.offset - self._base).seconds + self._steering.added(sample.mono)
        apart = abs(x / t - y)
        if apart <= CONTRADICTION * (sigma + noise_s / t):
            return False
        for f in self._filters:
            f.pyy += apart * apart / f.r
        return True

    def innovation(self, sample: Sample) -> Innovation:
        """What `sample` would tell, without taking it in."""
        if not self.started:
            return Innovation(sample.offset, 0.0, 1.0, 1.0)
        return self._innovation(sample)

    def estimate(self, now: Mono) -> Estimate:
        """The clock at `now`, not before the last sample. Changes nothing."""
        mixed = self._mixture(self._steering.raw(now))
        u = self._steering.u
        return Estimate(
            now,
            self._base + Duration.from_seconds(mixed.x - self._steering.added(now)),
            sqrt(mixed.xx + self._unseen()),
            (mixed.y - u) / (1.0 + u),
            sqrt(mixed.yy),
            mixed.d,
            sqrt(mixed.r),
        )

    def _unseen(self) -> float:
        """Variance of what averaging cannot see, s^2: the receiver's own wander, steps
        of the stamps, their modes, a bias, and a move that may have been wrong."""
        return (
            WANDER**2
            + (self._quantum.ns * QUANTISED) ** 2
            + self._lean.doubt
            + self._modes.doubt**2
            + self._core.bias**2
            + (self._moved / 4.0) ** 2
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

    def temperature(self, reading: Temperature) -> None:
        """The thermometer that sits nearest the oscillator was read."""
        if not self.started or self._filters[self._leader].count < RESET_COUNT:
            return
        now = self._mixture(self._steering.raw(reading.mono))
        x = now.x - self._steering.added(reading.mono)
        self._propagate(reading.mono, self._base + Duration.from_seconds(x))
        if self._heated is None:
            self._listen(reading.celsius)
            since_s = 0.0
        else:
            since_s = (reading.mono - self._heated).seconds
        self._heated = reading.mono
        for f in self._filters:
            if isinstance(f, ThermalFilter):
                f.sense((reading.celsius - self._curve[0]) / 10.0, since_s)

    def reset_phase(self) -> None:
        """Forget the phase, keep the rate: the clock jumped, nobody knows how far."""
        if self.started:
            now = self._mixture(0.0)
            self._rate = now.y, sqrt(now.yy) + AGEING
        self._curve = self._learned_curve()
        self._heated = None
        self._filters = [f for f in self._filters if not isinstance(f, ThermalFilter)]
        self._near, self._far = _weights(self._filters)
        self._heard = self._pulses = self._leader = self._reign = 0
        self._modes.clear()
        self._core.clear()

    def learned(self) -> Learned:
        """What is worth keeping over a restart."""
        now = self._mixture(0.0)
        rate, sigma = self._rate or (0.0, 5e-4)
        if self.started:
            rate, sigma = now.y, sqrt(now.yy)
        lasting = [f for f in self._filters if not isinstance(f, ThermalFilter)]
        harmonic = [f for f in lasting if isinstance(f, HarmonicFilter)]
        return Learned(
            rate,
            sigma,
            sqrt(now.r),
            tuple(f.long_log_weight for f in lasting),
            self._tail.share,
            self._tail.scale,
            max(harmonic, key=lambda f: f.log_weight).omega if harmonic else OMEGA,
            self._learned_curve(),
        )

    def _remember(self, learned: Learned) -> None:
        """Begin where another bank ended."""
        self._rate = learned.rate, learned.rate_sigma + AGEING
        self._tail = OutlierModel(learned.share, learned.scale)
        self._curve = tuple(learned.curve)
        same = len(learned.log_weight) == len(self._filters)
        log_weight = learned.log_weight if same else [0.0] * len(self._filters)
        for f, known in zip(self._filters, log_weight, strict=True):
            f.r, f.count = learned.jitter_s**2, RESET_COUNT
            f.log_weight = f.long_log_weight = known
            if isinstance(f, HarmonicFilter):
                f.omega = learned.omega

    def _start(self, sample: Sample) -> None:
        """One sample makes an offset; with a second one, or from memory, a rate.

        Two leave nothing to guess: the gains need no prior for r or for the rate.
        """
        t = self._steering.raw(sample.mono)
        x = (sample.offset - self._base).seconds + self._steering.added(sample.mono)
        self._base = sample.offset
        self._steering.restart(sample.mono)
        if self._rate is not None:
            y, sigma = self._rate
            for f in self._filters:
                f.start(_rho(sample, f), y, 0.0, sigma * sigma / f.r)
        elif self._heard > 1 and t > 0.0:
            for f in self._filters:
                rho = _rho(sample, f)
                f.start(rho, x / t, rho / t, 2.0 * rho / t**2)
        else:
            self._heard = 1

    def _innovation(self, sample: Sample) -> Innovation:
        mixed = self._mixture(self._steering.raw(sample.mono))
        x = mixed.x - self._steering.added(sample.mono)
        predicted = self._base + Duration.from_seconds(x)
        e = (sample.offset - self._base).seconds - x
        if sample.source is not SampleSource.PULSE:
            s2 = mixed.xx + sample.variance
            weight = min(1.0, 5.0 / (4.0 + e * e / s2))
        else:
            s2 = mixed.xx + mixed.r
            inlier = self._tail.inlier(e, s2, RECENT)
            weight = inlier / (inlier + self._tail.outlier(e, sqrt(s2)))
        return Innovation(predicted, e, sqrt(s2), weight)

    def _propagate(self, now: Mono, base: Duration) -> None:
        """Bring every filter to `now`, counting from `base`: what they hold stays
        small, and so exact."""
        t = max(self._steering.raw(now), 0.0)
        added = self._steering.added(now)
        self._added_s += added
        shift = added + (base - self._base).seconds
        for f in self._filters:
            f.predict(t)
            f.x -= shift
            if not f.pxx > 0.0:  # the gap was longer than floats can tell
                x, y = f.x, f.y
                f.start(1.0, y, 0.0, f.noise.q2)
                f.x = x
        self._base = base
        self._silent_s += t
        self._steering.restart(now)

    def _widen(self) -> None:
        """A sample ends the gap: the rate may have changed unseen in it."""
        x, y = unseen(self._silent_s - self.rhythm.silence_s)
        self._silent_s = 0.0
        if x > 0.0:
            for f in self._filters:
                f.pxx += x * x / f.r
                f.pxy += x * y / f.r
                f.pyy += y * y / f.r

    def _update_filters(self, z: float, innovation: Innovation) -> None:
        """Take in a pulse `z`: every filter by itself, then the evidence."""
        sigma = innovation.sigma_s
        mode = self._modes.place(innovation.residual_s, sigma)
        if mode is None:
            self._tail.learn(innovation.residual_s, sigma, innovation.weight)
            return
        z, residual = z - mode, innovation.residual_s - mode
        tail, level = self._tail, self._level
        r = sum(near * f.r for near, f in zip(self._near, self._filters, strict=True))
        outlier = tail.outlier(residual, sigma)
        quiet, chances = level.quiet, level.chances
        rho = level.observe(residual, max(sigma * sigma - r, 0.0), r, outlier)
        growth = level.growth()
        least_r = max(LEAST_R, (self._quantum.ns * 1e-9) ** 2 / 12.0)
        before = self._mean()
        keep, keep_long = 1.0 - 1.0 / MEMORY, 1.0 - 1.0 / LONG_MEMORY
        bulk = 0.0
        for f, near in zip(self._filters, self._near, strict=True):
            e = z - f.x
            inlier = tail.inlier(e, (f.pxx + 1.0) * f.r, f.count + 1.0)
            if not quiet or e * e > FAR * (f.pxx + 1.0) * f.r:
                inlier *= chances[0]
                for chance, g in zip(chances[1:], LEVELS[1:], strict=True):
                    s2 = (f.pxx + g) * f.r
                    inlier += chance * tail.inlier(e, s2, f.count + 1.0)
            w = inlier / (inlier + outlier)
            bulk += near * w
            likely = log(inlier + outlier)
            f.log_weight = keep * f.log_weight + likely
            f.long_log_weight = keep_long * f.long_log_weight + likely
            t2 = e * e / ((f.pxx + rho) * f.r)
            f.update(e, rho, w)
            f.count = min(f.count + w, RECENT)
            f.r = max((f.r + w * (t2 - 1.0) * f.r / f.count) * growth, least_r)
        self._near, self._far = _weights(self._filters)
        self._reseed()
        self._lean.learn(residual, sigma, bulk)
        if tail.learn(residual, sigma, bulk):
            for f in self._filters:
                f.pxx += residual * residual / f.r
        if not level.quiet:
            self._core.clear()
        by = self._modes.reference()
        if by:
            for f in self._filters:
                f.x += by
        core = self._core.observe(residual, sigma, self._density(sigma))
        if core is not None:
            self._recentre(core)
        moved = abs(self._mean() - before) if self._pulses > SETTLED else 0.0
        self._moved = max(moved, FADE * self._moved)

    def _mean(self) -> float:
        return sum(w * f.x for w, f in zip(self._near, self._filters, strict=True))

    def _density(self, sigma: float) -> Callable[[float], float]:
        tail, s2 = self._tail, sigma * sigma
        return lambda u: tail.inlier(u, s2, RECENT) + tail.outlier(u, sigma)

    def _recentre(self, core: Core) -> None:
        """Most pulses are elsewhere, or closer together, than the filters take them."""
        self._tail.found(core.late, core.early, core.distance)
        for f in self._filters:
            f.x += core.centre
            f.r = core.sigma**2
            f.count = min(f.count, RESET_COUNT)
            f.pxx += 0.1 + (core.centre / core.sigma) ** 2

    def _reseed(self) -> None:
        """Under a leader of long standing, call back the filters that got lost: the
        next burst of noise would make them look right."""
        leader = self._near.index(max(self._near))
        self._reign = self._reign + 1 if leader == self._leader else 0
        self._leader = leader
        if self._reign < RESEED_INTERVAL:
            return
        most = DIVERGED_RATIO * self._filters[leader].r
        lost = [f for f in self._filters if isinstance(f, ClockFilter) and f.r > most]
        if lost:
            now = self._mixture(0.0)
            for f in lost:
                f.start(now.xx / now.r, now.y, 0.0, now.yy / now.r)
                f.x, f.r = now.x, now.r

    def _listen(self, celsius: float) -> None:
        """Add hypotheses on the thermometer, that agree with the others for now."""
        self._curve = self._curve or (celsius, 0.0, 0.0, UNKNOWN, UNKNOWN)
        reference, a, b, a_sigma, b_sigma = self._curve
        u = (celsius - reference) / 10.0
        now = self._mixture(0.0)
        for f in thermal_filters(CURVE, now.r):
            f.start(now.xx / now.r, now.y - a * u - b * u * u, 0.0, now.yy / now.r)
            f.x, f.a, f.b, f.u = now.x, a, b, u
            f.paa, f.pbb = a_sigma**2 / now.r, b_sigma**2 / now.r
            f.pya, f.pyb = -u * f.paa, -u * u * f.pbb
            f.pyy -= u * f.pya + u * u * f.pyb
            f.count = self._filters[self._leader].count
            f.log_weight = f.long_log_weight = 0.0
            self._filters.append(f)
        self._near, self._far = _weights(self._filters)

    def _learned_curve(self) -> tuple[float, ...]:
        thermal = [f for f in self._filters if isinstance(f, ThermalFilter)]
        if not thermal:
            return self._curve
        best = max(thermal, key=lambda f: f.log_weight)
        sigmas = sqrt(best.paa * best.r), sqrt(best.pbb * best.r)
        return (self._curve[0], best.a, best.b, *sigmas)

    def _mixture(self, t: float) -> _Mixed:
        """The moments of all filters together, `t` raw seconds from now."""
        silent = self._silent_s + t
        far = silent * silent / (silent * silent + MINUTE * MINUTE)
        total = x = y = d = xx = yy = r = 0.0
        parts: list[tuple[float, float, float]] = []
        for f, near_w, far_w in zip(self._filters, self._near, self._far, strict=True):
            w = near_w + far * (far_w - near_w)
            if w < NEGLIGIBLE:
                continue
            fx, fy, fd, fxx, fyy = f.ahead(t)
            doubtful = w * f.r * (1.0 + 4.0 / f.count)
            parts.append((w, fx, fy))
            total += w
            x += w * fx
            y += w * fy
            d += w * fd
            r += w * f.r
            xx += doubtful * fxx
            yy += doubtful * fyy
        x, y = x / total, y / total
        for w, fx, fy in parts:
            xx += w * (fx - x) ** 2
            yy += w * (fy - y) ** 2
        x_unseen, y_unseen = unseen(silent - self.rhythm.silence_s)
        xx, yy = xx / total + x_unseen**2, yy / total + y_unseen**2
        return _Mixed(x, y, d / total, xx, yy, r / total)


def _rho(sample: Sample, f: ClockFilter | ThermalFilter | HarmonicFilter) -> float:
    return 1.0 if sample.source is SampleSource.PULSE else sample.variance / f.r


def _weights(
    filters: Iterable[ClockFilter | ThermalFilter | HarmonicFilter],
) -> tuple[list[float], list[float]]:
    """Bring the evidence to scale; the weights a second and an hour ahead."""
    best = max(f.log_weight for f in filters)
    finest = max(f.long_log_weight for f in filters)
    near, far = [], []
    for f in filters:
        f.log_weight = max(f.log_weight - best, FLOOR)
        f.long_log_weight = max(f.long_log_weight - finest, FLOOR)
        wild = f.noise.q2 * f.r / WILDEST
        near.append(exp(f.log_weight) / (1.0 + wild * wild))
        far.append(
            exp(f.long_log_weight + f.prior) if f.long_log_weight > FLOOR else 0.0
        )
    return _normalised(near), _normalised(far)


def _normalised(weights: list[float]) -> list[float]:
    total = sum(weights)
    return [w / total for w in weights]
