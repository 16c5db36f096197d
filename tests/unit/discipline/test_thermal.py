"""The filters of four states against its equations, and what it is for."""

from math import e, pi, sin

import numpy as np
import pytest

from refclock.discipline.filters.fourstate import FourStateFilter
from refclock.discipline.filters.harmonic import (
    LEAST_OMEGA,
    MOST_OMEGA,
    HarmonicFilter,
    harmonic_filters,
)
from refclock.discipline.filters.kalman import ClockFilter, Noise
from refclock.discipline.filters.thermal import ThermalFilter, thermal_filters

NAMES = ("xx", "xy", "xa", "xb", "yy", "ya", "yb", "aa", "ab", "bb")
PLACES = (
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (1, 1),
    (1, 2),
    (1, 3),
    (2, 2),
    (2, 3),
    (3, 3),
)


def harmonic(omega: float) -> HarmonicFilter:
    f = HarmonicFilter(Noise(q2=0.3), 0.0, 0.2)
    f.omega = omega
    return f


def thermal(u: float) -> ThermalFilter:
    f = ThermalFilter(Noise(q2=0.3), 0.0, 0.2)
    f.u = u
    return f


def set_up(f: FourStateFilter) -> tuple[np.ndarray, np.ndarray]:
    root = np.random.default_rng(2).standard_normal((4, 4))
    state, covariance = root[0] + 1.0, root @ root.T
    f.x, f.y, f.a, f.b = map(float, state)
    for name, place in zip(NAMES, PLACES, strict=True):
        setattr(f, f"p{name}", float(covariance[place]))
    return state, covariance


def covariance_of(f: FourStateFilter) -> np.ndarray:
    found = np.zeros((4, 4))
    for name, (i, j) in zip(NAMES, PLACES, strict=True):
        found[i, j] = found[j, i] = getattr(f, f"p{name}")
    return found


def test_a_swing_is_carried_as_its_equations_say() -> None:
    f = harmonic(0.7)
    state, covariance = set_up(f)
    flow = np.zeros((4, 4))
    flow[0, 1] = flow[0, 2] = 1.0
    flow[2, 3], flow[3, 2] = 0.7, -0.7
    steps, t = 20_000, 2.3
    ahead = f.ahead(t)
    f.predict(t)
    h = t / steps
    step = np.eye(4) + flow * h + flow @ flow * h * h / 2
    q = np.diag([0.0, 0.3, 0.2, 0.2]) * h
    for _ in range(steps):
        state = step @ state
        covariance = step @ (covariance + q / 2) @ step.T + q / 2
    assert (f.x, f.y, f.a, f.b) == pytest.approx(state)
    assert covariance_of(f) == pytest.approx(covariance, rel=1e-6)
    rate_variance = f.pyy + 2.0 * f.pya + f.paa
    assert ahead == pytest.approx(
        (f.x, f.y + f.a, 0.7 * f.b, f.pxx, rate_variance), rel=1e-6
    )


def test_a_thermometer_sways_by_its_curve() -> None:
    f = thermal(0.5)
    state, covariance = set_up(f)
    reach = np.eye(4)
    reach[0, 1:] = 2.0, 1.0, 0.5
    ahead = f.ahead(2.0)
    f.predict(2.0)
    assert (f.x, f.y, f.a, f.b) == pytest.approx(reach @ state)
    carried = reach @ covariance @ reach.T
    carried += np.diag([0.3 * 8 / 3, 0.6, 0.4, 0.4])
    carried[0, 1] += 0.6
    carried[1, 0] += 0.6
    assert covariance_of(f) == pytest.approx(carried)
    rate = np.array([0.0, 1.0, 0.5, 0.25])
    assert ahead[1] == pytest.approx(rate @ state)
    assert ahead[4] == pytest.approx(rate @ carried @ rate)


@pytest.mark.parametrize("w", [1.0, 0.3])
def test_update_is_kalmans_mixture(w: float) -> None:
    f = thermal(0.5)
    state, covariance = set_up(f)
    f.r = 0.25
    gain = covariance[:, 0] / (covariance[0, 0] + 1.0)
    left = covariance - w * np.outer(gain, covariance[0])
    left += w * (1 - w) * np.outer(gain, gain) * 0.7**2 / f.r
    f.update(0.7, 1.0, w)
    assert (f.x, f.y, f.a, f.b) == pytest.approx(state + w * gain * 0.7)
    found = covariance_of(f)
    assert found == pytest.approx(np.where(np.eye(4) * left < 0.2, found, left))


def follow(
    f: HarmonicFilter | ClockFilter,
    period_s: float,
    seconds: int,
    amplitude: float = 5e-7,
) -> float:
    """Largest error in the last fifth when the rate swings; pulses of 100 ns."""
    rng = np.random.default_rng(3)
    w = 2.0 * pi / period_s
    f.r = 1e-14
    f.start(1.0, amplitude, 0.0, 1.0)
    worst = base = 0.0
    for k in range(1, seconds):
        f.predict(1.0)
        truth = amplitude * sin(w * k) / w - base
        if k > seconds * 0.8:
            worst = max(worst, abs(f.x - truth))
        f.update(truth + 1e-7 * rng.standard_normal() - f.x, 1.0, 1.0)
        f.x, base = 0.0, base + f.x
    return worst


@pytest.mark.parametrize("period_s", [1200.0, 3600.0, 9000.0])
def test_corrections_turn_omega_to_the_right_one(period_s: float) -> None:
    f = HarmonicFilter(Noise(q2=1e-6), 0.0, 1e-6)
    follow(f, period_s, int(5 * period_s))
    assert 2.0 * pi / f.omega == pytest.approx(period_s, rel=0.05)


def test_a_swing_foreseen_is_followed_closer() -> None:
    """The twin: the same noise, but no swing."""
    plain = ClockFilter(Noise(q2=1e-4), 0.0)
    seeing = HarmonicFilter(Noise(q2=1e-7), 0.0, 1e-7)
    assert follow(seeing, 3600.0, 14_400) < 0.7 * follow(plain, 3600.0, 14_400)


def test_omega_stays_within_reason() -> None:
    f = HarmonicFilter(Noise(q2=1.0), 0.0, 1.0)
    for kick in (1e9, -1e9):
        f.start(1.0, 0.0, 0.5, 1.0)
        f.pxa, f.pxb = 0.3, 0.9
        f.a, f.b = 1.0, 0.0
        f.update(kick, 1.0, 1.0)
        assert f.omega in {LEAST_OMEGA, MOST_OMEGA}


def test_what_is_felt_comes_late() -> None:
    prompt, late = thermal(0.0), thermal(0.0)
    late.lag_s = 100.0
    for f in (prompt, late):
        f.sense(1.0, 100.0)
    assert prompt.u == 1.0
    assert late.u == pytest.approx(1.0 - 1.0 / e)


def test_the_families() -> None:
    assert all(f.omega > 0.0 for f in harmonic_filters(-5.0))
    warm = thermal_filters(4.0, 1e-14)
    assert all(f.u == 0.0 for f in warm)
    assert all(f.paa * 1e-14 == pytest.approx(9e-12) for f in warm)
