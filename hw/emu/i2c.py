"""Chips on an emulated bus, register by register, behind smbus2's own calls.

Battery clocks, written from the data sheets of DS3231 (Maxim, 19-5170), PCF8523
(NXP, Rev. 7) and RV-3028-C7 (Micro Crystal, application manual), never from our
own driver: the time in binary-coded decimals, wherever a chip keeps it; a flag
that says that the oscillator had stopped; reading past the last register begins
at the first. And a u-blox receiver (u-blox 8 / M8 protocol specification, "DDC
Port"), which says there what it would say on a UART.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from smbus2 import i2c_msg

from refclock.timebase import SECOND, Duration, Tai, Utc


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a data sheet says of a chip."""

    address: int
    size: int
    """Registers."""
    time: int
    """The first of seven: seconds, minutes, hours, ..."""
    days: tuple[str, str]
    """The fourth and the fifth."""
    first_weekday: int
    stopped: tuple[int, int]
    """Register and bit of the flag that the oscillator had stopped."""


SHEETS: Final[Mapping[str, Sheet]] = {
    "DS3231": Sheet(0x68, 0x13, 0x00, ("weekday", "day"), 1, (0x0F, 0x80)),
    "PCF8523": Sheet(0x68, 0x14, 0x03, ("day", "weekday"), 0, (0x03, 0x80)),
    "RV-3028": Sheet(0x52, 0x40, 0x00, ("weekday", "day"), 0, (0x0E, 0x01)),
}
_READS: Final = 1
"""I2C_M_RD of <linux/i2c.h>."""
_TEMPERATURE: Final = 0x11
"""Of a DS3231: whole degrees, then quarters in the two highest bits."""


class Chip(Protocol):
    """One on the wire: each message is written to it, or read from it."""

    @property
    def address(self) -> int:
        """Seven bits."""
        ...

    def write(self, data: bytes) -> None:
        """The register, then what is to be in it and those after it."""
        ...

    def read(self, count: int) -> bytes:
        """So many, from the register named last on."""
        ...


class ClockChip:
    """One chip, ticking. It starts from nothing, its stopped flag set."""

    def __init__(
        self, sheet: Sheet, now: Callable[[], Tai], celsius: float | None = None
    ) -> None:
        """`celsius`: what its thermometer shows, if it has one."""
        self.sheet = sheet
        self._now = now
        self._since = now()
        self._shown = Utc.of(2000, 1, 1)
        """What it showed then."""
        self._registers = bytearray(sheet.size)
        self._at = 0
        register, bit = sheet.stopped
        self._registers[register] |= bit
        if celsius is not None:
            quarters = round(celsius * 4) << 6
            told = quarters.to_bytes(2, "big", signed=True)
            self._registers[_TEMPERATURE : _TEMPERATURE + 2] = told

    def set(self, utc: Utc) -> None:
        """It was set before, and kept its time since."""
        register, bit = self.sheet.stopped
        self._registers[register] &= ~bit
        self._shown, self._since = utc, self._now()

    @property
    def address(self) -> int:
        """Where it answers."""
        return self.sheet.address

    def read(self, count: int) -> bytes:
        """Registers as they are when the reading begins."""
        block = bytearray(self._registers)
        for i, value in enumerate(self._time(), self.sheet.time):
            block[i] |= value
        places = [(self._at + i) % self.sheet.size for i in range(count)]
        self._at = (self._at + count) % self.sheet.size
        return bytes(block[place] for place in places)

    def write(self, data: bytes) -> None:
        """The time among what is written is taken up at once."""
        time = range(self.sheet.time, self.sheet.time + 7)
        clock = dict(zip(time, self._time(), strict=True))
        self._at = data[0] % self.sheet.size
        set_anew = False
        for value in data[1:]:
            if self._at in clock:
                clock[self._at] = value
                set_anew = True
            else:
                self._registers[self._at] = value
            self._at = (self._at + 1) % self.sheet.size
        if set_anew:
            self._take(list(clock.values()))

    def _take(self, fields: list[int]) -> None:
        flag, bit = self.sheet.stopped
        if flag == self.sheet.time:  # it shares the register of the seconds
            self._registers[flag] = fields[0] & bit
            fields[0] &= ~bit
        second, minute, hour, *rest, month, year = (_plain(each) for each in fields)
        day = rest[self.sheet.days.index("day")]
        self._shown = Utc.of(2000 + year, month, day, hour, minute, second)
        self._since = self._now()

    def _time(self) -> tuple[int, ...]:
        elapsed = Duration((self._now() - self._since).ns // SECOND.ns * SECOND.ns)
        at = datetime.fromtimestamp((self._shown + elapsed).ns // SECOND.ns, UTC)
        weekday = at.isoweekday() % 7 + self.sheet.first_weekday
        days = [weekday if each == "weekday" else at.day for each in self.sheet.days]
        fields = (at.second, at.minute, at.hour, *days, at.month, at.year % 100)
        return tuple(each // 10 * 16 + each % 10 for each in fields)


class UbloxPort:
    """A u-blox receiver's DDC port: a count of bytes, and the bytes."""

    address = 0x42
    _COUNT, _STREAM = 0xFD, 0xFF

    def __init__(self) -> None:
        self._at = self._STREAM
        self._kept = bytearray()
        self.told = bytearray()
        """What the host wrote to it."""

    def say(self, words: bytes) -> None:
        """Have them ready; they wait to be fetched."""
        self._kept += words

    def write(self, data: bytes) -> None:
        """A byte alone is the register; more are for the receiver."""
        if len(data) == 1:
            self._at = data[0]
        else:
            self.told += data

    def read(self, count: int) -> bytes:
        """The two bytes of the count, then the stream; where it is empty, FFh."""
        return bytes(self._next() for _ in range(count))

    def _next(self) -> int:
        place, self._at = self._at, min(self._at + 1, self._STREAM)
        if place == self._STREAM:
            return self._kept.pop(0) if self._kept else 0xFF
        if place < self._COUNT:
            return 0xFF
        return len(self._kept).to_bytes(2, "big")[place - self._COUNT]


class Bus:
    """What `smbus2.SMBus` is to a driver. Used by one thread."""

    def __init__(self, *chips: Chip) -> None:
        self._chips = {chip.address: chip for chip in chips}
        self.silent = False
        """Nobody answers: the wire is off."""
        self.claimed = False
        """The kernel's own driver has the chips."""

    def read_i2c_block_data(
        self, i2c_addr: int, register: int, length: int
    ) -> list[int]:
        """At most 32 registers from that one on."""
        if not 1 <= length <= 32:
            raise ValueError("Desired block length over 32 bytes")
        chip = self._chip(i2c_addr)
        chip.write(bytes([register]))
        return list(chip.read(length))

    def write_i2c_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int]
    ) -> None:
        """Set registers from that one on."""
        self._chip(i2c_addr).write(bytes([register, *data]))

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Messages, one after the other."""
        for message in i2c_msgs:
            chip = self._chip(message.addr)
            if message.flags & _READS:
                for i, byte in enumerate(chip.read(message.len)):
                    message.buf[i] = bytes([byte])
            else:
                chip.write(bytes(message))

    def close(self) -> None:
        """Nothing is held."""

    def _chip(self, address: int) -> Chip:
        if self.claimed:
            raise OSError(errno.EBUSY, "Device or resource busy")
        if self.silent or address not in self._chips:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        return self._chips[address]


def _plain(coded: int) -> int:
    return coded // 16 * 10 + coded % 16
