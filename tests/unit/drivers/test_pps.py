"""The pulse driver stamps and yields, and never judges."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from refclock.board.ports import EdgeEvent
from refclock.drivers.pps import PpsDriver
from refclock.events import Command, Edge, PulseEdge
from refclock.timebase import MICROSECOND, SECOND, Duration, Local, Mono

NOW = Local(1_000 * SECOND.ns), Mono(SECOND.ns)


@dataclass
class Clock:
    """A clock that tells of its steps only as it is read."""

    era: int = 3
    stepped: bool = False

    def read(self) -> tuple[Local, Mono]:
        self.era += self.stepped
        self.stepped = False
        return NOW

    def apply(self, command: Command) -> None:
        raise NotImplementedError


@dataclass
class Line:
    """A line on which something happens while it is waited for."""

    clock: Clock
    flank: EdgeEvent | None = None
    steps: bool = False
    waited: Duration | None = None
    name: str = "pulse"
    closed: bool = False

    def wait(self, limit: Duration) -> EdgeEvent | None:
        self.waited = limit
        self.clock.stepped |= self.steps
        return self.flank

    def close(self) -> None:
        self.closed = True


EDGE = EdgeEvent(41, Local(1_000 * SECOND.ns - 7_000), Edge.CLEAR)


def test_an_edge_is_the_same_moment_on_both_clocks() -> None:
    clock = Clock()
    edges = list(PpsDriver(Line(clock, EDGE), clock).poll())
    seen = NOW[1] - 7 * MICROSECOND
    assert edges == [PulseEdge(EDGE.at, seen, 41, 3, Edge.CLEAR)]


def test_silence_is_nothing_within_two_seconds() -> None:
    clock = Clock()
    line = Line(clock)
    assert list(PpsDriver(line, clock).poll()) == []
    assert line.waited == 2 * SECOND


def test_an_edge_in_flight_during_a_step_is_not_told() -> None:
    clock = Clock()
    line = Line(clock, EDGE, steps=True)
    driver = PpsDriver(line, clock)
    assert list(driver.poll()) == []
    line.steps = False
    (edge,) = driver.poll()
    assert edge.era == 4


def test_a_lost_line_is_an_os_error() -> None:
    class Gone(Line):
        def wait(self, limit: Duration) -> EdgeEvent | None:
            raise OSError(19, f"No such device within {limit}")

    clock = Clock()
    with pytest.raises(OSError, match="No such device"):
        list(PpsDriver(Gone(clock), clock).poll())


def test_the_line_is_given_back() -> None:
    clock = Clock()
    line = Line(clock)
    PpsDriver(line, clock).close()
    assert line.closed
