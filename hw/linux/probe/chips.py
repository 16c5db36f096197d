"""I2C buses and the chips the kernel has on them, and battery clocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hw.linux.probe.files import number, numbered, text
from hw.linux.probe.tree import DeviceTree


@dataclass(frozen=True, slots=True)
class Bus:
    """One /dev/i2c-N, or a bus without a device (i2c-dev is not loaded)."""

    number: int
    name: str
    node: str | None
    """In the device tree."""
    device: bool
    """There is a /dev/i2c-N."""
    chips: tuple[tuple[int, str], ...]
    """What the kernel's own drivers have or expect there: address, name."""


@dataclass(frozen=True, slots=True)
class BatteryClock:
    """One /dev/rtcN."""

    device: str
    name: str
    """Of its driver: "rtc-ds1307 1-0068", "rpi-rtc"."""
    since_1970_s: int | None
    """What it shows; None: it says that it lost its time."""
    sets_clock: bool
    """The kernel set its own clock by it at boot."""


def buses(root: Path, tree: DeviceTree) -> tuple[Bus, ...]:
    """All of them, by number."""
    return tuple(
        Bus(
            int(entry.name[4:]),
            text(entry / "name"),
            tree.node_of(entry),
            (root / "dev" / entry.name).exists(),
            tuple(_chips(root, entry.name[4:])),
        )
        for entry in numbered(root / "sys/bus/i2c/devices", "i2c-")
    )


def battery_clocks(root: Path) -> tuple[BatteryClock, ...]:
    """All the kernel has, by number."""
    return tuple(
        BatteryClock(
            f"/dev/{entry.name}",
            text(entry / "name"),
            number(entry / "since_epoch"),
            text(entry / "hctosys") == "1",
        )
        for entry in numbered(root / "sys/class/rtc", "rtc")
    )


def _chips(root: Path, bus: str) -> list[tuple[int, str]]:
    found = [
        (int(told[1], 16), text(entry / "name"))
        for entry in (root / "sys/bus/i2c/devices").glob(f"{bus}-*")
        if (told := re.fullmatch(rf"{bus}-([\da-f]{{4}})", entry.name))
    ]
    return sorted(found)
