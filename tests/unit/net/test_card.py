"""A network card's stamps: used while they agree with the kernel's, and no longer."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from hw.abi.ptp import Cross, PtpClock
from hw.net.card import Card, Trust
from refclock.timebase import HOUR, MICROSECOND, MILLISECOND, SECOND

MS, US, S = MILLISECOND.ns, MICROSECOND.ns, SECOND.ns
BEGIN = 1_000 * S
AHEAD = 37 * S
LATE = 12 * US
"""How long after the card the kernel hears of a packet; and the other way round."""


@dataclass
class Clock:
    """The card's own; `now` is the true time, which ours shows."""

    ppm: int = 0
    now: int = BEGIN
    stepped: int = 0
    """How far ours is off the true time since."""
    doubt: int = 500
    fails: bool = False
    readings: int = 0
    closed: bool = False

    def at(self, true: int) -> int:
        return true + AHEAD + (true - BEGIN) * self.ppm // 1_000_000

    def cross(self) -> Cross:
        self.readings += 1
        if self.fails:
            raise OSError(errno.ENODEV, "gone")
        return Cross(self.at(self.now), self.now + self.stepped, self.doubt)

    def close(self) -> None:
        self.closed = True


@dataclass
class Wire:
    """A card in use: what is told of the packets on it, ns from the truth."""

    clock: Clock = field(default_factory=Clock)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.card = Card("eth0", cast("PtpClock", self.clock), self.told.append)

    def run(
        self,
        seconds: int,
        stamp: Callable[[int], int] | None = None,
        every: int = 50 * MS,
        late: int = LATE,
    ) -> list[tuple[int, int]]:
        """Packets that come and go; how far off the truth each is said to be.

        `stamp`: what the card writes for a true time, if not what its clock shows.
        """
        written = stamp or self.clock.at
        errors = []
        for _ in range(seconds * S // every):
            self.clock.now += every
            came = self.clock.now - MS
            step = self.clock.stepped
            (told,) = self.card.received([written(came)], [came + late + step])
            gone = came + 100 * US
            left = self.card.left(written(gone), gone - late + step)
            errors.append((told - step - came, left - step - gone))
        return errors


KERNELS = (LATE, -LATE)


@pytest.mark.parametrize("ppm", [0, 100, -100])
def test_sane_stamps_are_used_after_some_seconds(ppm: int) -> None:
    wire = Wire(Clock(ppm))
    errors = wire.run(10)
    assert errors[:80] == [KERNELS] * 80
    assert all(abs(each) <= 1 for pair in errors[100:] for each in pair)
    assert wire.told == ["eth0: stamps of the card are used"]
    assert wire.clock.readings < 10 * 9


def drifting(ppm: int) -> Callable[[int], int]:
    """A clock that is not the one that can be read."""
    return lambda true: true + AHEAD + (true - BEGIN) * ppm // 1_000_000


@pytest.mark.parametrize(
    "stamp",
    [
        lambda _: BEGIN + AHEAD,
        lambda _: 1,
        lambda true: true + AHEAD + HOUR.ns,
        lambda true: true + AHEAD - HOUR.ns,
        lambda true: true + AHEAD + 40 * US,
        lambda true: true + AHEAD - 2 * MS,
        lambda true: true + AHEAD + (true // MS * 7919 % 10_000 - 5_000) * US,
        drifting(100),
        drifting(-100),
    ],
    ids=[
        *("constant", "one", "hour-late", "hour-early", "40us-late", "2ms-early"),
        *("wild", "fast", "slow"),
    ],
)
def test_stamps_that_do_not_agree_are_never_used(stamp: Callable[[int], int]) -> None:
    wire = Wire()
    assert set(wire.run(40, stamp)) == {KERNELS}
    (told,) = wire.told
    assert told == (
        "eth0: its stamps do not agree with the kernel's;"
        " the kernel's stamps are used from now on"
    )
    assert wire.clock.closed


def test_stamps_that_go_astray_are_dropped_for_good() -> None:
    wire = Wire()
    wire.run(10)
    assert set(wire.run(15, lambda true: true + AHEAD + HOUR.ns)) == {KERNELS}
    assert len(wire.told) == 2
    assert set(wire.run(10)) == {KERNELS}
    assert len(wire.told) == 2


def test_a_slow_drift_ends_before_it_is_a_millisecond() -> None:
    wire = Wire()
    errors = wire.run(60, drifting(-20))
    assert max(abs(each) for pair in errors for each in pair) < 200 * US
    assert errors[-1] == KERNELS
    assert "do not agree" in wire.told[-1]


def test_one_way_alone_is_not_used() -> None:
    wire = Wire()
    told = []
    for _ in range(400):
        wire.clock.now += 50 * MS
        (came,) = wire.card.received([wire.clock.at(wire.clock.now)], [wire.clock.now])
        told.append(came - wire.clock.now)
    assert set(told) == {0}
    assert wire.told == []


def test_one_stamp_astray_is_left_to_the_kernel() -> None:
    wire = Wire()
    wire.run(10)
    now = wire.clock.now + 10 * MS
    wrong = wire.clock.at(now - 2 * MS)
    right = wire.clock.at(now - LATE)
    assert wire.card.received([wrong, right], [now, now]) == [now, now]
    assert wire.card.received([right, right], [now, now]) == [now - LATE, now - LATE]


def test_a_card_never_says_it_came_after_the_kernel_had_it() -> None:
    """Within the doubt of reading its clock it may look so."""
    wire = Wire()
    wire.run(10)
    now = wire.clock.now
    late = wire.clock.at(now + 400)
    assert wire.card.received([late], [now]) == [now]
    assert wire.card.left(wire.clock.at(now - 400), now) == now


@pytest.mark.parametrize(
    "step", [-HOUR.ns, -S // 2, -30 * US, 30 * US, 500 * US, HOUR.ns]
)
def test_after_a_step_of_ours_it_is_soon_right_again(step: int) -> None:
    wire = Wire()
    wire.run(10)
    wire.clock.stepped = step
    errors = wire.run(10)
    assert all(abs(each) <= LATE for pair in errors[8:] for each in pair)
    assert all(abs(each) <= 1 for pair in errors[120:] for each in pair)
    assert len(wire.told) == 1


def test_a_busy_second_is_no_reason_to_drop_it() -> None:
    wire = Wire()
    wire.run(10)
    assert set(wire.run(5, late=3 * MS)) == {(3 * MS, -3 * MS)}
    assert wire.run(10)[-1] == (0, 0)
    assert len(wire.told) == 1


def test_a_card_that_is_gone_or_too_vague() -> None:
    for clock, why in (
        (Clock(), "its clock cannot be read: "),
        (Clock(), "reading its clock is uncertain by 60000 ns"),
    ):
        wire = Wire(clock)
        wire.run(10)
        clock.fails, clock.doubt = "read:" in why, 60 * US
        assert set(wire.run(2)) == {KERNELS}
        assert why in wire.told[-1]
        assert len(wire.told) == 2
        assert clock.closed
        wire.card.close()


def test_a_rare_packet_is_no_window_of_its_own() -> None:
    trust = Trust()
    used = [trust.observe([5 * US], 500, number * 2 * S) for number in range(100)]
    assert used == [False] * 63 + [True] * 37


def test_a_gap_that_grows_by_little_is_found_out() -> None:
    """In one way alone, where it never becomes impossible."""
    trust = Trust()
    for ms in range(0, 60_000, 50):
        used = trust.observe([5 * US + ms * MS // 100_000], 500, ms * MS)
        assert not (used and ms > 13_000)
    assert trust.lost


def test_a_flood_is_judged_by_the_second() -> None:
    """Not by so many packets: a burst held up for a while says nothing."""
    trust = Trust()
    for second in range(5):
        for burst in range(100):
            now = (100 * second + burst) * S // 100
            trust.observe([5 * US if burst == 50 else 900 * US] * 64, 0, now)
    assert trust.accepted
