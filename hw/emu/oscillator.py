"""A free oscillator: what it counts, against true time.

Its fractional frequency is constant over each true second and then

    f = offset + white + flicker + walk - curve (T - turnover)^2

white: independent, so its phase is a random walk. walk: a sum of independent
steps, deviation per square root of a second. flicker: a sum of first-order
processes whose time constants lie a factor of four apart, which between the least
and the greatest is 1/f to half a decibel (Kasdin, Proc. IEEE 83, 1995, section V);
its deviation is the floor of the Allan deviation. The parabola is that of a
crystal of AT cut near its turnover, as measured on a Pi 5: 6.1 ppb/K^2 about 53 C.
"""

from __future__ import annotations

import csv
import gzip
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import exp, inf, pi, sin, sqrt
from pathlib import Path
from random import Random
from threading import Lock
from typing import Final

from hw.emu.world import dice
from refclock.timebase import SECOND

_TIMES_S: Final = tuple(4.0**k for k in range(1, 9))
"""Time constants of the processes that make flicker, 4 s to 18 h."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The temperature around the crystal."""

    mean_c: float = 45.0
    swing_c: float = 0.0
    """Amplitude of a sine."""
    period_s: float = 3600.0
    wander_c: float = 0.0
    """Deviation of a random wander."""
    draught_s: float = 120.0
    """How long it remembers."""
    step_c: float = 0.0
    step_at_s: float = inf
    settle_s: float = 60.0
    """Time constant of the step."""


@dataclass(frozen=True, slots=True)
class OscillatorModel:
    """How an oscillator strays. Deviations are one sigma."""

    offset_ppb: float = 7860.0
    """+ is fast, at the mean temperature."""
    white_ppb: float = 0.0
    """Of the frequency over one second."""
    flicker_ppb: float = 0.0
    walk_ppb: float = 0.3
    """Per square root of a second."""
    curve_ppb: float = 6.1
    """Per square kelvin."""
    turnover_c: float = 53.0
    environment: Environment = field(default_factory=Environment)


Knot = tuple[float, float]
"""Phase (ns; what it counted beyond true time) and temperature (C)."""


class Oscillator:
    """What it counted at every true instant. For any thread.

    Before the start it ran as in the first second after it.
    """

    def __init__(self, knots: Iterator[Knot]) -> None:
        """`knots`: at the start and after every true second."""
        self._knots = knots
        self._phase = array("d")
        self._celsius = array("d")
        self._lock = Lock()

    @classmethod
    def of(cls, oscillator_model: OscillatorModel, seed: int) -> Oscillator:
        """One of that character."""
        return cls(_knots(oscillator_model, seed))

    def phase(self, elapsed_ns: int) -> float:
        """What it counted beyond true time (ns), so long after the start."""
        k = max(elapsed_ns // SECOND.ns, 0)
        self._reach(k)
        into = elapsed_ns - k * SECOND.ns
        here = self._phase[k]
        return here + (self._phase[k + 1] - here) * (into / SECOND.ns)

    def celsius(self, elapsed_ns: int) -> float:
        """Its temperature, so long after the start."""
        k = max(elapsed_ns // SECOND.ns, 0)
        self._reach(k)
        return self._celsius[k]

    def elapsed(self, counted_ns: int) -> int:
        """The inverse of `elapsed + phase`: true ns since the start."""
        k = max(counted_ns // SECOND.ns, 0)
        self._reach(k)
        while k and counted_ns < k * SECOND.ns + self._phase[k]:
            k -= 1
        while counted_ns >= (k + 1) * SECOND.ns + self._phase[k + 1]:
            k += 1
            self._reach(k)
        here = self._phase[k]
        counts = SECOND.ns + self._phase[k + 1] - here
        into = (counted_ns - k * SECOND.ns - here) / counts
        return k * SECOND.ns + round(into * SECOND.ns)

    def _reach(self, k: int) -> None:
        if len(self._phase) < k + 2:
            with self._lock:
                while len(self._phase) < k + 2:
                    self._extend()

    def _extend(self) -> None:
        knot = next(self._knots, None)
        if knot is None:
            raise ValueError(f"this oscillator ends after {len(self._phase)} s")
        self._celsius.append(knot[1])
        self._phase.append(knot[0])


def temperatures(environment: Environment, rng: Random) -> Iterator[float]:
    """One a second, C."""
    phase = rng.uniform(0.0, 2.0 * pi)
    keep = exp(-1.0 / environment.draught_s)
    kick = environment.wander_c * sqrt(1.0 - keep * keep)
    draught, t = 0.0, 0
    while True:
        celsius = environment.mean_c + draught
        celsius += environment.swing_c * sin(
            2.0 * pi * t / environment.period_s + phase
        )
        if t >= environment.step_at_s:
            gone = exp(-(t - environment.step_at_s) / environment.settle_s)
            celsius += environment.step_c * (1.0 - gone)
        yield celsius
        draught = keep * draught + kick * rng.gauss(0.0, 1.0)
        t += 1


def _knots(oscillator_model: OscillatorModel, seed: int) -> Iterator[Knot]:
    white = dice(seed, "white")
    walk = dice(seed, "walk")
    flicker = _flicker(dice(seed, "flicker"))
    walked = phase = 0.0
    mean = (oscillator_model.environment.mean_c - oscillator_model.turnover_c) ** 2
    for celsius in temperatures(oscillator_model.environment, dice(seed, "climate")):
        yield phase, celsius
        bent = (celsius - oscillator_model.turnover_c) ** 2 - mean
        ppb = oscillator_model.offset_ppb + walked - oscillator_model.curve_ppb * bent
        ppb += oscillator_model.white_ppb * white.gauss(0.0, 1.0)
        if oscillator_model.flicker_ppb:
            ppb += oscillator_model.flicker_ppb * next(flicker)
        walked += oscillator_model.walk_ppb * walk.gauss(0.0, 1.0)
        phase += ppb  # a part in 1e9 for one second is 1 ns


def _flicker(rng: Random) -> Iterator[float]:
    """Flicker whose Allan deviation is one between 10 s and some hours.

    With S(f) = h / f the Allan variance is 2 ln2 h, and first-order processes of
    deviation s, their time constants a factor c apart, add up to h = s^2 / ln c:
    with c = 4 the Allan deviation is s.
    """
    keeps = [exp(-1.0 / time) for time in _TIMES_S]
    kicks = [sqrt(1.0 - keep * keep) for keep in keeps]
    states = [rng.gauss(0.0, 1.0) for _ in _TIMES_S]
    while True:
        yield sum(states)
        states = [
            keep * state + kick * rng.gauss(0.0, 1.0)
            for keep, state, kick in zip(keeps, states, kicks, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One second of a trace."""

    t_s: int
    phase_ns: float
    """The undisciplined clock less true time."""
    noise_ns: float
    """How late this second's pulse is stamped."""
    celsius: float | None
    pulse: bool
    """Did it come at all?"""


def read_trace(path: Path) -> Iterator[TraceRow]:
    """The rows of a CSV file, plain or .gz, columns by name; others are ignored.

    ValueError: not such a file, or its seconds are not 0, 1, 2, ...
    """
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", newline="") as file:
        for k, row in enumerate(csv.DictReader(file)):
            try:
                yield _row(k, row)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}: row {k}: {error!r}") from error


def _row(k: int, row: Mapping[str, str]) -> TraceRow:
    if float(row["t_s"]) != k:
        raise ValueError(f"t_s is {row['t_s']}, not {k}")
    celsius = row.get("temperature_c") or None
    return TraceRow(
        k,
        float(row["free_phase_ns"]),
        float(row["pps_noise_ns"]),
        None if celsius is None else float(celsius),
        (row.get("pulse") or "1").strip() not in {"0", "0.0"},
    )
