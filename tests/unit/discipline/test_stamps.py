"""What stamps are like: the level of their noise, its core, its modes, its steps."""

import random
from math import exp

import pytest

from refclock.discipline.stamps.core import Core, CoreFinder
from refclock.discipline.stamps.level import NoiseLevel
from refclock.discipline.stamps.modes import Modes
from refclock.discipline.stamps.quantum import Quantum
from refclock.discipline.stamps.rhythm import Rhythm

US = 1e-6


def gaussian(u: float) -> float:
    """Density, times sqrt(2 pi), of 10 us."""
    return exp(-0.5 * (u / (10 * US)) ** 2) / (10 * US) + 1e-3 / (10 * US)


def test_noise_that_grows_is_another_level_within_pulses() -> None:
    rng, level = random.Random(1), NoiseLevel()
    for _ in range(100):
        level.observe(rng.gauss(0.0, US), 0.0, US * US, 1.0)
    assert level.growth() == 1.0
    rhos = [
        level.observe(rng.gauss(0.0, 10 * US), 0.0, US * US, 1.0) for _ in range(10)
    ]
    assert max(rhos) > 30.0
    assert level.growth() > 1.02


def test_noise_that_falls_is_another_level_too() -> None:
    rng, level = random.Random(2), NoiseLevel()
    rhos = [
        level.observe(rng.gauss(0.0, 0.1 * US), 0.0, US * US, 1.0) for _ in range(30)
    ]
    assert rhos[-1] < 0.2
    assert level.growth() < 0.96


def test_a_jump_is_no_level() -> None:
    level = NoiseLevel()
    for _ in range(20):
        level.observe(30 * US, 0.0, US * US, 1e4)
    assert level.chances[2] + level.chances[3] < 0.5


def test_the_core_of_stamps_of_which_40_percent_are_late() -> None:
    rng, finder = random.Random(3), CoreFinder()
    found: list[Core] = []
    for _ in range(96):
        late = rng.uniform(5 * US, 30 * US) if rng.random() < 0.4 else 0.0
        core = finder.observe(
            5 * US + rng.gauss(0.0, 0.5 * US) - late, 10 * US, gaussian
        )
        found += [core] if core else []
    assert found[0].centre == pytest.approx(5 * US, abs=0.5 * US)
    assert found[0].sigma == pytest.approx(0.5 * US, rel=0.5)
    assert found[0].late == pytest.approx(0.4, abs=0.15)
    assert found[0].early < 0.05


def test_a_gaussian_has_no_other_core() -> None:
    rng, finder = random.Random(4), CoreFinder()
    for _ in range(500):
        assert finder.observe(rng.gauss(0.0, 10 * US), 10 * US, gaussian) is None
    assert finder.bias < 2 * US


def steady(count: int = 100) -> Modes:
    modes = Modes()
    assert {modes.place(0.0, US) for _ in range(count)} == {0.0}
    return modes


def test_six_pulses_off_at_once_are_a_mode() -> None:
    modes = steady()
    assert [modes.place(-10 * US, US) for _ in range(5)] == [None] * 5
    assert modes.place(-10 * US, US) == pytest.approx(-10 * US)
    assert modes.place(0.0, US) == 0.0
    assert modes.place(-10 * US, US) == pytest.approx(-10 * US)
    assert 0.0 < modes.doubt < US


def test_a_lone_outlier_and_a_ramp_are_no_modes() -> None:
    modes = steady()
    assert modes.place(-10 * US, US) is None
    assert modes.place(0.0, US) == 0.0
    ramp = [modes.place(-k * 2 * US, US) for k in range(8)]
    assert set(ramp) <= {0.0, None}
    assert modes.place(0.0, US) == 0.0


def test_an_early_mode_becomes_the_reference_if_it_persists() -> None:
    modes = steady()
    for _ in range(6):
        modes.place(10 * US, US)
    assert modes.reference() == 0.0
    assert modes.doubt > 2 * US
    for _ in range(60):
        modes.place(10 * US, US)
    assert modes.reference() == pytest.approx(10 * US)
    assert modes.place(-10 * US, US) == pytest.approx(-10 * US)
    assert modes.doubt < US


def test_what_jumps_about_has_no_modes() -> None:
    modes = steady()
    for mu in (3.0, -3.0, 8.0):
        for _ in range(6):
            modes.place(mu * US, 0.1 * US)
    assert modes.place(8.0 * US, 0.1 * US) == 0.0
    assert modes.doubt == 0.0


@pytest.mark.parametrize("drift_ns", [0, -3_000])
def test_steps_of_a_microsecond_are_found_on_either_clock(drift_ns: int) -> None:
    rng, quantum, stamp = random.Random(5), Quantum(), 0
    for k in range(40):
        stamp += drift_ns + 1000 * rng.choice((0, 0, 1))
        quantum.observe(stamp, rng.randrange(10**6) + k)
    assert quantum.ns == 1000
    quantum.observe(stamp + 1234, 77)
    assert quantum.ns == 0


def test_equal_stamps_alone_are_no_step() -> None:
    quantum = Quantum()
    for _ in range(100):
        quantum.observe(5, 5)
    assert quantum.ns == 0


def test_silence_is_relative_to_the_rhythm() -> None:
    for period_s in (0.2, 1.0, 8.0, 16.0):
        rhythm = Rhythm()
        for _ in range(10):
            rhythm.observe(period_s)
        assert rhythm.period_s == period_s
        assert rhythm.silence_s == max(2.5 * period_s, 2.5)


def test_missing_pulses_lengthen_the_silence_and_one_outage_does_not() -> None:
    rng, rhythm = random.Random(5), Rhythm()
    for gap_s in [1.0] * 30 + [300.0, 5.0] + [1.0] * 30:
        rhythm.observe(gap_s)
    assert rhythm.silence_s == 2.5
    for _ in range(64):
        rhythm.observe(float(1 + (rng.random() < 0.2) + (rng.random() < 0.04)))
    assert rhythm.period_s == 1.0
    assert rhythm.silence_s >= 3.0


def test_a_rate_that_jumped_is_no_louder_noise() -> None:
    """Residuals that grow evenly, by as much a second as their own deviation."""
    rng, level = random.Random(3), NoiseLevel()
    for _ in range(100):
        level.observe(rng.gauss(0.0, US), 0.0, US * US, 1.0)
    for k in range(30):
        level.observe(k * US + rng.gauss(0.0, US), 0.0, US * US, 1.0)
    assert level.quiet


def test_in_a_burst_of_noise_no_pulse_is_of_another_mode() -> None:
    """Two modes 9 us apart, and then noise that would hide them: the reference."""
    modes = Modes()
    for k in range(400):
        modes.place(-9 * US if 200 <= k < 300 else 0.0, 0.3 * US)
        modes.reference()
    assert modes.place(0.0, 0.3 * US) == 0.0
    for e in (-9 * US, -14 * US, 4 * US, -8 * US):
        assert modes.place(e, 4 * US) == 0.0
