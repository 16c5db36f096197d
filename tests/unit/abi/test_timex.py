"""clock_adjtime(2) on the real kernel, read only."""

from __future__ import annotations

import ctypes
import time

import pytest

from hw.abi.timex import Timex, clock_adjtime


def test_the_struct_is_that_of_64_bit_time_on_every_machine() -> None:
    assert ctypes.sizeof(Timex) == 208


def test_the_real_kernel_fills_it_in() -> None:
    timex = Timex()
    assert 0 <= clock_adjtime(timex) <= 5
    assert abs(timex.time_sec - time.time()) < 2
    assert 9_000 <= timex.tick <= 11_000
    assert abs(timex.freq) <= 500 << 16
    assert timex.precision == 1


def test_a_clock_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        clock_adjtime(Timex(), 12345)
