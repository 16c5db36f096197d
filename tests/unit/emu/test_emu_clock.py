"""The laws of the virtual clock."""

from __future__ import annotations

import pytest

from hw.emu.clock import VirtualClock
from hw.emu.oscillator import Oscillator, OscillatorModel
from hw.emu.world import World
from refclock.events import SetLeap, SetRate, SetStatus, Step
from refclock.timebase import (
    DAY,
    HOUR,
    MICROSECOND,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    Local,
    Mono,
    Tai,
    Utc,
)

MIDNIGHT = Utc.of(2027, 1, 1)
INSERTED = LeapSecond.ending(MIDNIGHT, 37 * SECOND, 38 * SECOND)
DELETED = LeapSecond.ending(MIDNIGHT, 37 * SECOND, 36 * SECOND)


class Bench:
    """A clock that starts at midnight less ten seconds, on a world of its own."""

    def __init__(self, ppb: float = 0.0) -> None:
        self.start = Tai(MIDNIGHT.ns + 27 * SECOND.ns)
        self.world = World(self.start)
        oscillator = Oscillator.of(OscillatorModel(ppb, walk_ppb=0.0), 1)
        self.local = Local(MIDNIGHT.ns - 10 * SECOND.ns)
        self.clock = VirtualClock(self.world.now, oscillator, self.local, Mono(0))

    def after(self, elapsed: Duration) -> tuple[Duration, Duration]:
        """How far both clocks went, that long after the start."""
        self.world.run(self.start + elapsed)
        local, mono = self.clock.read()
        return local - self.local, mono - Mono(0)


def test_both_clocks_count_the_oscillator() -> None:
    bench = Bench(ppb=1000.0)
    counted = HOUR + 3600 * MICROSECOND
    assert bench.after(HOUR) == (counted, counted)
    assert bench.clock.era == 0


def test_a_rate_slews_both_alike_from_now_on() -> None:
    bench = Bench(ppb=1000.0)
    bench.after(10 * SECOND)
    bench.clock.apply(SetRate(-1000.0))
    lost = Duration(4)  # a millionth of the millionth gained, in an hour
    counted = 3610 * SECOND + 10 * MICROSECOND - lost
    assert bench.after(3610 * SECOND) == (counted, counted)
    assert bench.clock.rate == pytest.approx(-1e-6)


def test_a_rate_replaces_the_one_before() -> None:
    bench = Bench()
    for ppb in (500_000.0, -3.0, 0.0):
        bench.clock.apply(SetRate(ppb))
    assert bench.after(DAY) == (DAY, DAY)


def test_a_large_rate_over_a_day_is_exact() -> None:
    bench = Bench()
    bench.clock.apply(SetRate(500_000.0))
    local, _ = bench.after(DAY)
    assert local == DAY + Duration(DAY.ns // 2000)


def test_a_step_moves_the_local_clock_alone_and_begins_an_epoch() -> None:
    bench = Bench()
    bench.after(SECOND)
    bench.clock.apply(Step(Duration(-123)))
    assert bench.clock.era == 1
    assert bench.after(2 * SECOND) == (2 * SECOND - Duration(123), 2 * SECOND)


@pytest.mark.parametrize(("leap", "by"), [(INSERTED, -SECOND), (DELETED, SECOND)])
def test_a_leap_second_turns_the_local_clock_as_linux_does(
    leap: LeapSecond, by: Duration
) -> None:
    bench = Bench()
    bench.clock.apply(SetLeap(leap, leap.before))
    turn = (10 * SECOND if leap.inserts else 9 * SECOND) + 4 * MILLISECOND
    assert bench.after(turn - Duration(1))[0] == turn - Duration(1)
    assert bench.clock.era == 0
    assert bench.after(turn) == (turn + by, turn)
    assert bench.clock.era == 1
    assert bench.after(20 * SECOND) == (20 * SECOND + by, 20 * SECOND)
    assert bench.clock.era == 1


def test_a_leap_second_can_be_called_off() -> None:
    bench = Bench()
    bench.clock.apply(SetLeap(INSERTED, INSERTED.before))
    bench.clock.apply(SetLeap(None, INSERTED.before))
    assert bench.after(20 * SECOND) == (20 * SECOND, 20 * SECOND)


def test_asleep_mono_stands_and_local_goes_on() -> None:
    bench = Bench()
    bench.after(100 * SECOND)
    bench.clock.slept(90 * SECOND)
    assert bench.clock.era == 1
    assert bench.after(101 * SECOND) == (101 * SECOND, 11 * SECOND)


def test_the_past_before_a_command_is_not_told() -> None:
    bench = Bench()
    bench.after(SECOND)
    bench.clock.apply(SetRate(1.0))
    with pytest.raises(ValueError, match="before the last command"):
        bench.clock.at(bench.start)


def test_the_status_told_last_is_kept() -> None:
    bench = Bench()
    status = SetStatus(True, MILLISECOND, ZERO)
    bench.clock.apply(status)
    assert bench.clock.status == status
