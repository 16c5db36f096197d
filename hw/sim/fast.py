"""Fast time: the emulated world under the real drivers and the real engine.

The world is asked for what happens in each true second; bytes pass the real
receiver driver, and what the engine answers is done to the virtual clock at once.
Nothing here waits and nothing is left to chance but the dice of the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from math import inf
from typing import Final, Protocol

from hw.emu.clock import VirtualClock
from hw.emu.faults import Fault, Kind, Timeline
from hw.emu.gnss.receiver import Receiver, TimedLine
from hw.emu.i2c import SHEETS, Bus, ClockChip
from hw.emu.oscillator import Oscillator
from hw.emu.pin import EmulatedPin
from hw.emu.wire import Wire
from hw.emu.world import World, second_after
from hw.linux.i2c import DS3231, ChipRtc
from hw.sim.scenarios import Scenario
from hw.sim.servers import Servers
from refclock.board.ports import Chunk
from refclock.daemon.drive import Driven
from refclock.daemon.supervise import of
from refclock.drivers.gnss import GnssDriver
from refclock.drivers.latency import LatencyDriver
from refclock.drivers.rtc import RtcDriver
from refclock.events import (
    Command,
    Edge,
    Event,
    Found,
    Lost,
    PulseEdge,
    Step,
    Temperature,
    Tick,
)
from refclock.published import ClockSnapshot
from refclock.timebase import MILLISECOND, SECOND, Duration, Local, Mono, Tai

UPTIME: Final = Mono(100 * SECOND.ns)
"""CLOCK_MONOTONIC at the start."""
_TICK: Final = 300 * MILLISECOND
"""When in the second the engine is told that time passed."""
_ASKED: Final = 990 * MILLISECOND
"""When in the second a client asks: the estimate is as old as it gets."""
_WATCHED_FROM: Final = 950 * MILLISECOND
"""When in the second the pin of the next pulse is watched."""
_WATCHED_EVERY: Final = 8
_TEMPERATURE_EVERY: Final = 10
_BATTERY_EVERY: Final = 60


class Mind(Protocol):
    """The engine, as far as the world knows it."""

    @property
    def snapshot(self) -> ClockSnapshot:
        """What clients are told."""
        ...

    @property
    def mode(self) -> Enum:
        """How much the clock is worth."""
        ...

    def handle(self, event: Event) -> tuple[Command, ...]:
        """Take one fact in; what comes back is done at once."""
        ...


@dataclass(frozen=True, slots=True)
class Second:
    """What a client was served in one second, 10 ms before its end."""

    at: Tai
    """True time."""
    error_s: float
    """Served less true, in UTC as NTP counts it: a wrong leap second shows."""
    bound_s: float
    synchronised: bool
    mode: str
    stratum: int
    clock_error_s: float
    """What the local clock shows less true UTC."""


def fast(
    scenario: Scenario,
    engine: Mind,
    *,
    hours: float,
    seed: int,
    renew: Callable[[], Mind] | None = None,
) -> Iterator[Second]:
    """Second by second through a scenario; while the machine sleeps, nothing.

    `renew`: what a server that is restarted begins with; None: it is not.
    """
    run = Run(scenario, engine, seed, renew)
    for k in range(round(hours * 3600)):
        if (second := run.second(k)) is not None:
            yield second


class Run:
    """One scenario and one engine in it. Used by one thread."""

    def __init__(
        self,
        scenario: Scenario,
        engine: Mind,
        seed: int,
        renew: Callable[[], Mind] | None = None,
    ) -> None:
        self._scenario = scenario
        self._renew = renew
        self._start = scenario.begins
        self._leaps = scenario.leaps
        self._engine = engine
        self._faults = Timeline(scenario.faults_of(""))
        self.world = World(self._start)
        self._oscillator = Oscillator.of(scenario.oscillator, seed)
        error = Duration.from_seconds(scenario.clock_error_s)
        self.clock = VirtualClock(
            self.world.now,
            self._oscillator,
            Local(scenario.start.ns + error.ns),
            UPTIME,
        )
        self._driven = Driven(engine, self.clock)
        self._sites = [
            Site(scenario, number, seed) for number in range(len(scenario.receivers))
        ]
        self._battery = self._battery_clock(scenario)
        self._watcher = self._pin_watcher(scenario, seed)
        self._arrange()
        self._servers = Servers(
            scenario,
            self.world,
            self.clock,
            lambda: self._engine.snapshot,
            self._tell,
            seed,
        )
        self._servers.begin()

    def second(self, k: int) -> Second | None:
        """Live through the k-th true second; None: asleep."""
        at = self._start + k * SECOND
        for site in self._sites:
            for line in site.receiver.lines(at):
                self.world.at(line.ends, partial(self._hear, site, line))
            for stamped, edge in site.receiver.edges(at + SECOND):
                self.world.at(stamped, partial(self._pulse, site, edge))
        self.world.at(at + _TICK, self._tick)
        if k % _TEMPERATURE_EVERY == 0:
            self.world.at(at + _TICK, self._feel)
        if k % _BATTERY_EVERY == 0 and self._battery is not None:
            self.world.at(at + _TICK, partial(self._witness, self._battery))
        if k % _WATCHED_EVERY == 0 and self._watcher is not None:
            self.world.at(at + _WATCHED_FROM, partial(self._watch, self._watcher))
        self.world.run(at + _ASKED)
        asked = None if self._asleep() else self._ask()
        self.world.run(at + SECOND)
        return asked

    def _battery_clock(self, scenario: Scenario) -> RtcDriver | None:
        """The real driver on an emulated chip, if this machine has one."""
        if scenario.battery is None:
            return None
        chip = ClockChip(SHEETS[DS3231.name], self.world.now)
        chip.set(scenario.start + Duration.from_seconds(scenario.battery.error_s))
        spread = Duration.from_seconds(scenario.battery.spread_s)
        return RtcDriver(ChipRtc(Bus(chip), DS3231), self.clock, spread)

    def _pin_watcher(self, scenario: Scenario, seed: int) -> LatencyDriver | None:
        """The real driver on an emulated pin, if this machine can look at it."""
        look_s = scenario.receiver_model.pulse.look_s
        if not look_s:
            return None
        pin = EmulatedPin(
            self.clock,
            lambda: self._sites[0].receiver.rises(second_after(self.world.now())),
            look_s,
            seed,
        )
        return LatencyDriver(
            pin, self.clock, lambda: self._engine.snapshot, sleep=lambda _: None
        )

    def _arrange(self) -> None:
        """What befalls the machine, once."""
        for fault in self._faults.of(Kind.STEP_S):
            step = Step(Duration.from_seconds(fault.size))
            self.world.at(self._after(fault.at_s), partial(self.clock.apply, step))
        for fault in self._faults.of(Kind.SLEEP):
            slept = Duration.from_seconds(fault.for_s)
            wakes = self._after(fault.at_s) + slept
            self.world.at(wakes, partial(self.clock.slept, slept))
        for fault in self._faults.of(Kind.RESTART):
            if self._renew is not None:
                restart = partial(self._restart, self._renew)
                self.world.at(self._after(fault.at_s), restart)
        for site in self._sites:
            for fault in site.faults.of(Kind.UNPLUGGED):
                self._plugs(site, fault)

    def _restart(self, renew: Callable[[], Mind]) -> None:
        self._engine = renew()
        self._driven = Driven(self._engine, self.clock)
        for site in self._sites:
            site.plug()
        self._servers.added()

    def _plugs(self, site: Site, fault: Fault) -> None:
        source = site.sources.receiver

        def out() -> None:
            self._tell(Lost(source, self.clock.read()[1], "unplugged"))

        def back() -> None:
            site.plug()
            self._tell(Found(source, self.clock.read()[1], "emulated"))

        self.world.at(self._after(fault.at_s), out)
        if fault.for_s < inf:
            self.world.at(self._after(fault.at_s + fault.for_s), back)

    def _hear(self, site: Site, line: TimedLine) -> None:
        _, last = self.clock.read()
        if not self._asleep():
            site.wire.bring(Chunk(line.data, last - (line.ends - line.begins), last))
            for event in site.driver.poll():
                self._tell(of(site.sources.receiver, event))

    def _pulse(self, site: Site, edge: Edge) -> None:
        local, mono = self.clock.read()
        site.seq[edge] += 1
        stamped = of(
            site.sources.pulse,
            PulseEdge(local, mono, site.seq[edge], self.clock.era, edge),
        )
        delay_s = self._faults.size(Kind.TOLD_LATE_S, self._elapsed_s())
        told = self.world.now() + Duration.from_seconds(delay_s)
        self.world.at(told, partial(self._tell, stamped))

    def _tick(self) -> None:
        local, mono = self.clock.read()
        self._tell(Tick(mono, local, self.clock.era))

    def _witness(self, battery: RtcDriver) -> None:
        for event in battery.poll():
            self._tell(event)

    def _watch(self, watcher: LatencyDriver) -> None:
        """It tells at once what it will see; the engine hears of it afterwards."""
        told = second_after(self.world.now()) + MILLISECOND
        for bracket in watcher.poll():
            self.world.at(told, partial(self._tell, bracket))

    def _feel(self) -> None:
        celsius = self._oscillator.celsius((self.world.now() - self._start).ns)
        _, mono = self.clock.read()
        self._tell(Temperature(mono, round(celsius, 1), "emulated crystal"))

    def _tell(self, event: Event) -> None:
        if not self._asleep():
            self._driven.handle(event)

    def _ask(self) -> Second:
        true = self.world.now()
        local, mono = self.clock.read()
        snapshot = self._engine.snapshot
        utc = snapshot.posix(snapshot.tai(local, Duration(local.ns - mono.ns)))
        true_utc = self._leaps.posix(true)
        return Second(
            true,
            (utc - true_utc).seconds,
            snapshot.bound_at(mono).seconds,
            snapshot.synchronised(mono, Duration(local.ns - mono.ns)),
            self._engine.mode.name,
            snapshot.stratum,
            Duration(local.ns - true_utc.ns).seconds,
        )

    def _asleep(self) -> bool:
        return self._faults.on(Kind.SLEEP, self._elapsed_s())

    def _elapsed_s(self) -> float:
        return (self.world.now() - self._start).seconds

    def _after(self, seconds: float) -> Tai:
        return self._start + Duration.from_seconds(seconds)


class Site:
    """One receiver of the world, its line and the real driver on it."""

    def __init__(self, scenario: Scenario, number: int, seed: int) -> None:
        """`number`: its place among the world's receivers."""
        model = scenario.receivers[number]
        self.sources = scenario.pairs[number]
        self.faults = Timeline(scenario.faults_of(model.name))
        self.receiver = Receiver(
            model,
            scenario.begins,
            scenario.leaps,
            self.faults,
            seed,
            f"{model.name}/" if number else "",
        )
        self.wire = Wire(model.line_rate)
        self.seq = dict.fromkeys(Edge, 0)
        self.plug()

    def plug(self) -> None:
        """Put a new driver on its line."""
        self.driver = GnssDriver(self.wire)
