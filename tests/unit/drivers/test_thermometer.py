"""A reading is a fact with its moment."""

from __future__ import annotations

from refclock.drivers.thermometer import ThermometerDriver
from refclock.events import Command, Temperature
from refclock.timebase import Local, Mono


class Sensor:
    name = "cpu-thermal"
    closed = False

    def celsius(self) -> float:
        return 51.25

    def close(self) -> None:
        self.closed = True


class Clock:
    era = 0

    def read(self) -> tuple[Local, Mono]:
        return Local(5), Mono(7)

    def apply(self, command: Command) -> None:
        raise NotImplementedError


def test_a_reading_carries_its_moment_and_sensor() -> None:
    events = list(ThermometerDriver(Sensor(), Clock()).poll())
    assert events == [Temperature(Mono(7), 51.25, "cpu-thermal")]


def test_the_sensor_is_given_back() -> None:
    sensor = Sensor()
    ThermometerDriver(sensor, Clock()).close()
    assert sensor.closed
