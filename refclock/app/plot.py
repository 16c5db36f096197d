"""A simulated run as a picture: offset and bound, frequency, Allan deviation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

_WIDTH_IN: Final = 9.0
_HEIGHT_IN: Final = 10.0


class PlotError(Exception):
    """It cannot be drawn, and why."""


@dataclass(frozen=True, slots=True)
class Series:
    """One value a second, from the start."""

    error_s: Sequence[float]
    """Served less true."""
    bound_s: Sequence[float]
    rate: Sequence[float]
    """How fast the local clock ran, less one."""
    name: str = ""
    """Of the trace or scenario."""
    faults_s: Sequence[float] = ()
    """When something went wrong."""


def allan_deviation(rate: Sequence[float]) -> Iterator[tuple[int, float]]:
    """Averaging time (s) and overlapping Allan deviation, by factors of two.

    From the phase x, by NIST SP 1065, equation 11:
    sigma^2(n) = sum (x[i+2n] - 2 x[i+n] + x[i])^2 / (2 n^2 (N - 2n)).
    """
    phase = [0.0, *accumulate(rate)]
    n = 1
    while 4 * n < len(phase):
        bends = [
            a - 2.0 * b + c
            for a, b, c in zip(phase, phase[n:], phase[2 * n :], strict=False)
        ]
        variance = math.fsum(bend * bend for bend in bends) / len(bends)
        yield n, math.sqrt(variance / 2.0) / n
        n *= 2


def draw(series: Series, path: Path) -> None:
    """Write the picture; its kind is the name's ending. PlotError: it cannot be."""
    if path.suffix not in {".svg", ".png"}:
        raise PlotError(f"{path}: say FILE.svg or FILE.png")
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, seldom wanted
    except ImportError as error:
        raise PlotError(
            "drawing needs matplotlib: pip install 'refclock[plot]'"
        ) from error
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
    offset, frequency, stability = figure.subplots(3)
    bound_us = [1e6 * bound for bound in series.bound_s]
    errors_us = [1e6 * error for error in series.error_s]
    offset.plot(errors_us, linewidth=0.6, label="served - true")
    offset.plot(bound_us, "k", linewidth=0.6, label="± bound")
    offset.plot([-bound for bound in bound_us], "k", linewidth=0.6)
    for n, fault_s in enumerate(series.faults_s):
        label = None if n else "a fault begins or ends"
        offset.axvline(fault_s, color="r", linestyle=":", linewidth=0.8, label=label)
    offset.set(xlabel="s", ylabel="served - true, µs", title=series.name)
    offset.legend(loc="upper right")
    reach_us = 1e6 * _reach(series.error_s)
    offset.set_ylim(-reach_us, reach_us)
    frequency.plot([1e9 * rate for rate in series.rate], linewidth=0.6)
    frequency.set(xlabel="s", ylabel="rate of the local clock, ppb")
    settled = series.rate[len(series.rate) // 2 :]
    reach_ppb = 1e9 * _reach(settled)
    frequency.set_ylim(-reach_ppb, reach_ppb)
    deviations = list(allan_deviation(settled))
    stability.loglog(*zip(*deviations, strict=True), "o-")
    stability.set(xlabel="averaging time, s", ylabel="Allan deviation, second half")
    stability.grid(visible=True, which="both", alpha=0.3)
    figure.savefig(path)


def _reach(values: Sequence[float]) -> float:
    """Three times what all but a hundredth of them stay within."""
    sizes = sorted(map(abs, values))
    return 3.0 * sizes[round(0.99 * (len(sizes) - 1))] or 1e-9
