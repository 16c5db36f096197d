"""clock_adjtime(2): struct timex, its numbers, and the call.

<sys/timex.h>, <linux/timex.h>. The struct is that of 64-bit time on every machine:
struct __kernel_timex is laid out alike on 32 and 64 bits. On 32 bits the C
library's symbol `clock_adjtime` takes the struct of 32-bit time, whatever time_t a
distribution compiles with; that of 64-bit time is `__clock_adjtime64` (glibc 2.34,
musl 1.2).
"""

from __future__ import annotations

import ctypes
import os
import time
from ctypes import c_int, c_int64, c_uint
from typing import Final

ADJ_OFFSET: Final = 0x0001
ADJ_FREQUENCY: Final = 0x0002
ADJ_MAXERROR: Final = 0x0004
ADJ_ESTERROR: Final = 0x0008
ADJ_STATUS: Final = 0x0010
ADJ_TAI: Final = 0x0080
ADJ_SETOFFSET: Final = 0x0100
ADJ_MICRO: Final = 0x1000
ADJ_NANO: Final = 0x2000
ADJ_TICK: Final = 0x4000

STA_PLL: Final = 0x0001
STA_INS: Final = 0x0010
STA_DEL: Final = 0x0020
STA_UNSYNC: Final = 0x0040
STA_NANO: Final = 0x2000


class Timex(ctypes.Structure):
    """struct __kernel_timex."""

    _fields_ = (
        ("modes", c_uint),
        ("_1", c_int),
        ("offset", c_int64),
        ("freq", c_int64),
        ("maxerror", c_int64),
        ("esterror", c_int64),
        ("status", c_int),
        ("_2", c_int),
        ("constant", c_int64),
        ("precision", c_int64),
        ("tolerance", c_int64),
        ("time_sec", c_int64),
        ("time_usec", c_int64),
        ("tick", c_int64),
        ("ppsfreq", c_int64),
        ("jitter", c_int64),
        ("shift", c_int),
        ("_3", c_int),
        ("stabil", c_int64),
        ("jitcnt", c_int64),
        ("calcnt", c_int64),
        ("errcnt", c_int64),
        ("stbcnt", c_int64),
        ("tai", c_int),
        ("reserved", c_int * 11),
    )


_NAME: Final = (
    "clock_adjtime"
    if ctypes.sizeof(ctypes.c_long) == ctypes.sizeof(c_int64)
    else "__clock_adjtime64"
)


def clock_adjtime(timex: Timex, clock: int = time.CLOCK_REALTIME) -> int:
    """Adjust that clock as `timex.modes` has it, and fill in the other fields.

    Returns the clock's state (TIME_OK, TIME_INS ...). With no modes it only reads,
    and anyone may. OSError: the kernel refused, or a sandbox did.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), _NAME)
    state = int(call(clock, ctypes.byref(timex)))
    if state < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return state
