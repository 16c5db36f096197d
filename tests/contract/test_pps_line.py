"""What every `PpsLine` promises, emulated and real: edges, in order, and bounded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from hw.linux.clock import FreeClock
from refclock.board.ports import Board, EdgeEvent, PpsLine
from refclock.timebase import MILLISECOND, SECOND, ZERO
from tests.contract.conftest import opened

pytestmark = pytest.mark.slow


@pytest.fixture
def line(board: Board) -> Iterator[PpsLine]:
    pulse = opened(board.open_pulse)
    yield pulse
    pulse.close()


def heard(line: PpsLine, count: int) -> list[EdgeEvent]:
    told = [line.wait(3 * SECOND) for _ in range(count)]
    return [flank for flank in told if flank]


def test_edges_come_once_a_second_and_are_counted(line: PpsLine) -> None:
    clock = FreeClock()
    flanks = heard(line, 6)
    edge = flanks[0].edge
    same = [flank for flank in flanks if flank.edge is edge]
    assert len(same) >= 3
    for earlier, later in pairwise(same):
        assert later.seq == earlier.seq + 1
        assert abs((later.at - earlier.at) - SECOND) < 50 * MILLISECOND
    local, _ = clock.read()
    assert ZERO <= local - flanks[-1].at < 5 * SECOND


def test_an_edge_is_told_once(line: PpsLine) -> None:
    flanks = heard(line, 4)
    assert len({(flank.edge, flank.seq) for flank in flanks}) == len(flanks) > 0


def test_waiting_ends_in_time(line: PpsLine) -> None:
    heard(line, 1)
    began = time.monotonic()
    for _ in range(5):
        line.wait(50 * MILLISECOND)
    assert time.monotonic() - began < 2.0


def test_it_has_a_name(line: PpsLine) -> None:
    assert line.name
