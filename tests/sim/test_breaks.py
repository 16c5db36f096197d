"""Every budget is worth something: a deliberate break fails it."""

from __future__ import annotations

import pytest

from tests.sim.breaks import BREAKS, Break
from tests.sim.play import complaints, play
from tests.sim.rows import ROWS, Row

_BY_ID = {row.id: row for row in ROWS}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deliberate", "row"),
    [
        pytest.param(each, _BY_ID[name], id=f"{each.name}: {name}")
        for each in BREAKS
        for name in each.fails
    ],
)
def test_a_break_is_noticed(
    deliberate: Break, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliberate.apply(monkeypatch)
    assert complaints(row, play(row)) != []


def test_every_row_is_failed_by_a_break() -> None:
    assert {name for each in BREAKS for name in each.fails} == set(_BY_ID)
