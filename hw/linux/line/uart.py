"""The receiver's serial line, through pyserial.

A chunk is stamped by what was observed, not by the speed the line is set to, which may
be none (a pseudo terminal, Bluetooth, USB, a network port). Where the line was empty
the first byte came when it woke us: a little late by what the UART gathers, never
early. Where bytes were waiting already they came since the last look, no faster than
the line carries them. If more keeps coming it is gathered for 150 ms: waking for each
byte would cost more than it tells.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import termios
import time
from collections.abc import Callable
from typing import Final

import serial

from hw.linux.line.stream import RECEIVER
from refclock.board.ports import Chunk
from refclock.timebase import MILLISECOND, SECOND, Duration, Mono

RATES: Final = (9600, 115_200, 38_400, 4800, 57_600, 19_200, 230_400, 460_800)
"""Bd, the commonest first."""

_LOOK: Final = 25 * MILLISECOND
"""A UART of 9600 Bd delivers its half-full FIFO of 16 bytes in less: if none has come
by then, there is a pause."""
_GATHER: Final = 125 * MILLISECOND
_BUFFER: Final = 4096
"""What the kernel keeps of a line (N_TTY)."""
_BITS_PER_BYTE: Final = 10
_LISTEN: Final = 2_200 * MILLISECOND
"""A receiver that speaks once a second is heard whole at least once."""
_ENOUGH: Final = 600
"""Bytes among which some sentence or frame must be, were the speed right."""

Proof = Callable[[bytes], bool]
"""Is there a sentence or a frame with a right checksum in these bytes?"""


class Uart:
    """One open line, raw and for us alone. Used by one thread."""

    def __init__(self, path: str, baud: int) -> None:
        self._port = _open(path, baud)
        self._path = path
        self._baud = baud
        self._gather_s = min(_GATHER, self._on_line(_BUFFER * 3 // 4)).seconds
        self._looked = Mono(time.monotonic_ns())
        """When nothing was left to be read."""
        self._usb = os.path.basename(os.path.realpath(path)).startswith("ttyACM")
        with contextlib.suppress(ValueError):  # many lines know no such mode
            self._port.set_low_latency_mode(True)

    @property
    def name(self) -> str:
        """Path and speed, for people."""
        return self._path if self._usb else f"{self._path} at {self._baud} Bd"

    @property
    def bits_per_second(self) -> int | None:
        """The speed of the line; None over USB, whose set speed means nothing."""
        return None if self._usb else self._baud

    def read(self, limit: Duration) -> Chunk | None:
        """What has come, waiting at most `limit` for a first byte; None: silence.

        Takes up to 150 ms more than the first byte did. OSError: unplugged.
        """
        with RECEIVER.at(self._path):
            return self._read(limit)

    def _read(self, limit: Duration) -> Chunk | None:
        line = self._port.fileno()
        waiting = self._port.in_waiting
        if waiting:
            woke = Mono(time.monotonic_ns())
            first = woke if self._usb else woke - self._on_line(waiting - 1)
            first = max(first, self._looked)
        else:
            if not select.select([line], [], [], limit.seconds)[0]:
                return None
            woke = first = Mono(time.monotonic_ns())
            waiting = self._port.in_waiting
        time.sleep(_LOOK.seconds)
        if self._port.in_waiting > waiting:
            time.sleep(self._gather_s)
        came = os.read(line, _BUFFER)
        self._looked = Mono(time.monotonic_ns())
        if not came:
            raise OSError(errno.EIO, "the line hung up")
        last = woke
        if len(came) > waiting:
            took = self._looked if self._usb else woke + self._on_line(len(came) - 1)
            last = min(self._looked, took)
        return Chunk(came, first, last)

    def write(self, data: bytes) -> None:
        """Send to the receiver. OSError: it takes nothing."""
        with RECEIVER.at(self._path):
            try:
                self._port.write(data)
            except serial.SerialException as error:
                raise OSError(error.errno or errno.ETIMEDOUT, str(error)) from None

    def close(self) -> None:
        """Give the line back."""
        self._port.close()

    def _on_line(self, count: int) -> Duration:
        """How long so many bytes take at least."""
        return Duration(max(count, 0) * _BITS_PER_BYTE * SECOND.ns // self._baud)


def hunt(path: str, proves: Proof, listen: Duration = _LISTEN) -> Uart:
    """The line at the first speed at which what comes proves that it is the right one.

    Each speed is listened at for `listen` at most. OSError says whether nothing comes
    or nothing decodes.
    """
    for baud in RATES:
        uart = Uart(path, baud)
        try:
            came = _heard(uart, proves, listen)
        except OSError:
            uart.close()
            raise
        if proves(came):
            return uart
        uart.close()
        if not came:  # a wrong speed garbles; it does not silence
            raise TimeoutError(
                f"{path}: no byte arrives: is the receiver powered, and its TX"
                " wired to this RX? (receiver.device)"
            )
    raise OSError(
        f"{path}: bytes arrive but do not decode at any of"
        f" {', '.join(map(str, sorted(RATES)))} Bd: no receiver, a console on the"
        " line, or another speed: set receiver.baud"
    )


def _heard(uart: Uart, proves: Proof, listen: Duration) -> bytes:
    until = Mono(time.monotonic_ns()) + listen
    heard = b""
    while len(heard) < _ENOUGH and not proves(heard):
        left = until - Mono(time.monotonic_ns())
        chunk = uart.read(left) if left.ns > 0 else None
        if chunk is None:
            break
        heard += chunk.data
    return heard


def _open(path: str, baud: int) -> serial.Serial:
    with RECEIVER.at(path):
        try:
            return serial.Serial(path, baud, write_timeout=2, exclusive=True)
        except (ValueError, termios.error) as error:
            raise OSError(
                f"{path}: not a serial line of {baud} Bd ({error}): set receiver.device"
                " and receiver.baud"
            ) from error
        except serial.SerialException as error:
            raise OSError(error.errno or errno.ENOTTY, str(error)) from None
