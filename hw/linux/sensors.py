"""Thermometers that the kernel's own drivers read."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from typing import Final

from hw.linux.faults import Part

SENSOR: Final = Part(
    "thermometer.zone", "refclock", "`ls /sys/class/thermal` shows what there is"
)


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
        with SENSOR.at(str(self._path)):
            try:
                return int(self._path.read_text()) / 1000
            except ValueError as error:
                raise OSError(errno.ENODATA, str(error)) from None

    def close(self) -> None:
        """Nothing is held between two uses."""


def zones(root: Path = Path("/sys/class/thermal")) -> dict[str, Path]:
    """The thermal zones by type; of two of a type the first."""
    found: dict[str, Path] = {}
    for entry in sorted(root.glob("thermal_zone*")):
        with contextlib.suppress(OSError):  # it may go while we look
            found.setdefault((entry / "type").read_text().strip(), entry / "temp")
    return found


def zone(kind: str, root: Path = Path("/sys/class/thermal")) -> KernelThermometer:
    """The thermal zone of that type; "auto": the processor's, else the first."""
    found = zones(root)
    wanted = sorted(found, key=lambda name: "cpu" not in name)
    for name in wanted if kind == "auto" else [kind]:
        if name in found:
            return KernelThermometer(found[name], name)
    raise FileNotFoundError(
        f"no thermal zone {kind}; there are: {', '.join(found)} (thermometer.zone)"
    )


def hwmon(kind: str, root: Path = Path("/sys/class/hwmon")) -> KernelThermometer:
    """The thermometer in a chip the kernel's driver of that name has."""
    for entry in sorted(root.glob("hwmon*")):
        with contextlib.suppress(FileNotFoundError):  # one without a name
            if (entry / "name").read_text().strip() == kind:
                return KernelThermometer(entry / "temp1_input", kind)
    raise FileNotFoundError(f"no kernel driver has a {kind}")
