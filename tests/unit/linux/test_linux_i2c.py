"""Battery clocks on a bus of our own: registers that turn, tick and refuse."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from hw.linux import i2c
from hw.linux.i2c import (
    CHIPS,
    DS3231,
    PCF8523,
    RV3028,
    Chip,
    ChipRtc,
    ChipThermometer,
    ageing,
    identify,
    open_bus,
    open_rtc,
    open_thermometer,
    set_ageing,
    taken_as,
)
from refclock.timebase import Utc

LEAP_DAY = Utc.of(2028, 2, 29, 23, 59, 58)


@dataclass
class Wire:
    """Chips by address, each so many registers, which turn over at the end."""

    chips: dict[int, bytearray] = field(default_factory=dict)
    claimed: set[int] = field(default_factory=set)
    closed: bool = False

    def read_i2c_block_data(
        self, i2c_addr: int, register: int, length: int
    ) -> list[int]:
        registers = self.answer(i2c_addr)
        assert length <= 32
        return [registers[(register + i) % len(registers)] for i in range(length)]

    def write_i2c_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int]
    ) -> None:
        self.answer(i2c_addr)[register : register + len(data)] = bytes(data)

    def answer(self, address: int) -> bytearray:
        if address in self.claimed:
            raise OSError(errno.EBUSY, "Device or resource busy")
        if address not in self.chips:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        return self.chips[address]

    def close(self) -> None:
        self.closed = True


TWELVE = [
    *((bcd, False) for bcd in (0x12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11)),
    *((bcd, True) for bcd in (0x12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11)),
]
"""Of hours 0 to 23: in twelves, and whether it is the afternoon."""
FRESH = {
    # as a chip wakes with its battery just put in; from the data sheets
    DS3231: bytes.fromhex("00000001010100" + "00" * 7 + "1c88" + "001900"),
    PCF8523: bytes.fromhex("0000e0" + "80000001060100" + "80808080" + "00" * 6),
    RV3028: bytes.fromhex("00000000010100" + "808080" + "0000000010" + "00" * 49),
}
SIZES = {DS3231: 0x13, PCF8523: 0x14, RV3028: 0x40}


def wire(*chips: Chip) -> Wire:
    return Wire({chip.address: bytearray(FRESH[chip]) for chip in chips})


@pytest.mark.parametrize("chip", CHIPS)
def test_a_fresh_chip_says_that_it_lost_its_time(chip: Chip) -> None:
    bus = wire(chip)
    register, stopped = chip.lost
    bus.chips[chip.address][register] |= stopped
    assert ChipRtc(bus, chip).read() is None


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize(
    "utc", [LEAP_DAY, Utc.of(2000, 1, 1), Utc.of(2099, 12, 31, 12, 34, 56)]
)
def test_what_is_written_is_read(chip: Chip, utc: Utc) -> None:
    bus = wire(chip)
    register, stopped = chip.lost
    bus.chips[chip.address][register] |= stopped
    clock = ChipRtc(bus, chip)
    clock.write(utc)
    assert clock.read() == utc
    assert clock.name == chip.name


@pytest.mark.parametrize(
    ("chip", "start", "registers"),
    [
        (DS3231, 0x00, "58 59 23 03 29 02 28"),  # Tuesday is 3, Sunday being 1
        (RV3028, 0x00, "58 59 23 02 29 02 28"),
        (PCF8523, 0x03, "58 59 23 29 02 02 28"),
    ],
)
def test_registers_are_the_data_sheet_s(chip: Chip, start: int, registers: str) -> None:
    bus = wire(chip)
    ChipRtc(bus, chip).write(LEAP_DAY)
    assert bus.chips[chip.address][start : start + 7] == bytes.fromhex(registers)


def test_the_other_flags_beside_the_lost_flag_stay() -> None:
    bus = wire(DS3231)
    bus.chips[0x68][0x0F] = 0x8B
    ChipRtc(bus, DS3231).write(LEAP_DAY)
    assert bus.chips[0x68][0x0F] == 0x0B


def test_a_second_before_the_whole_is_not_rounded_up() -> None:
    bus = wire(DS3231)
    clock = ChipRtc(bus, DS3231)
    clock.write(Utc(LEAP_DAY.ns + 999_999_999))
    assert clock.read() == LEAP_DAY


def test_a_century_no_chip_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="2100-01-01"):
        ChipRtc(wire(DS3231), DS3231).write(Utc.of(2100, 1, 1))


def test_the_century_bit_is_no_month() -> None:
    bus = wire(DS3231)
    clock = ChipRtc(bus, DS3231)
    clock.write(LEAP_DAY)
    bus.chips[0x68][0x05] |= 0x80
    assert clock.read() == LEAP_DAY


@pytest.mark.parametrize(
    ("register", "value"),
    [(0, 0x5A), (1, 0x60), (2, 0x24), (3, 8), (4, 0x31), (5, 0x13), (6, 0xFF)],
)
def test_what_is_no_calendar_is_no_time(register: int, value: int) -> None:
    bus = wire(DS3231)
    clock = ChipRtc(bus, DS3231)
    clock.write(LEAP_DAY)
    bus.chips[0x68][register] = value
    assert clock.read() is None


@pytest.mark.parametrize("chip", CHIPS)
def test_a_chip_is_known_by_its_registers(chip: Chip) -> None:
    bus = wire(chip)
    assert len(bus.chips[chip.address]) == SIZES[chip]
    assert identify(bus, CHIPS) is chip
    ChipRtc(bus, chip).write(LEAP_DAY)
    assert identify(bus, CHIPS) is chip


@pytest.mark.parametrize("chip", [DS3231, PCF8523])
def test_a_second_that_ticks_while_it_is_read_fools_nobody(chip: Chip) -> None:
    class Ticking(Wire):
        def read_i2c_block_data(
            self, i2c_addr: int, register: int, length: int
        ) -> list[int]:
            block = super().read_i2c_block_data(i2c_addr, register, length)
            again = chip.time + chip.registers
            if len(block) > again:
                block[again] += 1
            return block

    bus = Ticking(wire(chip).chips)
    ChipRtc(bus, chip).write(LEAP_DAY)
    assert identify(bus, CHIPS) is chip


MOTION = {
    "asleep": bytes(128),
    "awake": bytes.fromhex("58591202280228" + "01" * 121),
    "pulled up": b"\xff" * 128,
}


@pytest.mark.parametrize("registers", MOTION.values(), ids=MOTION)
def test_a_motion_sensor_is_no_clock(registers: bytes) -> None:
    with pytest.raises(FileNotFoundError, match="DS3231, PCF8523, RV-3028"):
        identify(Wire({0x68: bytearray(registers)}), CHIPS)


def test_an_empty_bus_has_no_clock() -> None:
    with pytest.raises(FileNotFoundError, match="no chip"):
        identify(Wire(), CHIPS)


def test_a_chip_the_kernel_has_is_told() -> None:
    with pytest.raises(OSError, match="/dev/rtc0") as refused:
        identify(Wire(claimed={0x68}), CHIPS)
    assert refused.value.errno == errno.EBUSY


def test_the_name_the_kernel_gave_the_chip_is_told(tmp_path: Path) -> None:
    (tmp_path / "3-0068/rtc/rtc1").mkdir(parents=True)
    (tmp_path / "4-0068/rtc/rtc2").mkdir(parents=True)
    assert taken_as(3, tmp_path) == "/dev/rtc1"
    assert taken_as(5, tmp_path) == "/dev/rtc0"
    with pytest.raises(OSError, match=r'rtc.device = "/dev/rtc7"'):
        identify(Wire(claimed={0x68}), CHIPS, "/dev/rtc7")


def test_a_second_chip_is_found_beside_a_claimed_one() -> None:
    bus = replace(wire(RV3028), claimed={0x68})
    assert identify(bus, CHIPS) is RV3028


@pytest.mark.parametrize(
    ("high", "low", "celsius"),
    [(0x19, 0x40, 25.25), (0x00, 0x00, 0.0), (0xFF, 0xC0, -0.25), (0xE7, 0x00, -25.0)],
)
def test_quarters_of_a_degree(high: int, low: int, celsius: float) -> None:
    bus = wire(DS3231)
    bus.chips[0x68][0x11:0x13] = bytes((high, low))
    assert ChipThermometer(bus).celsius() == celsius


@pytest.mark.parametrize(
    ("steps", "register"), [(0, 0), (127, 0x7F), (-1, 0xFF), (-128, 0x80)]
)
def test_ageing_is_signed(steps: int, register: int) -> None:
    bus = wire(DS3231)
    set_ageing(bus, steps)
    assert bus.chips[0x68][0x10] == register
    assert ageing(bus) == steps


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Wire:
    found = wire(DS3231)
    monkeypatch.setattr(i2c, "SMBus", {1: found}.__getitem__)
    return found


def test_opened_by_number_and_closed(bus: Wire) -> None:
    clock, sensor = open_rtc(1), open_thermometer(1)
    assert clock.name == sensor.name == "DS3231"
    clock.close()
    assert bus.closed
    bus.closed = False
    sensor.close()
    assert bus.closed


@pytest.mark.parametrize(("trim", "register"), [(None, 0x05), (0, 0), (-12, 0xF4)])
def test_opened_it_is_trimmed_as_told(
    bus: Wire, trim: int | None, register: int
) -> None:
    bus.chips[0x68][0x10] = 0x05
    open_rtc(1, trim).close()
    assert bus.chips[0x68][0x10] == register


def test_a_chip_that_has_no_trim_is_not_taken_for_one(bus: Wire) -> None:
    bus.chips = wire(PCF8523).chips
    with pytest.raises(FileNotFoundError, match="DS3231"):
        open_rtc(1, 5)
    assert bus.closed


def test_a_bus_with_nothing_on_it_is_closed(bus: Wire) -> None:
    bus.chips.clear()
    with pytest.raises(FileNotFoundError):
        open_rtc(1)
    assert bus.closed
    bus.closed = False
    with pytest.raises(FileNotFoundError):
        open_thermometer(1)
    assert bus.closed


def test_only_a_ds3231_has_the_thermometer(bus: Wire) -> None:
    bus.chips = wire(PCF8523).chips
    with pytest.raises(FileNotFoundError, match="DS3231"):
        open_thermometer(1)


def test_no_bus_says_how_to_switch_it_on() -> None:
    with pytest.raises(FileNotFoundError, match="i2c_arm"):
        open_bus(250)


def test_not_allowed_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_number: int) -> Wire:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(i2c, "SMBus", refuse)
    with pytest.raises(PermissionError, match="group i2c"):
        open_bus(1)


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("hour", range(24))
def test_hours_that_count_to_twelve_are_read_and_written(chip: Chip, hour: int) -> None:
    bus = wire(chip)
    register, bit = chip.twelve
    bus.chips[chip.address][register] |= bit
    clock = ChipRtc(bus, chip)
    utc = Utc.of(2028, 2, 29, hour, 30, 15)
    clock.write(utc)
    shown = bus.chips[chip.address][chip.time + 2]
    assert (shown & 0x1F, shown & 0x20 != 0) == TWELVE[hour]
    assert bus.chips[chip.address][register] & bit
    assert clock.read() == utc


@pytest.mark.parametrize("chip", CHIPS)
def test_a_chip_whose_hours_count_to_twelve_is_known(chip: Chip) -> None:
    bus = wire(chip)
    register, bit = chip.twelve
    bus.chips[chip.address][register] |= bit
    bus.chips[chip.address][chip.time + 2] |= 0x32  # noon, or the half hour after
    assert identify(bus, CHIPS) is chip


@pytest.mark.parametrize("hour", [0x00, 0x13, 0x20, 0x1A])
def test_an_hour_that_is_none_is_no_time(hour: int) -> None:
    bus = wire(DS3231)
    bus.chips[DS3231.address][0x02] = 0x40 | hour
    assert ChipRtc(bus, DS3231).read() is None
