"""The fault catalogue as a table, measured: `python -m tests.sim.table [NAME ...]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from tests.sim.breaks import failed_by
from tests.sim.play import complaints, play
from tests.sim.rows import ROWS


def table(names: Sequence[str] = ()) -> Iterator[str]:
    """Markdown, a line at a time; of all rows if none is named."""
    breaks = failed_by()
    yield (
        "| Scenario | What happens | Worst error | Budget | Bound, median "
        "| Within bound | Failed by | As it should be |"
    )
    yield "|---|---|--:|--:|--:|--:|---|---|"
    for row in ROWS:
        if names and row.name not in names:
            continue
        outcome = play(row)
        wrong = "; ".join(complaints(row, outcome))
        begin, end = row.unobservable
        unobservable = f", {begin} s to {end} s left out" if end else ""
        yield (
            f"| {row.id} | {row.scenario.description}{unobservable} "
            f"| {outcome.worst_us:.3g} µs | {row.budget_us:g} µs "
            f"| {outcome.bound_us:.3g} µs | {1 - outcome.uncovered:.2%} "
            f"| {breaks[row.id]} | {wrong or 'yes'} |"
        )


if __name__ == "__main__":
    for line in table(sys.argv[1:]):
        print(line)  # noqa: T201 - that is what it is for
