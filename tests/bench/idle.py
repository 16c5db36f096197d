"""What the daemon costs when nobody asks: `python tests/bench/idle.py [--seconds 20]`.

`refclock demo` in a process of its own, with its emulated receiver and the client that
checks it once a second; beside it, the emulated receiver with a reader that throws
all away. The difference is the daemon's and the client's.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

ROOT: Final = Path(__file__).parents[2]
SETTLED_S: Final = 15.0
"""Stratum 1, and every part of the code was run once."""
BARE: Final = """
import serial
from hw.sim.scenarios import SCENARIOS
from hw.linux.clock import FreeClock
from hw.sim.live import LiveWorld
world = LiveWorld(SCENARIOS["nominal"], 1, FreeClock())
world.start()
line = serial.Serial(world.receiver_path, 9600)
while True:
    line.read(256)
"""


@dataclass(frozen=True)
class Usage:
    """Of a process, up to now."""

    cpu_s: float
    switches: int
    """Of all its threads, those it asked for: it waited."""
    resident_mb: float

    @classmethod
    def of(cls, pid: int) -> Usage:
        """As the kernel counts."""
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(words[11]) + int(words[12])
        told = [
            dict(
                line.split(":", 1)
                for line in (task / "status").read_text().splitlines()
            )
            for task in Path(f"/proc/{pid}/task").iterdir()
        ]
        return cls(
            ticks / os.sysconf("SC_CLK_TCK"),
            sum(int(each["voluntary_ctxt_switches"]) for each in told),
            int(told[0]["VmRSS"].split()[0]) / 1024,
        )


def used(python: Sequence[str], seconds: float) -> tuple[float, float, float]:
    """CPU (s/s), waits (1/s) and MB of a Python in that time, once it has settled."""
    process = subprocess.Popen(  # noqa: S603 - one of two, both here
        [sys.executable, *python], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        time.sleep(SETTLED_S)
        before = Usage.of(process.pid)
        time.sleep(seconds)
        after = Usage.of(process.pid)
    finally:
        process.terminate()
        process.wait()
    return (
        (after.cpu_s - before.cpu_s) / seconds,
        (after.switches - before.switches) / seconds,
        after.resident_mb,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args(arguments).seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        port = str(made.getsockname()[1])
    demo = ("-m", "refclock", "demo", "--port", port)
    for what, command in (("demo", demo), ("emulator alone", ("-c", BARE))):
        cpu, waits, resident_mb = used(command, seconds)
        print(
            f"{what:16} {cpu:7.2%} of a core  {waits:5.0f} waits a second"
            f"  {resident_mb:5.1f} MB"
        )


if __name__ == "__main__":
    main()
