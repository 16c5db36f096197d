"""`refclock simulate`: the shipping engine over a trace or a scenario, in fast time."""

from __future__ import annotations

import argparse
import csv
import json
import math
import shutil
import statistics
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from hw.emu.faults import Fault, Kind
from hw.sim.fast import Second, fast
from hw.sim.regimes import Judged
from hw.sim.scenarios import SCENARIOS, Scenario, find
from hw.sim.trace import figures, run_trace
from refclock.app.plot import PlotError, Series, draw
from refclock.cli import complain
from refclock.cli.judgement import HOLDOVERS_S, holdovers, judgement, text
from refclock.cli.values import LONGEST_S, number
from refclock.config import ConfigError
from refclock.discipline.bound import BoundSettings
from refclock.engine.engine import Engine
from refclock.engine.kept.memory import Memory
from refclock.engine.policy import EngineSettings
from refclock.timebase import Duration, LeapTable

HELP: Final = "run the engine over a trace or a scenario in fast time, and judge it"

_PRECISION: Final = -30
"""An emulated clock is read to the nanosecond."""
_SCORE_FROM_S: Final = 3600.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="CSV (or .gz) with t_s, free_phase_ns, pps_noise_ns, and if they are "
        "there temperature_c and pulse (0: missing); or a log: chrony's refclocks.log "
        "or statistics.log, ntpd's loopstats or peerstats, what ppstest prints",
    )
    scenario_options(what)
    parser.add_argument(
        "--hours",
        type=number(0.001, 1e5),
        default=2.0,
        help="of a scenario (default: %(default)g)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of a scenario's dice")
    parser.add_argument(
        "--holdover-at",
        type=number(0, LONGEST_S),
        metavar="S",
        nargs="+",
        help="take the pulse and the sentences away after so long; of several, each in"
        " a run of its own: error and bound from a minute to a day after",
    )
    parser.add_argument(
        "--score-from",
        type=number(0, LONGEST_S),
        metavar="S",
        help="leave the time before out of the figures (default: 3600, or half of a"
        " shorter run)",
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw it: .svg or .png"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def scenario_options(
    parser: argparse._ActionsContainer, default: str | None = None
) -> None:
    """Declare `--scenario` and `--list-scenarios`."""
    parser.add_argument(
        "--scenario",
        type=_scenario_named,
        default=default,
        metavar="NAME|FILE",
        help="a world of the catalogue, or a file like those in config/worlds"
        + (f" (default: {default})" if default else ""),
    )
    parser.add_argument(
        "--list-scenarios", action=_List, nargs=0, help="print the catalogue and end"
    )


def _scenario_named(name: str) -> Scenario:
    try:
        return find(name)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{name}: {error.strerror}") from error


class _List(argparse.Action):
    """Print the catalogue and end."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        columns = max(shutil.get_terminal_size().columns, 40)
        print("\n".join(catalogue(columns)))
        parser.exit()


def catalogue(columns: int) -> Iterator[str]:
    """The worlds as a table: name, when its first trouble comes, what happens."""
    width = max(map(len, SCENARIOS))
    yield f"{'NAME':<{width}}  {'TROUBLE':<9}  WHAT HAPPENS"[:columns]
    for name, world in SCENARIOS.items():
        trouble_s = world.trouble_s
        comes = "at once" if trouble_s is None else f"{trouble_s:.0f} s"
        if world == Scenario(name, world.description):
            comes = "none"
        head = f"{name:<{width}}  {comes:<9}  "
        indent = len(head) if columns > len(head) + 30 else 4
        yield from wrap(
            head + world.description, columns, subsequent_indent=" " * indent
        )


def run(args: argparse.Namespace) -> int:
    """Simulate, print the figures, draw. 1: a file cannot be used."""
    try:
        told, series = _trace(args) if args.trace is not None else _scenario(args)
        if args.plot is not None:
            draw(series, args.plot)
    except (OSError, EOFError, ValueError, csv.Error, zlib.error, PlotError) as error:
        complain("simulate", error)
        return 1
    print(json.dumps(told) if args.json else text(told))
    return 0


def _trace(args: argparse.Namespace) -> tuple[dict[str, Any], Series]:
    """The figures of a trace; in holdover also the error so long after its start."""
    began = time.perf_counter()
    dark_s: float = args.holdover_at[0] if args.holdover_at else math.inf
    from_s = _SCORE_FROM_S if args.score_from is None else args.score_from
    scores = run_trace(args.trace, engine(SCENARIOS["nominal"].table), from_s, dark_s)
    told = dict[str, Any](figures(scores, from_s, time.perf_counter() - began))
    errors = scores.at_pulse_s
    for after_s in (600, 3600, 14_400):
        if dark_s + after_s < len(errors):
            told[f"holdover_{after_s}s_s"] = abs(errors[round(dark_s) + after_s])
    lived = scores.judged()
    told |= judgement(lived, (), round(from_s))
    if args.holdover_at and len(args.holdover_at) > 1:
        others = [
            run_trace(
                args.trace,
                engine(SCENARIOS["nominal"].table),
                from_s,
                at_s,
                at_s + HOLDOVERS_S[-1],
            ).judged()
            for at_s in args.holdover_at[1:]
        ]
        told["holdovers"] = holdovers(args.holdover_at, [lived, *others])
    marks = (dark_s,) if math.isfinite(dark_s) else ()
    return told, Series(errors, scores.bound_s, scores.rate, args.trace.name, marks)


def engine(leaps: LeapTable) -> Engine:
    """One as it ships, on a receiver and board without systematic errors."""
    settings = EngineSettings(bound=BoundSettings(receiver_ns=0.0))
    return Engine(settings, leaps, leaps.updated, precision=_PRECISION)


def _mind(scenario: Scenario, memory: Memory | None = None) -> Engine:
    """One as it ships, on the machine of that scenario."""
    latency = Duration.from_seconds(scenario.receiver_model.pulse.latency_s)
    return Engine(
        EngineSettings(),
        scenario.table,
        scenario.table.updated,
        latency=latency,
        precision=_PRECISION,
        memory=memory,
        pairs=scenario.pairs,
    )


def _scenario(args: argparse.Namespace) -> tuple[dict[str, Any], Series]:
    """The figures of a scenario: served time, 10 ms before the end of each second."""
    scenario: Scenario = args.scenario
    dark = args.holdover_at or [None]
    seen, mind, faults = _lived(scenario, args, dark[0])
    from_s = args.score_from
    if from_s is None:
        from_s = min(_SCORE_FROM_S, len(seen) / 2)
    elif round(from_s) >= len(seen):
        raise ValueError(f"--score-from {from_s:g}: the run has only {len(seen)} s")
    scored = seen[round(from_s) :]
    told = [second for second in scored if second.synchronised]
    errors = [second.error_s for second in told]
    judged = {
        "seconds": len(seen),
        "scored_from_s": round(from_s),
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
    turns_s = {at for f in faults for at in (f.at_s, f.at_s + f.for_s)}
    marks = sorted(at_s for at_s in turns_s if 0 < at_s < len(seen))
    judged |= judgement(_judged(seen), marks, round(from_s))
    if len(dark) > 1:
        others = [_judged(_lived(scenario, args, at_s)[0]) for at_s in dark[1:]]
        judged["holdovers"] = holdovers(dark, [_judged(seen), *others])
    clock = [second.clock_error_s for second in seen]
    rate = [after - before for before, after in pairwise(clock)]
    bounds = [second.bound_s for second in seen]
    errors_s = [second.error_s for second in seen]
    return judged, Series(errors_s, bounds, rate, scenario.name, marks)


def _lived(
    scenario: Scenario, args: argparse.Namespace, dark_s: float | None
) -> tuple[list[Second], Engine, tuple[Fault, ...]]:
    """One run of the scenario, the engine at its end, and all faults."""
    if dark_s is not None:
        gone = tuple(Fault(kind, dark_s) for kind in (Kind.NO_PULSE, Kind.SILENT))
        scenario = replace(scenario, faults=(*scenario.faults, *gone))
    minds = [_mind(scenario)]

    def renew() -> Engine:
        minds.append(_mind(scenario, minds[-1].memory()))
        return minds[-1]

    seen = list(fast(scenario, minds[0], hours=args.hours, seed=args.seed, renew=renew))
    if not seen:
        raise ValueError(f"{args.hours:g} h are less than a second")
    return seen, minds[-1], scenario.faults


def _judged(seen: Sequence[Second]) -> list[Judged]:
    return [Judged(s.error_s, s.bound_s, s.synchronised, s.mode) for s in seen]
