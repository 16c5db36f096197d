"""`refclock simulate`: the shipping engine over a trace or a scenario, in fast time."""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hw.emu.faults import Fault, Kind
from hw.emu.scenarios import SCENARIOS
from hw.replay import replay_trace
from hw.rig import fast
from refclock.discipline.bound import BoundSettings
from refclock.engine import Engine
from refclock.policy import EngineSettings
from refclock.status import seconds
from refclock.timebase import Duration, LeapTable

HELP: Final = "run the engine over a trace or a scenario in fast time, and judge it"

_PRECISION: Final = -30
"""An emulated clock is read to the nanosecond."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="CSV (or .gz) with t_s, free_phase_ns, pps_noise_ns, and if they are "
        "there temperature_c and pulse (0: missing)",
    )
    what.add_argument(
        "--scenario",
        choices=sorted(SCENARIOS),
        metavar="NAME",
        help="; ".join(
            f"{each.name}: {each.description}" for each in SCENARIOS.values()
        ),
    )
    parser.add_argument("--hours", type=float, default=2.0, help="of a scenario")
    parser.add_argument("--seed", type=int, default=1, help="of a scenario's dice")
    parser.add_argument(
        "--holdover-at",
        type=float,
        metavar="S",
        help="take the pulse and the sentences away after so long",
    )
    parser.add_argument(
        "--score-from",
        type=float,
        default=3600.0,
        metavar="S",
        help="leave the time before out of the figures (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Simulate and print the figures. 1: the trace cannot be used."""
    if args.trace is None:
        print(_told(_scenario(args), as_json=args.json))
        return 0
    try:
        figures = replay_trace(
            args.trace,
            engine(SCENARIOS["nominal"].table),
            score_from_s=args.score_from,
        )
    except (OSError, ValueError) as error:
        print(f"refclock simulate: {args.trace}: {error}", file=sys.stderr)
        return 1
    print(_told(figures, as_json=args.json))
    return 0


def engine(leaps: LeapTable) -> Engine:
    """One as it ships, on a receiver and board without systematic errors."""
    settings = EngineSettings(bound=BoundSettings(receiver_ns=0.0))
    return Engine(settings, leaps, leaps.updated, precision=_PRECISION)


def _scenario(args: argparse.Namespace) -> dict[str, Any]:
    """The figures of a scenario: served time, 10 ms before the end of each second."""
    scenario = SCENARIOS[args.scenario]
    if args.holdover_at is not None:
        dark = tuple(
            Fault(kind, args.holdover_at) for kind in (Kind.NO_PULSE, Kind.SILENT)
        )
        scenario = replace(scenario, faults=(*scenario.faults, *dark))
    mind = Engine(
        EngineSettings(),
        scenario.table,
        scenario.table.updated,
        latency=Duration.from_seconds(scenario.habits.latency_s),
        precision=_PRECISION,
    )
    seen = list(fast(scenario, mind, hours=args.hours, seed=args.seed))
    scored = seen[round(args.score_from) :] or seen
    told = [second for second in scored if second.synchronised]
    errors = [second.error_s for second in told]
    return {
        "seconds": len(seen),
        "mode": mind.mode.name,
        "synchronised": len(told) / len(scored),
        "rms_s": math.sqrt(math.fsum(e * e for e in errors) / len(errors))
        if errors
        else None,
        "max_s": max(map(abs, errors), default=None),
        "coverage": sum(abs(s.error_s) <= s.bound_s for s in told) / len(told)
        if told
        else None,
        "bound_median_s": statistics.median(s.bound_s for s in told) if told else None,
    }


def _told(figures: Mapping[str, Any], *, as_json: bool) -> str:
    if as_json:
        return json.dumps(figures)
    return "\n".join(
        f"{name:<20} {seconds(value) if name in _LENGTHS else value}"
        for name, value in figures.items()
    )


_LENGTHS: Final = frozenset(
    {"rms_s", "p95_s", "p99_s", "max_s", "between_rms_s", "bound_median_s"}
)
