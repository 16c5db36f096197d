"""The kernel's battery clocks, and the choice among several."""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from hw.abi.rtc import RTC_RD_TIME, RTC_SET_TIME
from hw.linux.rtc import KernelRtc, SetRtc, kernel_rtcs
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
    with pytest.raises(OSError, match="does not answer"):
        clock.read()
    with pytest.raises(OSError, match="no such device"):
        KernelRtc(f"{device}9", driver.ioctl)


def test_no_date_at_all_is_lost(device: str) -> None:
    driver = Driver(0, 0, 0, 32, 12, 130)
    assert KernelRtc(device, driver.ioctl).read() is None


@dataclass
class Shown:
    """A clock that shows that."""

    name: str
    utc: Utc | None
    gone: bool = False
    closed: int = 0

    def read(self) -> Utc | None:
        if self.gone:
            raise OSError(errno.EIO, f"{self.name} is gone")
        return self.utc

    def write(self, utc: Utc) -> None:
        self.utc = utc

    def close(self) -> None:
        self.closed += 1


def of(*clocks: Shown | OSError) -> SetRtc:
    def opened(clock: Shown | OSError) -> Shown:
        if isinstance(clock, OSError):
            raise clock
        return clock

    return SetRtc([partial(opened, clock) for clock in clocks])


def test_the_one_that_is_set_is_chosen() -> None:
    """A Pi 5 without a battery, and a DS3231 beside it."""
    unset, right = Shown("/dev/rtc0", None), Shown("/dev/rtc1", LEAP_DAY)
    chosen = of(unset, right)
    assert (chosen.name, chosen.read()) == ("/dev/rtc1", LEAP_DAY)
    assert (unset.closed, right.closed) == (1, 0)
    assert chosen.read() == LEAP_DAY


def test_what_is_read_is_never_what_it_showed_before() -> None:
    clock = Shown("/dev/rtc0", Utc.of(2025, 1, 1))
    chosen = of(clock)
    chosen.write(LEAP_DAY)
    assert chosen.read() == LEAP_DAY


def test_of_two_that_are_set_the_first() -> None:
    second = Shown("/dev/rtc1", LEAP_DAY)
    assert of(Shown("/dev/rtc0", LEAP_DAY), second).name == "/dev/rtc0"


def test_one_that_cannot_be_opened_is_none_of_them() -> None:
    chosen = of(PermissionError("not allowed"), Shown("/dev/rtc1", LEAP_DAY))
    assert chosen.name == "/dev/rtc1"
    gone = Shown("/dev/rtc0", LEAP_DAY, gone=True)
    assert of(gone, Shown("/dev/rtc1", LEAP_DAY)).name == "/dev/rtc1"


def test_where_none_is_set_it_is_asked_again_which_is() -> None:
    unset, other = Shown("/dev/rtc0", None), Shown("/dev/rtc1", None)
    chosen = of(unset, other)
    assert (chosen.name, chosen.read()) == ("/dev/rtc0", None)
    other.utc = LEAP_DAY
    assert (chosen.read(), chosen.name) == (LEAP_DAY, "/dev/rtc1")


def test_the_first_refusal_is_told_where_all_refuse() -> None:
    with pytest.raises(PermissionError, match="not allowed"):
        of(PermissionError("not allowed"), FileNotFoundError("none there"))
    with pytest.raises(FileNotFoundError, match=r"config.txt.*rtc.source"):
        of()


def test_the_kernel_s_clocks_by_number(tmp_path: Path) -> None:
    for name in ("rtc10", "rtc2", "rtc0", "rtc-of-nobody"):
        (tmp_path / name).mkdir()
    assert list(kernel_rtcs(tmp_path)) == ["/dev/rtc0", "/dev/rtc2", "/dev/rtc10"]
