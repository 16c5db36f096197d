"""Battery clocks on the I2C bus, and the thermometer in one of them, by smbus2.

A chip is known by how its registers behave, not by its address: a motion sensor
also lives at 0x68. Reading past the last register of one of these chips starts
again at the first, and the calendar in them is a calendar. Registers: data
sheets of DS3231 (Maxim), RV-3028-C7 (Micro Crystal), PCF8523 (NXP). A chip that was
set up to count hours to 12 is read and written so. Switching to the battery is set
up by the kernel's overlay or in the chip, not here.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from smbus2 import SMBus

from hw.linux.faults import Part
from refclock.timebase import SECOND, Utc


class Bus(Protocol):
    """What we need of smbus2, by its own names."""

    def read_i2c_block_data(
        self, i2c_addr: int, register: int, length: int
    ) -> list[int]:
        """So many registers from this one on."""
        ...

    def write_i2c_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int]
    ) -> None:
        """Set registers from this one on."""
        ...

    def close(self) -> None:
        """Give the bus back."""
        ...


@dataclass(frozen=True, slots=True)
class Chip:
    """Where a kind of chip keeps what."""

    name: str
    address: int
    registers: int
    """How many there are; reading on starts at 0 again. 0: more than can be read."""
    time: int
    """Where seconds, minutes, hours, then two of day and weekday, month, year are."""
    weekday_first: bool
    lost: tuple[int, int]
    """Register and bit that say that the oscillator stopped."""
    twelve: tuple[int, int]
    """Register and bit that say that hours count to 12 (0x20: afternoon)."""


DS3231: Final = Chip("DS3231", 0x68, 0x13, 0x00, True, (0x0F, 0x80), (0x02, 0x40))
PCF8523: Final = Chip("PCF8523", 0x68, 0x14, 0x03, False, (0x03, 0x80), (0x00, 0x08))
RV3028: Final = Chip("RV-3028", 0x52, 0, 0x00, True, (0x0E, 0x01), (0x10, 0x02))
CHIPS: Final = (DS3231, PCF8523, RV3028)

_BLOCK: Final = 32
"""The most that can be read at once."""
_TEMPERATURE: Final = 0x11
_AGEING: Final = 0x10
_AFTERNOON: Final = 0x20
BUS: Final = Part("rtc.bus", "i2c", "is dtparam=i2c_arm=on in config.txt?")


class ChipRtc:
    """A battery clock on the bus. Used by one thread."""

    def __init__(self, bus: Bus, chip: Chip) -> None:
        self._bus = bus
        self._chip = chip
        self._at = f"{chip.name} at {chip.address:#x}"

    @property
    def name(self) -> str:
        """Which chip, for people."""
        return self._chip.name

    def read(self) -> Utc | None:
        """Its time; None when its oscillator stopped. OSError: the chip is gone."""
        address, (register, stopped) = self._chip.address, self._chip.lost
        with BUS.at(self._at):
            (flags,) = self._bus.read_i2c_block_data(address, register, 1)
            twelve = self._twelve()
            fields = self._bus.read_i2c_block_data(address, self._chip.time, 7)
        return None if flags & stopped else _calendar(self._chip, fields, twelve)

    def write(self, utc: Utc) -> None:
        """Set it, at the moment the second of `utc` begins. OSError: the chip is gone;
        ValueError: `utc` is not within 2000 to 2099."""
        at = datetime.fromtimestamp(utc.ns // SECOND.ns, UTC)
        if not 2000 <= at.year <= 2099:
            raise ValueError(f"{utc.iso()} is in no century a clock chip can tell")
        days = [at.isoweekday() % 7 + (self._chip is DS3231), _bcd(at.day)]
        if not self._chip.weekday_first:
            days.reverse()
        address, (register, stopped) = self._chip.address, self._chip.lost
        with BUS.at(self._at):
            hour = _hour(self._chip, at.hour, self._twelve())
            fields = [_bcd(at.second), _bcd(at.minute), hour, *days]
            fields += [_bcd(at.month), _bcd(at.year % 100)]
            self._bus.write_i2c_block_data(address, self._chip.time, fields)
            (flags,) = self._bus.read_i2c_block_data(address, register, 1)
            if flags & stopped:
                self._bus.write_i2c_block_data(address, register, [flags & ~stopped])

    def close(self) -> None:
        """Give the bus back."""
        self._bus.close()

    def _twelve(self) -> bool:
        register, bit = self._chip.twelve
        (mode,) = self._bus.read_i2c_block_data(self._chip.address, register, 1)
        return mode & bit != 0


class ChipThermometer:
    """The sensor that trims a DS3231's oscillator: 0.25 degrees. Used by one thread."""

    name = "DS3231"

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def celsius(self) -> float:
        """The temperature now; it is taken every 64 s. OSError: the chip is gone."""
        with BUS.at(f"{DS3231.name} at {DS3231.address:#x}"):
            high, low = self._bus.read_i2c_block_data(DS3231.address, _TEMPERATURE, 2)
        return int.from_bytes(bytes((high, low)), "big", signed=True) / 256

    def close(self) -> None:
        """Give the bus back."""
        self._bus.close()


def ageing(bus: Bus) -> int:
    """How a DS3231 is trimmed, -128 to 127: + slows it, by 0.1 ppm each at 25 C."""
    (steps,) = bus.read_i2c_block_data(DS3231.address, _AGEING, 1)
    return (steps ^ 0x80) - 0x80


def set_ageing(bus: Bus, steps: int) -> None:
    """Trim a DS3231; it takes it up with its next temperature."""
    bus.write_i2c_block_data(DS3231.address, _AGEING, [steps & 0xFF])


def open_rtc(number: int, trim: int | None = None) -> ChipRtc:
    """The battery clock on that bus, trimmed so, or as it is. OSError says what
    answers instead."""
    bus = open_bus(number)
    try:
        chips = CHIPS if trim is None else (DS3231,)
        chip = identify(bus, chips, taken_as(number))
        if trim is not None and trim != ageing(bus):
            set_ageing(bus, trim)
        return ChipRtc(bus, chip)
    except OSError:
        bus.close()
        raise


def open_thermometer(number: int) -> ChipThermometer:
    """The DS3231's sensor on that bus. OSError: it has none."""
    bus = open_bus(number)
    try:
        identify(bus, (DS3231,), taken_as(number))
        return ChipThermometer(bus)
    except OSError:
        bus.close()
        raise


def open_bus(number: int) -> SMBus:
    """That bus. OSError says how it is switched on."""
    with BUS.at(f"/dev/i2c-{number}"):
        return SMBus(number)


def taken_as(number: int, root: Path = Path("/sys/bus/i2c/devices")) -> str:
    """What the kernel's own driver calls the clock it has on that bus."""
    found = sorted(entry.name for entry in root.glob(f"{number}-*/rtc/rtc*"))
    return f"/dev/{found[0]}" if found else "/dev/rtc0"


def identify(bus: Bus, chips: Sequence[Chip], taken: str = "/dev/rtc0") -> Chip:
    """Which of the chips answers. OSError: none, or the kernel has it, as `taken`."""
    claimed = False
    for chip in chips:
        try:
            if _behaves(bus, chip):
                return chip
        except OSError as error:  # nobody answers there, mostly
            claimed |= error.errno == errno.EBUSY
    names = ", ".join(chip.name for chip in chips)
    if claimed:
        raise OSError(
            errno.EBUSY,
            f'the kernel\'s own driver has the chip; {names}: set rtc.source = "kernel"'
            f' and rtc.device = "{taken}"',
        )
    raise FileNotFoundError(
        f"no chip on the bus behaves like {names}: is it wired, and to that bus?"
        " (rtc.bus)"
    )


def _behaves(bus: Bus, chip: Chip) -> bool:
    block = bus.read_i2c_block_data(chip.address, 0, _BLOCK)
    again = block[chip.registers :] if chip.registers else []
    ticking = chip.time  # the seconds may have moved on between
    turns = all(
        value == block[register]
        for register, value in enumerate(again)
        if register != ticking
    )
    fields = block[chip.time : chip.time + 7]
    register, bit = chip.twelve
    twelve = block[register] & bit != 0
    return turns and _calendar(chip, fields, twelve) is not None


def _calendar(chip: Chip, fields: Sequence[int], twelve: bool) -> Utc | None:
    """The time in seven registers, or None if it is none.

    `twelve`: hours count to 12.
    """
    second, minute, hour, one, other, month, year = fields
    day, weekday = (other, one) if chip.weekday_first else (one, other)
    if weekday > 7:
        return None
    try:
        return Utc.of(
            2000 + _plain(year),
            _plain(month & 0x7F),  # DS3231: bit 7 is the century's turn
            _plain(day),
            _hours(hour) if twelve else _plain(hour),
            _plain(minute),
            _plain(second & 0x7F),  # PCF8523: bit 7 is the lost flag
        )
    except ValueError:
        return None


def _hours(register: int) -> int:
    """12, 1, 2 ... 11 of morning or afternoon, as 0 to 23. ValueError: it is none."""
    hour = _plain(register & 0x1F)
    if not 1 <= hour <= 12:
        raise ValueError(f"{hour} is no hour")
    return hour % 12 + 12 * (register & _AFTERNOON != 0)


def _hour(chip: Chip, hour: int, twelve: bool) -> int:
    """The register of that hour, 0 to 23."""
    if not twelve:
        return _bcd(hour)
    register, bit = chip.twelve
    told = _bcd((hour + 11) % 12 + 1) | (_AFTERNOON if hour >= 12 else 0)
    return told | (bit if register == chip.time + 2 else 0)


def _bcd(value: int) -> int:
    return value // 10 << 4 | value % 10


def _plain(bcd: int) -> int:
    return int(f"{bcd:x}")  # ValueError: a digit beyond 9
