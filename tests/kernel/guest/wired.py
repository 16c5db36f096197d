"""Runs in the guest: a clock chip that stays on a bus while the daemon uses it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from hw.linux import i2c
from refclock.timebase import Utc
from tests.kernel.guest.chips import bus_with, chip_of
from tests.kernel.guest.usb import I2cAdapter

_plugged: Final = ExitStack()
_wires: Final[list[tuple[int, I2cAdapter]]] = []


def plug(year: int) -> int:
    """A DS3231 that shows that year stays on a bus until `unplug`; the bus's number."""
    chip = chip_of("DS3231", celsius=21.75)
    chip.set(Utc.of(year, 1, 1))
    number, adapter = _plugged.enter_context(bus_with(chip))
    _wires.append((number, adapter))
    return number


def trim() -> int:
    """Of the chip on that bus, as told to it."""
    ((number, _),) = _wires
    bus = i2c.open_bus(number)
    steps = i2c.ageing(bus)
    bus.close()
    return steps


def nak(silent: bool) -> None:
    """Nobody answers on that bus; or all do again."""
    ((_, adapter),) = _wires
    adapter.silent = silent


def unplug() -> None:
    """It is unplugged."""
    _wires.clear()
    _plugged.close()
