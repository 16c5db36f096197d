"""A recorded oscillator under the real engine, in fast time: `refclock simulate`.

The trace says how the undisciplined clock strayed and how late each pulse was
stamped. Its pulses are given to the engine with a plain message a second, so
that their labels are beyond doubt, and the engine's commands are done to a clock
on that oscillator. What is judged is the time served, less the true one, at the
instant of every pulse before it is used, and at three instants between.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import fsum, inf, sqrt
from pathlib import Path
from typing import Final

from hw.emu.clock import VirtualClock
from hw.emu.oscillator import Knot, Oscillator, TraceRow
from hw.emu.world import World
from hw.sim.fast import UPTIME, Mind
from hw.sim.logs import read_history
from hw.sim.regimes import Judged
from hw.sim.scenarios import Scenario
from refclock.daemon.drive import Driven
from refclock.events import (
    Event,
    Fix,
    PulseEdge,
    Temperature,
    Tick,
    TimeMessage,
)
from refclock.timebase import MILLISECOND, SECOND, Duration, Local, Tai

_LAG: Final = 100 * MILLISECOND
_TICK: Final = 500 * MILLISECOND
_BETWEEN: Final = tuple(k * 250 * MILLISECOND for k in range(1, 4))
_STAYS_S: Final = 600
"""Who stays within a limit for so long, or to the end, has reached it."""
_SLOWEST_S: Final = 15
"""A receiver whose last pulse is longer ago is silent."""
_WORLD: Final = Scenario("trace", "a recorded oscillator")


@dataclass(slots=True)
class Scores:
    """What was measured, second by second."""

    at_pulse_s: list[float] = field(default_factory=list)
    """Served less true, before the pulse of that second was used."""
    bound_s: list[float] = field(default_factory=list)
    """The bound given with it."""
    serves: list[bool] = field(default_factory=list)
    """Was it served as synchronised?"""
    mode: list[str] = field(default_factory=list)
    between_s: list[float] = field(default_factory=list)
    """Served less true, between the pulses scored."""
    rate: list[float] = field(default_factory=list)
    """How fast the steered clock ran, less one; of every second but the first."""

    def judged(self) -> list[Judged]:
        """Each second, for `regimes`."""
        parts = (self.at_pulse_s, self.bound_s, self.serves, self.mode)
        return [Judged(*second) for second in zip(*parts, strict=True)]


def replay_trace(
    path: Path, engine: Mind, *, score_from_s: float = 3600.0
) -> dict[str, float | None]:
    """The figures of one run; None: there is none. ValueError: no such trace."""
    began = time.perf_counter()
    scores = run_trace(path, engine, score_from_s)
    return figures(scores, score_from_s, time.perf_counter() - began)


def run_trace(
    path: Path,
    engine: Mind,
    score_from_s: float,
    holdover_at_s: float = inf,
    until_s: float = inf,
) -> Scores:
    """One run; from `holdover_at_s` on without pulses, whatever the trace has."""
    rows = [
        replace(row, pulse=row.pulse and row.t_s < holdover_at_s)
        for row in read_history(path)
        if row.t_s <= until_s
    ]
    if len(rows) < 2:
        raise ValueError(f"{path}: fewer than two seconds")
    return Replay(rows, engine).run(score_from_s)


def figures(
    scores: Scores, score_from_s: float, wall_s: float
) -> dict[str, float | None]:
    """What is judged: seconds served as synchronised; None where there are none."""
    first = round(score_from_s)
    served = scores.serves[first:]
    errors = [
        e for e, is_so in zip(scores.at_pulse_s[first:], served, strict=True) if is_so
    ]
    bounds = [
        b for b, is_so in zip(scores.bound_s[first:], served, strict=True) if is_so
    ]
    ranked = sorted(map(abs, errors))
    covered = [abs(e) <= b for e, b in zip(errors, bounds, strict=True)]
    return {
        "rms_s": _rms(errors),
        "p95_s": _quantile(ranked, 0.95),
        "p99_s": _quantile(ranked, 0.99),
        "max_s": _quantile(ranked, 1.0),
        "between_rms_s": _rms(errors + scores.between_s),
        "rate_rms": _rms(scores.rate[max(first - 1, 0) :]),
        "coverage": sum(covered) / len(covered) if covered else None,
        "bound_median_s": _quantile(sorted(bounds), 0.5),
        "within_10us_after_s": _within(scores.at_pulse_s, 1e-5),
        "within_1us_after_s": _within(scores.at_pulse_s, 1e-6),
        "seconds": len(scores.at_pulse_s) - 1,
        "unsynchronised": len(served) - len(errors),
        "wall_s": wall_s,
    }


class Replay:
    """One trace and one engine on it. Used by one thread."""

    def __init__(self, rows: Sequence[TraceRow], engine: Mind) -> None:
        self._rows = rows
        self._engine = engine
        self._start = _WORLD.begins
        self._leaps = _WORLD.leaps
        self._world = World(self._start)
        error = round(rows[0].phase_ns)
        self._clock = VirtualClock(
            self._world.now,
            Oscillator(_knots(rows)),
            Local(_WORLD.start.ns + error),
            UPTIME,
        )
        self._driven = Driven(engine, self._clock)
        self._pulse_s = 0
        """The second of the last pulse."""

    def run(self, score_from_s: float) -> Scores:
        """Every second of the trace, the last one's pulse included."""
        scores = Scores()
        _, before = self._clock.read()
        for row in self._rows:
            at = self._start + row.t_s * SECOND
            self._world.run(at)
            _, mono = self._clock.read()
            error_s, bound_s = self._snapshot()
            scores.at_pulse_s.append(error_s)
            scores.bound_s.append(bound_s)
            scores.serves.append(self._engine.snapshot.stratum < 16)
            scores.mode.append(self._engine.mode.name)
            if row.t_s > 0:
                scores.rate.append((mono - before).seconds - 1.0)
                if row.pulse:
                    self._pulse_s = row.t_s
                    self._pulse(row)
            before = mono
            if row.t_s == self._rows[-1].t_s:
                break
            between = list(self._through(at, row))
            if row.t_s >= score_from_s and scores.serves[-1]:
                scores.between_s += between
        return scores

    def _through(self, at: Tai, row: TraceRow) -> Iterator[float]:
        """The second after a pulse; served less true at instants in it."""
        self._world.run(at + _LAG)
        local, mono = self._clock.read()
        if row.t_s <= self._pulse_s + _SLOWEST_S:
            self._tell(TimeMessage(self._leaps.posix(at), mono, "RMC", Fix.VALID))
        if row.celsius is not None:
            self._tell(Temperature(mono, row.celsius, "trace"))
        for instant in _BETWEEN:
            self._world.run(at + instant)
            yield self._snapshot()[0]
            if instant == _TICK:
                local, mono = self._clock.read()
                self._tell(Tick(mono, local, self._clock.era))

    def _pulse(self, row: TraceRow) -> None:
        local, mono = self._clock.read()
        late = Duration(round(row.noise_ns))
        self._tell(PulseEdge(local + late, mono + late, row.t_s, self._clock.era))

    def _tell(self, event: Event) -> None:
        self._driven.handle(event)

    def _snapshot(self) -> tuple[float, float]:
        """Served less true now, and the bound given with it, s."""
        local, mono = self._clock.read()
        snapshot = self._engine.snapshot
        tai = snapshot.tai(local, Duration(local.ns - mono.ns))
        return (tai - self._world.now()).seconds, snapshot.bound_at(mono).seconds


def _knots(rows: Sequence[TraceRow]) -> Iterator[Knot]:
    """The trace, and one second more at its last frequency."""
    for row in rows:
        yield row.phase_ns, row.celsius or 0.0
    yield 2 * rows[-1].phase_ns - rows[-2].phase_ns, rows[-1].celsius or 0.0


def _rms(values: Sequence[float]) -> float | None:
    return sqrt(fsum(v * v for v in values) / len(values)) if values else None


def _quantile(ranked: Sequence[float], share: float) -> float | None:
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)] if ranked else None


def _within(errors: Sequence[float], limit_s: float) -> float | None:
    """The second from which on errors stay within the limit."""
    since: int | None = None
    for k, error in enumerate(errors):
        if abs(error) > limit_s:
            since = None
        elif since is None:
            since = k
        elif k - since >= _STAYS_S:
            break
    return since
