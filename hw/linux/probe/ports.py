"""Serial ports and receivers that are none: where they come from, who uses them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.linux.probe.files import number, text
from hw.linux.probe.programs import Program
from hw.linux.probe.tree import DeviceTree


@dataclass(frozen=True, slots=True)
class UsbId:
    """What a device on USB says that it is."""

    vendor: str
    """Four hexadecimal digits."""
    product: str
    serial: str
    speed: str
    """Megabits a second."""


@dataclass(frozen=True, slots=True)
class Port:
    """One serial port, or a receiver of the kernel's GNSS class."""

    device: str
    driver: str
    node: str | None
    """In the device tree; None: it is not from there."""
    usb: UsbId | None
    console: bool
    """The kernel writes its messages there."""
    getty: bool
    """A login prompt waits there."""
    holders: tuple[Program, ...]
    """Who else has it open."""


def ports(root: Path, tree: DeviceTree, running: Sequence[Program]) -> tuple[Port, ...]:
    """All that have hardware behind them, by name."""
    consoles = set(_consoles(root))
    prompts = {each.getty for each in running}
    found: list[Port] = []
    for entry in sorted((root / "sys/class").glob("tty/tty*")) + sorted(
        (root / "sys/class").glob("gnss/gnss*")
    ):
        device = entry / "device"
        if not device.exists() or _is_idle(entry):
            continue
        path = f"/dev/{entry.name}"
        found.append(
            Port(
                path,
                _driver(device),
                tree.node_of(device),
                _usb(device),
                path in consoles,
                path in prompts,
                tuple(each for each in running if path in each.devices),
            )
        )
    return tuple(found)


def _is_idle(entry: Path) -> bool:
    """A port of the 8250 driver without a chip behind it (PORT_UNKNOWN)."""
    return number(entry / "type") == 0


def _driver(device: Path) -> str:
    """The nearest driver above a port, past the serial core's own two."""
    folder = device.resolve()
    for each in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            name = os.path.basename(os.readlink(each / "driver"))
            if name not in {"port", "ctrl"}:
                return name
    return ""


def _usb(device: Path) -> UsbId | None:
    folder = device.resolve()
    for each in (folder, *folder.parents):
        if (each / "idVendor").exists():
            names = ("idVendor", "idProduct", "serial", "speed")
            return UsbId(*(text(each / name) for name in names))
    return None


def _consoles(root: Path) -> Iterator[str]:
    """By what the kernel has, and by what it is told at the next boot."""
    for line in text(root / "proc/consoles").splitlines():
        yield f"/dev/{line.split()[0]}"
    for name in re.findall(r"\bconsole=(\w+)", text(root / "proc/cmdline")):
        yield os.path.realpath(f"/dev/{name}") if root == Path("/") else f"/dev/{name}"
