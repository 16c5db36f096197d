"""How close the clock is kept: `python -m tests.bench.accuracy [HOURS] [SEED ...]`.

Over the shared traces where they are (beside the project, or at REFCLOCK_SHARED):
each against a Kalman filter that adapts blindly and the best chrony in hindsight.
Over our own seeded scenarios, else or with seeds named: against the optimum, a
Kalman filter told the oscillator, the pulse's noise and which pulses are late.

The bank is driven directly, one pulse a second on a free-running clock; the error
is that of the prediction at each pulse before it is used, the first hour left out.
"""

from __future__ import annotations

import csv
import gzip
import os
import sys
import time
from dataclasses import dataclass
from math import cos, pi, sin
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refclock.discipline.bank import Bank, Sample
from refclock.discipline.bound import Budget
from refclock.timebase import SECOND, Duration, Local, Mono

Array = NDArray[np.float64]
SKIP = 3600
SHARED = Path(os.environ.get("REFCLOCK_SHARED", Path(__file__).parents[3] / "shared"))
WALK = {"rw10": 1e-10, "rw9": 1e-9, "rw8": 1e-8}
JITTER = {"g100n": 1e-7, "g1u": 1e-6, "ht": 1e-6}
NAMES = [f"{w}{t}_{j}" for t in ("", "t") for w in WALK for j in JITTER]


@dataclass(frozen=True)
class Trace:
    """An oscillator and a pulse, s; `late` pulses are stragglers."""

    phase: Array
    noise: Array
    late: NDArray[np.bool_]


def follow(trace: Trace) -> tuple[Array, Array, float]:
    """Error and bound at each pulse, s, and the time one pulse took."""
    n = len(trace.phase)
    error, bound = np.full(n, np.nan), np.full(n, np.nan)
    bank = Bank()
    started = time.process_time()
    for k in range(1, n):
        true = k * SECOND.ns
        at = Mono(true + round(trace.phase[k] * 1e9))
        if bank.started:
            estimate = bank.estimate(at)
            error[k] = (at.ns + estimate.offset.ns - true) * 1e-9
            bound[k] = Budget().with_sigma(estimate.sigma_s).total.seconds
        stamp = at + Duration.from_seconds(float(trace.noise[k]))
        bank.add(Sample(Local(stamp.ns), stamp, Duration(true - stamp.ns)))
    return error, bound, (time.process_time() - started) / n


def scenario(name: str, seed: int, n: int) -> Trace:
    """The oscillator wanders at random, and swings by 0.5 ppm an hour if it is a `t`;
    the pulse is Gaussian, and one in fifty is late by 20 us if it is `ht`."""
    oscillator, jitter = name.split("_")
    rng = np.random.default_rng([seed, NAMES.index(name)])
    rate = rng.uniform(-8e-6, 12e-6) + np.cumsum(
        WALK[oscillator.rstrip("t")] * rng.standard_normal(n)
    )
    if oscillator.endswith("t"):
        rate += 5e-7 * np.sin(2 * pi * np.arange(n) / 3600 + rng.uniform(0, 2 * pi))
    late = rng.random(n) < (0.02 if jitter == "ht" else 0.0)
    noise = JITTER[jitter] * rng.standard_normal(n)
    noise += np.where(late, 20e-6 * rng.standard_exponential(n), 0.0)
    phase = 1e-3 + np.concatenate([[0.0], np.cumsum(rate[:-1])])
    return Trace(phase, noise, late)


def optimum(name: str, trace: Trace) -> float:
    """rms error of the Kalman filter that was told everything, s."""
    oscillator, jitter = name.split("_")
    states = 4 if oscillator.endswith("t") else 2
    w = 2 * pi / 3600
    flow = np.eye(states)
    flow[0, 1] = 1.0
    if states == 4:
        flow[0, 2] = 1.0
        flow[2:, 2:] = [[cos(w), sin(w)], [-sin(w), cos(w)]]
    wander = np.zeros((states, states))
    wander[1, 1] = WALK[oscillator.rstrip("t")] ** 2
    x = np.zeros(states)
    p = np.diag([1e-4, 1e-9, 2.5e-13, 2.5e-13][:states])
    error = np.zeros(len(trace.phase))
    for k in range(1, len(error)):
        x, p = flow @ x, flow @ p @ flow.T + wander
        error[k] = x[0] - trace.phase[k]
        if not trace.late[k]:
            gain = p[:, 0] / (p[0, 0] + JITTER[jitter] ** 2)
            x = x + gain * (trace.noise[k] - error[k])
            p = p - np.outer(gain, p[0])
    return float(np.sqrt(np.mean(error[SKIP:] ** 2)))


def row(name: str, trace: Trace, compared: list[tuple[str, float]]) -> None:
    """One line of the table; `compared` are rms errors to divide by, s."""
    error, bound, cost = follow(trace)
    error, bound = error[SKIP:], bound[SKIP:]
    rms = float(np.sqrt(np.mean(error**2)))
    covered = float(np.mean(np.abs(error) <= bound))
    ratios = "  ".join(f"{rms / other:5.3f} x {what}" for what, other in compared)
    p99 = float(np.quantile(np.abs(error), 0.99))
    print(
        f"{name:20} rms {rms * 1e9:6.1f} ns  p99 {p99 * 1e9:6.0f}"
        f"  bound covers {covered:8.4%}, {np.median(bound) / rms:4.2f} x rms"
        f"  {ratios}  {cost * 1e6:4.0f} us",
        flush=True,
    )


def shared(seconds: int) -> None:
    """The recorded traces."""
    folder = SHARED / "traces"
    with (folder / "index.csv").open() as file:
        for told in csv.DictReader(file):
            with gzip.open(folder / f"{told['trace']}.csv.gz", "rt") as trace:
                rows = np.loadtxt(trace, delimiter=",", skiprows=1, max_rows=seconds)
            phase, noise = rows[:, 1] * 1e-9, rows[:, 2] * 1e-9
            row(
                told["trace"],
                Trace(phase, noise, np.zeros(len(phase), np.bool_)),
                [
                    ("blind", float(told["kf_blind_pred_rms_ns"]) * 1e-9),
                    ("chrony", float(told["chrony_best_rms_ns"]) * 1e-9),
                    ("optimum", float(told["kf_known_model_pred_rms_ns"]) * 1e-9),
                ],
            )


def holdover(seeds: range) -> None:
    """Pulses end after four hours; the error after ten minutes and an hour."""
    print("\nwithout pulses after 4 h: median error over", len(seeds), "seeds, bound")
    for name in ("rw10_g1u", "rw9_g1u", "rw8_g100n", "rw10t_g1u", "rw9t_g1u"):
        found = []
        for seed in seeds:
            trace = scenario(name, seed, 18_001)
            bank = Bank()
            for k in range(1, 14_400):
                stamp = round((k + trace.phase[k] + trace.noise[k]) * 1e9)
                offset = Duration(k * SECOND.ns - stamp)
                bank.add(Sample(Local(stamp), Mono(stamp), offset))
            for k in (15_000, 18_000):
                at = round((k + trace.phase[k]) * 1e9)
                estimate = bank.estimate(Mono(at))
                found.append(abs(at + estimate.offset.ns - k * SECOND.ns) * 1e-3)
                found.append(4e6 * estimate.sigma_s)
        after = np.median(np.array(found).reshape(-1, 4), axis=0)
        print(
            f"{name:20} 10 min {after[0]:7.2f} us of {after[1]:7.1f}"
            f"   1 h {after[2]:7.1f} us of {after[3]:7.1f}",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    hours, *seeds = map(float, sys.argv[1:] or ["7"])
    seconds = int(hours * 3600) + 1
    if not seeds and (SHARED / "traces").is_dir():
        shared(seconds)
        return
    for seed in map(int, seeds or [1.0]):
        for name in NAMES:
            trace = scenario(name, seed, seconds)
            row(f"{name} seed {seed}", trace, [("optimum", optimum(name, trace))])
    holdover(range(1, 6))


if __name__ == "__main__":
    main()
