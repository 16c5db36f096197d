"""Runs in the guest: the contract suite, on its own ports, as `-m hardware` on a Pi."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from hw.emu.i2c import UbloxPort
from tests.kernel.guest.chips import bus_with, chip_of, pulsing_port
from tests.kernel.guest.usb import GnssReceiver, appeared, nodes

_SUITE: Final = "tests/contract"
_BOARDS: Final = Path("/run/boards")
_WORDS: Final = b"$GPTXT,01,01,02,u-blox ag - www.u-blox.com*50\r\n"

_OVERLAYS: Final = """
[receiver]
device = "/dev/ttyAMA0"
[pulse]
source = "kernel"
measure = true
measure_line = "GPIO18"
[rtc]
source = "kernel"
[thermometer]
source = "none"
"""
_DIRECT: Final = """
[receiver]
device = "/dev/ttyAMA0"
baud = 9600
[pulse]
source = "gpio"
[rtc]
source = "i2c"
bus = {bus}
[thermometer]
source = "ds3231"
"""
_USB: Final = """
[receiver]
device = "/dev/i2c-{bus}"
[pulse]
source = "serial"
device = "{port}"
[rtc]
source = "none"
[thermometer]
source = "none"
"""
_GNSS: Final = """
[receiver]
device = "{gnss}"
[pulse]
source = "none"
[rtc]
source = "none"
[thermometer]
source = "none"
"""
_WIRED: Final = {"overlays": _OVERLAYS, "direct": _DIRECT, "usb": _USB, "gnss": _GNSS}
"""By the kernel's own drivers; by gpiod and smbus2; what hangs on USB and the bus; a
receiver that is no serial port."""


class Verdicts:
    """What became of each test."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Once for each of setup, call and teardown."""
        if report.when == "call" or report.outcome != "passed":
            row = {"test": report.nodeid, "outcome": report.outcome}
            self.rows.append(row | {"why": report.longreprtext})


def kept() -> list[dict[str, str]]:
    """All of it, on each of the boards that the guest can be taken for."""
    verdicts = Verdicts()
    with (
        speaking_receiver() as receiver,
        bus_with(chip_of("DS3231", celsius=25.25), receiver) as (bus, _),
        pulsing_port(every_s=1.0) as (port, _),
        plugged_receiver() as gnss,
    ):
        _BOARDS.mkdir(exist_ok=True)
        options = ["--may-set"]
        for name, text in _WIRED.items():
            file = _BOARDS / f"{name}.toml"
            file.write_text(text.format(bus=bus, port=port, gnss=gnss))
            options += ["--board", str(file)]
        options += ["-q", "-m", "hardware", "-p", "no:cacheprovider", "--tb=short"]
        pytest.main([*options, _SUITE], plugins=[verdicts])
    return verdicts.rows


@contextmanager
def speaking_receiver() -> Iterator[UbloxPort]:
    """On the bus, a sentence a second."""
    receiver = UbloxPort()
    with speaking(receiver.say):
        yield receiver


@contextmanager
def plugged_receiver() -> Iterator[str]:
    """The device of one on USB that is no serial port; a sentence a second."""
    before = nodes("gnss*")
    receiver = GnssReceiver()
    receiver.plug(3)
    try:
        path = appeared("gnss*", before)
        with speaking(receiver.say):
            yield path
    finally:
        receiver.unplug()


@contextmanager
def speaking(say: Callable[[bytes], None]) -> Iterator[None]:
    """A sentence a second."""
    done = threading.Event()

    def speak() -> None:
        while not done.wait(1):
            say(_WORDS)

    voice = threading.Thread(target=speak)
    voice.start()
    try:
        yield
    finally:
        done.set()
        voice.join()
