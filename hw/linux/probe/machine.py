"""The whole machine as one value. Nothing is requested or changed to make it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hw.linux.probe.boot import Boot, boot
from hw.linux.probe.chips import BatteryClock, Bus, battery_clocks, buses
from hw.linux.probe.files import text
from hw.linux.probe.ports import Port, ports
from hw.linux.probe.programs import (
    RECEIVER_DAEMONS,
    TIME_DAEMONS,
    Program,
    programs,
)
from hw.linux.probe.pulses import (
    CardClock,
    GpioChip,
    PulseDevice,
    card_clocks,
    gpio_chips,
    pulse_devices,
)
from hw.linux.probe.tree import DeviceTree, Hat, HeaderUart

_CAP_SYS_TIME: Final = 25


@dataclass(frozen=True, slots=True)
class Machine:
    """What is on it, as far as this process may see."""

    model: str | None
    """As the device tree has it; None: there is no tree."""
    kernel: str
    hat: Hat | None
    header: HeaderUart | None
    ports: tuple[Port, ...]
    pulses: tuple[PulseDevice, ...]
    chips: tuple[GpioChip, ...]
    cards: tuple[CardClock, ...]
    buses: tuple[Bus, ...]
    clocks: tuple[BatteryClock, ...]
    boot: Boot
    warnings: tuple[str, ...]
    """What the firmware could not do at boot (chosen/user-warnings)."""
    has_pps_gpio: bool
    """The kernel has the driver, built in or as a module."""
    running: tuple[Program, ...]
    container: str | None
    """What kind it runs in; None: in none."""
    may_steer: bool
    """This process has CAP_SYS_TIME."""

    @property
    def time_daemons(self) -> tuple[Program, ...]:
        """Others that steer a clock."""
        return tuple(each for each in self.running if each.name in TIME_DAEMONS)

    @property
    def receiver_daemons(self) -> tuple[Program, ...]:
        """Others that may talk to a receiver."""
        return tuple(each for each in self.running if each.name in RECEIVER_DAEMONS)

    @property
    def header_port(self) -> Port | None:
        """The header's serial port, if it has a device."""
        if self.header is None:
            return None
        return next(
            (each for each in self.ports if each.device == self.header.device), None
        )


def look(
    root: Path = Path("/"),
    gpio: Callable[[], tuple[GpioChip, ...]] = gpio_chips,
) -> Machine:
    """The machine whose files are below `root`, and whose GPIO chips `gpio` lists."""
    tree = DeviceTree(root)
    running = programs(root)
    kernel = text(root / "proc/sys/kernel/osrelease")
    return Machine(
        tree.model(),
        kernel,
        tree.hat(),
        tree.header_uart(),
        ports(root, tree, running),
        pulse_devices(root, tree),
        gpio(),
        card_clocks(root),
        buses(root, tree),
        battery_clocks(root),
        boot(root),
        tuple((tree.word("chosen/user-warnings") or "").splitlines()),
        _has_module(root, kernel, "pps-gpio"),
        running,
        _container(root),
        _may_steer(root),
    )


def _has_module(root: Path, kernel: str, name: str) -> bool:
    wanted = re.compile(rf"/{name.replace('-', '[-_]')}\.ko")
    lists = ("modules.builtin", "modules.dep")
    folder = root / "lib/modules" / kernel
    bound = (root / "sys/bus/platform/drivers" / name).is_dir()
    return bound or any(wanted.search(text(folder / each)) for each in lists)


def _container(root: Path) -> str | None:
    if told := text(root / "run/systemd/container"):
        return told
    return "docker" if (root / ".dockerenv").exists() else None


def _may_steer(root: Path) -> bool:
    status = text(root / "proc/self/status")
    told = re.search(r"^CapEff:\s*([\da-fA-F]+)$", status, re.MULTILINE)
    return told is not None and bool(int(told[1], 16) >> _CAP_SYS_TIME & 1)
