from __future__ import annotations

import pytest

from refclock.board.ports import Chunk
from refclock.drivers.line import LineTiming
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Mono

SPEED = 9600
"""960 bytes a second."""


def bytes_in(
    line: LineTiming, count: int, start: Duration, took: Duration
) -> float | None:
    return line.took(Chunk(bytes(count), Mono(0) + start, Mono(0) + start + took))


def test_the_load_is_told_every_ten_seconds() -> None:
    line = LineTiming(SPEED)
    told = [
        bytes_in(line, 672, second * SECOND, 700 * MILLISECOND) for second in range(11)
    ]
    assert told == [*[None] * 10, pytest.approx(0.7)]
    told = [
        bytes_in(line, 96, second * SECOND, 100 * MILLISECOND)
        for second in range(11, 21)
    ]
    assert told == [*[None] * 9, pytest.approx(0.16)]


@pytest.mark.parametrize(
    ("pause", "queued"), [(20 * MILLISECOND, True), (21 * MILLISECOND, False)]
)
def test_a_rest_ends_the_arrears(pause: Duration, queued: bool) -> None:
    line = LineTiming(SPEED)
    bytes_in(line, 960, SECOND, SECOND)
    bytes_in(line, 192, 2 * SECOND + pause, 200 * MILLISECOND)
    assert line.queued(Mono(0) + 2 * SECOND + 100 * MILLISECOND) is queued


def test_a_second_is_a_burst_and_not_arrears() -> None:
    line = LineTiming(SPEED)
    assert not line.queued(Mono(0) + 5 * SECOND)
    bytes_in(line, 1152, SECOND, 1200 * MILLISECOND)
    assert not line.queued(Mono(0) + 2 * SECOND)
    assert line.queued(Mono(0) + 2 * SECOND + Duration(1))


def test_a_slow_trickle_is_no_saturation() -> None:
    line = LineTiming(SPEED)
    bytes_in(line, 800, SECOND, SECOND)
    bytes_in(line, 200, 2 * SECOND, SECOND)
    assert not line.queued(Mono(0) + 2 * SECOND + 500 * MILLISECOND)


def test_bytes_faster_than_the_line_can_carry_refute_its_speed() -> None:
    """More than the line carries in the time since the last, and what is buffered."""
    line = LineTiming(SPEED)
    told = [bytes_in(line, 1400, k * SECOND, ZERO) for k in range(21)]
    assert told == [None] * 21
    assert not line.queued(Mono(0) + 30 * SECOND)


def test_bursts_at_once_refute_the_speed() -> None:
    """A burst a second, each written whole: no load can be told."""
    line = LineTiming(SPEED)
    told = [bytes_in(line, 900, k * SECOND, ZERO) for k in range(21)]
    assert told == [None] * 21


def test_a_late_wake_now_and_then_refutes_nothing() -> None:
    line = LineTiming(SPEED)
    told = []
    for k in range(11):
        late = k % 3 == 1
        told.append(bytes_in(line, 96, k * SECOND, Duration(0 if late else 10**8)))
    assert told[-1] == pytest.approx(0.1)


def test_few_bytes_at_once_refute_nothing() -> None:
    """As a UART's FIFO gives them."""
    line = LineTiming(SPEED)
    told = [bytes_in(line, 16, k * SECOND, ZERO) for k in range(11)]
    assert told[-1] == pytest.approx(16 / 960)


def test_a_burst_begins_behind_a_pause() -> None:
    line = LineTiming(SPEED)
    bytes_in(line, 96, SECOND, 100 * MILLISECOND)
    assert line.burst is None
    bytes_in(line, 96, SECOND + 200 * MILLISECOND, 100 * MILLISECOND)
    assert line.burst is None
    bytes_in(line, 96, 2 * SECOND, 100 * MILLISECOND)
    bytes_in(line, 96, 2 * SECOND + 150 * MILLISECOND, 100 * MILLISECOND)
    assert line.burst == Mono(0) + 2 * SECOND
