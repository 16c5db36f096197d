from __future__ import annotations

from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration
from refclock.upstream.filter import Interval, SampleFilter
from tests.unit.upstream.by_hand import NOON, START, reply


def filled(*replies: object) -> SampleFilter:
    made = SampleFilter()
    for each in replies:
        made.add(each)  # type: ignore[arg-type]
    return made


def test_without_a_sample_it_knows_nothing() -> None:
    assert SampleFilter().interval(START) is None
    assert SampleFilter().jitter(START) == ZERO


def test_the_interval_is_root_distance_half_the_delay_jitter_and_age() -> None:
    made = filled(reply(delay=20 * MILLISECOND, root=3 * MILLISECOND))
    interval = made.interval(START + 100 * SECOND)
    assert interval is not None
    assert interval.utc == NOON + 100 * SECOND
    assert interval.half == Duration(10_000_000 + 3_000_000 + 1_500_000)


def test_the_quickest_exchange_counts_and_the_others_tell_the_jitter() -> None:
    late = reply(after=SECOND, delay=220 * MILLISECOND, error=100 * MILLISECOND)
    made = filled(reply(), late)
    interval = made.interval(START + SECOND)
    assert interval is not None
    assert interval.utc == NOON + SECOND
    assert made.jitter(START + SECOND) == 100 * MILLISECOND


def test_an_old_exchange_gives_way_to_a_slower_one() -> None:
    """15 ppm for 2000 s are 30 ms, more than the 10 ms it was quicker by."""
    slower = reply(after=2000 * SECOND, delay=40 * MILLISECOND)
    made = filled(reply(delay=20 * MILLISECOND), slower)
    assert made.best(START + 2000 * SECOND) is slower
    assert made.best(START + 2000 * SECOND, drift=1e-9) is not slower


def test_it_is_carried_along_an_oscillator_of_known_rate() -> None:
    made = filled(reply())
    interval = made.interval(START + 100 * SECOND, rate=1e-4)
    assert interval is not None
    assert interval.utc == NOON + 100 * SECOND + 10 * MILLISECOND


def test_eight_are_kept() -> None:
    made = filled(*(reply(after=n * SECOND) for n in range(20)))
    assert len(made) == 8


def test_intervals_touch_at_their_ends() -> None:
    a, b = Interval(NOON, SECOND), Interval(NOON + 2 * SECOND, SECOND)
    assert a.touches(b)
    assert not a.touches(Interval(NOON + 2 * SECOND + Duration(1), SECOND))
