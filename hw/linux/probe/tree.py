"""The device tree: model, hat, the header's serial port, and what made which device.

Names of devices move with kernels and overlays; nodes of the tree do not. All paths
are below a root, so that a machine can be made up of files.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BASE: Final = "sys/firmware/devicetree/base"
_PI_5: Final = "brcm,bcm2712"
_MINI_UART: Final = "brcm,bcm2835-aux-uart"


@dataclass(frozen=True, slots=True)
class Hat:
    """What the memory of a hat says of it; most GPS hats have none."""

    vendor: str
    product: str
    product_id: str
    product_ver: str
    uuid: str


@dataclass(frozen=True, slots=True)
class HeaderUart:
    """The serial port on the 40-pin header."""

    node: str
    """In the device tree."""
    device: str | None
    """Its device, /dev/tty...; None: it has none."""
    enabled: bool
    mini: bool
    """The mini-UART, whose speed follows that of the core."""
    bluetooth: bool
    """The kernel's own Bluetooth driver has it, and no program can."""


class DeviceTree:
    """The tree as the kernel was given it."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._base = root / _BASE

    def words(self, path: str) -> tuple[str, ...]:
        """The strings of a property; none: it is not there."""
        try:
            text = (self._base / path).read_bytes().decode("utf-8", "replace")
        except OSError:
            return ()
        return tuple(text.rstrip("\0").split("\0")) if text else ()

    def word(self, path: str) -> str | None:
        """The one string of a property; None: it is not there."""
        return next(iter(self.words(path)), None)

    def cells(self, path: str) -> tuple[int, ...]:
        """The numbers of a property; none: it is not there."""
        try:
            content = (self._base / path).read_bytes()
        except OSError:
            return ()
        return struct.unpack(f">{len(content) // 4}I", content[: len(content) & ~3])

    def has(self, path: str) -> bool:
        """Is there such a property? Some say all by being there."""
        return (self._base / path).exists()

    def nodes(self, pattern: str) -> tuple[str, ...]:
        """The nodes of that pattern, in order."""
        found = sorted(self._base.glob(pattern))
        return tuple(str(path.relative_to(self._base)) for path in found)

    def enabled(self, node: str) -> bool:
        """Is it there and not switched off?"""
        there = (self._base / node).is_dir()
        return there and self.word(f"{node}/status") in {None, "okay", "ok"}

    def node_of(self, device: Path) -> str | None:
        """The node a device in sysfs was made from; None: from none."""
        try:
            folder = device.resolve(strict=True)
        except OSError:
            return None
        top = self._root.resolve()
        base = self._base.resolve()
        while folder not in {top, folder.parent}:
            if (folder / "of_node").exists():
                node = (folder / "of_node").resolve()
                return str(node.relative_to(base)) if base in node.parents else None
            folder = folder.parent
        return None

    def model(self) -> str | None:
        """What the machine calls itself."""
        return self.word("model")

    def hat(self) -> Hat | None:
        """The hat, if one says what it is."""
        if not (self._base / "hat").is_dir():
            return None
        names = ("vendor", "product", "product_id", "product_ver", "uuid")
        return Hat(*(self.word(f"hat/{name}") or "" for name in names))

    def header_uart(self) -> HeaderUart | None:
        """The header's serial port; None: the tree names none.

        A Pi 5 calls its debug plug serial0; its header has the first UART of the RP1.
        """
        if _PI_5 in self.words("compatible"):
            found = self.nodes("axi/pcie@*/rp1*/serial@30000")
            node = next(iter(found), None) or self.word("aliases/uart0")
        else:
            node = self.word("aliases/serial0")
        if node is None:
            return None
        node = node.strip("/")
        return HeaderUart(
            node,
            self._tty_of(node),
            self.enabled(node),
            _MINI_UART in self.words(f"{node}/compatible"),
            self._has_bluetooth(node),
        )

    def _tty_of(self, node: str) -> str | None:
        for tty in sorted((self._root / "sys/class/tty").glob("tty*")):
            device = tty / "device"
            if device.exists() and self.node_of(device) == node:
                return f"/dev/{tty.name}"
        return None

    def _has_bluetooth(self, node: str) -> bool:
        slaves = (self._root / "sys/bus/serial/devices").glob("serial*-*")
        parents = (Path(os.path.realpath(slave)).parent for slave in slaves)
        return any(self.node_of(parent) == node for parent in parents)
