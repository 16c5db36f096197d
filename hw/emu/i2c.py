"""Battery clocks on an emulated bus, register by register, behind smbus2's own calls.

Written from the data sheets of DS3231 (Maxim, 19-5170), PCF8523 (NXP, Rev. 7) and
RV-3028-C7 (Micro Crystal, application manual), never from our own driver: the
time in binary-coded decimals, wherever a chip keeps it; a flag that says that
the oscillator had stopped; reading past the last register begins at the first.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

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
_TEMPERATURE: Final = 0x11
"""Of a DS3231: whole degrees, then quarters in the two highest bits."""


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

    def read(self, register: int, length: int) -> list[int]:
        """Registers as they are when the reading begins."""
        size, time = self.sheet.size, self.sheet.time
        block = bytearray(self._registers)
        for i, value in enumerate(self._time()):
            block[time + i] |= value
        return [block[(register + i) % size] for i in range(length)]

    def write(self, register: int, values: Sequence[int]) -> None:
        """Set registers; the time among them is taken up at once."""
        time = range(self.sheet.time, self.sheet.time + 7)
        clock = dict(zip(time, self._time(), strict=True))
        for at, value in enumerate(values, register):
            if at in clock:
                clock[at] = value
            else:
                self._registers[at] = value
        if any(at in clock for at in range(register, register + len(values))):
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


class Bus:
    """What `smbus2.SMBus` is to a driver. Used by one thread."""

    def __init__(self, *chips: ClockChip) -> None:
        self._chips = {chip.sheet.address: chip for chip in chips}
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
        return self._chip(i2c_addr).read(register, length)

    def write_i2c_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int]
    ) -> None:
        """Set registers from that one on."""
        self._chip(i2c_addr).write(register, data)

    def close(self) -> None:
        """Nothing is held."""

    def _chip(self, address: int) -> ClockChip:
        if self.claimed:
            raise OSError(errno.EBUSY, "Device or resource busy")
        if self.silent or address not in self._chips:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        return self._chips[address]


def _plain(coded: int) -> int:
    return coded // 16 * 10 + coded % 16
