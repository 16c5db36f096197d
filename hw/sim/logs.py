"""What another time daemon logged, as a trace: what would refclock have done there?

    chrony     refclocks.log (raw offset of each sample), statistics.log
    ntpd       loopstats, peerstats
    ppstest    "source 0 - assert 1365520414.000001234, sequence: 123 - ..."

A log has the offset z of a clock, not the truth. As the clock's phase is taken a
straight line fitted to the SPAN samples about each, as the noise of the stamp what the
sample leaves of it: slow wander of the receiver is in the phase, and not judged. Where
ntpd logged what rate f it had set, the integral of f is taken off, else the clock is
taken as it ran, steered by the other daemon. Signs: chrony's and ntpd's measured offset
is reference - clock, statistics.log and ppstest have clock - reference.

A log with a line less often than SLOWEST_S becomes a pulse a second: the phase between
the lines is interpolated, and each second's noise is drawn from those found.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from hw.emu.oscillator import TraceRow, read_trace

SPAN: Final = 33
SLOWEST_S: Final = 16.0
ENOUGH: Final = 16
"""Fewer samples are no history."""
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Line:
    """One sample: when (s), by whom, clock - reference (s), and the rate that was set
    (+ is faster), s/s."""

    at_s: float
    source: str
    ahead_s: float
    rate: float = 0.0


def read_history(path: Path) -> list[TraceRow]:
    """The trace in a file: a CSV as `read_trace` has it, or a log, by its contents.

    ValueError: neither, or too short.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", errors="replace") as file:
        first = file.readline()
        if "t_s" in first:
            return list(read_trace(path))
        lines = [line for text in (first, *file) if (line := parse(text)) is not None]
    if not lines:
        raise ValueError(f"{path}: neither a trace nor a log with offsets")
    (source, _), *_ = Counter(line.source for line in lines).most_common(1)
    lines = sorted(
        {round(each.at_s): each for each in lines if each.source == source}.values(),
        key=lambda line: line.at_s,
    )
    if len(lines) < ENOUGH:
        raise ValueError(f"{path}: {len(lines)} samples, need {ENOUGH}")
    return _trace(lines)


def parse(text: str) -> Line | None:
    """One line of whichever log; None: it has no offset."""
    for shape, make in _SHAPES:
        if found := shape.match(text):
            try:
                return make(*found.groups())
            except (ValueError, OverflowError):
                return None
    return None


def _chrony(sign: float) -> Callable[[str, str, str], Line]:
    def make(stamp: str, source: str, offset: str) -> Line:
        at_s = datetime.fromisoformat(f"{stamp.replace(' ', 'T')}+00:00").timestamp()
        return Line(at_s, source, sign * float(offset))

    return make


def _loop(day: str, second: str, offset: str, ppm: str) -> Line:
    return Line(_mjd(day, second), "", -float(offset), 1e-6 * float(ppm))


def _peer(day: str, second: str, source: str, offset: str) -> Line:
    return Line(_mjd(day, second), source, -float(offset))


def _pps(second: str, fraction: str) -> Line:
    """The stamp of an edge that is the nearest second."""
    late = int(fraction.ljust(9, "0")[:9])
    early = late > 500_000_000
    late_s = (late - 1_000_000_000 if early else late) * 1e-9
    return Line(float(int(second) + early), "", late_s)


def _mjd(day: str, second: str) -> float:
    return (int(day) - 40_587) * _DAY + float(second)


_NUMBER: Final = r"([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
_DATE: Final = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)\s+"
_SHAPES: Final[Sequence[tuple[re.Pattern[str], Callable[..., Line]]]] = (
    # date time refid DP leap PPS raw cooked dispersion
    (
        re.compile(rf"{_DATE}(\S+)\s+\d+\s+[NL+\-?]\s+\d\s+{_NUMBER}\s"),
        _chrony(-1.0),
    ),
    # date time address deviation offset ...: twelve columns
    (
        re.compile(rf"{_DATE}(\S+)\s+{_NUMBER[1:-1]}\s+{_NUMBER}(?:\s+\S+){{7,8}}\s*$"),
        _chrony(1.0),
    ),
    # day second offset ppm jitter wander constant
    (
        re.compile(
            rf"(\d{{5}}) (\d+\.?\d*) {_NUMBER} {_NUMBER} [\d.eE+-]+ [\d.eE+-]+ \d+\s*$"
        ),
        _loop,
    ),
    # day second address status offset delay dispersion jitter
    (
        re.compile(
            rf"(\d{{5}}) (\d+\.?\d*) (\S+) [0-9a-fA-F]{{4}} {_NUMBER}"
            r"(?: [\d.eE+-]+){2,3}\s*$"
        ),
        _peer,
    ),
    (re.compile(r"source \d+ - assert (\d{9,10})\.(\d{1,9}), sequence: \d+"), _pps),
)


def _trace(lines: Sequence[Line]) -> list[TraceRow]:
    """Rows of every second from the first line to the last."""
    began = round(lines[0].at_s)
    at = [round(line.at_s) - began for line in lines]
    free, steered = [], 0.0
    before = lines[0]
    for line in lines:
        steered += before.rate * (line.at_s - before.at_s)
        free.append(line.ahead_s - steered)
        before = line
    smooth = [_fitted(at, free, k) for k in range(len(at))]
    noise = [z - x for z, x in zip(free, smooth, strict=True)]
    often = median(b - a for a, b in pairwise(at)) <= SLOWEST_S
    dice = Random(1)  # noqa: S311 - the same each time
    sampled = dict(zip(at, noise, strict=True))
    return [
        TraceRow(
            t_s,
            1e9 * phase,
            1e9 * (sampled.get(t_s, 0.0) if often else dice.choice(noise)),
            None,
            t_s in sampled or not often,
        )
        for t_s, phase in _interpolated(at, smooth)
    ]


def _fitted(at: Sequence[int], z: Sequence[float], k: int) -> float:
    """At `at[k]`, the line fitted to the samples about it."""
    begin = max(min(k - SPAN // 2, len(at) - SPAN), 0)
    t, x = at[begin : begin + SPAN], z[begin : begin + SPAN]
    mean_t, mean_x = sum(t) / len(t), sum(x) / len(x)
    square = sum((each - mean_t) ** 2 for each in t)
    both = sum((a - mean_t) * (b - mean_x) for a, b in zip(t, x, strict=True))
    return mean_x + both / square * (at[k] - mean_t)


def _interpolated(at: Sequence[int], x: Sequence[float]) -> Iterator[tuple[int, float]]:
    for (t0, x0), (t1, x1) in pairwise(zip(at, x, strict=True)):
        for t in range(t0, t1):
            yield t, x0 + (x1 - x0) * (t - t0) / (t1 - t0)
    yield at[-1], x[-1]
