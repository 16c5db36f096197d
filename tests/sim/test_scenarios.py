"""Every scenario within its budget, and no scenario without one."""

from __future__ import annotations

import pytest

from hw.sim.scenarios import SCENARIOS
from tests.sim.play import complaints, play
from tests.sim.rows import ROWS, Row


def _param(row: Row) -> object:
    marks = [pytest.mark.slow] if row.slow else []
    if row.known_gap:
        marks.append(pytest.mark.xfail(reason=row.known_gap))
    return pytest.param(row, id=row.id, marks=marks)


@pytest.mark.parametrize("row", [_param(row) for row in ROWS])
def test_within_budget(row: Row) -> None:
    assert complaints(row, play(row)) == []


def test_every_scenario_has_a_row() -> None:
    assert {row.name for row in ROWS} == set(SCENARIOS)


def test_no_row_comes_twice() -> None:
    ids = [row.id for row in ROWS]
    assert len(set(ids)) == len(ids)
