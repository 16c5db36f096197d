"""Readings of a thermometer, as facts."""

from __future__ import annotations

from collections.abc import Iterator

from refclock.board.ports import SystemClock, Thermometer
from refclock.events import Temperature


class ThermometerDriver:
    """One per sensor. Used by one thread."""

    def __init__(self, thermometer: Thermometer, clock: SystemClock) -> None:
        self._thermometer = thermometer
        self._clock = clock

    def poll(self) -> Iterator[Temperature]:
        """The temperature now. OSError: the sensor is gone."""
        celsius = self._thermometer.celsius()
        _, mono = self._clock.read()
        yield Temperature(mono, celsius, self._thermometer.name)

    def close(self) -> None:
        """Give the sensor back."""
        self._thermometer.close()
