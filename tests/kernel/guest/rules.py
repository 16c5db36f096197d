"""Runs in the guest: udev and our rules, on what is there and what is plugged in."""

from __future__ import annotations

import grp
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.kernel.guest.pulse import PULSE
from tests.kernel.guest.usb import (
    Device,
    SerialAdapter,
    UbloxUsb,
    appeared,
    nodes,
)

_RULES: Final = Path("/share/udev/99-refclock.rules")
_UDEVD: Final = "/lib/systemd/systemd-udevd"


def devices() -> dict[str, Any]:
    """What udev makes of each, and what it says of our rules."""
    installed = Path("/etc/udev/rules.d")
    installed.mkdir(parents=True, exist_ok=True)
    shutil.copy(_RULES, installed)
    daemon = subprocess.Popen([_UDEVD, "--resolve-names=late"])
    try:
        while not Path("/run/udev/control").exists():
            time.sleep(0.05)
        _udevadm("trigger", "--action=add", "/dev/pps0", "/dev/rtc0")
        _udevadm("settle", "--timeout=20")
        with plugged(SerialAdapter(), 1, "ttyUSB*") as ftdi:
            timer = Path("/sys/class/tty") / Path(ftdi).name / "device/latency_timer"
            latency_ms = int(timer.read_text())
        with plugged(UbloxUsb(), 2, "ttyACM*") as ublox:
            gps0 = _target("/dev/gps0")
        told = _udevadm("test", "--action=add", "/sys/class/pps/pps0")
        return {
            "pulse": _state(PULSE),
            "pulse_link": _target("/dev/gpspps0"),
            "battery": _state("/dev/rtc0"),
            "latency_ms": latency_ms,
            "ublox": (ublox, gps0),
            "gps0_after": Path("/dev/gps0").is_symlink(),
            "told": [line for line in told.splitlines() if _RULES.name in line],
        }
    finally:
        daemon.terminate()
        daemon.wait(10)


@contextmanager
def plugged(device: Device, port: int, pattern: str) -> Iterator[str]:
    """Its node, when udev is done with it; and udev done with its going."""
    before = nodes(pattern)
    device.plug(port)
    path = appeared(pattern, before)
    _udevadm("settle", "--timeout=20")
    yield path
    device.unplug()
    while path in nodes(pattern):
        time.sleep(0.02)
    _udevadm("settle", "--timeout=20")


def _state(path: str) -> tuple[str, str]:
    node = Path(path).stat()
    return grp.getgrgid(node.st_gid).gr_name, f"{node.st_mode & 0o777:o}"


def _target(link: str) -> str | None:
    return str(Path(link).resolve()) if Path(link).is_symlink() else None


def _udevadm(*words: str) -> str:
    done = subprocess.run(
        ["udevadm", *words],  # noqa: S607 - the guest's only one
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr
