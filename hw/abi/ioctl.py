"""Numbers of ioctls, from what they are made of: <asm-generic/ioctl.h>.

The size in the number is that of the struct as laid out here, so that number and
layout cannot differ. Right on x86, ARM, RISC-V, and on none of the others (alpha,
mips, powerpc, sparc number the directions differently).
"""

from __future__ import annotations

from collections.abc import Callable

Ioctl = Callable[[int, int, bytearray], int]
"""fcntl.ioctl: file, request, the argument, which the kernel may change."""


def none(group: int, number: int) -> int:
    """_IO: without an argument."""
    return group << 8 | number


def write(group: int, number: int, size: int) -> int:
    """_IOW: the kernel reads an argument of `size` bytes."""
    return 1 << 30 | size << 16 | none(group, number)


def read(group: int, number: int, size: int) -> int:
    """_IOR: the kernel writes an argument of `size` bytes."""
    return 2 << 30 | size << 16 | none(group, number)


def both(group: int, number: int, size: int) -> int:
    """_IOWR: the kernel reads the argument, and writes it."""
    return write(group, number, size) | read(group, number, size)
