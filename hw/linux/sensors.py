"""What the kernel's own drivers read: its battery clock and its thermometers."""

from __future__ import annotations

import errno
import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hw.abi.ioctl import Ioctl
from hw.abi.rtc import RTC_RD_TIME, RTC_SET_TIME, TIME
from refclock.timebase import SECOND, Utc

_FIRST_YEAR: Final = 2020
"""A clock that shows an earlier one started from nothing."""


class KernelRtc:
    """/dev/rtcN; others may open it between two uses. Used by one thread."""

    def __init__(self, path: str, ioctl: Ioctl = fcntl.ioctl) -> None:
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
            if error.errno == errno.EINVAL:  # how drivers say: lost
                return None
            raise
        second, minute, hour, day, month, year, *_ = TIME.unpack(room)
        if year + 1900 < _FIRST_YEAR:
            return None
        return Utc.of(year + 1900, month + 1, day, hour, minute, second)

    def write(self, utc: Utc) -> None:
        """Set it, at the moment the second of `utc` begins."""
        at = datetime.fromtimestamp(utc.ns // SECOND.ns, UTC)
        told = (at.second, at.minute, at.hour, at.day, at.month - 1, at.year - 1900)
        self._call(RTC_SET_TIME, bytearray(TIME.pack(*told, 0, 0, 0)))

    def close(self) -> None:
        """Nothing is held between two uses."""

    def _call(self, request: int, room: bytearray) -> None:
        file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._ioctl(file, request, room)
        finally:
            os.close(file)


class KernelThermometer:
    """A file that holds thousandths of a degree. Used by one thread."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self.celsius()

    @property
    def name(self) -> str:
        """Which sensor, for people."""
        return self._name

    def celsius(self) -> float:
        """The temperature now. OSError: the sensor is gone."""
        return int(self._path.read_text()) / 1000

    def close(self) -> None:
        """Nothing is held between two uses."""


def zones(root: Path = Path("/sys/class/thermal")) -> dict[str, Path]:
    """The thermal zones by type; of two of a type the first."""
    found: dict[str, Path] = {}
    for entry in sorted(root.glob("thermal_zone*")):
        found.setdefault((entry / "type").read_text().strip(), entry / "temp")
    return found


def zone(kind: str, root: Path = Path("/sys/class/thermal")) -> KernelThermometer:
    """The thermal zone of that type; "auto": the processor's, else the first."""
    found = zones(root)
    wanted = sorted(found, key=lambda name: "cpu" not in name)
    for name in wanted if kind == "auto" else [kind]:
        if name in found:
            return KernelThermometer(found[name], name)
    raise FileNotFoundError(f"no thermal zone {kind}; there are: {', '.join(found)}")


def hwmon(kind: str, root: Path = Path("/sys/class/hwmon")) -> KernelThermometer:
    """The thermometer in a chip the kernel's driver of that name has."""
    for entry in sorted(root.glob("hwmon*")):
        if (entry / "name").read_text().strip() == kind:
            return KernelThermometer(entry / "temp1_input", kind)
    raise FileNotFoundError(f"no kernel driver has a {kind}")
