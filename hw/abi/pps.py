"""Pulse devices, /dev/ppsN: <linux/pps.h>, and how 32-bit programs are understood.

Stamps have 64 bits of seconds on every machine. Two things follow the word size of
the program: the numbers of the ioctls, for whose size the header takes that of a
pointer, and where the time-out of PPS_FETCH is.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

from hw.abi.ioctl import both, read, write

CAPTUREASSERT: Final = 0x01
CAPTURECLEAR: Final = 0x02
TSPEC: Final = 0x1000
API_VERSION: Final = 1

_GROUP: Final = ord("p")
_POINTER: Final = ctypes.sizeof(ctypes.c_void_p)
SETPARAMS: Final = write(_GROUP, 0xA2, _POINTER)
GETCAP: Final = read(_GROUP, 0xA3, _POINTER)
FETCH: Final = both(_GROUP, 0xA4, _POINTER)

INFO: Final = struct.Struct("=IIqiIqiI")
"""Of struct pps_kinfo: sequence of assert and of clear, then s, ns, flags of each."""
PARAMS: Final = struct.Struct("=iiqiIqiI")
"""struct pps_kparams: version, mode, then what to add to each stamp."""
TIMEOUT: Final = struct.Struct("=qiI")
"""struct pps_ktime: s, ns, flags."""
FETCH_SIZE: Final = 64
"""Of struct pps_fdata, bytes."""


def timeout_at(pointer: int, machine: str) -> int:
    """Where in struct pps_fdata the kernel reads the time-out, bytes.

    `pointer`: its size in the program; `machine`: as uname(2) has it. A 64-bit
    kernel reads the struct of a 32-bit program as i386 packs it, on ARM too (struct
    pps_fdata_compat): four bytes before where the program's own header has it.
    """
    packed = "64" in machine or machine == "armv8l" or machine.endswith("86")
    return 44 if pointer == 4 and packed else 48


TIMEOUT_AT: Final = timeout_at(_POINTER, os.uname().machine)
