"""An emulated receiver in real time, drifting against this machine's clock.

The machine's clock is never touched. It is taken for the emulated oscillator, and
true time is reckoned from it: a receiver that tells that time, and a pulse that
marks it, drift against the machine as the true ones would against an oscillator
like the emulated one. So the truth is known for every reading of the clock.

The receiver's bytes come from a real pty, at the pace of a serial line, and what it
is told there it does, in the dialect of its make. A pulse is stamped as reckoned:
how late a thread here wakes up does not enter.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from hw.emu.faults import Kind, Timeline
from hw.emu.gnss.dialects import Airoha, Casic, CommandParser, Mediatek, VendorProtocol
from hw.emu.gnss.receiver import Make, Receiver, ReceiverModel
from hw.emu.gnss.ublox import Ublox8, Ublox10
from hw.emu.oscillator import Oscillator
from hw.emu.world import second_after
from hw.linux.pulse.pin import WatchedPin
from hw.sim.pty import Pty, pieces
from hw.sim.scenarios import Scenario
from refclock.board.ports import EdgeEvent, SystemClock
from refclock.events import Edge
from refclock.timebase import MILLISECOND, SECOND, Duration, Local, Mono, Tai, Utc

_TOO_OLD: Final = 500 * MILLISECOND
"""An edge nobody waited for was overwritten by the next."""
_LISTENS_S: Final = 0.2
"""It looks for the end of its world so often while it waits for a command."""
_TONGUES: Final[Mapping[Make, Callable[[ReceiverModel], VendorProtocol]]] = {
    Make.UBLOX_8: Ublox8,
    Make.UBLOX_8T: Ublox8,
    Make.UBLOX_10: Ublox10,
    Make.UBLOX_F9T: Ublox10,
    Make.MEDIATEK: Mediatek,
    Make.AIROHA: Airoha,
    Make.CASIC: Casic,
}


class LiveWorld:
    """One scenario, from its construction on. `truth` and `mono`: any thread."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        clock: SystemClock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """It begins now. `sleep`: how whoever waits for a pulse passes the time."""
        local, self._mono_0 = clock.read()
        self.leaps = scenario.leaps
        self._start = scenario.begins
        if not scenario.live_at_start:
            error = Duration.from_seconds(scenario.clock_error_s)
            self._start = self.leaps.tai(Utc(local.ns) - error)
        self._clock = clock
        self._sleep = sleep
        self._faults = Timeline(scenario.faults_of(scenario.receiver_model.name))
        self._oscillator = Oscillator.of(scenario.oscillator, seed)
        self._receiver = Receiver(
            scenario.receiver_model, self._start, self.leaps, self._faults, seed
        )
        self._ear = CommandParser(
            _TONGUES[scenario.receiver_model.make](scenario.receiver_model)
        )
        self._first = second_after(self._start)
        self._place = Path(tempfile.mkdtemp(prefix="refclock-"))
        self._pty = Pty(self._place / "gps")
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._speak, name="emulated", daemon=True
        )

    @property
    def receiver_path(self) -> str:
        """What to open as a serial line; it is gone while unplugged."""
        return str(self._pty.path)

    def start(self) -> None:
        """Let the receiver speak."""
        self._pty.plug()
        self._thread.start()

    def stop(self) -> None:
        """Silence it and clear away what it left."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._pty.unplug()
        shutil.rmtree(self._place)

    def truth(self, mono: Mono) -> Tai:
        """True time when the machine's CLOCK_MONOTONIC showed that."""
        counted = mono - self._mono_0
        return self._start + Duration(self._oscillator.elapsed(counted.ns))

    def mono(self, true: Tai) -> Mono:
        """The inverse of `truth`."""
        elapsed = true - self._start
        strayed = round(self._oscillator.phase(elapsed.ns))
        return self._mono_0 + elapsed + Duration(strayed)

    def open_pulse(self) -> LivePulse:
        """The pulse line. One at a time."""
        return LivePulse(self, self._receiver, self._clock, self._sleep)

    def open_pin(self) -> LivePin:
        """The pulse's pin."""
        return LivePin(self)

    def open_thermometer(self) -> LiveThermometer:
        """A thermometer beside the emulated crystal."""
        return LiveThermometer(self)

    def second_after_now(self) -> Tai:
        """The next true second to begin."""
        return second_after(self.truth(self._clock.read()[1]))

    def next_rise(self) -> Mono | None:
        """When the pin rises in the next true second, if it does."""
        rise = self._receiver.rises(self.second_after_now())
        return None if rise is None else self.mono(rise)

    def celsius(self) -> float:
        """The crystal's temperature now."""
        now = self.truth(self._clock.read()[1])
        return self._oscillator.celsius((now - self._start).ns)

    def _speak(self) -> None:
        second = self._first
        while self._listen_until(second):
            unplugged = self._faults.on(Kind.UNPLUGGED, (second - self._start).seconds)
            (self._pty.unplug if unplugged else self._pty.plug)()
            for line in self._receiver.lines(second):
                if not self._listen_until(line.begins):
                    return
                for at, data in pieces(line):
                    if not self._wait_for(at):
                        return
                    self._pty.write(data)
            second += SECOND

    def _wait_for(self, true: Tai) -> bool:
        """False: we are to stop."""
        return not self._stopping.wait(max(self._until(true), 0.0))

    def _listen_until(self, true: Tai) -> bool:
        """Do what we are told meanwhile, and answer. False: we are to stop."""
        while not self._stopping.is_set():
            left = max(self._until(true), 0.0)
            held = self._pty.open
            if told := self._pty.read(min(left, _LISTENS_S) if held else 0.0):
                for answer in self._ear.observe(told):
                    self._pty.write(answer)
                self._receiver.obey(self._ear.tongue.receiver_model)
            elif left == 0.0:
                return True
            elif not held:
                return self._wait_for(true)
        return False

    def _until(self, true: Tai) -> float:
        """Seconds left."""
        return (self.mono(true) - self._clock.read()[1]).seconds


class LivePulse:
    """The emulated pulse as a `PpsLine`. Used by one thread."""

    name = "emulated pulse"

    def __init__(
        self,
        world: LiveWorld,
        receiver: Receiver,
        clock: SystemClock,
        sleep: Callable[[float], None],
    ) -> None:
        self._world = world
        self._receiver = receiver
        self._clock = clock
        self._sleep = sleep
        self._second = world.second_after_now()
        self._due: deque[tuple[Mono, Edge]] = deque()
        self._seq = dict.fromkeys(Edge, 0)

    def wait(self, limit: Duration) -> EdgeEvent | None:
        """The next edge, stamped as reckoned, or None within `limit`."""
        local, now = self._clock.read()
        until = now + limit
        while (when := self._next(now)) is None or when > now:
            wake = self._world.mono(self._second - SECOND) if when is None else when
            if wake > until:
                self._sleep(max((until - now).seconds, 0.0))
                return None
            self._sleep(max((wake - now).seconds, 0.0))
            local, now = self._clock.read()
        _, edge = self._due.popleft()
        self._seq[edge] += 1
        return EdgeEvent(self._seq[edge], Local(when.ns + local.ns - now.ns), edge)

    def close(self) -> None:
        """Nothing is held."""

    def _next(self, now: Mono) -> Mono | None:
        """When the next edge is due, if it is known yet: a second ahead."""
        while True:
            while self._due and self._due[0][0] < now - _TOO_OLD:
                self._seq[self._due.popleft()[1]] += 1
            if self._due:
                return self._due[0][0]
            if self._world.mono(self._second - SECOND) > now:
                return None
            edges = self._receiver.edges(self._second)
            self._due.extend((self._world.mono(at), edge) for at, edge in edges)
            self._second += SECOND


class LivePin:
    """The emulated pulse's pin, looked at by the real loop. Used by one thread."""

    name = "emulated pin"

    def __init__(self, world: LiveWorld) -> None:
        self._world = world

    def change(self, until: Local) -> tuple[Local, Local] | None:
        """Between which readings of the clock it rose, or None until then."""
        rise = self._world.next_rise()

        def risen() -> bool:
            return rise is not None and time.monotonic_ns() >= rise.ns

        return WatchedPin(self.name, risen, self.close).change(until)

    def close(self) -> None:
        """Nothing is held."""


class LiveThermometer:
    """A `Thermometer` of a tenth of a degree. Used by one thread."""

    name = "emulated crystal"

    def __init__(self, world: LiveWorld) -> None:
        self._world = world

    def celsius(self) -> float:
        """The temperature now."""
        return round(self._world.celsius(), 1)

    def close(self) -> None:
        """Nothing is held."""
