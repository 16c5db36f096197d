"""The kinds of noise in the field: error against the optimum, and coverage."""

from __future__ import annotations

from math import sqrt

import pytest

from tests.sim.families import FAMILIES, Family, optimum
from tests.sim.field import coverage, run

SETTLED_S = 1800


def _rms(errors: list[float]) -> float:
    return sqrt(sum(e * e for e in errors) / len(errors))


def _param(family: Family) -> object:
    marks = [pytest.mark.slow]
    if family.known_gap:
        marks.append(pytest.mark.xfail(reason=family.known_gap))
    return pytest.param(family, id=family.name, marks=marks)


@pytest.mark.parametrize("family", [_param(family) for family in FAMILIES])
def test_error_and_coverage(family: Family) -> None:
    made, stamps = family.world(1)
    scores = run(made)
    errors = scores.at_pulse_s
    end = len(errors) if family.event is None else family.event[0]
    best = _rms(optimum(made, stamps, SETTLED_S)[SETTLED_S:end])
    found = _rms(errors[SETTLED_S:end])
    assert found < family.times * best
    assert coverage(scores, SETTLED_S, end) >= 0.997
    bounds = sorted(scores.bound_s[SETTLED_S:end])
    assert bounds[len(bounds) // 2] < family.bound * found
    if family.event is not None:
        begin, over = family.event
        assert max(map(abs, errors[begin:over])) < family.peak_s
        assert coverage(scores, begin + 60, over) >= 0.997
