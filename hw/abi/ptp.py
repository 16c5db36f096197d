"""The clock of a network card (PTP hardware clock), and how it stands to ours.

<linux/ptp_clock.h>. Every field has a fixed size on every machine.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from hw.abi.ioctl import Ioctl, both, read, write
from refclock.timebase import SECOND, Local

_GROUP: Final = ord("=")
_PRECISE: Final = struct.Struct("=qI4xqI4x32x")
"""struct ptp_sys_offset_precise: the card's clock (s, ns), then ours."""
_TIMES: Final = struct.Struct("=qI4xqI4xqI4x")
"""struct ptp_clock_time, three of them: our clock before, the card's, ours after."""
_EXTENDED: Final = struct.Struct("=I12x1200x")
"""struct ptp_sys_offset_extended: how many readings, then `_TIMES` of each."""
_BASIC: Final = struct.Struct("=I12x816x")
"""struct ptp_sys_offset: how many readings, then ours and the card's in turn."""
CAPS: Final = struct.Struct("=iiiiii56x")
"""struct ptp_clock_caps, of which the third counts external timestamp channels, the
sixth pins."""
EXTTS: Final = struct.Struct("=II8x")
"""struct ptp_extts_request: channel, flags."""
PIN: Final = struct.Struct("=64sIII20x")
"""struct ptp_pin_desc: name, number, function, channel."""
EVENT: Final = struct.Struct("=qI4xI12x")
"""struct ptp_extts_event: s, ns, channel."""

GETCAPS: Final = read(_GROUP, 1, CAPS.size)
EXTTS_REQUEST: Final = write(_GROUP, 2, EXTTS.size)
SYS_OFFSET: Final = write(_GROUP, 5, _BASIC.size)
PIN_GETFUNC: Final = both(_GROUP, 6, PIN.size)
PIN_SETFUNC: Final = write(_GROUP, 7, PIN.size)
SYS_OFFSET_PRECISE: Final = both(_GROUP, 8, _PRECISE.size)
SYS_OFFSET_EXTENDED: Final = both(_GROUP, 9, _EXTENDED.size)
ENABLE: Final = 1
RISING: Final = 2
FALLING: Final = 4
"""Flags of PTP_EXTTS_REQUEST."""
FUNCTION_EXTTS: Final = 1

_SAMPLES: Final = 5
_CANNOT: Final = {errno.EOPNOTSUPP, errno.ENOTTY, errno.ETIMEDOUT}
_SANE_RATE: Final = 1000
"""The clocks differ by less than 1 in 1000, or ours was stepped."""


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
