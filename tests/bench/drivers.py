"""What a second of a receiver costs: a pulse and ten sentences, stage by stage.

    python tests/bench/drivers.py [--seconds 20]

The sentences come over a real pty at the pace of 9600 Bd and go through the shipping
serial port and driver; beside it, over a line of its own, the shortest reader there
is, pyserial's readline and pynmea2's parse. Each reads in a process of its own, and
its processor time is its own clock's. A pulse is a wait of the kernel's for a second
and a stamp, as PPS_FETCH is. What the drivers told is then told to an engine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pynmea2
import serial

sys.path.insert(0, str(Path(__file__).parents[2]))

from hw.emu.gnss.receiver import ReceiverModel
from hw.linux.clock import FreeClock
from hw.linux.line.uart import Uart
from hw.sim.fast import fast
from hw.sim.live import LiveWorld
from hw.sim.scenarios import SCENARIOS
from refclock.board.ports import EdgeEvent
from refclock.drivers.gnss import GnssDriver
from refclock.drivers.pps import PpsDriver
from refclock.engine.engine import Engine
from refclock.engine.policy import EngineSettings
from refclock.events import Command, Edge, Event, PulseEdge, Tick
from refclock.timebase import Duration, Local

BAUD = 9600
TEN = ("RMC", "GGA", "ZDA", "GSA", "GSA", "GSA", "GLL", "VTG", "RMC", "GGA")
WORLD = replace(
    SCENARIOS["nominal"],
    receivers=(ReceiverModel(sentences=tuple((k, 1) for k in TEN), baud=BAUD),),
)
SETTLED_S = 600
"""The engine is no younger when what it costs is taken."""


def driver_reads(path: str, until_s: float) -> None:
    """As the daemon does."""
    driver = GnssDriver(Uart(path, BAUD))
    while time.monotonic() < until_s:
        list(driver.poll())


def shortest_reads(path: str, until_s: float) -> None:
    """A line, its fields, nothing else."""
    line = serial.Serial(path, BAUD, timeout=2)
    line.readline()
    while time.monotonic() < until_s:
        pynmea2.parse(line.readline().decode())


class Seconds:
    """A pulse line: the kernel wakes us, and has a stamp. Used by one thread."""

    name = "seconds"

    def __init__(self) -> None:
        self._seq = 0

    def wait(self, limit: Duration) -> EdgeEvent:
        """The next, soon: what passes meanwhile costs nothing."""
        time.sleep(limit.seconds / 200)
        self._seq += 1
        return EdgeEvent(self._seq, Local(time.time_ns()), Edge.ASSERT)

    def close(self) -> None:
        """Nothing is held."""


def pulse_us(count: int = 500) -> float:
    """Of one pulse, from the kernel to the fact."""
    driver = PpsDriver(Seconds(), FreeClock())
    began = time.thread_time()
    for _ in range(count):
        list(driver.poll())
    return (time.thread_time() - began) / count * 1e6


class Timed:
    """An engine that keeps how long each kind of fact took it."""

    def __init__(self) -> None:
        table = WORLD.table
        self._engine = Engine(EngineSettings(), table, table.updated, precision=-22)
        self.spent: dict[str, list[float]] = {}
        self.snapshot = self._engine.snapshot
        self.mode = self._engine.mode

    def handle(self, event: Event) -> tuple[Command, ...]:
        """Take it in, by the clock; a status belongs to each tick."""
        began = time.perf_counter()
        commands = self._engine.handle(event)
        if isinstance(event, Tick):
            self._engine.status(event.mono)
        kind = {PulseEdge: "pulse", Tick: "tick, status"}.get(
            type(event), "other facts"
        )
        self.spent.setdefault(kind, []).append(time.perf_counter() - began)
        self.snapshot, self.mode = self._engine.snapshot, self._engine.mode
        return commands


def engine_us() -> dict[str, float]:
    """Per second, by kind of fact."""
    mind = Timed()
    list(fast(WORLD, mind, hours=2 * SETTLED_S / 3600, seed=1))
    return {
        kind: sum(each[len(each) // 2 :]) / SETTLED_S * 1e6
        for kind, each in mind.spent.items()
    }


def read_us(reads: Callable[[str, float], None], seconds: float) -> float:
    """Processor time per second of a process that reads the emulated line."""
    world = LiveWorld(WORLD, 1, FreeClock())
    world.start()
    ear, mouth = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        began = time.process_time()
        reads(world.receiver_path, time.monotonic() + seconds)
        mouth.send(time.process_time() - began)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    spent: float = ear.recv()
    process.join()
    world.stop()
    return spent / seconds * 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args(arguments).seconds
    shortest = read_us(shortest_reads, seconds)
    sentences = read_us(driver_reads, seconds)
    drivers = {"pulse": pulse_us(), "ten sentences": sentences}
    engine = engine_us()
    for room, rows in (("drivers", drivers), ("engine", engine)):
        for what, us in {**rows, "together": sum(rows.values())}.items():
            print(
                f"{room:8} {what:14} {us:8.0f} us a second {us / 1e4:7.3f} % of a core"
            )
    print(
        f"\nthe shortest reader there is: {shortest:.0f} us a second;"
        f" ours is {sentences / shortest:.2f} of that"
    )


if __name__ == "__main__":
    main()
