"""A row of the catalogue, played and judged.

The shipping engine lives through a world in fast time. What counts is what a client
is served 10 ms before the end of every second, through the 64 bits that NTP has for
it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hw.sim.fast import Second, fast
from hw.sim.scenarios import Scenario
from refclock.discipline.mode import Mode
from refclock.engine.engine import Engine
from refclock.engine.kept.memory import Memory
from refclock.engine.policy import ClockSettings, EngineSettings
from refclock.events import Command, Event, Step, Tick
from refclock.published import ClockSnapshot
from refclock.timebase import Duration, LeapTable, NtpTimestamp
from tests.sim.rows import Row

STEERED: Final = EngineSettings()
FREE: Final = EngineSettings(clock=ClockSettings(steer=False))
"""The clock is left alone, only what is served is right."""
UNCOVERED: Final = 0.003
"""Of the seconds, how many may be outside the published bound."""
_SETTLED_S: Final = 30
"""From here on the error is held against the budget, and modes count."""


class Watched:
    """An engine, and what it did. Used by one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.steps = 0
        self.touched = False
        self.alarms: set[str] = set()

    @property
    def snapshot(self) -> ClockSnapshot:
        """What clients are told."""
        return self._engine.snapshot

    @property
    def mode(self) -> Mode:
        """How much the clock is worth."""
        return self._engine.mode

    def memory(self) -> Memory:
        """What it keeps over a restart."""
        return self._engine.memory()

    def renew(self, engine: Engine) -> None:
        """Go on with another engine."""
        self._engine = engine

    def handle(self, event: Event) -> tuple[Command, ...]:
        """Pass it on, and look."""
        commands = self._engine.handle(event)
        self.steps += sum(isinstance(command, Step) for command in commands)
        self.touched = self.touched or bool(commands)
        if isinstance(event, Tick):
            alarms = self._engine.alarms(event.mono)
            self.alarms.update(alarm.kind for alarm in alarms)
        return commands


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row."""

    worst_us: float
    uncovered: float
    bound_us: float
    clock_us: float
    modes: str
    alarms: str
    steps: int
    touched: bool
    must_serve: frozenset[int]


def engine(
    scenario: Scenario,
    settings: EngineSettings = STEERED,
    *,
    table: LeapTable | None = None,
    memory: Memory | None = None,
) -> Engine:
    """As it ships, on the machine of that scenario."""
    table = table or scenario.table
    latency = Duration.from_seconds(scenario.receiver_model.pulse.latency_s)
    return Engine(
        settings,
        table,
        table.updated,
        latency=latency,
        precision=-30,
        memory=memory,
        pairs=scenario.pairs,
    )


def play(row: Row) -> Outcome:
    """Live through it."""
    world = row.scenario
    settings = STEERED if row.steer else FREE
    mind = Watched(engine(world, settings, table=row.table))

    def renew() -> Watched:
        kept = Memory.parse(mind.memory().text())
        mind.renew(engine(world, settings, table=row.table, memory=kept))
        return mind

    hours = row.seconds / 3600
    lived = list(fast(world, mind, hours=hours, seed=row.seed, renew=renew))
    begin, end = row.unobservable
    judged: list[tuple[int, float, float]] = []
    for second in lived:
        k = _index(world, second)
        if second.synchronised and not begin <= k < end:
            judged.append((k, abs(_told(world, second)), second.bound_s))
    settled = [error for k, error, _ in judged if k >= _SETTLED_S]
    modes = {s.mode for s in lived if _index(world, s) >= _SETTLED_S}
    outside = sum(error > bound for _, error, bound in judged)
    return Outcome(
        worst_us=1e6 * max(settled, default=0.0),
        uncovered=outside / max(len(judged), 1),
        bound_us=1e6 * statistics.median([bound for _, _, bound in judged] or [0.0]),
        clock_us=1e6 * abs(lived[-1].clock_error_s),
        modes=" ".join(mode.name for mode in Mode if mode.name in modes),
        alarms=" ".join(sorted(mind.alarms)),
        steps=mind.steps,
        touched=mind.touched,
        must_serve=frozenset(_index(world, s) for s in lived if s.synchronised),
    )


def complaints(row: Row, outcome: Outcome) -> list[str]:
    """What is not as the row wants it."""
    must_serve = row.must_serve or ((10, row.seconds),)
    unlit = [
        k for a, b in must_serve for k in range(a, b) if k not in outcome.must_serve
    ]
    undark = [
        k for a, b in row.must_not_serve for k in range(a, b) if k in outcome.must_serve
    ]
    most = row.clock_us
    wrong = {
        f"error {outcome.worst_us:.2f} us": outcome.worst_us > row.budget_us,
        f"{outcome.uncovered:.2%} outside the bound": outcome.uncovered > UNCOVERED,
        f"bound {outcome.bound_us:.2f} us": outcome.bound_us > row.bound_us,
        f"clock off by {outcome.clock_us:.2f} us": outcome.clock_us > (most or 1e30),
        f"modes {outcome.modes}": outcome.modes != row.modes,
        f"alarms {outcome.alarms or 'none'}": outcome.alarms != row.alarms,
        f"{outcome.steps} steps": outcome.steps != row.steps,
        "commands to a clock to be left alone": outcome.touched > row.steer,
        f"not synchronised in {_some(unlit)}": bool(unlit),
        f"synchronised in {_some(undark)}": bool(undark),
    }
    return [text for text, is_so in wrong.items() if is_so]


def _index(world: Scenario, second: Second) -> int:
    return round((second.at - world.begins).seconds - 0.99)


def _told(world: Scenario, second: Second) -> float:
    """The error (s) as a client finds it in a packet."""
    true = world.leaps.posix(second.at)
    snapshot = NtpTimestamp.of(true + Duration.from_seconds(second.error_s))
    return (snapshot.near(true) - true).seconds


def _some(seconds: Sequence[int]) -> str:
    return f"{seconds[0]}..{seconds[-1]} ({len(seconds)} s)" if seconds else ""
