"""The pulse on a pin of a PTP hardware clock, stamped by the network card.

The stamp is of the card's own clock, so that is read against ours before and
after, and the pulse carried over along the line between the two readings: what
rate the card's clock runs at does not matter. Layouts and numbers:
<linux/ptp_clock.h>, <linux/ethtool.h>.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from refclock.events import Edge
from refclock.ports import Flank
from refclock.timebase import SECOND, Duration, Local
from refclock.wiring import WantedEdge

GETCAPS: Final = 0x8050_3D01
EXTTS_REQUEST: Final = 0x4010_3D02
PIN_GETFUNC: Final = 0xC060_3D06
PIN_SETFUNC: Final = 0x4060_3D07
SYS_OFFSET_PRECISE: Final = 0xC040_3D08
SYS_OFFSET_EXTENDED: Final = 0xC4C0_3D09

_ENABLE: Final = 1
_RISING: Final = 2
_FALLING: Final = 4
_FUNCTION_EXTTS: Final = 1
_CAPS: Final = struct.Struct("=iiiiii56x")
_REQUEST: Final = struct.Struct("=II8x")
_PIN: Final = struct.Struct("=64sIII20x")
_EVENT: Final = struct.Struct("=qI4xI12x")
_PRECISE: Final = struct.Struct("=qI4xqI4x32x")
_EXTENDED: Final = struct.Struct("=I12x1200x")
_TIMES: Final = struct.Struct("=qI4xqI4xqI4x")
"""Our clock before, the card's, ours after."""
_SAMPLES: Final = 5
_EVENTS: Final = 8
_SANE_RATE: Final = 1000
"""The clocks differ by less than 1 in 1000, or ours was stepped."""

_SIOCETHTOOL: Final = 0x8946
_GET_TS_INFO: Final = 0x41
_TS_INFO: Final = struct.Struct("=IIi32x")

Ioctl = Callable[[int, int, bytearray], int]


@dataclass(frozen=True, slots=True)
class Cross:
    """Both clocks at the same moment, ns."""

    card: int
    local: int


def carried(card: int, before: Cross, after: Cross) -> Local:
    """When the card's clock showed `card`, along the line between two readings."""
    back = after.card - card
    theirs, ours = after.card - before.card, after.local - before.local
    if abs(ours - theirs) * _SANE_RATE < theirs:
        back = back * ours // theirs
    return Local(after.local - back)


class PhcPulse:
    """One channel of external timestamps. Used by one thread."""

    def __init__(
        self,
        device: str,
        pin: str,
        channel: int,
        edge: WantedEdge,
        ioctl: Ioctl = fcntl.ioctl,
    ) -> None:
        """`device`: /dev/ptpN, or the network interface it belongs to.

        `pin`: name or number; "auto" is the first. OSError: the card cannot do it.
        """
        self._path = device if device.startswith("/") else device_of(device)
        self._channel = channel
        self._edge = Edge.CLEAR if edge is WantedEdge.CLEAR else Edge.ASSERT
        self._ioctl = ioctl
        self._precise = True
        self._count = 0
        self._fresh: deque[Flank] = deque()
        self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._last = self._start(pin)
        except OSError:
            os.close(self._file)
            raise

    @property
    def name(self) -> str:
        """Device and channel, for people."""
        return f"{self._path} channel {self._channel}"

    def wait(self, limit: Duration) -> Flank | None:
        """The next edge not yet told, or None when none came within `limit`.

        The card does not say which edge it was: it is the one asked for.
        """
        if not self._fresh and select.select([self._file], [], [], limit.seconds)[0]:
            events = os.read(self._file, _EVENTS * _EVENT.size)
            cross = self._cross()
            for seconds, nanoseconds, channel in _EVENT.iter_unpack(events):
                if channel == self._channel:
                    self._count += 1
                    card = seconds * SECOND.ns + nanoseconds
                    at = carried(card, self._last, cross)
                    self._fresh.append(Flank(self._count, at, self._edge))
            self._last = cross
        return self._fresh.popleft() if self._fresh else None

    def close(self) -> None:
        """Give the channel back."""
        with contextlib.suppress(OSError):
            self._ask(EXTTS_REQUEST, _REQUEST.pack(self._channel, 0))
        os.close(self._file)

    def _start(self, pin: str) -> Cross:
        """Have the pin stamped; both clocks as it began."""
        _, _, channels, _, _, pins = _CAPS.unpack(self._ask(GETCAPS, bytes(_CAPS.size)))
        if self._channel >= channels:
            raise OSError(
                f"{self._path} has {channels} channels for external timestamps, none"
                f" is number {self._channel}"
            )
        if pins:
            number = self._pin(pin, pins)
            told = _PIN.pack(b"", number, _FUNCTION_EXTTS, self._channel)
            self._ask(PIN_SETFUNC, told)
        cross = self._cross()
        flank = _FALLING if self._edge is Edge.CLEAR else _RISING
        self._ask(EXTTS_REQUEST, _REQUEST.pack(self._channel, _ENABLE | flank))
        while select.select([self._file], [], [], 0)[0]:
            os.read(self._file, _EVENTS * _EVENT.size)  # from before we asked
        return cross

    def _pin(self, wanted: str, pins: int) -> int:
        names: list[str] = []
        for number in range(pins):
            answer = self._ask(PIN_GETFUNC, _PIN.pack(b"", number, 0, 0))
            names.append(
                _PIN.unpack(answer)[0].rstrip(b"\0").decode("ascii", "replace")
            )
            if wanted in {"auto", names[-1], str(number)}:
                return number
        raise OSError(f"{self._path} has no pin {wanted}; it has {', '.join(names)}")

    def _cross(self) -> Cross:
        """Both clocks now: by the hardware where it can, else in a narrow bracket."""
        if self._precise:
            try:
                answer = self._ask(SYS_OFFSET_PRECISE, bytes(_PRECISE.size))
            except OSError as error:
                if error.errno not in {errno.EOPNOTSUPP, errno.ENOTTY}:
                    raise
                self._precise = False
            else:
                seconds, ns, local_s, local_ns = _PRECISE.unpack(answer)
                return Cross(seconds * SECOND.ns + ns, local_s * SECOND.ns + local_ns)
        answer = self._ask(SYS_OFFSET_EXTENDED, _EXTENDED.pack(_SAMPLES))
        return min(_brackets(answer), key=lambda bracket: bracket[0])[1]

    def _ask(self, request: int, argument: bytes) -> bytes:
        room = bytearray(argument)
        self._ioctl(self._file, request, room)
        return bytes(room)


def _brackets(answer: bytes) -> Iterator[tuple[int, Cross]]:
    """How wide each bracket is, and both clocks in its middle."""
    for number in range(_SAMPLES):
        times = _TIMES.unpack_from(answer, 16 + number * _TIMES.size)
        before, card, after = (
            seconds * SECOND.ns + ns
            for seconds, ns in zip(times[::2], times[1::2], strict=True)
        )
        yield after - before, Cross(card, (before + after) // 2)


def device_of(interface: str) -> str:
    """The hardware clock of a network interface. OSError: it has none."""
    info = ctypes.create_string_buffer(_TS_INFO.pack(_GET_TS_INFO, 0, 0))
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(info))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
    _, _, number = _TS_INFO.unpack_from(info)
    if number < 0:
        raise OSError(errno.ENODEV, "it has no hardware clock", interface)
    return f"/dev/ptp{number}"
