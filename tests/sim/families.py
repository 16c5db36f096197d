"""Kinds of noise that pulse stamps have in the field, each with its own optimum.

A family is a crystal, a stamp error for each second and what an observer who is told
everything would know of that stamp: the bias to take off and the variance, or that it
is worthless. The optimum is a two-state Kalman filter with that knowledge and the
process noise that suits it best in hindsight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import exp, inf, sqrt
from random import Random
from typing import Final

from hw.emu.oscillator import TraceRow
from tests.sim.field import rows

BEGINS: Final = 3600
"""When what happens in a family with an event happens, s."""
_DENSITIES: Final = tuple(10.0 ** (0.5 * k) for k in range(-42, -25))
"""Random-walk FM that the optimum may suppose, 1/s^3."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The error of one stamp (s, + is late), and what is to be known of it."""

    late_s: float
    bias_s: float = 0.0
    sigma_s: float = 1e-6
    """inf: worthless."""


Draw = Callable[[int, Random], Stamp]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of noise."""

    name: str
    make: Callable[[Random], Draw]
    seconds: int = 5400
    event: tuple[int, int] | None = None
    """From and to when something happens, s."""
    kelvin: Callable[[int], float] = lambda _: 0.0
    times: float = 1.5
    """What the rms error before the event may be, over that of the optimum."""
    bound: float = 6.0
    """What the median of the bound may be, over that error."""
    peak_s: float = 20e-6
    """What the error may be in an event, s."""
    known_gap: str = ""
    """In what the clock falls short of it, as is known."""
    silent: float = 0.0
    """Share of pulses that never come."""
    quantum_s: float = 0.0
    """Step of the stamps, on a crystal that drifts slowly through it."""

    def world(self, seed: int) -> tuple[list[TraceRow], list[Stamp]]:
        """The trace of one seed, and what is to be known of its stamps."""
        draw = self.make(Random(f"{self.name} {seed}"))
        gone = Random(f"silent {seed}")
        stamps: list[Stamp] = []

        def noise(k: int, rng: Random) -> float:
            stamps.append(draw(k, rng))
            return stamps[-1].late_s

        def silent(k: int) -> bool:
            return k > 0 and gone.random() < self.silent

        made = rows(self.seconds, seed, noise, kelvin=self.kelvin, silent=silent)
        if self.quantum_s:
            made = [self._stepped(row, made) for row in made]
        return made, stamps

    def _stepped(self, row: TraceRow, made: list[TraceRow]) -> TraceRow:
        """At 2 ns a second, stamped in whole steps."""
        slope = (made[600].phase_ns - made[0].phase_ns) / 600.0 - 2.0
        phase = row.phase_ns - slope * row.t_s
        step = 1e9 * self.quantum_s
        stamp = step * round((phase + row.noise_ns) / step)
        return replace(row, phase_ns=phase, noise_ns=stamp - phase)


def optimum(made: list[TraceRow], stamps: list[Stamp], settled: int) -> list[float]:
    """Errors (s) of the filter that is told everything, at every pulse before it is
    used; its process noise is best from `settled` s on."""
    tried = [_followed(made, stamps, q) for q in _DENSITIES]
    return min(tried, key=lambda errors: sum(e * e for e in errors[settled:]))


def _followed(made: list[TraceRow], stamps: list[Stamp], q: float) -> list[float]:
    x = 1e-9 * made[0].phase_ns
    y, pxx, pxy, pyy = 0.0, 1.0, 0.0, 1e-9
    errors = [0.0]
    for k in range(1, len(made)):
        x += y
        pxx += 2.0 * pxy + pyy + q / 3.0
        pxy += pyy + q / 2.0
        pyy += q
        phase = 1e-9 * made[k].phase_ns
        errors.append(x - phase)
        if made[k].pulse and stamps[k].sigma_s < inf:
            s = pxx + stamps[k].sigma_s ** 2
            e = phase + 1e-9 * made[k].noise_ns - stamps[k].bias_s - x
            gx, gy = pxx / s, pxy / s
            x += gx * e
            y += gy * e
            pyy -= gy * pxy
            pxx -= gx * pxx
            pxy -= gx * pxy
    return errors


def _gaussian(sigma_s: float = 1e-6) -> Callable[[Random], Draw]:
    return lambda _: lambda _k, rng: Stamp(rng.gauss(0.0, sigma_s), 0.0, sigma_s)


def _louder(times: float, from_s: int, to_s: int) -> Callable[[Random], Draw]:
    def draw(k: int, rng: Random) -> Stamp:
        sigma = 5e-7 * (times if from_s <= k < to_s else 1.0)
        return Stamp(rng.gauss(0.0, sigma), 0.0, sigma)

    return lambda _: draw


def _mixed(
    share: float,
    least_s: float,
    most_s: float,
    *,
    sigma_s: float = 5e-7,
    usable: bool = False,
) -> Callable[[Random], Draw]:
    """Some are late by so much; `usable`: always the same, so the bias is known."""

    def draw(_: int, rng: Random) -> Stamp:
        core = rng.gauss(0.0, sigma_s)
        if rng.random() >= share:
            return Stamp(core, 0.0, sigma_s)
        off = rng.uniform(least_s, most_s)
        return Stamp(core + off, least_s, sigma_s if usable else inf)

    return lambda _: draw


def _dwelling(mean_s: float, off_s: float) -> Callable[[Random], Draw]:
    def make(dice: Random) -> Draw:
        asleep = False

        def draw(_: int, rng: Random) -> Stamp:
            nonlocal asleep
            if dice.random() < 1.0 / mean_s:
                asleep = not asleep
            bias = off_s if asleep else 0.0
            return Stamp(bias + rng.gauss(0.0, 5e-7), bias, 5e-7)

        return draw

    return make


def _bursts(every_s: float, lasts_s: float, late_s: float) -> Callable[[Random], Draw]:
    def make(dice: Random) -> Draw:
        until = 0.0

        def draw(k: int, rng: Random) -> Stamp:
            nonlocal until
            if k >= until and dice.random() < 1.0 / every_s:
                until = k + dice.expovariate(1.0 / lasts_s)
            core = rng.gauss(0.0, 2.5e-7)
            if k < until:
                return Stamp(core + dice.expovariate(1.0 / late_s), 0.0, inf)
            return Stamp(core, 0.0, 2.5e-7)

        return draw

    return make


def _wandering(
    sigma_s: float, tau_s: float, white_s: float
) -> Callable[[Random], Draw]:
    def make(dice: Random) -> Draw:
        keep = exp(-1.0 / tau_s)
        slow = dice.gauss(0.0, sigma_s)

        def draw(_: int, rng: Random) -> Stamp:
            nonlocal slow
            slow = keep * slow + sqrt(1.0 - keep * keep) * dice.gauss(0.0, sigma_s)
            total = sqrt(white_s**2 + sigma_s**2)
            return Stamp(slow + rng.gauss(0.0, white_s), 0.0, total)

        return draw

    return make


def _sawtooth(_: Random) -> Draw:
    """+-21 ns, and hanging bridges as the beat slows down."""

    def draw(k: int, rng: Random) -> Stamp:
        beat = 0.37 * k + 40.0 * (k / 4000.0) ** 3
        return Stamp(42e-9 * (beat % 1.0 - 0.5) + rng.gauss(0.0, 5e-9), 0.0, 13e-9)

    return draw


def _jump(size: float) -> Callable[[int], float]:
    """As a rate: `field.rows` takes kelvin of 0.145 ppm."""
    return lambda k: size / 1.45e-7 if k >= BEGINS else 0.0


def _load(k: int) -> float:
    """A processor that works ten minutes in twenty warms its crystal by 6 K."""
    into = k % 1200
    risen = 1.0 - exp(-min(into, 600) / 90.0)
    return 6.0 * risen * (exp(-(into - 600) / 90.0) if into > 600 else 1.0)


_WINDOW = (BEGINS, BEGINS + 1200)
_HOUR = (BEGINS, BEGINS + 600)

FAMILIES: Final = (
    Family("gaussian", _gaussian()),
    *(
        Family(
            f"noise x {t}",
            _louder(t, *_WINDOW),
            event=_WINDOW,
        )
        for t in (3, 10, 30)
    ),
    *(
        Family(f"early {share:.0%}", _mixed(share, -8e-6, -8e-6, usable=True))
        for share in (0.02, 0.05, 0.1, 0.2)
    ),
    *(
        Family(f"late {share:.0%}", _mixed(share, 5e-6, 30e-6))
        for share in (0.2, 0.25, 0.3, 0.4)
    ),
    Family("second mode 20%", _mixed(0.2, 4e-6, 4e-6, usable=True)),
    Family(
        "second mode 30%",
        _mixed(0.3, 4e-6, 4e-6, usable=True),
        known_gap="1.53 times the optimum, not 1.5",
    ),
    Family("dwelling 2 min", _dwelling(120.0, 8e-6), times=3.0, bound=15.0),
    Family(
        "bursts",
        _bursts(200.0, 15.0, 8e-6),
        known_gap="three times the optimum as a burst begins",
    ),
    Family("quantised", _gaussian(1e-8), quantum_s=1e-6),
    Family("wander 20 ns", _wandering(20e-9, 300.0, 10e-9)),
    Family(
        "coloured",
        _wandering(80e-9, 318.0, 150e-9),
        known_gap="the receiver's wander of minutes looks like the clock's",
    ),
    Family("sawtooth", _sawtooth, bound=20.0),
    Family("rate jump 1e-7", _gaussian(), event=_HOUR, kelvin=_jump(1e-7)),
    Family("rate jump 1e-6", _gaussian(), event=_HOUR, kelvin=_jump(1e-6)),
    Family("load steps", _gaussian(), kelvin=_load),
    Family("missing 20%", _gaussian(), silent=0.2),
)
BY_NAME: Final[Mapping[str, Family]] = {family.name: family for family in FAMILIES}
