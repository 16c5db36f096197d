"""What every `Pin` promises, emulated and real: the pulse's level, looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from hw.linux.clock import FreeClock
from refclock.board.ports import Board, Pin
from refclock.timebase import MILLISECOND, SECOND, Local
from tests.contract.conftest import opened

pytestmark = pytest.mark.slow

_HELD_UP: Final = 20 * MILLISECOND
"""Whoever looks may lose the processor for so long."""


@pytest.fixture
def pin(board: Board) -> Iterator[Pin]:
    watched = opened(board.open_pin)
    yield watched
    watched.close()


def now() -> Local:
    local, _ = FreeClock().read()
    return local


def rise(pin: Pin) -> tuple[Local, Local]:
    """One change a second, however wide the pulse: what follows the long level."""
    began = now()
    while seen := pin.change(began + 3 * SECOND):
        if seen[0] - began > 300 * MILLISECOND:
            return seen
        began = seen[1]
    raise AssertionError(f"{pin.name} did not change in 3 s")


def test_a_change_lies_between_two_readings_of_the_clock(pin: Pin) -> None:
    began = now()
    low, high = rise(pin)
    assert began < low < high < now()
    assert high - low < _HELD_UP


def test_the_pulse_comes_once_a_second(pin: Pin) -> None:
    (low, high), (low_2, high_2) = rise(pin), rise(pin)
    assert low_2 - high - _HELD_UP < SECOND < high_2 - low + _HELD_UP


def test_looking_ends_in_time(pin: Pin) -> None:
    rise(pin)
    until = now() + 400 * MILLISECOND
    seen = [pin.change(until) for _ in range(2)]  # the pulse's end may come first
    assert seen[1] is None
    assert until < now() < until + 10 * _HELD_UP


def test_what_it_shows_is_what_is_stamped(board: Board, pin: Pin) -> None:
    """By the pulse's own line, which somebody else may own: the kernel, mostly."""
    line = opened(board.open_pulse)
    try:
        line.wait(3 * SECOND)
        low, high = rise(pin)
        stamps = [flank.at for _ in range(3) if (flank := line.wait(50 * MILLISECOND))]
    finally:
        line.close()
    assert min(map(abs, (at - low for at in stamps))) < high - low + _HELD_UP


def test_it_has_a_name(pin: Pin) -> None:
    assert pin.name
