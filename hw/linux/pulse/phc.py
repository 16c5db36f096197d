"""The pulse on a pin of a PTP hardware clock, stamped by the network card.

The stamp is of the card's own clock, so that is read against ours before and
after, and the pulse carried over along the line between the two readings: what
rate the card's clock runs at does not matter.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
from collections import deque
from typing import Final

from hw.abi.interface import device_of
from hw.abi.ioctl import Ioctl
from hw.abi.ptp import (
    CAPS,
    ENABLE,
    EVENT,
    EXTTS,
    EXTTS_REQUEST,
    FALLING,
    FUNCTION_EXTTS,
    GETCAPS,
    PIN,
    PIN_GETFUNC,
    PIN_SETFUNC,
    RISING,
    Cross,
    PtpClock,
    carried,
)
from hw.linux.faults import Part
from refclock.board.ports import EdgeEvent
from refclock.board.wiring import WantedEdge
from refclock.events import Edge
from refclock.timebase import SECOND, Duration

CARD: Final = Part(
    "pulse.device", "refclock", "`ethtool -T INTERFACE` shows whether it has a clock"
)
_EVENTS: Final = 8


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
        with CARD.at(device):
            self._path = device if device.startswith("/") else device_of(device)
        self._channel = channel
        self._edge = Edge.CLEAR if edge is WantedEdge.CLEAR else Edge.ASSERT
        self._count = 0
        self._fresh: deque[EdgeEvent] = deque()
        with CARD.at(self._path):
            self._clock = PtpClock(self._path, os.O_RDWR, ioctl)
            try:
                self._last = self._start(pin)
            except OSError:
                self._clock.close()
                raise

    @property
    def name(self) -> str:
        """Device and channel, for people."""
        return f"{self._path} channel {self._channel}"

    def wait(self, limit: Duration) -> EdgeEvent | None:
        """The next edge not yet told, or None when none came within `limit`.

        The card does not say which edge it was: it is the one asked for. OSError: the
        card is gone.
        """
        with CARD.at(self._path):
            return self._next(limit)

    def _next(self, limit: Duration) -> EdgeEvent | None:
        if not self._fresh and select.select([self._clock], [], [], limit.seconds)[0]:
            events = os.read(self._clock.fileno(), _EVENTS * EVENT.size)
            cross = self._clock.cross()
            for seconds, nanoseconds, channel in EVENT.iter_unpack(events):
                if channel == self._channel:
                    self._count += 1
                    card = seconds * SECOND.ns + nanoseconds
                    at = carried(card, self._last, cross)
                    self._fresh.append(EdgeEvent(self._count, at, self._edge))
            self._last = cross
        return self._fresh.popleft() if self._fresh else None

    def close(self) -> None:
        """Give the channel back."""
        with contextlib.suppress(OSError):
            self._clock.ask(EXTTS_REQUEST, EXTTS.pack(self._channel, 0))
        self._clock.close()

    def _start(self, pin: str) -> Cross:
        """Have the pin stamped; both clocks as it began."""
        _, _, channels, _, _, pins = CAPS.unpack(
            self._clock.ask(GETCAPS, bytes(CAPS.size))
        )
        if not channels:
            raise OSError(
                f"{self._path} cannot stamp what comes from outside: name another card"
                " (pulse.device)"
            )
        if self._channel >= channels:
            raise OSError(
                f"{self._path} has {channels} channels for external timestamps, none"
                f" is number {self._channel} (pulse.channel)"
            )
        if pins:
            number = self._pin(pin, pins)
            told = PIN.pack(b"", number, FUNCTION_EXTTS, self._channel)
            self._clock.ask(PIN_SETFUNC, told)
        cross = self._clock.cross()
        flank = FALLING if self._edge is Edge.CLEAR else RISING
        self._clock.ask(EXTTS_REQUEST, EXTTS.pack(self._channel, ENABLE | flank))
        while select.select([self._clock], [], [], 0)[0]:
            os.read(self._clock.fileno(), _EVENTS * EVENT.size)  # from before we asked
        return cross

    def _pin(self, wanted: str, pins: int) -> int:
        names: list[str] = []
        for number in range(pins):
            answer = self._clock.ask(PIN_GETFUNC, PIN.pack(b"", number, 0, 0))
            names.append(PIN.unpack(answer)[0].rstrip(b"\0").decode("ascii", "replace"))
            if wanted in {"auto", names[-1], str(number)}:
                return number
        raise OSError(
            f"{self._path} has no pin {wanted}; it has {', '.join(names)} (pulse.line)"
        )
