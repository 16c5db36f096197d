"""What every `Thermometer` and `Rtc` promises: on the bus, the kernel's, a Pi's."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hw.linux.i2c import CHIPS, DS3231, ChipRtc, ChipThermometer
from hw.linux.sensors import RTC_RD_TIME, KernelRtc, KernelThermometer
from refclock.ports import Board, Rtc, Thermometer
from refclock.timebase import Utc
from tests.contract.conftest import opened


class Bus:
    """Registers that stay as they were written."""

    def __init__(self) -> None:
        self.registers = bytearray(64)

    def read_i2c_block_data(
        self, i2c_addr: int, register: int, length: int
    ) -> list[int]:
        assert i2c_addr in {chip.address for chip in CHIPS}
        return list(self.registers[register : register + length])

    def write_i2c_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int]
    ) -> None:
        assert i2c_addr in {chip.address for chip in CHIPS}
        self.registers[register : register + len(data)] = bytes(data)

    def close(self) -> None:
        """Nothing is held."""


def kernel_rtc(folder: Path) -> Rtc:
    (folder / "rtc0").touch()
    shows = bytearray(36)

    def ioctl(_file: int, request: int, room: bytearray) -> int:
        if request == RTC_RD_TIME:
            room[:] = shows
        else:
            shows[:] = room
        return 0

    return KernelRtc(str(folder / "rtc0"), ioctl)


def on_the_bus(chip: int) -> Callable[[Path], Rtc]:
    return lambda _folder: ChipRtc(Bus(), CHIPS[chip])


@pytest.fixture(
    params=[kernel_rtc, *(on_the_bus(number) for number in range(len(CHIPS)))],
    ids=["kernel", *(chip.name for chip in CHIPS)],
)
def rtc(request: pytest.FixtureRequest, tmp_path: Path) -> Rtc:
    made: Rtc = request.param(tmp_path)
    return made


@pytest.mark.parametrize(
    "utc", [Utc.of(2026, 12, 31, 23, 59, 59), Utc.of(2028, 2, 29, 12)]
)
def test_a_battery_clock_keeps_what_it_is_told(rtc: Rtc, utc: Utc) -> None:
    rtc.write(utc)
    assert rtc.read() == utc
    assert rtc.name
    rtc.close()


def test_a_battery_clock_that_was_never_set_says_nothing(rtc: Rtc) -> None:
    assert rtc.read() is None
    rtc.close()


@pytest.mark.hardware
def test_this_machine_s_battery_clock_reads(real_board: Board) -> None:
    real = opened(real_board.open_rtc)
    shown = real.read()
    assert shown is None or shown > Utc.of(2020, 1, 1)
    assert real.name
    real.close()


def bus_thermometer(_folder: Path) -> Thermometer:
    bus = Bus()
    bus.registers[0x11:0x13] = struct.pack(">h", 25 * 256 + 64)
    return ChipThermometer(bus)


def kernel_thermometer(folder: Path) -> Thermometer:
    (folder / "temp").write_text("25250\n")
    return KernelThermometer(folder / "temp", "cpu-thermal")


@pytest.mark.parametrize("make", [bus_thermometer, kernel_thermometer])
def test_a_thermometer_reads_degrees(
    make: Callable[[Path], Thermometer], tmp_path: Path
) -> None:
    sensor = make(tmp_path)
    assert sensor.celsius() == 25.25
    assert sensor.name
    sensor.close()


@pytest.mark.hardware
def test_this_machine_s_thermometer_reads(real_board: Board) -> None:
    sensor = opened(real_board.open_thermometer)
    assert -40 < sensor.celsius() < 125
    assert sensor.name
    sensor.close()


def test_the_thermometer_is_the_chip_s_own() -> None:
    assert ChipThermometer.name == DS3231.name
