"""Runs in the guest: our drivers on chips and ports behind USB."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import serial

from hw.emu.i2c import SHEETS, Chip, ClockChip, UbloxPort
from hw.linux import i2c, sensors
from hw.linux.line.ddc import Ddc, open_ddc
from hw.linux.pulse.serial import WatchedPps, open_dcd
from hw.linux.rtc import KernelRtc
from refclock.board.wiring import WantedEdge
from refclock.timebase import MILLISECOND, SECOND, Tai, Utc
from tests.kernel.guest.pulse import edges_of
from tests.kernel.guest.refusal import refusal
from tests.kernel.guest.usb import (
    I2cAdapter,
    SerialAdapter,
    appeared,
    nodes,
)

_DRIVERS: Final = {"DS3231": "ds3231", "PCF8523": "pcf8523"}
"""What the kernel's drivers call them; Debian's has none for the RV-3028."""
_SET_TO: Final = Utc.of(2031, 12, 24, 18, 30, 15)


class MotionSensor:
    """An MPU-6050, awake, by its register map (InvenSense RM-MPU-6000A-00, 4.2)."""

    address = 0x68

    def __init__(self) -> None:
        self._registers = bytearray(128)
        self._registers[:13] = bytes.fromhex("8101850d15a8f9c60a6f048b17")  # trims
        self._registers[0x19:0x1C] = b"\x07\x03\x18"
        self._registers[0x75] = 0x68  # who it is
        self._at = 0
        self.was_set = False
        """Did anybody write more than a place to read from?"""

    def write(self, data: bytes) -> None:
        """The place; what is to be there."""
        self._at = data[0] % len(self._registers)
        self.was_set |= len(data) > 1

    def read(self, count: int) -> bytes:
        """What it feels is never quite the same."""
        self._registers[0x3B:0x49] = os.urandom(14)
        size = len(self._registers)
        return bytes(self._registers[(self._at + i) % size] for i in range(count))


@contextmanager
def bus_with(*chips: Chip) -> Iterator[tuple[int, I2cAdapter]]:
    """An adapter with these chips behind it, and the number of its bus."""
    before = nodes("i2c-*")
    adapter = I2cAdapter(chips)
    adapter.plug(0)
    path = appeared("i2c-*", before)
    try:
        yield int(path.rpartition("-")[2]), adapter
    finally:
        adapter.unplug()
        while path in nodes("i2c-*"):
            time.sleep(0.02)


def chip_of(name: str, celsius: float | None = None) -> ClockChip:
    """It ticks by the guest's monotonic clock, and was never set."""
    return ClockChip(SHEETS[name], lambda: Tai(time.monotonic_ns()), celsius)


def clock_chip(name: str) -> dict[str, Any]:
    """Never set, then set, then it no longer answers."""
    with bus_with(chip_of(name)) as (number, adapter):
        rtc = i2c.open_rtc(number)
        fresh = rtc.read()
        rtc.write(_SET_TO)
        after = rtc.read()
        time.sleep(1.1)
        later = rtc.read()
        adapter.silent = True
        gone = refusal(lambda: _read(rtc))
        rtc.close()
    assert after is not None
    assert later is not None
    return {
        "name": rtc.name,
        "fresh": fresh,
        "after_setting_s": (after - _SET_TO).seconds,
        "later_s": (later - after).seconds,
        "gone": gone,
    }


def thermometer(celsius: float, steps: int) -> dict[str, Any]:
    """Of a DS3231, and how it is trimmed."""
    with bus_with(chip_of("DS3231", celsius)) as (number, _):
        sensor = i2c.open_thermometer(number)
        shown = sensor.celsius()
        sensor.close()
        bus = i2c.open_bus(number)
        i2c.set_ageing(bus, steps)
        ageing = i2c.ageing(bus)
        bus.close()
    return {"celsius": shown, "ageing": ageing}


def motion_sensor() -> dict[str, Any]:
    """It answers where clocks do."""
    sensor = MotionSensor()
    with bus_with(sensor) as (number, _):
        why = refusal(lambda: i2c.open_rtc(number))
    return {"refusal": why, "was_set": sensor.was_set}


def clock_chip_beside_a_motion_sensor() -> str:
    """At another address."""
    with bus_with(MotionSensor(), chip_of("RV-3028")) as (number, _):
        rtc = i2c.open_rtc(number)
        rtc.close()
    return rtc.name


def empty_bus() -> str:
    """Nobody answers."""
    with bus_with() as (number, _):
        return refusal(lambda: i2c.open_rtc(number))


def taken_by_the_kernel(name: str) -> dict[str, Any]:
    """As dtoverlay=i2c-rtc does on a Pi."""
    before = nodes("rtc*")
    with bus_with(chip_of(name, -3.25 if name == "DS3231" else None)) as (number, _):
        device = Path(f"/sys/bus/i2c/devices/i2c-{number}")
        (device / "new_device").write_text(f"{_DRIVERS[name]} 0x68")
        path = appeared("rtc*", before)
        rtc = KernelRtc(path)
        fresh = rtc.read()
        rtc.write(_SET_TO)
        after = rtc.read()
        try:
            celsius = sensors.hwmon("ds3231").celsius()
        except FileNotFoundError:  # it is another chip
            celsius = None
        why = refusal(lambda: i2c.open_rtc(number))
        (device / "delete_device").write_text("0x68")
    assert after is not None
    return {
        "path": path,
        "fresh": fresh,
        "after_setting_s": (after - _SET_TO).seconds,
        "celsius": celsius,
        "refusal": why,
    }


def receiver_on_the_bus(words: str) -> dict[str, Any]:
    """A u-blox: what it kept, what it says now, what it is told, and gone."""
    port = UbloxPort()
    port.say(b"kept from before")
    with bus_with(port) as (number, adapter):
        line = open_ddc(number)
        silence = line.read(50 * MILLISECOND)
        port.say(words.encode())
        chunks = []
        while chunk := line.read(100 * MILLISECOND):
            chunks.append(chunk)
        line.write(b"\xb5\x62\x0a\x04\x00\x00\x0e\x34")
        adapter.silent = True
        gone = refusal(lambda: _heard(line))
        line.close()
        nobody = refusal(lambda: open_ddc(number))
    return {
        "name": line.name,
        "silence": silence,
        "data": b"".join(chunk.data for chunk in chunks).decode(),
        "spans": [(chunk.first.ns, chunk.last.ns) for chunk in chunks],
        "told": port.told.hex(),
        "gone": gone,
        "nobody": nobody,
    }


@contextmanager
def pulsing_port(every_s: float = 0.5) -> Iterator[tuple[str, SerialAdapter]]:
    """A USB serial port on whose DCD a pulse of 100 ms comes so often."""
    before = nodes("ttyUSB*")
    adapter = SerialAdapter()
    adapter.plug(1)
    path = appeared("ttyUSB*", before)
    done = threading.Event()

    def pulse() -> None:
        next_s = time.monotonic()
        while not done.wait(max(0.0, next_s - time.monotonic())):
            adapter.carrier(True)
            done.wait(0.1)
            adapter.carrier(False)
            next_s += every_s

    beat = threading.Thread(target=pulse)
    beat.start()
    try:
        yield path, adapter
    finally:
        done.set()
        beat.join()
        if path in nodes("ttyUSB*"):
            adapter.unplug()
        while path in nodes("ttyUSB*"):
            time.sleep(0.02)


def carrier_detect(count: int) -> dict[str, Any]:
    """By the line discipline; the port is as before when it is given back."""
    with pulsing_port() as (path, _):
        line = open_dcd(path, WantedEdge.AUTO)
        try:
            edges = edges_of(line, count)
        finally:
            line.close()
        left = sorted(nodes("pps*"))
        serial.Serial(path, 9600).close()
    return {
        "kind": type(line).__name__,
        "name": line.name,
        "edges": edges,
        "left": left,
    }


def carrier_watched(count: int) -> dict[str, Any]:
    """By a thread, as where no line discipline may be attached."""
    with pulsing_port() as (path, _):
        port = serial.Serial(path, 9600)
        line = WatchedPps(port.fileno(), path, WantedEdge.AUTO)
        edges = edges_of(line, count)
        line.close()
    return {"name": line.name, "edges": edges}


def carrier_unplugged() -> str:
    """The port goes while we wait."""
    with pulsing_port() as (path, adapter):
        line = open_dcd(path, WantedEdge.AUTO)
        edges_of(line, 1)
        adapter.unplug()
        why = "it was not noticed"
        for _ in range(20):
            try:
                line.wait(SECOND)
            except OSError as error:
                why = f"{type(error).__name__}: {error}"
                break
        line.close()
    return why


def _heard(line: Ddc) -> Ddc:
    line.read(MILLISECOND)
    return line


def _read(rtc: i2c.ChipRtc) -> i2c.ChipRtc:
    rtc.read()
    return rtc
