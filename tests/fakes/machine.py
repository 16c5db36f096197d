"""A machine made of files: what the kernel shows of one in /sys, /proc and /dev."""

from __future__ import annotations

import os
import struct
from pathlib import Path

_TREE = "sys/firmware/devicetree/base"


class MadeUp:
    """Below a folder; each method adds something to it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def file(self, path: str, content: str | bytes = "") -> None:
        """A file with that in it."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def link(self, path: str, to: str) -> None:
        """A symbolic link to another place below the root."""
        link = self.root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        (self.root / to).mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(self.root / to, link.parent))

    def node(self, path: str, **properties: str | tuple[str, ...] | list[int]) -> None:
        """A node of the device tree: strings, or numbers in a list."""
        (self.root / _TREE / path).mkdir(parents=True, exist_ok=True)
        for name, value in properties.items():
            if isinstance(value, list):
                content = struct.pack(f">{len(value)}I", *value)
            else:
                words = (value,) if isinstance(value, str) else value
                content = "".join(f"{word}\0" for word in words).encode()
            self.file(f"{_TREE}/{path}/{name.replace('__', '-')}", content)

    def tty(
        self, name: str, node: str | None = None, driver: str = "uart-pl011"
    ) -> str:
        """A serial port built in, made from that node; its device in sysfs."""
        device = f"sys/devices/platform/soc/{name}.serial"
        (self.root / device).mkdir(parents=True, exist_ok=True)
        self.link(f"{device}/driver", f"sys/bus/amba/drivers/{driver}")
        if node is not None:
            self.link(f"{device}/of_node", f"{_TREE}/{node}")
        port = f"{device}/{name}:0/{name}:0.0"
        self.link(f"sys/class/tty/{name}/device", port)
        self.file(f"dev/{name}")
        return device

    def usb_tty(
        self,
        name: str,
        ids: str = "0403:6001",
        speed: str = "12",
        driver: str = "ftdi_sio",
        endpoints: tuple[str, ...] = ("81 Bulk 0ms", "02 Bulk 0ms"),
    ) -> None:
        """A serial port of an adapter on USB."""
        vendor, _, product = ids.partition(":")
        device = "sys/devices/pci0/usb1/1-1"
        for file, content in {
            "bDeviceClass": "00",
            "speed": speed,
            "idVendor": vendor,
            "idProduct": product,
            "serial": "A1",
            "1-1:1.0/bInterfaceNumber": "00",
        }.items():
            self.file(f"{device}/{file}", f"{content}\n")
        for endpoint in endpoints:
            number, kind, interval = endpoint.split()
            self.file(f"{device}/1-1:1.0/ep_{number}/type", f"{kind}\n")
            self.file(f"{device}/1-1:1.0/ep_{number}/interval", f"{interval}\n")
        port = f"{device}/1-1:1.0/{name}"
        self.link(f"{port}/driver", f"sys/bus/usb-serial/drivers/{driver}")
        self.link(f"sys/class/tty/{name}/device", port)
        self.file(f"dev/{name}")

    def pps(
        self,
        number: int,
        name: str,
        path: str = "",
        seq: int = 0,
        node: str | None = None,
    ) -> None:
        """A pulse device, made from that node."""
        if node is not None:
            device = f"sys/devices/platform/{name.removesuffix('.-1')}"
            self.link(f"{device}/of_node", f"{_TREE}/{node}")
            self.link(f"sys/bus/platform/devices/{Path(device).name}", device)
        for file, content in {
            "name": name,
            "path": path,
            "assert": f"1795917600.000000123#{seq}" if seq else "",
            "clear": "",
        }.items():
            self.file(f"sys/class/pps/pps{number}/{file}", f"{content}\n")

    def process(self, pid: int, name: str, *words: str, holds: str = "") -> None:
        """A running program, and a device it has open."""
        self.file(f"proc/{pid}/comm", f"{name}\n")
        self.file(f"proc/{pid}/cmdline", "".join(f"{word}\0" for word in words))
        fds = self.root / f"proc/{pid}/fd"
        fds.mkdir()
        if holds:
            (fds / "3").symlink_to(holds)


def pi_4(root: Path) -> MadeUp:
    """A Pi 4 whose header has the PL011, pps-gpio on GPIO18."""
    made = MadeUp(root)
    made.node(
        "",
        model="Raspberry Pi 4 Model B Rev 1.4",
        compatible=("raspberrypi,4-model-b", "brcm,bcm2711"),
    )
    made.node("soc/serial@7e201000", compatible="arm,pl011", status="okay")
    made.node("soc/serial@7e215040", compatible="brcm,bcm2835-aux-uart")
    made.node("aliases", serial0="/soc/serial@7e201000", serial1="/soc/serial@7e215040")
    made.tty("ttyAMA0", "soc/serial@7e201000")
    made.tty("ttyS0", "soc/serial@7e215040", "bcm2835-aux-uart")
    return made


def pi_5(root: Path) -> MadeUp:
    """A Pi 5: its debug plug is serial0, its header RP1's first UART."""
    made = MadeUp(root)
    made.node(
        "",
        model="Raspberry Pi 5 Model B Rev 1.0",
        compatible=("raspberrypi,5-model-b", "brcm,bcm2712"),
    )
    header = "axi/pcie@120000/rp1/serial@30000"
    made.node("soc/serial@7d001000", compatible="arm,pl011")
    made.node(header, compatible="arm,pl011-axi", status="okay")
    made.node("aliases", serial0="/soc/serial@7d001000", uart0=f"/{header}")
    made.tty("ttyAMA10", "soc/serial@7d001000")
    made.tty("ttyAMA0", header)
    return made
