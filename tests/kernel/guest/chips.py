"""Runs in the guest: our drivers on chips and ports behind USB."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import serial

from hw.linux import i2c, sensors
from hw.linux.pps_serial import WatchedPps, open_dcd
from refclock.timebase import SECOND, Utc
from refclock.wiring import WantedEdge
from tests.kernel.guest.pulse import edges_of
from tests.kernel.guest.refusal import refusal
from tests.kernel.guest.usb import (
    Chip,
    Ds3231,
    I2cAdapter,
    SerialAdapter,
    appeared,
    nodes,
)


@contextmanager
def bus_with(chips: dict[int, Chip]) -> Iterator[int]:
    """An adapter with these chips behind it; the number of its bus."""
    before = nodes("i2c-*")
    adapter = I2cAdapter(chips)
    adapter.plug(0)
    path = appeared("i2c-*", before)
    try:
        yield int(path.rpartition("-")[2])
    finally:
        adapter.unplug()
        while path in nodes("i2c-*"):
            time.sleep(0.02)


def clock_chip() -> dict[str, Any]:
    """Read, set, trimmed; then it no longer answers."""
    chip = Ds3231(celsius=21.75)
    with bus_with({0x68: chip}) as number:
        thermometer = i2c.open_thermometer(number)
        celsius = thermometer.celsius()
        thermometer.close()
        bus = i2c.open_bus(number)
        i2c.set_ageing(bus, -12)
        ageing = i2c.ageing(bus)
        bus.close()
        rtc = i2c.open_rtc(number)
        shown = rtc.read()
        now = Utc(time.time_ns())
        wanted = Utc.of(2031, 12, 24, 18, 30, 15)
        rtc.write(wanted)
        after = rtc.read()
        chip.answers = False
        gone = refusal(lambda: _read(rtc))
        rtc.close()
    assert shown is not None
    assert after is not None
    return {
        "name": rtc.name,
        "celsius": celsius,
        "ageing": ageing,
        "late_s": (now - shown).seconds,
        "after_setting_s": (after - wanted).seconds,
        "gone": gone,
    }


def motion_sensor() -> str:
    """It answers where clocks do."""
    registers = bytes((37 * place + 11) % 251 for place in range(118))
    with bus_with({0x68: Chip(registers)}) as number:
        return refusal(lambda: i2c.open_rtc(number))


def empty_bus() -> str:
    """Nobody answers."""
    with bus_with({}) as number:
        return refusal(lambda: i2c.open_rtc(number))


def taken_by_the_kernel() -> dict[str, Any]:
    """As dtoverlay=i2c-rtc,ds3231 does on a Pi."""
    before = nodes("rtc*")
    with bus_with({0x68: Ds3231(celsius=-3.25)}) as number:
        device = Path(f"/sys/bus/i2c/devices/i2c-{number}")
        (device / "new_device").write_text("ds3231 0x68")
        path = appeared("rtc*", before)
        rtc = sensors.KernelRtc(path)
        shown = rtc.read()
        now = Utc(time.time_ns())
        rtc.write(Utc.of(2031, 12, 24, 18, 30, 15))
        after = rtc.read()
        try:
            celsius = sensors.hwmon("ds3231").celsius()
        except FileNotFoundError:  # the kernel was built without
            celsius = None
        why = refusal(lambda: i2c.open_rtc(number))
        (device / "delete_device").write_text("0x68")
    assert shown is not None
    assert after is not None
    return {
        "path": path,
        "late_s": (now - shown).seconds,
        "after_setting": after.iso(),
        "celsius": celsius,
        "refusal": why,
    }


@contextmanager
def pulsing_port() -> Iterator[tuple[str, SerialAdapter]]:
    """A USB serial port on whose DCD a pulse of 100 ms comes every half second."""
    before = nodes("ttyUSB*")
    adapter = SerialAdapter()
    adapter.plug(1)
    path = appeared("ttyUSB*", before)
    done = threading.Event()

    def pulse() -> None:
        while not done.wait(0.4):
            adapter.carrier(True)
            done.wait(0.1)
            adapter.carrier(False)

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


def _read(rtc: i2c.ChipRtc) -> i2c.ChipRtc:
    rtc.read()
    return rtc
