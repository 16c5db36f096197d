"""The device tree of machines made of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw.linux.probe.tree import DeviceTree, Hat, HeaderUart
from tests.fakes.machine import MadeUp, pi_4, pi_5

HEADER_5 = "axi/pcie@120000/rp1/serial@30000"


def test_a_pi_4_s_header_has_what_the_tree_calls_serial0(tmp_path: Path) -> None:
    pi_4(tmp_path)
    assert DeviceTree(tmp_path).header_uart() == HeaderUart(
        "soc/serial@7e201000", "/dev/ttyAMA0", True, False, False
    )


def test_a_pi_5_s_header_is_not_its_debug_plug(tmp_path: Path) -> None:
    pi_5(tmp_path)
    assert DeviceTree(tmp_path).header_uart() == HeaderUart(
        HEADER_5, "/dev/ttyAMA0", True, False, False
    )


def test_a_name_that_moved_with_the_kernel_is_followed(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.node("aliases", serial0="/soc/serial@7e201000")
    made.node("soc/serial@7e201000", compatible="arm,pl011")
    made.tty("ttyAMA0", "soc/serial@7e201a00")
    made.tty("ttyAMA7", "soc/serial@7e201000")
    found = DeviceTree(tmp_path).header_uart()
    assert found is not None
    assert found.device == "/dev/ttyAMA7"


def test_the_mini_uart_is_told(tmp_path: Path) -> None:
    made = pi_4(tmp_path)
    made.node("aliases", serial0="/soc/serial@7e215040")
    assert DeviceTree(tmp_path).header_uart() == HeaderUart(
        "soc/serial@7e215040", "/dev/ttyS0", True, True, False
    )


def test_a_port_that_bluetooth_has(tmp_path: Path) -> None:
    """The kernel's own driver took it: there is no tty of it."""
    made = MadeUp(tmp_path)
    node = "soc/serial@7e201000"
    made.node("aliases", serial0=f"/{node}")
    made.node(node, compatible="arm,pl011")
    made.node(f"{node}/bluetooth", compatible="brcm,bcm43438-bt")
    controller = "sys/devices/platform/soc/7e201000.serial/serial0"
    made.link(f"{controller}/of_node", f"sys/firmware/devicetree/base/{node}")
    made.link("sys/bus/serial/devices/serial0-0", f"{controller}/serial0-0")
    assert DeviceTree(tmp_path).header_uart() == HeaderUart(
        node, None, True, False, True
    )


@pytest.mark.parametrize(("status", "enabled"), [("okay", True), ("disabled", False)])
def test_a_port_that_is_switched_off(
    tmp_path: Path, status: str, enabled: bool
) -> None:
    made = pi_5(tmp_path)
    made.node(HEADER_5, status=status)
    found = DeviceTree(tmp_path).header_uart()
    assert found is not None
    assert found.enabled is enabled


def test_a_machine_without_a_tree(tmp_path: Path) -> None:
    tree = DeviceTree(tmp_path)
    assert tree.header_uart() is None
    assert tree.hat() is None
    assert tree.model() is None
    assert tree.cells("pps/gpios") == ()


def test_a_port_made_from_no_node_is_nobody_s(tmp_path: Path) -> None:
    made = pi_4(tmp_path)
    made.usb_tty("ttyUSB0")
    device = tmp_path / "sys/class/tty/ttyUSB0/device"
    assert DeviceTree(tmp_path).node_of(device) is None


def test_a_hat_by_its_memory(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.node(
        "hat",
        vendor="Uputronics",
        product="GPS/RTC Expansion Board",
        product_id="0x0001",
        product_ver="0x0003",
        uuid="e7b1",
    )
    assert DeviceTree(tmp_path).hat() == Hat(
        "Uputronics", "GPS/RTC Expansion Board", "0x0001", "0x0003", "e7b1"
    )


def test_numbers_are_big_endian(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.node("pps@12", gpios=[7, 18, 0])
    assert DeviceTree(tmp_path).cells("pps@12/gpios") == (7, 18, 0)
    assert DeviceTree(tmp_path).nodes("pps*") == ("pps@12",)
