"""What every `Thermometer` and `Rtc` promises: on the bus, the kernel's, a Pi's."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from hw.abi.rtc import RTC_RD_TIME
from hw.emu.i2c import SHEETS, Bus, ClockChip
from hw.linux.clock import FreeClock
from hw.linux.i2c import (
    CHIPS,
    DS3231,
    Chip,
    ChipRtc,
    ChipThermometer,
    ageing,
    set_ageing,
)
from hw.linux.rtc import KernelRtc
from hw.linux.sensors import KernelThermometer
from refclock.board.ports import Board
from refclock.timebase import SECOND, Tai, Utc
from tests.contract.conftest import Vendor, opened

_CELSIUS = 25.25


def kernels(request: pytest.FixtureRequest) -> Board:
    """What the kernel's own drivers would show."""
    folder: Path = request.getfixturevalue("tmp_path")
    (folder / "rtc0").touch()
    (folder / "temp").write_text("25250\n")
    shows = bytearray(36)

    def ioctl(_file: int, asked: int, room: bytearray) -> int:
        if asked == RTC_RD_TIME:
            room[:] = shows
        else:
            shows[:] = room
        return 0

    return Board(
        name="the kernel's",
        clock=FreeClock(),
        open_receiver=None,
        open_pulse=None,
        open_thermometer=lambda: KernelThermometer(folder / "temp", "cpu-thermal"),
        open_rtc=lambda: KernelRtc(str(folder / "rtc0"), ioctl),
    )


def on_the_bus(chip: Chip, _request: pytest.FixtureRequest) -> Board:
    measures = chip is DS3231
    there = ClockChip(SHEETS[chip.name], lambda: Tai(0), _CELSIUS if measures else None)
    return Board(
        name=chip.name,
        clock=FreeClock(),
        open_receiver=None,
        open_pulse=None,
        open_thermometer=(lambda: ChipThermometer(Bus(there))) if measures else None,
        open_rtc=lambda: ChipRtc(Bus(there), chip),
    )


EMULATED = {"kernel": kernels} | {
    chip.name: partial(on_the_bus, chip) for chip in CHIPS
}

LAST = Utc.of(2026, 12, 31, 23, 59, 58)
LEAP_DAY = Utc.of(2028, 2, 29, 12)


@pytest.mark.usefixtures("may_set")
@pytest.mark.parametrize("utc", [LAST, LEAP_DAY])
def test_a_battery_clock_keeps_what_it_is_told(board: Board, utc: Utc) -> None:
    rtc = opened(board.open_rtc)
    rtc.write(utc)
    shown = rtc.read()
    rtc.close()
    assert shown is not None
    assert utc <= shown <= utc + SECOND


@pytest.mark.parametrize("make", EMULATED.values(), ids=EMULATED)
def test_a_battery_clock_that_was_never_set_says_nothing(
    make: Vendor, request: pytest.FixtureRequest
) -> None:
    rtc = opened(make(request).open_rtc)
    assert rtc.read() is None
    rtc.close()


def test_a_battery_clock_shows_a_time_of_ours_or_none(board: Board) -> None:
    rtc = opened(board.open_rtc)
    shown = rtc.read()
    assert shown is None or shown > Utc.of(2020, 1, 1)
    assert rtc.name
    rtc.close()


@pytest.mark.parametrize("steps", [0, 127, -1, -128])
def test_a_trim_is_kept_and_costs_no_time(steps: int) -> None:
    chip = ClockChip(SHEETS[DS3231.name], lambda: Tai(0), _CELSIUS)
    chip.set(LEAP_DAY)
    bus = Bus(chip)
    set_ageing(bus, steps)
    assert ageing(bus) == steps
    assert ChipRtc(bus, DS3231).read() == LEAP_DAY
    assert ChipThermometer(bus).celsius() == _CELSIUS


@pytest.mark.hardware
def test_this_machine_s_thermometer_reads_degrees(board: Board) -> None:
    sensor = opened(board.open_thermometer)
    assert -40 < sensor.celsius() < 125
    assert sensor.name
    sensor.close()


@pytest.mark.parametrize("make", [EMULATED["kernel"], EMULATED[DS3231.name]])
def test_a_thermometer_reads_degrees(
    make: Vendor, request: pytest.FixtureRequest
) -> None:
    sensor = opened(make(request).open_thermometer)
    assert sensor.celsius() == _CELSIUS
    sensor.close()
