"""Pulse devices and cards' clocks of machines made of files."""

from __future__ import annotations

from pathlib import Path

from hw.linux.probe.pulses import CardClock, PulseDevice, card_clocks, pulse_devices
from hw.linux.probe.tree import DeviceTree
from tests.fakes.machine import MadeUp


def test_pulse_devices_and_their_pins(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.node("pps@12", compatible="pps-gpio", gpios=[7, 18, 0])
    made.node("pps@4", compatible="pps-gpio", gpios=[7, 4, 0])
    made.node("pps@4", assert__falling__edge="")
    made.pps(0, "ptp0")
    made.pps(1, "pps@12.-1", seq=77, node="pps@12")
    made.pps(2, "pps@4.-1", node="pps@4")
    made.pps(10, "usbserial0", "/dev/ttyUSB0", seq=5)
    at = 1795917600.000000123
    assert pulse_devices(tmp_path, DeviceTree(tmp_path)) == (
        PulseDevice("/dev/pps0", "ptp0", None, None, False, 0, None),
        PulseDevice("/dev/pps1", "pps@12.-1", None, 18, False, 77, at),
        PulseDevice("/dev/pps2", "pps@4.-1", None, 4, True, 0, None),
        PulseDevice("/dev/pps10", "usbserial0", "/dev/ttyUSB0", None, False, 5, at),
    )


def test_the_busier_edge_counts(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.pps(0, "pps.-1", seq=3)
    made.file("sys/class/pps/pps0/clear", "1795917600.100000000#9\n")
    (found,) = pulse_devices(tmp_path, DeviceTree(tmp_path))
    assert (found.seq, found.at_s) == (9, 1795917600.1)


def test_cards_clocks(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.file("sys/class/ptp/ptp0/clock_name", "i226\n")
    made.file("sys/class/ptp/ptp0/n_external_timestamps", "2\n")
    made.file("sys/class/ptp/ptp0/n_programmable_pins", "4\n")
    (tmp_path / "sys/class/ptp/ptp0/device/net/eth1").mkdir(parents=True)
    assert card_clocks(tmp_path) == (CardClock("/dev/ptp0", "i226", ("eth1",), 2, 4),)
