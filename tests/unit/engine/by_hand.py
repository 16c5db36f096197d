"""Facts made by hand for an engine: a receiver, a pulse and a clock that obeys.

Simpler than the emulated world, and made apart from it: an oscillator without
noise, pulses on the second, a sentence some time after.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from refclock.discipline.mode import Mode
from refclock.engine.engine import Engine
from refclock.engine.policy import EngineSettings
from refclock.events import (
    Command,
    Edge,
    Event,
    Fix,
    InForce,
    PulseEdge,
    SetRate,
    Step,
    Tick,
    TimeMessage,
)
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    LeapTable,
    Local,
    Mono,
    Tai,
    Utc,
)

LEAPS = LeapTable((), 37 * SECOND, Utc.of(2017, 1, 1), Utc.of(2050, 1, 1))
START = Utc.of(2026, 11, 23, 12)
TICK_AT = 300 * MILLISECOND


STEERING = EngineSettings()


def engine(settings: EngineSettings = STEERING, leaps: LeapTable = LEAPS) -> Engine:
    return Engine(settings, leaps, leaps.updated)


@dataclass
class World:
    """What befalls one engine. Used by one test."""

    engine: Engine = field(default_factory=engine)
    leaps: LeapTable = LEAPS
    start: Utc = START
    error: Duration = 40 * MILLISECOND
    """Local less UTC, at the start."""
    raw_ppm: float = 12.0
    """How fast the oscillator runs."""
    lag: Duration = 120 * MILLISECOND
    pulses: bool = True
    sentences: bool = True
    fix: Fix = Fix.VALID
    ahead: Duration = ZERO
    """By how much sentences name another second."""
    late: Duration = ZERO
    """How late the pulse comes."""
    width: Duration | None = None
    """Told by the other flank too."""
    kernel: LeapSecond | None = None
    """The kernel steps its clock for this one."""

    def __post_init__(self) -> None:
        self.true = self.leaps.tai(self.start) - 500 * MILLISECOND
        self.mono = Mono(100 * SECOND.ns)
        self.local = Local(self.start.ns + self.error.ns - 500_000_000)
        self.era = 0
        self.seq = 0
        self.rate_ppb = 0.0
        self.commands: list[Command] = []

    def pass_(self, length: Duration) -> None:
        """True time passes."""
        fast = (1 + self.raw_ppm * 1e-6) * (1 + self.rate_ppb * 1e-9)
        counted = Duration(round(length.ns * fast))
        self.true += length
        self.mono += counted
        self.local += counted

    def step(self, by: Duration) -> None:
        """Somebody sets the clock."""
        self.local += by
        self.era += 1

    def tell(self, event: Event) -> tuple[Command, ...]:
        """Let the engine know, and do what it says."""
        commands = self.engine.handle(event)
        for command in commands:
            if isinstance(command, Step):
                self.step(command.by)
            elif isinstance(command, SetRate):
                self.rate_ppb = command.ppb
                self.tell(InForce(self.mono, command.ppb))
        self.commands += commands
        return commands

    def edge(self, edge: Edge = Edge.ASSERT) -> PulseEdge:
        """A flank, now."""
        self.seq += 1
        return PulseEdge(self.local, self.mono, self.seq, self.era, edge)

    def message(self) -> TimeMessage:
        """A sentence that began to come now."""
        second = Tai(self.true.ns // SECOND.ns * SECOND.ns)
        utc = self.leaps.utc(second)
        named = self.leaps.posix(second) if utc is None else utc
        told = TimeMessage(named + self.ahead, self.mono, "RMC", self.fix)
        return (
            told
            if utc is not None
            else replace(told, utc=named + SECOND, leap_second=True)
        )

    def tick(self) -> Tick:
        """Time passed."""
        return Tick(self.mono, self.local, self.era)

    def second(self) -> None:
        """From the middle of a true second to that of the next."""
        self.pass_(500 * MILLISECOND)
        if self.kernel is not None and self.true >= self.kernel.at:
            self.step(self.kernel.before - self.kernel.after)
            self.kernel = None
        self.pass_(self.late)
        if self.pulses:
            self.tell(self.edge())
        happens = [(self.lag, self.say), (TICK_AT, lambda: self.tell(self.tick()))]
        if self.width is not None:
            happens.append((self.width, lambda: self.tell(self.edge(Edge.CLEAR))))
        now = self.late
        for at, do in sorted(happens, key=lambda each: each[0]):
            self.pass_(at - now)
            do()
            now = at
        self.pass_(500 * MILLISECOND - now)

    def say(self) -> None:
        """A sentence, if there are any."""
        if self.sentences:
            self.tell(self.message())

    def run(self, seconds: int) -> None:
        """So many true seconds."""
        for _ in range(seconds):
            self.second()

    def mode(self) -> Mode:
        """As the engine has it now."""
        return self.engine.mode

    @property
    def realtime_offset(self) -> Duration:
        return Duration(self.local.ns - self.mono.ns)

    @property
    def wrong(self) -> Duration:
        """UTC as served now, less true UTC."""
        snapshot = self.engine.snapshot
        told = snapshot.posix(snapshot.tai(self.local, self.realtime_offset))
        return told - self.leaps.posix(self.true)

    @property
    def serves(self) -> bool:
        """Would a client be told the time now?"""
        return self.engine.snapshot.synchronised(self.mono, self.realtime_offset)

    @property
    def bound(self) -> Duration:
        return self.engine.snapshot.bound_at(self.mono)

    @property
    def alarms(self) -> list[str]:
        return [alarm.text for alarm in self.engine.status(self.mono).alarms]

    @property
    def reason(self) -> str:
        return self.engine.status(self.mono).reason
