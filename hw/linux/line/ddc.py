"""A u-blox receiver on the I2C bus (its "DDC" port), by smbus2.

It says there what it would say on a UART, but only when asked: registers FDh and
FEh count the bytes that wait, FFh gives them (u-blox 8 / M8 protocol
specification, "DDC Port"). So a byte's arrival is known no better than how often
we ask: it came between the last time and this one, and half of that way is taken.
That is noise of +-10 ms, and a lag, on sentences; the pulse names the moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from smbus2 import i2c_msg

from hw.linux.faults import Part
from hw.linux.i2c import open_bus
from refclock.board.ports import Chunk
from refclock.timebase import MILLISECOND, Duration, Mono

ADDRESS: Final = 0x42

DDC: Final = Part("receiver.device", "i2c", "is dtparam=i2c_arm=on in config.txt?")
_COUNT: Final = 0xFD
_STREAM: Final = 0xFF
_BLOCK: Final = 255
"""Bytes fetched at once: 23 ms at 100 kHz."""
_KEPT: Final = 64
"""Blocks; no receiver keeps so much."""
_EVERY: Final = 20 * MILLISECOND
_NONE: Final = 0xFFFF
"""What is read where there is no such register yet: the receiver starts up."""


class Wire(Protocol):
    """What we need of smbus2, by its own names."""

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Messages, one after the other."""
        ...

    def close(self) -> None:
        """Give the bus back."""
        ...


class Ddc:
    """One open receiver. Used by one thread."""

    bits_per_second = None

    def __init__(
        self,
        bus: Wire,
        path: str,
        now: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """What it kept from before is thrown away: it is of any age.

        OSError: nobody answers, or one that is no receiver.
        """
        self.name = f"{path} at {ADDRESS:#x}"
        self._bus = bus
        self._now = now
        self._sleep = sleep
        if all(self._fetch() for _ in range(_KEPT)):
            raise OSError(
                f"{self.name}: what answers there never comes to an end: is it a u-blox"
                " (receiver.device)?"
            )
        self._asked = Mono(now())

    def read(self, limit: Duration) -> Chunk | None:
        """What has come, waiting at most `limit` for a first byte; None: silence.

        OSError: it does not answer any more.
        """
        until = Mono(self._now()) + limit
        while True:
            before = self._asked
            pause = before + _EVERY - Mono(self._now())
            self._sleep(max(0.0, pause.seconds))
            self._asked = now = Mono(self._now())
            with DDC.at(self.name):
                came = self._fetch()
            if came:
                first = before + Duration((now - before).ns // 2)
                return Chunk(came, first, now)
            if now >= until:
                return None

    def write(self, data: bytes) -> None:
        """Send to the receiver: two bytes at least, since one would be a register.

        OSError: it does not answer any more.
        """
        with DDC.at(self.name):
            self._bus.i2c_rdwr(i2c_msg.write(ADDRESS, data))

    def close(self) -> None:
        """Give the bus back."""
        self._bus.close()

    def _fetch(self) -> bytes:
        waiting = int.from_bytes(self._registers(_COUNT, 2), "big")
        if waiting in {0, _NONE}:
            return b""
        return self._registers(_STREAM, min(waiting, _BLOCK))

    def _registers(self, first: int, count: int) -> bytes:
        told = i2c_msg.read(ADDRESS, count)
        self._bus.i2c_rdwr(i2c_msg.write(ADDRESS, [first]), told)
        return bytes(told)


def open_ddc(number: int) -> Ddc:
    """The receiver on that bus. OSError says what is not there."""
    path = f"/dev/i2c-{number}"
    bus = open_bus(number)
    try:
        return Ddc(bus, path)
    except OSError as error:
        bus.close()
        raise FileNotFoundError(
            f"{path}: no u-blox answers at {ADDRESS:#x} ({error}): is it powered, and"
            " are its SDA and SCL wired to this bus? (receiver.device)"
        ) from error
