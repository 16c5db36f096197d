"""Every kind that the field reports is held, by what there is."""

from __future__ import annotations

import pytest

from tests.sim.breaks import BREAKS
from tests.sim.reports import REPORTS, Report, functions, table
from tests.sim.rows import ROWS

BROKEN = {name for each in BREAKS for name in each.fails}


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.id)
def test_it_is_held_by_worlds_and_tests_that_exist(report: Report) -> None:
    assert report.worlds or report.tests
    assert set(report.tests) <= functions()
    assert set(report.worlds) <= {row.name for row in ROWS}
    assert set(report.worlds) <= BROKEN, "a break fails each world"


def test_every_wrong_second_has_a_world_but_one_of_microseconds() -> None:
    without = {each.id for each in REPORTS if each.id[0] == "A" and not each.worlds}
    assert without == {"A9"}


def test_the_table_has_a_line_for_each() -> None:
    ids = [each.id for each in REPORTS]
    assert len(set(ids)) == len(ids)
    assert len(list(table())) == len(ids) + 2
