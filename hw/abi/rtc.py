"""Battery clocks, /dev/rtcN: <linux/rtc.h>. No field follows the size of time_t."""

from __future__ import annotations

import struct
from typing import Final

from hw.abi.ioctl import read, write

TIME: Final = struct.Struct("=9i")
"""struct rtc_time: second, minute, hour, day, month - 1, year - 1900, three unused."""
_GROUP: Final = ord("p")
RTC_RD_TIME: Final = read(_GROUP, 0x09, TIME.size)
RTC_SET_TIME: Final = write(_GROUP, 0x0A, TIME.size)
