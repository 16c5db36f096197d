from __future__ import annotations

import pytest

from refclock.gnss.clocks import Clocks, Standing
from refclock.timebase import DAY, MILLISECOND, SECOND, ZERO, Duration, Mono

NOON = 43_200 * SECOND


class Line:
    """Bursts of names: talker, kind, seconds it is ahead, ms behind the one before."""

    def __init__(self, start: Duration = NOON, *, bursts: bool = True) -> None:
        self.clocks = Clocks()
        self._start = start
        self._bursts = bursts

    def second(self, k: float, *names: tuple[str, str, float, int]) -> list[Standing]:
        at = Mono(0) + Duration.from_seconds(k) + 100 * MILLISECOND
        burst = at if self._bursts else None
        out = []
        for talker, kind, ahead_s, ms in names:
            at += ms * MILLISECOND
            tod = self._start + Duration.from_seconds(int(k) + ahead_s)
            tod = Duration(tod.ns % DAY.ns)
            out.append(self.clocks.observe(talker, kind, tod, at, burst)[0])
        return out


USED, FOREIGN, CONTRADICTED = Standing


@pytest.mark.parametrize("start", [NOON, DAY - 3 * SECOND])
@pytest.mark.parametrize(
    "names",
    [
        [("GN", "RMC", 0, 0), ("GN", "GGA", 0, 50), ("GN", "ZDA", 0, 850)],
        [("GN", "RMC", 0, 0), ("GN", "GLL", 1, 50)],
        [("GP", "RMC", 0, 0), ("GN", "RMC", 0, 600)],
        [("GP", "RMC", 0, 0), ("UBX", "UBX-NAV-TIMEUTC", -1e-6, 300)],
        [("GN", "RMC", 0.0, 0), ("GN", "RMC", 0.2, 200), ("GN", "RMC", 0.4, 200)],
    ],
)
def test_one_clock_is_used(
    start: Duration, names: list[tuple[str, str, float, int]]
) -> None:
    line = Line(start)
    for k in range(8):
        assert line.second(k, *names) == [USED] * len(names)


def test_two_bursts_at_once_look_like_two_clocks_for_some_seconds_only() -> None:
    """A line that was held up: of two talkers the later one is left out, and comes
    back."""
    line = Line()
    burst = ("GN", "RMC", 0, 0), ("GP", "GGA", 0, 60)
    for k in range(5):
        assert line.second(k, *burst) == [USED, USED]
    for _ in range(3):
        line.second(5, ("GN", "RMC", -1, 0), ("GN", "RMC", 0, 1), ("GP", "GGA", -1, 1))
    assert line.second(6, *burst) != [USED, USED]
    assert [line.second(k, *burst) for k in range(7, 30)][9:] == [[USED, USED]] * 14


@pytest.mark.parametrize("behind", [-1, 1, -7])
def test_a_foreign_clock_stays_left_out(behind: int) -> None:
    line = Line()
    for k in range(60):
        told = line.second(k, ("GN", "RMC", 0, 0), ("AI", "RMC", behind, 120))
        assert told[1] is FOREIGN or k < 2


@pytest.mark.parametrize("ahead", [1, -1, 3600, 0.8])
def test_a_second_contradicted_in_a_burst(ahead: float) -> None:
    line = Line()
    names = ("GN", "RMC", 0, 0), ("GN", "ZDA", ahead, 50)
    assert line.second(0, *names)[1] is CONTRADICTED
    assert line.second(1, *names)[1] is CONTRADICTED


def test_without_a_pause_kinds_are_not_compared() -> None:
    """The next second's burst follows at once."""
    line = Line(bursts=False)
    names = ("GN", "RMC", 0, 0), ("GN", "ZDA", 0, 950)
    assert {s for k in range(5) for s in line.second(k, *names)} == {USED}


@pytest.mark.parametrize("bursts", [True, False])
@pytest.mark.parametrize("ahead", [-1, 1, -3600, 5.5])
@pytest.mark.parametrize("first", ["AI", "GN"])
def test_of_two_talkers_the_satellite_receiver_is_used(
    first: str, ahead: float, bursts: bool
) -> None:
    line = Line(bursts=bursts)
    names = [("GN", "RMC", 0.0, 0), ("AI", "RMC", ahead, 30)]
    if first == "AI":
        names.reverse()
    line.second(0, *names)
    for k in range(1, 20):
        standing = dict(zip((n[0] for n in names), line.second(k, *names), strict=True))
        assert standing == {"GN": USED, "AI": FOREIGN}


def test_of_two_satellite_receivers_the_even_one_is_used() -> None:
    line = Line()
    told: list[Standing] = []
    for k in range(20):
        uneven = 0.4 * (k % 3) - 7
        told = line.second(k, ("GN", "RMC", 0, 0), ("GP", "RMC", uneven, 30))
    assert told == [USED, FOREIGN]


def test_two_even_satellite_receivers_contradict_each_other() -> None:
    line = Line()
    told: list[Standing] = []
    for k in range(5):
        told = line.second(k, ("GN", "RMC", 0, 0), ("GP", "RMC", -1, 30))
    assert CONTRADICTED in told
    assert FOREIGN not in told


def test_the_foreign_clock_is_used_when_the_other_is_gone() -> None:
    line = Line()
    names = ("GN", "RMC", 0, 0), ("AI", "RMC", -1, 30)
    line.second(0, *names)
    line.second(1, *names)
    told = [line.second(k, names[1])[0] for k in range(2, 20)]
    assert told == [FOREIGN] * 9 + [USED] * 9


def test_addresses_are_bounded() -> None:
    clocks = Clocks()
    for k in range(10_000):
        clocks.observe(f"{k:04}", "RMC", ZERO, Mono(k), None)
    assert len(clocks._addresses) <= 16


def test_one_address_that_goes_back_and_on_contradicts_itself() -> None:
    """Two receivers with one talker's name."""
    line = Line(bursts=False)
    names = ("GN", "RMC", 0, 0), ("GN", "RMC", -1, 300)
    told = [line.second(k, *names) for k in range(8)]
    assert told[0] == [USED, USED]
    assert set(told[3] + told[7]) == {CONTRADICTED}


@pytest.mark.parametrize("by", [-1, -2, 1, 3600, -3600])
def test_one_step_is_no_contradiction(by: int) -> None:
    """A count of leap seconds that came late, or a restart."""
    line = Line()
    line.second(0, ("GN", "RMC", 0, 0))
    told = [line.second(k, ("GN", "RMC", by, 0))[0] for k in range(1, 6)]
    assert told == [USED] * 5
