"""What the README promises of the filter, measured anew: `refclock` over `floor`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.bench.accuracy import SKIP, follow, optimum, scenario

pytestmark = pytest.mark.slow

README = (Path(__file__).parents[2] / "README.md").read_text()
HOURS = 7
ROWS = {
    "10⁻⁹ s/s/√s walk, sd 1 µs": "rw9_g1u",
    "the same, 2 % of pulses 20 µs late": "rw9_ht",
    "10⁻¹⁰ walk + 0.5 ppm swing, sd 1 µs": "rw10t_g1u",
    "10⁻⁸ walk, sd 1 µs": "rw8_g1u",
    "10⁻⁹ walk, sd 0.1 µs": "rw9_g100n",
}


@pytest.mark.parametrize("told", ROWS)
def test_the_table_of_precision(told: str) -> None:
    """Other dice than the table's: what is compared is how far from the optimum."""
    ns = r" *\| *([\d.]+) ns"
    found = re.search(rf"^\| {re.escape(told)}{ns * 4}", README, re.MULTILINE)
    assert found
    ours, floor, tuned, default = map(float, found.groups())
    assert floor <= ours < tuned < default

    name = ROWS[told]
    trace = scenario(name, 1, HOURS * 3600)
    error, bound, _ = follow(trace)
    error, bound = error[SKIP:], bound[SKIP:]
    rms = float(np.sqrt(np.mean(error**2)))
    assert rms < 1.1 * ours / floor * optimum(name, trace)
    assert np.mean(np.abs(error) <= bound) >= 0.9995
