"""The world outside the guest: a receiver's pulse on a pin, its words on a UART.

It is a process of its own, since a thread would wait for the interpreter while
others think. True time is this machine's monotonic clock, set to UTC once at the
start; each move of the pin is logged as it was made.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from hw.emu.faults import Timeline
from hw.emu.gnss.receiver import Receiver, ReceiverModel, TimedLine
from refclock.timebase import MILLISECOND, SECOND, Duration, LeapTable, Mono, Tai, Utc
from tests.kernel.image import FREE_LINE, PULSE_LINE

LEAPS: Final = LeapTable.parse(
    files("refclock.timebase").joinpath("leap-seconds.list").read_text()
)
_WIRED: Final = (FREE_LINE, PULSE_LINE)
"""The pulse goes to both."""
_PIECE: Final = 8
"""Bytes at once: QEMU does not pace the line."""
_ROOM: Final = 2048
"""Bytes of socket buffer, lest the guest read old sentences when it opens the line."""
_HURT: Final = 10
"""The byte of a sentence that has a wrong bit, if any."""
_SPIN: Final = Duration(400_000)
_WIDTH: Final = {False: 100 * MILLISECOND, True: 40 * MILLISECOND}
"""Of a pulse; of each of two."""
_AGAIN: Final = 60 * MILLISECOND


class Words(Enum):
    """What comes over the UART."""

    NMEA = "sentences"
    NOTHING = "silence"
    GARBAGE = "sentences that no checksum proves"
    STALE = "each sentence a second late, as if the next pulse were its own"


@dataclass(frozen=True, slots=True)
class Weather:
    """What of the receiver works."""

    pulse: bool = True
    doubled: bool = False
    """Each pulse comes once more, 60 ms later."""
    words: Words = Words.NMEA
    late: Duration = Duration(0)
    """How late the pulses come."""


@dataclass(frozen=True, slots=True)
class TrueTime:
    """This machine's monotonic clock, read as UTC."""

    ahead: Duration
    """UTC - monotonic."""

    @classmethod
    def starting_now(cls) -> TrueTime:
        """Set by this machine's clock."""
        return cls(Duration(time.time_ns() - time.monotonic_ns()))

    def tai(self) -> Tai:
        """Now."""
        return Tai(time.monotonic_ns() + self._to_tai.ns)

    def mono(self, at: Tai) -> Mono:
        """When this machine's monotonic clock shows that moment."""
        return Mono(at.ns - self._to_tai.ns)

    def utc(self, at: Mono) -> Utc:
        """What a clock that is right shows then."""
        return Utc(at.ns + self.ahead.ns)

    @property
    def host_error(self) -> Duration:
        """This machine's UTC now - true time."""
        return Duration(time.time_ns() - time.monotonic_ns()) - self.ahead

    @property
    def _to_tai(self) -> Duration:
        return self.ahead + LEAPS.leaps[-1].after


@dataclass(frozen=True, slots=True)
class Pulse:
    """A pulse as it was sent."""

    second: Tai
    before: Utc
    """True time (UTC) when the pin call was made."""
    after: Utc
    """And when it had returned."""


class Pins:
    """Input pins of the running machine, by QEMU's protocol for device tests."""

    def __init__(self, path: Path, chip: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._told = self._socket.makefile("rb")
        self._chip = chip

    def move(self, level: int) -> None:
        """All at once: return when QEMU has taken it in. OSError: it is gone.

        What comes in one message it does before the guest goes on.
        """
        pin = f"set_irq_in {self._chip} unnamed-gpio-in"
        words = [f"{pin} {line} {level}\n" for line in _WIRED]
        self._socket.sendall("".join(words).encode())
        left = len(words)
        while left:
            told = self._told.readline()
            if told.startswith(b"OK"):
                left -= 1
            elif not told.startswith(b"IRQ"):
                raise OSError(f"QEMU says {told!r}")


class Outside:
    """The process, as its owner sees it."""

    def __init__(self, pins: Path, chip: str, uart: Path, log: Path) -> None:
        log.touch()
        self.time = TrueTime.starting_now()
        self._log = log
        fork = multiprocessing.get_context("fork")
        theirs, self._ours = fork.Pipe(duplex=False)
        self._process = fork.Process(
            target=_run, args=(pins, chip, uart, log, self.time, theirs), daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process.pid
        return self._process.pid

    def turn(self, weather: Weather) -> None:
        """From the next second on it is like this."""
        self._ours.send(weather)

    def pulses(self) -> Sequence[Pulse]:
        """All sent so far."""
        rows = map(json.loads, self._log.read_text().splitlines())
        return [Pulse(Tai(at), Utc(low), Utc(high)) for at, low, high in rows]

    def end(self) -> None:
        """No pulse any more."""
        self._process.terminate()
        self._process.join(5)
        self._process.close()
        self._ours.close()


def _run(
    pins_at: Path, chip: str, uart: Path, log: Path, true: TrueTime, told: Connection
) -> None:
    pins = Pins(pins_at, chip)
    line = socket.socket(socket.AF_UNIX)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
    line.connect(str(uart))
    threading.Thread(target=_hear, args=(line,), daemon=True).start()
    start = _next_second(true.tai())
    receiver = Receiver(ReceiverModel(), start, LEAPS, Timeline(()), seed=1)
    said: Sequence[TimedLine] = ()
    weather = Weather()
    second = start
    with contextlib.suppress(OSError, EOFError), log.open("a") as file:
        while True:
            second += SECOND
            _sleep_until(true.mono(second) - 20 * MILLISECOND)
            while told.poll():
                weather = told.recv()
            if weather.pulse:
                at = true.mono(second) + weather.late
                low, high = _beat(pins, at, _WIDTH[weather.doubled])
                if weather.doubled:
                    _beat(pins, at + _AGAIN, _WIDTH[True])
                row = second.ns, true.utc(low).ns, true.utc(high).ns
                file.write(json.dumps(row) + "\n")
                file.flush()
            before, said = said, receiver.lines(second)
            if weather.words is Words.STALE:
                _say(line, true, map(_later, before))
            else:
                _say(line, true, _told(said, weather.words))


def _next_second(after: Tai) -> Tai:
    return Tai((after.ns // SECOND.ns + 1) * SECOND.ns)


def _beat(pins: Pins, at: Mono, width: Duration) -> tuple[Mono, Mono]:
    """A pulse at that moment; before and after the pin call."""
    _sleep_until(at - _SPIN)
    while time.monotonic_ns() < at.ns:
        pass
    before = Mono(time.monotonic_ns())
    pins.move(1)
    after = Mono(time.monotonic_ns())
    _sleep_until(at + width)
    pins.move(0)
    return before, after


def _later(line: TimedLine) -> TimedLine:
    return TimedLine(line.begins + SECOND, line.ends + SECOND, line.data)


def _told(lines: Sequence[TimedLine], words: Words) -> Iterator[TimedLine]:
    for line in lines:
        if words is Words.NMEA:
            yield line
        elif words is Words.GARBAGE:
            head, tail = line.data[:_HURT], line.data[_HURT + 1 :]
            hurt = head + bytes([line.data[_HURT] ^ 1]) + tail
            yield TimedLine(line.begins, line.ends, hurt)


def _say(line: socket.socket, true: TrueTime, lines: Iterable[TimedLine]) -> None:
    """At the pace of the wire; what nobody reads is lost."""
    for each in lines:
        took = each.ends - each.begins
        for at in range(0, len(each.data), _PIECE):
            into = Duration(took.ns * at // len(each.data))
            _sleep_until(true.mono(each.begins + into))
            with contextlib.suppress(BlockingIOError):
                line.send(each.data[at : at + _PIECE], socket.MSG_DONTWAIT)


def _hear(line: socket.socket) -> None:
    """Read what the guest writes: QEMU would stand still, all of it, if none did."""
    with contextlib.suppress(OSError):
        while line.recv(4096):
            pass


def _sleep_until(at: Mono) -> None:
    time.sleep(max(0, at.ns - time.monotonic_ns()) * 1e-9)


def urgent(process: int) -> None:
    """More regular pulses on a busy machine, where that is allowed."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(
            process, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1)
        )
