"""The driver that watches the pulse's pin, on a pin and a clock of our own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from refclock.drivers.latency import (
    EARLY,
    FIRST,
    LEAST,
    MOST,
    LatencyDriver,
    Unseen,
    next_second,
)
from refclock.events import Bracket, Command
from refclock.published import ClockSnapshot
from refclock.timebase import (
    MICROSECOND,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    Local,
    Mono,
    Tai,
)

UPTIME = Mono(1_000 * SECOND.ns)
MORNING = Local(1_800_000_000 * SECOND.ns)
AHEAD = 250 * MILLISECOND
"""TAI less local, but for whole seconds: our clock is behind by so much."""


def snapshot(rate: float = 0.0, bound: Duration = 5 * MICROSECOND) -> ClockSnapshot:
    return ClockSnapshot(
        stratum=1,
        ref_id=b"PPS\0",
        at=UPTIME,
        local=MORNING,
        correction=37 * SECOND + AHEAD,
        rate=rate,
        updated=Tai(MORNING.ns),
        bound=bound,
        bound_rate=0.0,
        utc_behind_tai=37 * SECOND,
        leap=None,
        precision=-20,
    )


@dataclass
class Machine:
    """A clock, a pin and a sleeper; the edge comes `off` its second."""

    era: int = 0
    since: Duration = ZERO
    off: Duration = ZERO
    lost: bool = False
    steps: bool = False
    name: str = "GPIO18"
    slept: list[float] = field(default_factory=list)
    watched_for: list[Duration] = field(default_factory=list)
    closed: bool = False

    def read(self) -> tuple[Local, Mono]:
        return MORNING + self.since, UPTIME + self.since

    def apply(self, command: Command) -> None:
        raise NotImplementedError

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.since += Duration.from_seconds(seconds)

    def change(self, until: Local) -> tuple[Local, Local] | None:
        local, _ = self.read()
        self.watched_for.append(until - local)
        self.era += self.steps
        second = Local(-(-(local + AHEAD).ns // SECOND.ns) * SECOND.ns) - AHEAD
        edge = second + self.off
        found = not self.lost and local <= edge <= until
        self.since += (edge if found else until) - local
        return (edge - MICROSECOND, edge + MICROSECOND) if found else None

    def close(self) -> None:
        self.closed = True

    def fresh(self) -> ClockSnapshot:
        local, mono = self.read()
        return replace(snapshot(), at=mono, local=local)

    def driver(self, doubt: ClockSnapshot | None = None) -> LatencyDriver:
        return LatencyDriver(self, self, lambda: doubt or self.fresh(), self.sleep)

    def told(self, driver: LatencyDriver, seconds: int) -> list[Bracket]:
        """Polled once a second."""
        found = []
        for _ in range(seconds):
            began = self.since
            found += list(driver.poll())
            self.since = max(self.since, began + SECOND)
        return found


def test_the_bracket_is_told_with_both_clocks_and_the_epoch() -> None:
    machine = Machine(era=3)
    (bracket,) = machine.driver().poll()
    edge = MORNING + SECOND - AHEAD
    assert bracket.low < edge < bracket.high
    assert bracket.mono - UPTIME == edge - MORNING
    assert bracket.era == 3


def test_it_sleeps_until_shortly_before_the_second_and_no_longer_than_one() -> None:
    machine = Machine()
    list(machine.driver().poll())
    (slept,) = machine.slept
    assert slept == pytest.approx((SECOND - AHEAD - FIRST - EARLY).seconds)
    assert slept < 1.0


def test_the_window_narrows_to_what_the_edge_is_off() -> None:
    machine = Machine(off=30 * MICROSECOND)
    machine.told(machine.driver(), 8)
    assert machine.watched_for[0] == EARLY + FIRST + FIRST
    assert machine.watched_for[-1] == EARLY + 2 * 4 * 31 * MICROSECOND
    quiet = Machine()
    quiet.told(quiet.driver(), 8)
    assert quiet.watched_for[-1] == EARLY + 2 * LEAST


def test_the_window_widens_until_the_edge_is_in_it() -> None:
    machine = Machine(off=450 * MICROSECOND)
    assert machine.told(machine.driver(), 8)
    assert max(machine.watched_for) == EARLY + 2 * MOST


def test_once_enough_is_known_it_rests() -> None:
    machine = Machine()
    driver = machine.driver()
    assert len(machine.told(driver, 40)) == 32
    assert machine.told(driver, 40) == []
    assert len(machine.told(driver, 10)) == 1


def test_an_edge_over_which_the_clock_was_stepped_is_not_told() -> None:
    machine = Machine(steps=True)
    assert machine.told(machine.driver(), 3) == []
    assert len(machine.watched_for) == 3


def test_a_pin_that_never_changes_is_told() -> None:
    machine = Machine(lost=True)
    driver = machine.driver()
    assert machine.told(driver, 63) == []
    with pytest.raises(OSError, match=r"GPIO18 did not change.*pulse\.measure_line"):
        list(driver.poll())


@pytest.mark.parametrize(
    "doubt",
    [
        replace(snapshot(), stratum=16),
        snapshot(bound=FIRST + MICROSECOND),
        replace(snapshot(), at=UPTIME - 60 * SECOND),
    ],
)
def test_nothing_is_watched_while_the_time_is_in_doubt(doubt: ClockSnapshot) -> None:
    machine = Machine()
    assert list(machine.driver(doubt).poll()) == []
    assert machine.slept == []
    assert machine.watched_for == []


def test_the_second_is_foretold_on_a_clock_that_runs_wrong() -> None:
    due = next_second(snapshot(rate=1e-4), MORNING, UPTIME)
    assert due is not None
    tai = snapshot(rate=1e-4).tai(due, Duration(MORNING.ns - UPTIME.ns))
    assert abs(tai.ns % SECOND.ns) <= 1


def test_the_second_that_begins_now_is_too_late_to_watch() -> None:
    now = SECOND - AHEAD
    due = next_second(snapshot(), MORNING + now, UPTIME + now)
    assert due == MORNING + now + SECOND


def test_the_pin_is_let_go_of() -> None:
    machine = Machine()
    machine.driver().close()
    assert machine.closed


def test_a_pin_that_cannot_be_seen_tells_nothing() -> None:
    unseen = Unseen()
    assert list(unseen.poll()) == []
    unseen.close()
