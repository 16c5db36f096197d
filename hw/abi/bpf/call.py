"""The system call bpf(2).

Commands and layouts: <linux/bpf.h>. All fields of `union bpf_attr` are of fixed size
and pointers are 64 bits wide, so the layouts are the same on every machine.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Final

_SYSCALL: Final = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361}
_SYSCALL_32: Final = {"x86_64": 357, "i686": 357, "aarch64": 386}
_ARM: Final = 386
(
    MAP_CREATE,
    MAP_LOOKUP_ELEM,
    MAP_UPDATE_ELEM,
    MAP_DELETE_ELEM,
    MAP_GET_NEXT_KEY,
    PROG_LOAD,
) = range(6)
PROG_TEST_RUN: Final = 10
MAP_LOOKUP_BATCH: Final = 24
LINK_CREATE: Final = 28

_libc = ctypes.CDLL(None, use_errno=True)


def bpf(
    command: int, attributes: bytes, size: int = 128, ends: int = 0
) -> tuple[int, bytes]:
    """What bpf(2) returned, and the attributes as it left them.

    `size`: of the attributes with padding, bytes; `ends`: the error that means that
    there is no more. OSError: any other.
    """
    room = ctypes.create_string_buffer(attributes, size)
    done = int(_libc.syscall(_number(), command, room, size))
    code = ctypes.get_errno()
    if done < 0 and code != ends:
        raise OSError(code, f"bpf(2): {os.strerror(code)}")
    return done, room.raw


class At:
    """The address of some bytes, for as long as it is entered."""

    def __init__(self, data: bytes) -> None:
        self._memory = ctypes.create_string_buffer(data, max(len(data), 1))

    def __enter__(self) -> int:
        return ctypes.addressof(self._memory)

    def __exit__(self, *_: object) -> None:
        del self._memory


def _number() -> int:
    machine = platform.machine()
    if machine.startswith("armv"):
        return _ARM
    table = _SYSCALL if struct.calcsize("P") == 8 else _SYSCALL_32
    if machine not in table:
        raise OSError(errno.ENOSYS, f"bpf(2) has no known number on {machine}")
    return table[machine]
