"""The battery clock is a witness, as good as it can be and no better."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

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


@dataclass
class Ticking:
    """A chip and the clocks of the machine, which pass while somebody sleeps."""

    passed: Duration = 123 * MILLISECOND
    """Since the chip's second 1000 began."""
    stuck: bool = False

    @property
    def mono(self) -> Mono:
        return Mono(self.passed.ns)

    def sleep(self, seconds: float) -> None:
        self.passed += Duration.from_seconds(seconds)

    def chip(self) -> Chip:
        ticking = self

        class Counting(Chip):
            def read(self) -> Utc | None:
                seconds = 0 if ticking.stuck else ticking.passed.ns // SECOND.ns
                return Utc((1000 + seconds) * SECOND.ns)

        return Counting(None)

    def clock(self) -> Clock:
        ticking = self

        class Passing(Clock):
            def read(self) -> tuple[Local, Mono]:
                return Local(5 * SECOND.ns + ticking.passed.ns), ticking.mono

        return Passing()


@pytest.mark.parametrize("passed_ms", [3, 123, 990])
def test_where_it_may_wait_it_waits_for_the_next_second(passed_ms: int) -> None:
    world = Ticking(passed_ms * MILLISECOND)
    driver = RtcDriver(world.chip(), world.clock(), 50 * MILLISECOND, world.sleep)
    (witness,) = driver.poll()
    assert witness.spread == 60 * MILLISECOND
    assert abs(witness.offset - 995 * SECOND) <= 10 * MILLISECOND
    assert Duration(witness.at.ns - witness.mono.ns) == 5 * SECOND


def test_one_that_stands_still_is_good_to_its_second() -> None:
    world = Ticking(stuck=True)
    driver = RtcDriver(world.chip(), world.clock(), SECOND, world.sleep)
    (witness,) = driver.poll()
    assert witness.spread == 1500 * MILLISECOND
    assert witness.mono == Mono(123 * MILLISECOND.ns)
