"""The battery clock: the kernel's /dev/rtcN, or of several the one that is set."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hw.abi.ioctl import Ioctl
from hw.abi.rtc import RTC_RD_TIME, RTC_SET_TIME, TIME
from hw.linux.faults import Part
from refclock.board.ports import Rtc
from refclock.timebase import SECOND, Utc

CLOCK: Final = Part(
    "rtc.device", "refclock", "is its overlay (dtoverlay=i2c-rtc,...) in config.txt?"
)
_FIRST_YEAR: Final = 2020
"""A clock that shows an earlier one started from nothing."""


class KernelRtc:
    """/dev/rtcN; others may open it between two uses. Used by one thread."""

    def __init__(self, path: str, ioctl: Ioctl = fcntl.ioctl) -> None:
        """OSError: it is not there, or may not be opened."""
        self._path = path
        self._ioctl = ioctl
        self.read()

    @property
    def name(self) -> str:
        """Device, for people."""
        return self._path

    def read(self) -> Utc | None:
        """Its time; None when it lost it. OSError: it is gone."""
        room = bytearray(TIME.size)
        try:
            self._call(RTC_RD_TIME, room)
        except OSError as error:
            if error.errno in {errno.EINVAL, errno.ENODATA}:  # drivers say so: lost
                return None
            raise
        second, minute, hour, day, month, year, *_ = TIME.unpack(room)
        if year + 1900 < _FIRST_YEAR:
            return None
        with contextlib.suppress(ValueError, OverflowError):  # no date at all
            return Utc.of(year + 1900, month + 1, day, hour, minute, second)
        return None

    def write(self, utc: Utc) -> None:
        """Set it, at the moment the second of `utc` begins. OSError: it cannot be."""
        at = datetime.fromtimestamp(utc.ns // SECOND.ns, UTC)
        told = (at.second, at.minute, at.hour, at.day, at.month - 1, at.year - 1900)
        self._call(RTC_SET_TIME, bytearray(TIME.pack(*told, 0, 0, 0)))

    def close(self) -> None:
        """Nothing is held between two uses."""

    def _call(self, request: int, room: bytearray) -> None:
        with CLOCK.at(self._path):
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._ioctl(file, request, room)
            finally:
                os.close(file)


class SetRtc:
    """Of several clocks the first that is set. Used by one thread.

    A machine may have a clock of its own without a battery and one beside it with. The
    choice is made anew while the chosen one has lost its time.
    """

    def __init__(self, openers: Sequence[Callable[[], Rtc]]) -> None:
        """The likeliest first. OSError: none can be opened."""
        self._openers = openers
        self._chosen = self._choose()

    @property
    def name(self) -> str:
        """Which one was chosen, for people."""
        return self._chosen.name

    def read(self) -> Utc | None:
        """The time of the first that is set; None: none is. OSError: it is gone."""
        if (utc := self._chosen.read()) is None:
            self._chosen.close()
            self._chosen = self._choose()
            utc = self._chosen.read()
        return utc

    def write(self, utc: Utc) -> None:
        """Set the one that was chosen."""
        self._chosen.write(utc)

    def close(self) -> None:
        """Give it back."""
        self._chosen.close()

    def _choose(self) -> Rtc:
        """The first that is set, else the first that opens."""
        unset: Rtc | None = None
        refusal: OSError = FileNotFoundError(
            "no battery clock: is its overlay in config.txt? Else set rtc.source"
        )
        for number, opener in enumerate(self._openers):
            try:
                rtc = opener()
                is_set = rtc.read() is not None
            except OSError as error:
                refusal = error if number == 0 else refusal
                continue
            if is_set:
                if unset is not None:
                    unset.close()
                return rtc
            if unset is None:
                unset = rtc
            else:
                rtc.close()
        if unset is None:
            raise refusal
        return unset


def kernel_rtcs(root: Path = Path("/sys/class/rtc")) -> Iterator[str]:
    """The battery clocks the kernel's own drivers have, by number."""
    numbers = sorted(
        int(entry.name[3:]) for entry in root.glob("rtc*") if entry.name[3:].isdigit()
    )
    for number in numbers:
        yield f"/dev/rtc{number}"
