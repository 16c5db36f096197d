"""Serial ports of machines made of files."""

from __future__ import annotations

from pathlib import Path

from hw.linux.probe.ports import Port, UsbId, ports
from hw.linux.probe.tree import DeviceTree
from tests.fakes.machine import MadeUp, pi_4


def of(made: MadeUp) -> dict[str, Port]:
    found = ports(made.root, DeviceTree(made.root), ())
    return {port.device: port for port in found}


def test_a_port_by_its_driver_and_node(tmp_path: Path) -> None:
    found = of(pi_4(tmp_path))
    assert set(found) == {"/dev/ttyAMA0", "/dev/ttyS0"}
    assert found["/dev/ttyAMA0"].driver == "uart-pl011"
    assert found["/dev/ttyAMA0"].node == "soc/serial@7e201000"
    assert found["/dev/ttyAMA0"].usb is None


def test_an_adapter_by_what_it_says_of_itself(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.usb_tty("ttyUSB0")
    port = of(made)["/dev/ttyUSB0"]
    assert port.usb == UsbId("0403", "6001", "A1", "12")
    assert port.driver == "ftdi_sio"
    assert port.node is None


def test_ports_without_hardware_are_none(tmp_path: Path) -> None:
    """Virtual terminals, and the 8250 driver's spare ports."""
    made = MadeUp(tmp_path)
    (tmp_path / "sys/class/tty/tty1").mkdir(parents=True)
    made.tty("ttyS1", driver="serial8250")
    made.file("sys/class/tty/ttyS1/type", "0\n")
    made.tty("ttyS2", driver="serial8250")
    made.file("sys/class/tty/ttyS2/type", "4\n")
    assert set(of(made)) == {"/dev/ttyS2"}


def test_a_receiver_that_is_no_port_is_among_them(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.link("sys/class/gnss/gnss0/device", "sys/devices/usb1/1-2/1-2:1.0")
    assert set(of(made)) == {"/dev/gnss0"}
