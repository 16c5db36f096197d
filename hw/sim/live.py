"""Emulated receivers in real time, drifting against this machine's clock.

The machine's clock is never touched. It is taken for the emulated oscillator, and
true time is reckoned from it: a receiver that names that time, and a pulse that
marks it, drift against the machine as the true ones would against an oscillator
like the emulated one. So the truth is known for every reading of the clock.

A receiver's bytes come from a real pty, at the pace of a serial line, and what it
is told there it does, in the dialect of its make. A pulse is stamped as reckoned:
how late a thread here wakes up does not enter.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from hw.emu.faults import Kind, Timeline
from hw.emu.gnss.receiver import Receiver, ReceiverModel
from hw.emu.i2c import SHEETS, Bus, ClockChip
from hw.emu.oscillator import Oscillator
from hw.linux.i2c import DS3231, ChipRtc
from hw.linux.line.uart import Uart
from hw.sim.machine import LiveTime, SteppedClock
from hw.sim.scenarios import Scenario
from hw.sim.station import LivePin, LivePulse, Station
from refclock.board.ports import Board, Pair, SystemClock
from refclock.timebase import MICROSECOND, Duration, Mono, Tai, Utc

_ANY_BAUD: Final = 115_200
"""What a line without a speed is opened at."""


class LiveWorld:
    """One scenario, from its construction on. `truth` and `mono`: any thread."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        clock: SystemClock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """It begins now: at the time that `clock` shows, or at the scenario's own.

        `sleep`: how whoever waits for a pulse passes the time.
        """
        local, mono = clock.read()
        self.scenario = scenario
        self.leaps = scenario.leaps
        start = scenario.start if scenario.live_at_start else Utc(local.ns)
        self._oscillator = Oscillator.of(scenario.oscillator, seed)
        self._time = LiveTime(
            self.leaps.tai(start), mono, self._oscillator, _sleeps(scenario)
        )
        error = Duration.from_seconds(scenario.clock_error_s)
        self.clock = SteppedClock(
            clock, Duration(start.ns - local.ns) + error, list(self._steps())
        )
        """The machine's clock in this world."""
        self._sleep = sleep
        self._place = Path(tempfile.mkdtemp(prefix="refclock-"))
        self.stations = tuple(
            self._station(model, seed, f"{model.name}/" if number else "")
            for number, model in enumerate(scenario.receivers)
        )

    @property
    def receiver_path(self) -> str:
        """What to open as the first receiver's line; it is gone while unplugged."""
        return self.stations[0].path

    def start(self) -> None:
        """Let the receivers speak."""
        for station in self.stations:
            station.start()

    def stop(self) -> None:
        """Silence them and clear away what they left."""
        for station in self.stations:
            station.stop()
        shutil.rmtree(self._place)

    def truth(self, mono: Mono) -> Tai:
        """True time when the machine's CLOCK_MONOTONIC showed that."""
        return self._time.truth(mono)

    def mono(self, true: Tai) -> Mono:
        """The inverse of `truth`."""
        return self._time.mono(true)

    def now(self) -> Tai:
        """True time."""
        return self.truth(self.clock.read()[1])

    def board(self, *, measure: bool = False) -> Board:
        """The emulated hardware, for the real drivers. `measure`: the pulse's pin can
        be watched."""
        model = self.scenario.receiver_model
        return Board(
            name="an emulated receiver",
            clock=self.clock,
            open_receiver=self.open_receiver,
            open_pulse=self.open_pulse,
            open_thermometer=self.open_thermometer,
            open_rtc=self._battery() if self.scenario.battery else None,
            open_pin=self.open_pin if measure else None,
            pulse_latency=Duration.from_seconds(model.pulse.latency_s),
            pulse_latency_spread=MICROSECOND,
            watched=tuple(
                Pair(
                    pair,
                    partial(Uart, station.path, station.model.line_rate or _ANY_BAUD),
                    station.open_pulse,
                )
                for pair, station in zip(
                    self.scenario.pairs[1:], self.stations[1:], strict=True
                )
            ),
        )

    def open_receiver(self) -> Uart:
        """The first receiver's line."""
        rate = self.scenario.receiver_model.line_rate
        return Uart(self.receiver_path, rate or _ANY_BAUD)

    def open_pulse(self) -> LivePulse:
        """The first receiver's pulse. One at a time."""
        return self.stations[0].open_pulse(self._sleep)

    def open_pin(self) -> LivePin:
        """The pin of that pulse."""
        return self.stations[0].open_pin()

    def open_thermometer(self) -> LiveThermometer:
        """A thermometer beside the emulated crystal."""
        return LiveThermometer(self._time, self.clock)

    def _station(self, model: ReceiverModel, seed: int, apart: str) -> Station:
        faults = Timeline(self.scenario.faults_of(model.name))
        start = self._time.start
        receiver = Receiver(model, start, self.leaps, faults, seed, apart)
        path = self._place / model.name
        return Station(model, receiver, faults, self._time, self.clock, path)

    def _battery(self) -> Callable[[], ChipRtc]:
        """A battery clock's opener; it has kept its time since the start."""
        assert self.scenario.battery is not None  # noqa: S101
        chip = ClockChip(SHEETS[DS3231.name], self.now)
        error = Duration.from_seconds(self.scenario.battery.error_s)
        chip.set(self.leaps.posix(self.now()) + error)
        return lambda: ChipRtc(Bus(chip), DS3231)

    def _steps(self) -> Iterator[tuple[Mono, Duration]]:
        """When the machine's clock is stepped, and by how much, in their order."""
        for fault in sorted(self.scenario.faults, key=lambda each: each.at_s):
            when = self._time.start + Duration.from_seconds(fault.at_s)
            if fault.kind is Kind.STEP_S:
                yield self.mono(when), Duration.from_seconds(fault.size)
            elif fault.kind is Kind.SLEEP:
                yield self.mono(when), Duration.from_seconds(fault.for_s)


def _sleeps(scenario: Scenario) -> list[tuple[Duration, Duration]]:
    """When after the start the machine is suspended, and for how long."""
    return sorted(
        (Duration.from_seconds(fault.at_s), Duration.from_seconds(fault.for_s))
        for fault in scenario.faults
        if fault.kind is Kind.SLEEP
    )


class LiveThermometer:
    """A `Thermometer` of a tenth of a degree. Used by one thread."""

    name = "emulated crystal"

    def __init__(self, live: LiveTime, clock: SteppedClock) -> None:
        self._time = live
        self._clock = clock

    def celsius(self) -> float:
        """The temperature now."""
        return round(self._time.celsius(self._clock.read()[1]), 1)

    def close(self) -> None:
        """Nothing is held."""
