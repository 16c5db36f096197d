"""An engine and the clock it commands: how a fact is handled, everywhere.

The daemon, the emulated worlds and traces all run an engine through `Driven.handle`:
what it commands is applied to the clock at once, and the rate then in force is fed
back as a fact of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

from refclock.board.ports import SystemClock
from refclock.events import Command, Event, InForce, SetRate

Watch = Callable[[Event, tuple[Command, ...]], None]


class Mind(Protocol):
    """The engine, as far as its clock is concerned."""

    def handle(self, event: Event) -> tuple[Command, ...]:
        """Take one fact in; what comes back is to be applied to the clock at once."""
        ...


def _nobody(_: Event, __: tuple[Command, ...]) -> None:
    """Where nobody watches."""


class Driven:
    """One engine on one clock. Used by one thread."""

    def __init__(self, mind: Mind, clock: SystemClock, watch: Watch = _nobody) -> None:
        """`watch` is called with each fact and its commands before they are applied."""
        self._mind = mind
        self._clock = clock
        self._watch = watch

    def handle(self, event: Event) -> None:
        """Take one fact in, and apply what it leads to. OSError: the clock refuses."""
        commands = self._mind.handle(event)
        self._watch(event, commands)
        for command in commands:
            self._clock.apply(command)
            if isinstance(command, SetRate):
                self.handle(InForce(self._clock.read()[1], command.ppb))


def measured_precision(clock: SystemClock) -> int:
    """log2 of the seconds one reading of the clock takes (RFC 5905 section 7.3)."""
    readings = [clock.read()[0].ns for _ in range(64)]
    gaps = [b - a for a, b in pairwise(readings) if b > a]
    return math.ceil(math.log2(min(gaps, default=1_000) * 1e-9))
