from __future__ import annotations

from refclock.timebase import SECOND
from refclock.upstream.poll import Poll


def waits(poll: Poll, count: int, *, eager: bool = False) -> list[int]:
    """Seconds to the next questions, all answered."""
    seconds = []
    for _ in range(count):
        seconds.append(round(poll.next(0.0, eager=eager).seconds))
        poll.answered()
    return seconds


def test_four_answers_end_the_burst_and_the_interval_grows_to_the_greatest() -> None:
    found = waits(Poll(16, 64, burst=True), 40)
    assert found[:4] == [2, 2, 2, 2]
    assert found[4] == 16
    assert set(found[4:]) == {16, 32, 65}
    assert found[-1] == 65


def test_a_burst_nobody_answers_ends_too() -> None:
    poll = Poll(16, 1024, burst=True)
    seconds = []
    for _ in range(12):
        seconds.append(round(poll.next(0.0, eager=False).seconds))
        poll.missed()
    assert seconds[:8] == [2] * 8
    assert seconds[8:] == [32, 32, 32, 65]


def test_who_says_rate_is_asked_less_often_for_good() -> None:
    poll = Poll(16, 64, burst=True)
    poll.rate()
    assert poll.next(0.0, eager=False) > 5 * 32 * SECOND
    for _ in range(40):
        poll.answered()
    assert 32 * SECOND < poll.next(0.0, eager=True) < 33 * SECOND


def test_without_a_pulse_it_asks_as_often_as_it_may() -> None:
    poll = Poll(16, 1024, burst=False)
    waits(poll, 100)
    assert poll.interval_s == 1024
    assert waits(poll, 1, eager=True) == [16]


def test_clients_do_not_ask_in_step() -> None:
    poll = Poll(64, 64, burst=False)
    assert poll.next(0.0, eager=False).ns == 64_640_000_000
    assert poll.next(1.0, eager=False).ns == 67_200_000_000
