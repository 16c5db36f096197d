"""What is learned from when replies left."""

import pytest

from refclock.server.delay import Departures
from refclock.timebase import MILLISECOND

START = 10**18
TICK = 5 * MILLISECOND.ns


def sweep(
    departures: Departures, number: int, count: int, delay: int, step: int = 0
) -> tuple[int, int]:
    """One sweep; its T3 is told before its replies leave, `delay` after it."""
    read_ns = START + number * TICK
    tell = departures.watch(count, read_ns - 1_000)
    foretold = departures.leave(count, read_ns)
    for place, told in tell.items():
        for left in told:
            left(read_ns + delay + place * step)
    return foretold[0] - read_ns, foretold[1]


def test_at_first_nothing_is_added() -> None:
    assert sweep(Departures(), 0, 1, 20_000) == (0, 0)


def test_the_least_of_the_last_eight_is_believed() -> None:
    departures = Departures()
    for number, delay in enumerate([9_000, 30_000, 25_000, *[20_000] * 6]):
        sweep(departures, number, 1, delay)
    assert sweep(departures, 9, 1, 7_000)[0] == 20_000
    assert sweep(departures, 10, 1, 7_000)[0] == 7_000


def test_alone_and_in_a_crowd_are_learned_apart() -> None:
    departures = Departures()
    sweep(departures, 0, 1, 20_000)
    sweep(departures, 1, 5, 3_000, step=2_500)
    assert sweep(departures, 2, 1, 0) == (20_000, 2_500)
    assert sweep(departures, 3, 9, 0) == (3_000, 2_500)


@pytest.mark.parametrize("delay", [-1, MILLISECOND.ns, 10**9])
def test_a_step_or_a_pause_is_not_learned(delay: int) -> None:
    departures = Departures()
    sweep(departures, 0, 1, 5_000)
    sweep(departures, 1, 1, delay)
    assert sweep(departures, 2, 1, 0)[0] == 5_000


def test_a_busy_server_watches_now_and_then() -> None:
    departures = Departures()
    watched = [bool(departures.watch(1, START + n * 1_000_000)) for n in range(10)]
    assert watched == [True, False, False, False] * 2 + [True, False]


def test_a_clock_set_back_does_not_stop_the_watching() -> None:
    departures = Departures()
    departures.watch(1, START)
    assert departures.watch(1, START - 10**12)


def test_a_stamp_that_comes_late_belongs_to_its_own_sweep() -> None:
    departures = Departures()
    (late,) = departures.watch(1, START)[0]
    departures.leave(1, START)
    sweep(departures, 1, 1, 8_000)
    late(START + 6_000)
    assert sweep(departures, 2, 1, 0)[0] == 6_000


def test_a_last_stamp_without_the_first_teaches_nothing() -> None:
    departures = Departures()
    tell = departures.watch(4, START)
    departures.leave(4, START)
    tell[3][0](START + 10_000)
    assert sweep(departures, 1, 4, 0) == (0, 0)
