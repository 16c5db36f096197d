"""Traces of the field's kinds, made of seeds: what `hw.sim.trace` replays.

A crystal as a quiet Pi's (random walk 1e-10 per sqrt(s), flicker 2e-10) whose rate
follows its temperature by 0.145 ppm/K, a pulse, and perhaps a thermometer.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hw.emu.oscillator import Oscillator, OscillatorModel, TraceRow
from hw.sim.trace import Replay, Scores
from refclock.cli.simulate import engine
from refclock.timebase import SECOND, LeapTable, Utc

NoiseOf = Callable[[int, Random], float]
"""How late the pulse of that second is stamped, s."""
TEMPCO: float = -1.45e-7
"""Rate per kelvin, s/s."""
LEAPS = LeapTable((), 37 * SECOND, Utc.of(2017, 1, 1), Utc.of(2050, 1, 1))


def microsecond(_: int, rng: Random) -> float:
    """Gaussian, 1 us."""
    return rng.gauss(0.0, 1e-6)


def rows(
    seconds: int,
    seed: int,
    noise: NoiseOf = microsecond,
    *,
    kelvin: Callable[[int], float] = lambda _: 0.0,
    celsius: Callable[[int], float] | None = None,
    silent: Callable[[int], bool] = lambda _: False,
) -> list[TraceRow]:
    """`kelvin`: how far the crystal is above its usual temperature. `celsius`: what a
    thermometer shows. `silent`: no pulse in that second."""
    rng = Random(f"field {seed}")
    model = OscillatorModel(
        offset_ppb=rng.uniform(-8000.0, 12_000.0),
        walk_ppb=0.1,
        flicker_ppb=0.2,
        curve_ppb=0.0,
    )
    crystal = Oscillator.of(model, seed)
    warmed = 0.0
    made = []
    for k in range(seconds + 1):
        made.append(
            TraceRow(
                k,
                1e6 + crystal.phase(k * SECOND.ns) + warmed,
                1e9 * noise(k, rng),
                None if celsius is None else celsius(k),
                not silent(k),
            )
        )
        warmed += 1e9 * TEMPCO * kelvin(k)
    return made


def run(made: list[TraceRow]) -> Scores:
    """The shipping engine over them."""
    return Replay(made, engine(LEAPS)).run(len(made))


def within_after(scores: Scores, since: int, limit_s: float) -> int:
    """Seconds from `since` until the error stays within the limit."""
    outside = [
        k
        for k in range(since, len(scores.at_pulse_s))
        if abs(scores.at_pulse_s[k]) > limit_s
    ]
    return max(outside, default=since) - since


def coverage(scores: Scores, begin: int, end: int) -> float:
    """Share of the served seconds whose error was within the bound."""
    pairs = list(zip(scores.at_pulse_s, scores.bound_s, strict=True))[begin:end]
    served = [(abs(error), bound) for error, bound in pairs if bound < 16.0]
    return sum(error <= bound for error, bound in served) / len(served)
