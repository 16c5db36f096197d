"""Buses and battery clocks of machines made of files."""

from __future__ import annotations

from pathlib import Path

from hw.linux.probe.chips import BatteryClock, Bus, battery_clocks, buses
from hw.linux.probe.tree import DeviceTree
from tests.fakes.machine import MadeUp


def test_buses_and_what_the_kernel_has_there(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    devices = "sys/bus/i2c/devices"
    made.file(f"{devices}/i2c-1/name", "bcm2835 (i2c@7e804000)\n")
    made.file(f"{devices}/i2c-20/name", "fef04500.i2c\n")
    made.file(f"{devices}/1-0068/name", "ds3231\n")
    made.file(f"{devices}/1-0042/name", "ublox\n")
    made.file("dev/i2c-1")
    assert buses(tmp_path, DeviceTree(tmp_path)) == (
        Bus(
            1,
            "bcm2835 (i2c@7e804000)",
            None,
            True,
            ((0x42, "ublox"), (0x68, "ds3231")),
        ),
        Bus(20, "fef04500.i2c", None, False, ()),
    )


def test_battery_clocks(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.file("sys/class/rtc/rtc0/name", "rpi-rtc soc:rpi_rtc\n")
    made.file("sys/class/rtc/rtc0/hctosys", "1\n")
    made.file("sys/class/rtc/rtc1/name", "rtc-ds1307 1-0068\n")
    made.file("sys/class/rtc/rtc1/since_epoch", "1795917600\n")
    assert battery_clocks(tmp_path) == (
        BatteryClock("/dev/rtc0", "rpi-rtc soc:rpi_rtc", None, True),
        BatteryClock("/dev/rtc1", "rtc-ds1307 1-0068", 1_795_917_600, False),
    )
