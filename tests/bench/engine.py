"""The engine's cost of a pulse, a sentence, a status: `python -m tests.bench.engine`.

    python -m tests.bench.engine [--against FOLDER]

`--against` names another checkout of the project, measured in turn in the same run, so
that a machine busy with other things disturbs both alike. A mixture is one sum over all
filters of the bank; how many a pulse takes is counted, not timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROUNDS: Final = 5
PROGRAM: Final = """
import gc, json, sys, time
sys.path.insert(0, ".")
try:
    from hw.sim.fast import Run
    from hw.sim.scenarios import SCENARIOS
except ImportError:
    from hw.rig import Run
    from hw.emu.scenarios import SCENARIOS
from refclock.discipline.bank import Bank
from refclock.events import PulseEdge
from tests.sim.play import engine

world = SCENARIOS["nominal"]
mind = engine(world)
spent, counted, calls = {}, {}, [0]
mixture = Bank._mixture

def count(self, *args):
    calls[0] += 1
    return mixture(self, *args)

Bank._mixture = count

class Timed:
    snapshot = served = property(
        lambda self: getattr(mind, "snapshot", None) or mind.served
    )
    mode = property(lambda self: mind.mode)

    def handle(self, event):
        name, before = type(event).__name__, calls[0]
        begin = time.perf_counter()
        commands = mind.handle(event)
        spent.setdefault(name, []).append(time.perf_counter() - begin)
        counted.setdefault(name, []).append(calls[0] - before)
        return commands

run = Run(world, Timed(), 1)
gc.disable()
for k in range(400):
    run.second(k)
_, now = run.clock.read()
begin = time.perf_counter()
for _ in range(200):
    mind.status(now)
status = (time.perf_counter() - begin) / 200
middle = lambda values: sorted(values[len(values) // 2 :])[len(values) // 4]
print(json.dumps({
    "pulse_us": 1e6 * middle(spent["PulseEdge"]),
    "sentence_us": 1e6 * middle(spent["TimeMessage"]),
    "tick_us": 1e6 * middle(spent["Tick"]),
    "status_us": 1e6 * status,
    "mixtures_per_pulse": middle(counted["PulseEdge"]),
}))
"""


def measured(folder: Path) -> dict[str, Any]:
    """One round in that checkout, in a process of its own."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)  # noqa: S603
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def main() -> None:
    """Print the medians over all rounds, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, metavar="FOLDER")
    other = parser.parse_args().against
    here = Path(__file__).parents[2]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(measured(here))
        if other is not None:
            theirs.append(measured(other))
    for key in ours[0]:
        value = statistics.median(each[key] for each in ours)
        line = f"{key:<20} {value:8.1f}"
        if theirs:
            was = statistics.median(each[key] for each in theirs)
            line += f"   against {was:8.1f}   ratio {value / was:.2f}"
        print(line)


if __name__ == "__main__":
    main()
