"""The kernel's own battery clock and thermometers."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from hw.abi.rtc import RTC_RD_TIME, RTC_SET_TIME
from hw.linux.sensors import (
    KernelRtc,
    hwmon,
    zone,
)
from refclock.timebase import Utc

LEAP_DAY = Utc.of(2028, 2, 29, 23, 59, 58)


class Driver:
    """A kernel driver: struct rtc_time in, struct rtc_time out."""

    def __init__(self, *fields: int) -> None:
        self.fields = (*fields, 0, 0, 0)
        self.error = 0

    def ioctl(self, _file: int, request: int, room: bytearray) -> int:
        if self.error:
            raise OSError(self.error, "refused")
        if request == RTC_RD_TIME:
            room[:] = struct.pack("=9i", *self.fields)
        else:
            assert request == RTC_SET_TIME
            self.fields = struct.unpack("=9i", room)
        return 0


SHOWING = (58, 59, 23, 29, 1, 128)
"""The leap day, as struct rtc_time counts: months from 0, years from 1900."""


@pytest.fixture
def device(tmp_path: Path) -> str:
    (tmp_path / "rtc0").touch()
    return str(tmp_path / "rtc0")


def test_ioctl_numbers_are_the_header_s() -> None:
    size = struct.calcsize("9i") << 16
    assert 0x8000_0000 | size | ord("p") << 8 | 9 == RTC_RD_TIME
    assert 0x4000_0000 | size | ord("p") << 8 | 10 == RTC_SET_TIME


def test_the_kernel_s_clock_is_read(device: str) -> None:
    clock = KernelRtc(device, Driver(*SHOWING).ioctl)
    assert clock.read() == LEAP_DAY
    assert clock.name == device
    held = len(os.listdir("/proc/self/fd"))
    clock.read()
    assert len(os.listdir("/proc/self/fd")) == held
    clock.close()


def test_the_kernel_s_clock_is_set(device: str) -> None:
    driver = Driver(0, 0, 0, 1, 0, 70)
    clock = KernelRtc(device, driver.ioctl)
    assert clock.read() is None  # it started from nothing
    clock.write(LEAP_DAY)
    assert driver.fields == (*SHOWING, 0, 0, 0)
    assert clock.read() == LEAP_DAY


def test_a_driver_that_says_lost_is_believed(device: str) -> None:
    driver = Driver(*SHOWING)
    driver.error = errno.EINVAL
    assert KernelRtc(device, driver.ioctl).read() is None


def test_a_chip_that_is_gone_is_an_os_error(device: str) -> None:
    driver = Driver(*SHOWING)
    clock = KernelRtc(device, driver.ioctl)
    driver.error = errno.EIO
    with pytest.raises(OSError, match="refused"):
        clock.read()
    with pytest.raises(OSError, match="No such file"):
        KernelRtc(f"{device}9", driver.ioctl)


@pytest.fixture
def thermal(tmp_path: Path) -> Path:
    for number, (kind, temp) in enumerate([("gpu", "40000"), ("cpu-thermal", "51250")]):
        entry = tmp_path / f"thermal_zone{number}"
        entry.mkdir()
        (entry / "type").write_text(f"{kind}\n")
        (entry / "temp").write_text(f"{temp}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "name", "celsius"),
    [("auto", "cpu-thermal", 51.25), ("gpu", "gpu", 40.0)],
)
def test_a_thermal_zone_by_type(
    thermal: Path, kind: str, name: str, celsius: float
) -> None:
    sensor = zone(kind, thermal)
    assert (sensor.name, sensor.celsius()) == (name, celsius)
    sensor.close()


def test_without_a_processor_s_the_first_zone_will_do(thermal: Path) -> None:
    (thermal / "thermal_zone1" / "type").write_text("gpu\n")
    sensor = zone("auto", thermal)
    assert (sensor.name, sensor.celsius()) == ("gpu", 40.0)


@pytest.mark.parametrize("find", [zone, hwmon])
def test_a_missing_sensor_is_told(
    find: Callable[[str, Path], object], tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="lm75"):
        find("lm75", tmp_path)


def test_a_sensor_that_goes_is_an_os_error(thermal: Path) -> None:
    sensor = zone("auto", thermal)
    (thermal / "thermal_zone1" / "temp").unlink()
    with pytest.raises(OSError, match="No such file"):
        sensor.celsius()


def test_a_chip_s_thermometer_by_the_driver_s_name(tmp_path: Path) -> None:
    for number, kind in enumerate(["cpu_thermal", "ds3231"]):
        entry = tmp_path / f"hwmon{number}"
        entry.mkdir()
        (entry / "name").write_text(f"{kind}\n")
        (entry / "temp1_input").write_text(f"{number}5250\n")
    sensor = hwmon("ds3231", tmp_path)
    assert (sensor.name, sensor.celsius()) == ("ds3231", 15.25)
