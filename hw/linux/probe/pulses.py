"""Where a pulse may come from: pulse devices and their pins, GPIO chips, cards."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

import gpiod

from hw.linux.probe.files import number, numbered, text
from hw.linux.probe.tree import DeviceTree
from hw.linux.pulse.gpio import HEADER


@dataclass(frozen=True, slots=True)
class PulseDevice:
    """One /dev/ppsN."""

    device: str
    name: str
    """What its driver calls it: "pps@12.-1", "usbserial0", "ptp0"."""
    port: str | None
    """The serial port whose line discipline it is; None: it is none's."""
    pin: int | None
    """The GPIO line, as the device tree has it; None: it is on none."""
    falling: bool
    """Its assert is the falling edge."""
    seq: int
    """Pulses so far, of the busier edge."""
    at_s: float | None
    """When the last came, s since 1970; None: none came."""


@dataclass(frozen=True, slots=True)
class GpioChip:
    """One /dev/gpiochipN."""

    device: str
    label: str
    lines: int
    used: tuple[tuple[str, str], ...]
    """Lines that somebody has, and who: ("GPIO18", "pps@12.-1")."""

    @property
    def header(self) -> bool:
        """Is it that of the 40-pin header?"""
        return self.label in HEADER


@dataclass(frozen=True, slots=True)
class CardClock:
    """One /dev/ptpN."""

    device: str
    name: str
    interfaces: tuple[str, ...]
    channels: int
    """For external timestamps."""
    pins: int


def pulse_devices(root: Path, tree: DeviceTree) -> tuple[PulseDevice, ...]:
    """All of them, by number.

    One of a GPIO line is called as its platform device, "pps@12", and ".-1".
    """
    found: list[PulseDevice] = []
    for entry in numbered(root / "sys/class/pps", "pps"):
        name = text(entry / "name")
        node = tree.node_of(root / "sys/bus/platform/devices" / name.rpartition(".")[0])
        cells = tree.cells(f"{node}/gpios") if node else ()
        seq, at = max(_stamp(entry / "assert"), _stamp(entry / "clear"))
        found.append(
            PulseDevice(
                f"/dev/{entry.name}",
                name,
                text(entry / "path") or None,
                cells[1] if len(cells) > 1 else None,
                node is not None and tree.has(f"{node}/assert-falling-edge"),
                seq,
                at if seq else None,
            )
        )
    return tuple(found)


def card_clocks(root: Path) -> tuple[CardClock, ...]:
    """The clocks of network cards, by number."""
    return tuple(
        CardClock(
            f"/dev/{entry.name}",
            text(entry / "clock_name"),
            tuple(sorted(each.name for each in (entry / "device/net").glob("*"))),
            number(entry / "n_external_timestamps") or 0,
            number(entry / "n_programmable_pins") or 0,
        )
        for entry in numbered(root / "sys/class/ptp", "ptp")
    )


def gpio_chips() -> tuple[GpioChip, ...]:
    """This machine's, without requesting any line; one that may not be opened is not
    among them."""
    found: list[GpioChip] = []
    for entry in numbered(Path("/dev"), "gpiochip"):
        with contextlib.suppress(OSError), gpiod.Chip(str(entry)) as chip:
            info = chip.get_info()
            lines = map(chip.get_line_info, range(info.num_lines))
            used = tuple(
                (line.name or str(line.offset), line.consumer)
                for line in lines
                if line.used
            )
            found.append(GpioChip(str(entry), info.label, info.num_lines, used))
    return tuple(found)


def _stamp(path: Path) -> tuple[int, float]:
    """Sequence number and time of an edge; 0: none came."""
    told = re.fullmatch(r"(\d+\.\d+)#(\d+)", text(path))
    return (int(told[2]), float(told[1])) if told else (0, 0.0)
