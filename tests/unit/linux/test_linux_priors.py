"""What lateness of a pulse is taken for granted before it is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw.linux.priors import CARD, Prior, of_source, on_gpio, on_port
from refclock.timebase import MICROSECOND, Duration
from tests.fakes.machine import MadeUp

PI_5 = "Raspberry Pi 5 Model B Rev 1.0"


def within(first_us: int, last_us: int) -> Prior:
    middle = Duration((first_us + last_us) * 500)
    return Prior(middle, middle - first_us * MICROSECOND)


@pytest.mark.parametrize(
    ("model", "latency_ns", "spread_ns"),
    [
        (PI_5, 12_000, 8_000),
        ("Raspberry Pi 500 Rev 1.0", 12_000, 8_000),
        ("Raspberry Pi Compute Module 5 Rev 1.0", 12_000, 8_000),
        ("Raspberry Pi 4 Model B Rev 1.4", 3_700, 1_000),
        ("Raspberry Pi 400 Rev 1.0", 3_700, 1_000),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", 6_600, 1_500),
        ("Raspberry Pi Zero 2 W Rev 1.0", 6_600, 1_500),
        ("Raspberry Pi Zero W Rev 1.1", 5_000, 5_000),
        ("Linux on x86_64", 5_000, 5_000),
    ],
)
def test_a_line_s_by_how_the_model_s_name_begins(
    model: str, latency_ns: int, spread_ns: int
) -> None:
    assert on_gpio(model) == Prior(Duration(latency_ns), Duration(spread_ns))


def test_no_prior_claims_more_than_its_source() -> None:
    for model in ("Raspberry Pi 5", "Raspberry Pi 4", "Raspberry Pi 3", "a PC"):
        assert on_gpio(model).spread >= MICROSECOND
    assert CARD.spread >= 25 * MICROSECOND


@pytest.mark.parametrize(
    ("speed", "endpoints", "last_us"),
    [
        ("12", ("81 Bulk 0ms", "02 Bulk 0ms"), 1_300),
        ("480", ("81 Bulk 0ms", "02 Bulk 0ms"), 425),
        ("5000", ("81 Bulk 0ms",), 425),
        ("1.5", ("81 Interrupt 10ms",), 10_300),
        ("12", ("81 Interrupt 1ms", "02 Bulk 0ms", "83 Bulk 0ms"), 1_300),
        ("12", ("82 Bulk 0ms", "83 Interrupt 16ms"), 16_300),
        ("480", ("81 Interrupt 125us",), 425),
        ("12", (), 1_300),
        ("odd", ("81 Interrupt often",), 425),
    ],
)
def test_an_adapter_s_covers_a_period_of_asking(
    tmp_path: Path, speed: str, endpoints: tuple[str, ...], last_us: int
) -> None:
    made = MadeUp(tmp_path)
    made.usb_tty("ttyUSB0", speed=speed, endpoints=endpoints)
    assert on_port("/dev/ttyUSB0", tmp_path / "sys") == within(0, last_us)


def test_a_port_that_interrupts_is_late_by_waking_alone(tmp_path: Path) -> None:
    MadeUp(tmp_path).tty("ttyS0")
    assert on_port("/dev/ttyS0", tmp_path / "sys") == within(0, 300)


@pytest.mark.parametrize("path", [None, "/dev/ttyUSB7"])
def test_what_is_not_there_yet_may_be_the_slowest(
    tmp_path: Path, path: str | None
) -> None:
    assert on_port(path, tmp_path / "sys") == within(0, 1_300)


def test_a_pulse_device_of_a_line_discipline_is_a_port_s(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.usb_tty("ttyUSB0")
    made.pps(0, "pps@12.-1")
    made.pps(1, "usbserial0", "/dev/ttyUSB0")
    sys = tmp_path / "sys"
    assert of_source("/dev/pps0", PI_5, sys) == on_gpio(PI_5)
    assert of_source("/dev/pps1", PI_5, sys) == within(0, 1_300)
    assert of_source("/dev/pps9", PI_5, sys) == on_gpio(PI_5)
