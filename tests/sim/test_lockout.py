"""No healthy pulse is refused for long: after outages, and from a wrong start."""

from __future__ import annotations

from math import exp
from random import Random

import pytest

from tests.sim.field import coverage, microsecond, rows, run, within_after

_AFTER = 300


@pytest.mark.slow
@pytest.mark.parametrize(
    ("thermometer", "gap_s", "kelvin"),
    [
        ("none", 30, 8.0),
        ("none", 300, -8.0),
        ("blind", 300, 8.0),
        ("half", 300, -8.0),
        ("sees", 300, 8.0),
    ],
)
def test_after_an_outage_in_which_the_crystal_warms(
    thermometer: str, gap_s: int, kelvin: float
) -> None:
    begin = 1200

    def warmed(k: int) -> float:
        return kelvin * (1.0 - exp(-(k - begin) / 120.0)) if k > begin else 0.0

    share = {"none": None, "blind": 0.0, "half": 0.5, "sees": 1.0}[thermometer]
    made = rows(
        begin + gap_s + _AFTER,
        gap_s,
        kelvin=warmed,
        celsius=None if share is None else lambda k: 50.0 + share * warmed(k),
        silent=lambda k: begin <= k < begin + gap_s,
    )
    scores = run(made)
    assert within_after(scores, begin + gap_s, 10e-6) <= 60
    assert coverage(scores, begin, begin + gap_s + 10) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("gap_s", [2, 5, 3600, 21_600, 86_400])
def test_after_any_outage(gap_s: int) -> None:
    begin = 3600

    def warmed(k: int) -> float:
        return 8.0 * (1.0 - exp(-(k - begin) / 600.0)) if k > begin else 0.0

    made = rows(
        begin + gap_s + _AFTER,
        gap_s,
        kelvin=warmed,
        silent=lambda k: begin <= k < begin + gap_s,
    )
    scores = run(made)
    assert within_after(scores, begin + gap_s, 10e-6) <= 60
    assert coverage(scores, begin, begin + gap_s + 2) > 0.997


@pytest.mark.slow
@pytest.mark.parametrize("off_s", [50e-6, 200e-6, 1e-3, -1e-3])
def test_a_start_with_a_wrong_phase(off_s: float) -> None:
    def noise(k: int, rng: Random) -> float:
        return microsecond(k, rng) + (off_s if k < 300 else 0.0)

    scores = run(rows(700, 3, noise))
    assert within_after(scores, 300, 10e-6) <= 60


@pytest.mark.slow
def test_a_jump_in_steady_state_is_held_off() -> None:
    def noise(k: int, rng: Random) -> float:
        return microsecond(k, rng) + (200e-6 if 3000 <= k < 3120 else 0.0)

    scores = run(rows(3300, 4, noise))
    assert max(map(abs, scores.at_pulse_s[600:])) < 10e-6
