"""The clock of a network card (PTP hardware clock), and how it stands to ours.

Layouts and numbers: <linux/ptp_clock.h>, <linux/ethtool.h>.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from refclock.timebase import SECOND, Local

SYS_OFFSET: Final = 0x4340_3D05
SYS_OFFSET_PRECISE: Final = 0xC040_3D08
SYS_OFFSET_EXTENDED: Final = 0xC4C0_3D09

_PRECISE: Final = struct.Struct("=qI4xqI4x32x")
_TIMES: Final = struct.Struct("=qI4xqI4xqI4x")
"""Our clock before, the card's, ours after."""
_EXTENDED: Final = struct.Struct("=I12x1200x")
_BASIC: Final = struct.Struct("=I12x816x")
_SAMPLES: Final = 5
_CANNOT: Final = {errno.EOPNOTSUPP, errno.ENOTTY, errno.ETIMEDOUT}
_SANE_RATE: Final = 1000
"""The clocks differ by less than 1 in 1000, or ours was stepped."""

_SIOCETHTOOL: Final = 0x8946
_GET_TS_INFO: Final = 0x41
_TS_INFO: Final = struct.Struct("=IIiI12xI12x")

Ioctl = Callable[[int, int, bytearray], int]


@dataclass(frozen=True, slots=True)
class Cross:
    """Both clocks at the same moment, ns."""

    card: int
    local: int
    doubt: int = 0
    """By how much it may not have been the same, either way."""


def rate(before: Cross, after: Cross) -> tuple[int, int]:
    """So many ns of ours in so many of the card's."""
    ours, theirs = after.local - before.local, after.card - before.card
    if abs(ours - theirs) * _SANE_RATE < theirs:
        return ours, theirs
    return 1, 1


def carried(card: int, before: Cross, after: Cross) -> Local:
    """When the card's clock showed `card`, along the line between two readings."""
    ours, theirs = rate(before, after)
    return Local(after.local - (after.card - card) * ours // theirs)


class PtpClock:
    """One card's clock, open. Used by one thread."""

    def __init__(self, path: str, mode: int, ioctl: Ioctl = fcntl.ioctl) -> None:
        """`mode`: O_RDONLY to read it; for its pins O_RDWR. OSError: not there."""
        self._ioctl = ioctl
        self._ways: list[Callable[[], Cross]] = [
            self._precisely,
            lambda: self._in_brackets(SYS_OFFSET_EXTENDED, _EXTENDED, 48),
            lambda: self._in_brackets(SYS_OFFSET, _BASIC, 32),
        ]
        self._file = os.open(path, mode | os.O_CLOEXEC)

    def fileno(self) -> int:
        """For select, and to read its events."""
        return self._file

    def ask(self, request: int, argument: bytes) -> bytes:
        """What the kernel made of the argument."""
        room = bytearray(argument)
        self._ioctl(self._file, request, room)
        return bytes(room)

    def cross(self) -> Cross:
        """Both clocks now: by the hardware where it can, else in a narrow bracket."""
        while True:
            try:
                return self._ways[0]()
            except OSError as error:
                if error.errno not in _CANNOT or len(self._ways) == 1:
                    raise
                del self._ways[0]

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)

    def _precisely(self) -> Cross:
        told = _PRECISE.unpack(self.ask(SYS_OFFSET_PRECISE, bytes(_PRECISE.size)))
        seconds, ns, local_s, local_ns = told
        return Cross(seconds * SECOND.ns + ns, local_s * SECOND.ns + local_ns)

    def _in_brackets(self, request: int, layout: struct.Struct, step: int) -> Cross:
        """The narrowest of some brackets, one every `step` bytes."""
        answer = self.ask(request, layout.pack(_SAMPLES))
        return min(_brackets(answer, step), key=lambda cross: cross.doubt)


def _brackets(answer: bytes, step: int) -> Iterator[Cross]:
    for at in range(16, 16 + _SAMPLES * step, step):
        times = _TIMES.unpack_from(answer, at)
        before, card, after = (
            seconds * SECOND.ns + ns
            for seconds, ns in zip(times[::2], times[1::2], strict=True)
        )
        yield Cross(card, (before + after) // 2, (after - before + 1) // 2)


def interface_ioctl(interface: str, request: int, argument: bytes) -> bytes:
    """What the interface's driver made of the argument: struct ifreq, ifr_data."""
    memory = ctypes.create_string_buffer(argument, len(argument))
    pointed = struct.pack("16sP16x", interface.encode(), ctypes.addressof(memory))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, request, pointed)
    return memory.raw


@dataclass(frozen=True, slots=True)
class Stamping:
    """What a network interface can stamp, by itself; bits from <linux/net_tstamp.h>."""

    clock: int
    """N of the /dev/ptpN it stamps by; -1: it has none."""
    sent: int
    """1 << HWTSTAMP_TX_..."""
    received: int
    """1 << HWTSTAMP_FILTER_..."""


def stamping(interface: str) -> Stamping:
    """What the interface, or of a VLAN the card below it, can. OSError: not there."""
    asked = _TS_INFO.pack(_GET_TS_INFO, 0, 0, 0, 0)
    info = interface_ioctl(interface, _SIOCETHTOOL, asked)
    _, _, clock, sent, received = _TS_INFO.unpack_from(info)
    return Stamping(clock, sent, received)


def device_of(interface: str) -> str:
    """The hardware clock of a network interface. OSError: it has none."""
    if (number := stamping(interface).clock) < 0:
        raise OSError(errno.ENODEV, "it has no hardware clock", interface)
    return f"/dev/ptp{number}"
