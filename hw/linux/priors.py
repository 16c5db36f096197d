"""How late a pulse is stamped, as far as is known before it is measured.

On a GPIO line by the model of the machine, idle, as measured by others: Pi 3 and 4:
PPS-Client, twenty boards, Linux 5.4 (means 5.1-7.6 us and 3.5-4.7 us); Pi 5: SatPulse,
echo pin, 2026 (11.7-12 us idle, to 20 us under load).

On carrier detect by the way from the wire to the kernel. Over USB the adapter is asked
once in a period, so a stamp is late by anything from nothing to that period; to this
comes what interrupt and wake-up take (12 to 218 us seen, SatPulse).
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from refclock.timebase import MICROSECOND, MILLISECOND, NANOSECOND, SECOND, Duration


@dataclass(frozen=True, slots=True)
class Prior:
    """A range of lateness."""

    latency: Duration
    """How late a stamp is, + is late."""
    spread: Duration
    """How far the true lateness of a single stamp may be from it, either way."""


_PI: Final = "Raspberry Pi "
_GPIO: Final = {
    (f"{_PI}5", f"{_PI}Compute Module 5"): Prior(12 * MICROSECOND, 8 * MICROSECOND),
    (f"{_PI}4", f"{_PI}Compute Module 4"): Prior(3_700 * NANOSECOND, MICROSECOND),
    (f"{_PI}3", f"{_PI}Compute Module 3", f"{_PI}Zero 2"): Prior(
        6_600 * NANOSECOND, 1_500 * NANOSECOND
    ),
}
_UNKNOWN: Final = Prior(5 * MICROSECOND, 5 * MICROSECOND)
CARD: Final = Prior(Duration(0), 25 * MICROSECOND)
"""Stamped in hardware; but a CM4's clock takes 50 us to be read."""
_WAKING: Final = 300 * MICROSECOND
_FRAME: Final = MILLISECOND
_FRAMES: Final = {"1.5": 10 * _FRAME, "12": _FRAME}
"""How often bulk data is asked for, by megabits a second; faster: each microframe."""
_MICROFRAME: Final = 125 * MICROSECOND
_UNITS: Final = {"ms": MILLISECOND, "us": MICROSECOND, "s": SECOND}


def on_gpio(machine: str) -> Prior:
    """By an interrupt of a line of the machine of that name."""
    for names, prior in _GPIO.items():
        if machine.startswith(names):
            return prior
    return _UNKNOWN


def on_port(path: str | None, sys: Path = Path("/sys")) -> Prior:
    """By carrier detect of that serial port; what is not there is taken for an adapter
    at full speed, the slowest in use."""
    period = _FRAME
    if path is not None:
        with contextlib.suppress(OSError):
            name = os.path.basename(os.path.realpath(path))
            period = _period((sys / "class/tty" / name / "device").resolve(strict=True))
    middle = Duration((period + _WAKING).ns // 2)
    return Prior(middle, middle)


def of_source(device: str, machine: str, sys: Path = Path("/sys")) -> Prior:
    """By the kernel's pulse device of that path: a line discipline's is a port's."""
    name = os.path.basename(os.path.realpath(device))
    with contextlib.suppress(OSError):
        if port := (sys / "class/pps" / name / "path").read_text().strip():
            return on_port(port, sys)
    return on_gpio(machine)


def _period(device: Path) -> Duration:
    """How often the device behind a serial port is asked, 0 where it interrupts."""
    interface: Path | None = None
    for folder in (device, *device.parents):
        if (folder / "bInterfaceNumber").exists():
            interface = folder
        if interface and (folder / "bDeviceClass").exists():
            speed = (folder / "speed").read_text().strip()
            return _interrupts(interface) or _FRAMES.get(speed, _MICROFRAME)
    return Duration(0)


def _interrupts(interface: Path) -> Duration | None:
    """How often its endpoint for news is asked; None: it has none."""
    for endpoint in sorted(interface.glob("ep_8*")):
        with contextlib.suppress(OSError):
            kind = (endpoint / "type").read_text().strip()
            every = re.fullmatch(
                r"(\d+)(ms|us|s)", (endpoint / "interval").read_text().strip()
            )
            if kind == "Interrupt" and every and int(every[1]):
                return int(every[1]) * _UNITS[every[2]]
    return None
