"""The plain filter against its equations, integrated step by step."""

import numpy as np
import pytest

from refclock.discipline.filters.kalman import DRIFTING, WANDERING, ClockFilter, Noise

FLOW = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
NAMES = ("xx", "xy", "xd", "yy", "yd", "dd")
PLACES = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def set_up(noise: Noise) -> tuple[ClockFilter, np.ndarray, np.ndarray]:
    """A filter in an arbitrary state, and the same as vector and matrix."""
    root = np.random.default_rng(1).standard_normal((3, 3))
    state, covariance = root[0] + 1.0, root @ root.T
    f = ClockFilter(noise, 0.0)
    f.x, f.y, f.d = map(float, state)
    for name, place in zip(NAMES, PLACES, strict=True):
        setattr(f, f"p{name}", float(covariance[place]))
    return f, state, covariance


def covariance_of(f: ClockFilter) -> np.ndarray:
    found = np.zeros((3, 3))
    for name, (i, j) in zip(NAMES, PLACES, strict=True):
        found[i, j] = found[j, i] = getattr(f, f"p{name}")
    return found


def test_prediction_is_the_flow_of_clock_and_noise() -> None:
    f, state, covariance = set_up(Noise(q1=0.2, q2=0.3, q3=0.4))
    steps, t = 20_000, 2.3
    ahead = f.ahead(t)
    f.predict(t)
    h = t / steps
    step = np.eye(3) + FLOW * h + FLOW @ FLOW * h * h / 2
    q = np.diag([0.2, 0.3, 0.4]) * h
    for _ in range(steps):
        state = step @ state
        covariance = step @ (covariance + q / 2) @ step.T + q / 2
    assert (f.x, f.y, f.d) == pytest.approx(state)
    assert covariance_of(f) == pytest.approx(covariance, rel=1e-6)
    assert ahead == pytest.approx((f.x, f.y, f.d, f.pxx, f.pyy))


def test_two_predictions_are_one() -> None:
    whole, _, _ = set_up(Noise(q1=0.2, q2=0.3, q3=0.4))
    halves, _, _ = set_up(Noise(q1=0.2, q2=0.3, q3=0.4))
    whole.predict(3.0)
    halves.predict(1.0)
    halves.predict(2.0)
    assert covariance_of(halves) == pytest.approx(covariance_of(whole))
    assert halves.x == pytest.approx(whole.x)


def test_update_is_kalmans() -> None:
    f, state, covariance = set_up(Noise(q2=1e-9))
    gain = covariance[:, 0] / (covariance[0, 0] + 1.0)
    f.update(0.7, 1.0, 1.0)
    assert (f.x, f.y, f.d) == pytest.approx(state + gain * 0.7)
    left = covariance - np.outer(gain, covariance[0])
    assert covariance_of(f) == pytest.approx(left)


def test_a_half_believed_sample_mixes_two_outcomes() -> None:
    f, state, covariance = set_up(Noise(q2=1e-9))
    f.r = 0.25
    gain = covariance[:, 0] / (covariance[0, 0] + 2.0)
    taken = state + gain * 0.7
    left = covariance - np.outer(gain, covariance[0])
    w = 0.3
    mean = w * taken + (1 - w) * state
    mixed = w * left + (1 - w) * covariance
    for outcome, chance in ((taken, w), (state, 1 - w)):
        mixed = mixed + chance * np.outer(outcome - mean, outcome - mean) / f.r
    f.update(0.7, 2.0, w)
    assert (f.x, f.y, f.d) == pytest.approx(mean)
    assert covariance_of(f) == pytest.approx(mixed)


def test_a_sample_after_a_year_leaves_a_sound_covariance() -> None:
    for noise in (*WANDERING, *DRIFTING):
        f = ClockFilter(noise, 0.0)
        f.start(1.0, 1e-5, 0.0, 1e4)
        for gap in (3e7, 1.0, 86_400.0, 1.0, 1.0):
            f.predict(gap)
            f.update(1e-6, 1.0, 1.0)
            assert 0.0 < f.pxx <= 1.0
            assert f.pyy > 0.0
            assert f.pdd >= 0.0


def test_the_steady_gain_is_the_closed_form() -> None:
    """Two states, one pulse a second: with g = sqrt(q2/r), gain as in steady state."""
    f = ClockFilter(Noise(q2=1e-6), 0.0)
    f.start(1.0, 0.0, 0.0, 1.0)
    before = 0.0
    for _ in range(2000):
        f.predict(1.0)
        before = f.pxx
        f.update(0.0, 1.0, 1.0)
    g = 1e-3
    a2 = (g * g + g * (g * g + 16.0) ** 0.5) / 2.0
    s = ((a2 + 4.0) ** 0.5 - a2**0.5) / 2.0
    alpha = 1.0 - s * s
    assert before / (before + 1.0) == pytest.approx(alpha, rel=2e-3)
