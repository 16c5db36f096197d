"""The battery clock is a witness, as good as it can be and no better."""

from __future__ import annotations

from dataclasses import dataclass

from refclock.drivers.rtc import RtcDriver
from refclock.events import RTC0, Command, Witness
from refclock.timebase import MILLISECOND, SECOND, Duration, Local, Mono, Utc


@dataclass
class Clock:
    era: int = 2
    stepped: bool = False

    def read(self) -> tuple[Local, Mono]:
        self.era += self.stepped
        return Local(990 * SECOND.ns), Mono(7)

    def apply(self, command: Command) -> None:
        raise NotImplementedError


@dataclass
class Chip:
    utc: Utc | None
    name: str = "DS3231"
    closed: bool = False

    def read(self) -> Utc | None:
        return self.utc

    def write(self, utc: Utc) -> None:
        self.utc = utc

    def close(self) -> None:
        self.closed = True


def poll(utc: Utc | None, clock: Clock) -> list[Witness]:
    return list(RtcDriver(Chip(utc), clock, 60 * SECOND).poll())


def test_its_second_has_begun_up_to_a_second_ago() -> None:
    assert poll(Utc(1_000 * SECOND.ns), Clock()) == [
        Witness(
            source=RTC0,
            offset=Duration(10_500 * MILLISECOND.ns),
            at=Local(990 * SECOND.ns),
            mono=Mono(7),
            era=2,
            spread=60_500 * MILLISECOND,
        )
    ]


def test_a_clock_that_lost_its_time_says_nothing() -> None:
    assert poll(None, Clock()) == []


def test_nothing_is_told_across_a_step() -> None:
    assert poll(Utc(1_000 * SECOND.ns), Clock(stepped=True)) == []


def test_the_chip_is_given_back() -> None:
    chip = Chip(None)
    RtcDriver(chip, Clock(), SECOND).close()
    assert chip.closed
