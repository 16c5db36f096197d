"""One receiver of a live world: its bytes on a pty, its commands, its pulse."""

from __future__ import annotations

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
from hw.emu.world import second_after
from hw.linux.pulse.pin import WatchedPin
from hw.sim.machine import LiveTime, SteppedClock
from hw.sim.pty import Pty, pieces
from refclock.board.ports import EdgeEvent
from refclock.events import Edge
from refclock.timebase import MILLISECOND, SECOND, Duration, Local, Mono, Tai

_TOO_OLD: Final = 500 * MILLISECOND
"""An edge nobody waited for was overwritten by the next."""
_LISTENS_S: Final = 0.2
"""It looks for the end of its world so often while it waits for a command."""
_PROTOCOLS: Final[Mapping[Make, Callable[[ReceiverModel], VendorProtocol]]] = {
    Make.UBLOX_8: Ublox8,
    Make.UBLOX_8T: Ublox8,
    Make.UBLOX_10: Ublox10,
    Make.UBLOX_F9T: Ublox10,
    Make.MEDIATEK: Mediatek,
    Make.AIROHA: Airoha,
    Make.CASIC: Casic,
}


class Station:
    """A receiver that speaks in a thread of its own, from `start` to `stop`."""

    def __init__(
        self,
        model: ReceiverModel,
        receiver: Receiver,
        faults: Timeline,
        live: LiveTime,
        clock: SteppedClock,
        path: Path,
    ) -> None:
        """`path`: where its line is to appear."""
        self.model = model
        self._receiver = receiver
        self._faults = faults
        self._time = live
        self._clock = clock
        self.commands = CommandParser(_PROTOCOLS[model.make](model))
        """What it was told, and how it is set since."""
        self._pty = Pty(path)
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._speak, name=model.name, daemon=True
        )

    @property
    def path(self) -> str:
        """What to open as a serial line; it is gone while unplugged."""
        return str(self._pty.path)

    def start(self) -> None:
        """Let it speak."""
        self._pty.plug()
        self._thread.start()

    def stop(self) -> None:
        """Silence it, and take its line away."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._pty.unplug()

    def open_pulse(self, sleep: Callable[[float], None] = time.sleep) -> LivePulse:
        """Its pulse line. One at a time. `sleep`: how whoever waits passes the time."""
        return LivePulse(self._receiver, self._faults, self._time, self._clock, sleep)

    def open_pin(self) -> LivePin:
        """The pulse's pin."""
        return LivePin(self._receiver, self._time, self._clock)

    def _speak(self) -> None:
        second = second_after(self._time.start)
        while self._listen_until(second):
            unplugged = self._faults.on(
                Kind.UNPLUGGED, (second - self._time.start).seconds
            )
            (self._pty.unplug if unplugged else self._pty.plug)()
            for line in self._receiver.lines(second):
                if self._time.asleep(line.begins):
                    continue
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
            if command := self._pty.read(min(left, _LISTENS_S) if held else 0.0):
                for answer in self.commands.observe(command):
                    self._pty.write(answer)
                self._receiver.obey(self.commands.tongue.receiver_model)
            elif left == 0.0:
                return True
            elif not held:
                return self._wait_for(true)
        return False

    def _until(self, true: Tai) -> float:
        """Seconds left."""
        return (self._time.mono(true) - self._clock.read()[1]).seconds


class LivePulse:
    """The emulated pulse as a `PpsLine`. Used by one thread."""

    name = "emulated pulse"

    def __init__(
        self,
        receiver: Receiver,
        faults: Timeline,
        live: LiveTime,
        clock: SteppedClock,
        sleep: Callable[[float], None],
    ) -> None:
        self._receiver = receiver
        self._faults = faults
        self._time = live
        self._clock = clock
        self._sleep = sleep
        self._second = second_after(live.truth(clock.read()[1]))
        self._due: deque[tuple[Mono, Edge]] = deque()
        """When each of the next edges is stamped."""
        self._seq = dict.fromkeys(Edge, 0)

    def wait(self, limit: Duration) -> EdgeEvent | None:
        """The next edge, stamped as reckoned, or None within `limit`."""
        now = self._now()
        until = now + limit
        while (when := self._next(now)) is None or self._told(when) > now:
            wake = (
                self._time.mono(self._second - SECOND)
                if when is None
                else self._told(when)
            )
            if wake > until:
                self._sleep(max((until - now).seconds, 0.0))
                return None
            self._sleep(max((wake - now).seconds, 0.0))
            now = self._now()
        _, edge = self._due.popleft()
        self._seq[edge] += 1
        return EdgeEvent(self._seq[edge], self._clock.at(when), edge)

    def close(self) -> None:
        """Nothing is held."""

    def _now(self) -> Mono:
        return self._clock.read()[1]

    def _told(self, when: Mono) -> Mono:
        """When an edge stamped then is told."""
        t = (self._time.truth(when) - self._time.start).seconds
        return when + Duration.from_seconds(self._faults.size(Kind.TOLD_LATE_S, t))

    def _next(self, now: Mono) -> Mono | None:
        """When the next edge is stamped, if it is known yet: a second ahead."""
        while True:
            while self._due and self._due[0][0] < now - _TOO_OLD:
                self._seq[self._due.popleft()[1]] += 1
            if self._due:
                return self._due[0][0]
            if self._time.mono(self._second - SECOND) > now:
                return None
            self._due.extend(
                (self._time.mono(at), edge)
                for at, edge in self._receiver.edges(self._second)
                if not self._time.asleep(at)
            )
            self._second += SECOND


class LivePin:
    """The emulated pulse's pin, looked at by the real loop. Used by one thread."""

    name = "emulated pin"

    def __init__(self, receiver: Receiver, live: LiveTime, clock: SteppedClock) -> None:
        self._receiver = receiver
        self._time = live
        self._clock = clock

    def change(self, until: Local) -> tuple[Local, Local] | None:
        """Between which readings of the clock it rose, or None until then."""
        _, now = self._clock.read()
        second = second_after(self._time.truth(now))
        true = self._receiver.rises(second)
        rise = None if true is None else self._time.mono(true)
        ahead = self._clock.ahead(now)

        def risen() -> bool:
            return rise is not None and time.monotonic_ns() >= rise.ns

        found = WatchedPin(self.name, risen, self.close).change(until - ahead)
        return None if found is None else (found[0] + ahead, found[1] + ahead)

    def close(self) -> None:
        """Nothing is held."""
