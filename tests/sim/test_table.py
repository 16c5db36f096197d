"""The table tells of every row what was measured, and who fails it."""

from __future__ import annotations

from tests.sim.table import table


def test_a_row_of_the_table() -> None:
    head, rule, *rows = table(["saturated"])
    assert head.count("|") == rule.count("|") == rows[0].count("|")
    assert rows == [
        "| saturated | more to say than the line can carry | 0 µs | 0 µs | 0 µs "
        "| 100.00% | queued sentences are used | yes |"
    ]
