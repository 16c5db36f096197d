"""Emulated battery clocks, and the real driver on them: two readings of one sheet."""

from __future__ import annotations

import errno

import pytest

from hw.emu.i2c import SHEETS, Bus, ClockChip
from hw.linux.i2c import CHIPS, Chip, ChipRtc, ChipThermometer, identify
from refclock.timebase import SECOND, Duration, Tai, Utc

UTC = Utc.of(2027, 2, 28, 23, 59, 58)
BY_NAME = pytest.mark.parametrize("chip", CHIPS, ids=[chip.name for chip in CHIPS])


class Time:
    """True time as a test lets it pass."""

    def __init__(self) -> None:
        self.at = Tai(0)

    def now(self) -> Tai:
        return self.at

    def goes(self, by: Duration) -> None:
        self.at += by


def made(name: str, celsius: float | None = None) -> tuple[ClockChip, Time]:
    time = Time()
    return ClockChip(SHEETS[name], time.now, celsius), time


def registers_of(chip: ClockChip, first: int, count: int) -> bytes:
    chip.write(bytes([first]))
    return chip.read(count)


@BY_NAME
def test_the_driver_knows_each_chip_by_its_registers(chip: Chip) -> None:
    assert identify(Bus(made(chip.name)[0]), CHIPS) is chip


@BY_NAME
def test_a_chip_that_started_from_nothing_says_so_until_it_is_set(chip: Chip) -> None:
    emulated, _ = made(chip.name)
    driver = ChipRtc(Bus(emulated), chip)
    assert driver.read() is None
    driver.write(UTC)
    assert driver.read() == UTC


@BY_NAME
def test_it_ticks_whole_seconds_from_when_it_was_set(chip: Chip) -> None:
    emulated, time = made(chip.name)
    time.goes(Duration(300_000_000))
    driver = ChipRtc(Bus(emulated), chip)
    driver.write(UTC)
    time.goes(2 * SECOND - Duration(1))
    assert driver.read() == UTC + SECOND
    time.goes(Duration(1))
    assert driver.read() == Utc.of(2027, 3, 1)


@BY_NAME
def test_one_that_was_set_before_kept_its_time(chip: Chip) -> None:
    emulated, time = made(chip.name)
    emulated.set(UTC)
    time.goes(86_400 * SECOND)
    assert ChipRtc(Bus(emulated), chip).read() == UTC + 86_400 * SECOND


@pytest.mark.parametrize(
    ("name", "registers"),
    [
        ("DS3231", "58 59 23 01 28 02 27"),  # a Sunday
        ("RV-3028", "58 59 23 00 28 02 27"),
        ("PCF8523", "58 59 23 28 00 02 27"),
    ],
)
def test_the_time_stands_where_the_sheet_says(name: str, registers: str) -> None:
    emulated, _ = made(name)
    emulated.set(UTC)
    assert registers_of(emulated, SHEETS[name].time, 7) == bytes.fromhex(registers)


def test_reading_on_begins_again_at_the_first_register() -> None:
    emulated, _ = made("DS3231")
    emulated.set(UTC)
    block = registers_of(emulated, 0, 32)
    assert block[0x13:] == block[: 32 - 0x13]


def test_a_register_is_written_without_disturbing_the_time() -> None:
    emulated, time = made("DS3231")
    emulated.set(UTC)
    time.goes(SECOND)
    emulated.write(b"\x10\x85")
    assert registers_of(emulated, 0x10, 1) == b"\x85"
    assert registers_of(emulated, 0, 1) == b"\x59"


def test_a_flag_beside_the_seconds_is_no_second() -> None:
    emulated, time = made("PCF8523")
    emulated.write(bytes([0x03, 0x80 | 0x58]))
    time.goes(SECOND)
    assert registers_of(emulated, 0x03, 1) == bytes([0x80 | 0x59])
    emulated.write(b"\x03\x58")
    assert registers_of(emulated, 0x03, 1) == b"\x58"


def test_reading_goes_on_where_it_ended() -> None:
    emulated, _ = made("RV-3028")
    emulated.set(UTC)
    assert registers_of(emulated, 0, 3) + emulated.read(4) == registers_of(
        emulated, 0, 7
    )


@pytest.mark.parametrize("celsius", [-40.25, -0.25, 0.0, 25.75])
def test_the_thermometer_tells_quarters(celsius: float) -> None:
    emulated, _ = made("DS3231", celsius)
    assert ChipThermometer(Bus(emulated)).celsius() == celsius


def test_nobody_answers_at_another_address_or_on_a_broken_wire() -> None:
    bus = Bus(made("DS3231")[0])
    with pytest.raises(OSError, match="Remote") as silent:
        bus.read_i2c_block_data(0x52, 0, 1)
    assert silent.value.errno == errno.EREMOTEIO
    assert bus.read_i2c_block_data(0x68, 1, 1) == [0]
    bus.silent = True
    with pytest.raises(OSError, match="Remote"):
        bus.write_i2c_block_data(0x68, 0, [0])
    bus.close()


def test_a_chip_the_kernel_has_is_busy() -> None:
    bus = Bus(made("DS3231")[0])
    bus.claimed = True
    with pytest.raises(OSError, match=r"rtc.device = "):
        identify(bus, CHIPS)


def test_no_more_than_32_registers_at_once() -> None:
    with pytest.raises(ValueError, match="32"):
        Bus(made("DS3231")[0]).read_i2c_block_data(0x68, 0, 33)
