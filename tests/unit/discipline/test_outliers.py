"""What counts, what does not, and what a run of surprises means."""

import random

import pytest

from refclock.discipline.outliers import InnovationBias, OutlierModel

US = 1e-6


def chance(tail: OutlierModel, e: float) -> float:
    inlier = tail.inlier(e, US * US, 200.0)
    return inlier / (inlier + tail.outlier(e, US))


def test_the_bulk_counts_and_a_straggler_does_not() -> None:
    tail = OutlierModel()
    assert chance(tail, 0.0) > 0.99
    assert chance(tail, -20 * US) < 1e-6
    assert chance(tail, -3.5 * US) < chance(tail, 3.5 * US)


def test_nothing_is_impossible() -> None:
    assert OutlierModel().outlier(-1.0, US) > 0.0


def test_densities_are_densities() -> None:
    """Together they make one (times sqrt(2 pi), as documented)."""
    tail = OutlierModel(share=0.2, scale=5.0)
    step = 0.2 * US
    grid = [(k + 0.5) * step for k in range(-200_000, 200_000)]
    total = sum(tail.outlier(e, US) + tail.inlier(e, US * US, 1e6) for e in grid)
    assert total * step == pytest.approx(2.5066, rel=1e-3)


def test_the_bulk_of_which_little_is_known_is_students() -> None:
    tail = OutlierModel()
    fall = tail.inlier(2 * US, US * US, 4.0) / tail.inlier(0.0, US * US, 4.0)
    assert fall == pytest.approx(2.0**-2.5)


def test_share_and_lateness_are_learned() -> None:
    rng, tail = random.Random(1), OutlierModel()
    for _ in range(6000):
        late = rng.random() < 0.3
        e = rng.gauss(0, US) - (rng.expovariate(1 / (30 * US)) if late else 0.0)
        tail.learn(e, US, chance(tail, e))
    assert tail.share == pytest.approx(0.27, abs=0.05)
    assert 12.0 < tail.scale < 45.0


def test_a_clean_pulse_leaves_almost_no_tail() -> None:
    rng, tail = random.Random(2), OutlierModel()
    for _ in range(6000):
        e = rng.gauss(0, US)
        tail.learn(e, US, chance(tail, e))
    assert tail.share < 3e-3


def test_a_run_that_agrees_is_a_jump() -> None:
    tail = OutlierModel()
    told = [tail.learn(-500 * US + k * US, US, 0.0) for k in range(6)]
    assert told == [False] * 5 + [True]
    many = OutlierModel(share=0.4)
    assert not any(many.learn(-500 * US, US, 0.0) for _ in range(10))
    assert not tail.agrees(-500 * US, US)


def test_stragglers_are_late_by_this_and_that() -> None:
    tail = OutlierModel()
    assert not any(tail.learn(-k % 3 * 50 * US, US, 0.0) for k in range(30))


def test_one_pulse_of_the_bulk_ends_a_run() -> None:
    tail = OutlierModel()
    for k in range(40):
        assert not tail.learn(-500 * US, US, 1.0 if k % 6 == 5 else 0.0)
    assert tail.agrees(-505 * US, US)
    assert not tail.agrees(-509 * US, US)


def test_residuals_to_one_side_are_doubt() -> None:
    rng, lean = random.Random(3), InnovationBias()
    seldom = 0
    for _ in range(5000):
        lean.learn(rng.gauss(0, US), US, 1.0)
        seldom += lean.doubt > 0.0
    assert seldom < 500
    for _ in range(30):
        lean.learn(1.5 * US, US, 1.0)
    assert lean.doubt > US * US
    before = lean.doubt
    lean.learn(-300 * US, US, 0.0)
    assert lean.doubt == before
