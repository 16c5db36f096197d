"""The free oscillator: reproducible, invertible, and as noisy as it says."""

from __future__ import annotations

import gzip
from itertools import pairwise
from math import sqrt
from pathlib import Path
from random import Random
from statistics import fmean

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hw.emu.oscillator import (
    Environment,
    Oscillator,
    OscillatorModel,
    TraceRow,
    read_trace,
    temperatures,
)
from refclock.timebase import SECOND

QUIET = OscillatorModel(offset_ppb=0.0, walk_ppb=0.0)


def frequencies(
    oscillator_model: OscillatorModel, count: int, seed: int = 1
) -> list[float]:
    """ppb, second by second."""
    oscillator = Oscillator.of(oscillator_model, seed)
    phases = [oscillator.phase(k * SECOND.ns) for k in range(count + 1)]
    return [b - a for a, b in pairwise(phases)]


def allan(ppb: list[float], m: int) -> float:
    """Allan deviation at m seconds."""
    means = [fmean(ppb[i : i + m]) for i in range(0, len(ppb) - m + 1, m)]
    return sqrt(0.5 * fmean((b - a) ** 2 for a, b in pairwise(means)))


def test_the_same_seed_is_the_same_oscillator() -> None:
    noisy = OscillatorModel(white_ppb=1.0, flicker_ppb=1.0)
    assert frequencies(noisy, 50) == frequencies(noisy, 50)
    assert frequencies(noisy, 50) != frequencies(noisy, 50, seed=2)


def test_a_quiet_one_keeps_its_offset() -> None:
    fast = OscillatorModel(offset_ppb=500.0, walk_ppb=0.0)
    assert frequencies(fast, 10) == pytest.approx([500.0] * 10)
    oscillator = Oscillator.of(fast, 1)
    assert oscillator.phase(SECOND.ns // 2) == pytest.approx(250.0)
    assert oscillator.phase(-SECOND.ns) == pytest.approx(-500.0)


@example(counted=10**12 - 1, ppb=-400_000.0)
@example(counted=10**12, ppb=400_000.0)
@given(
    counted=st.integers(-3 * 10**9, 10**12),
    ppb=st.floats(-500_000, 500_000),
)
def test_elapsed_is_the_inverse_of_counting(counted: int, ppb: float) -> None:
    oscillator = Oscillator.of(OscillatorModel(ppb, white_ppb=100.0, walk_ppb=10.0), 3)
    elapsed = oscillator.elapsed(counted)
    assert abs(elapsed + oscillator.phase(elapsed) - counted) < 1.0


@pytest.mark.parametrize(
    ("oscillator_model", "slope"),
    [
        (OscillatorModel(0.0, white_ppb=10.0, walk_ppb=0.0), -0.5),
        (OscillatorModel(0.0, flicker_ppb=10.0, walk_ppb=0.0), 0.0),
        (OscillatorModel(0.0, walk_ppb=1.0), 0.5),
    ],
)
def test_noise_has_the_slope_and_size_of_its_kind(
    oscillator_model: OscillatorModel, slope: float
) -> None:
    ppb = frequencies(oscillator_model, 40_000)
    near, far = allan(ppb, 16), allan(ppb, 256)
    assert far / near == pytest.approx(16**slope, rel=0.25)
    size = {-0.5: 10.0 / 4, 0.0: 10.0, 0.5: 4.0 / sqrt(3)}[slope]
    assert near == pytest.approx(size, rel=0.15)


def test_warmth_bends_it_by_the_parabola() -> None:
    step = Environment(mean_c=43.0, step_c=10.0, step_at_s=5.0, settle_s=0.01)
    bent = OscillatorModel(
        0.0, walk_ppb=0.0, turnover_c=53.0, curve_ppb=6.0, environment=step
    )
    ppb = frequencies(bent, 10)
    assert ppb[:5] == pytest.approx([0.0] * 5)
    assert ppb[6:] == pytest.approx([600.0] * 4)
    assert Oscillator.of(bent, 1).celsius(7 * SECOND.ns) == pytest.approx(53.0)


def test_a_sine_and_a_draught_keep_to_their_size() -> None:
    def drawn(environment: Environment) -> list[float]:
        it = temperatures(environment, Random(1))
        return [next(it) for _ in range(20_000)]

    sine = drawn(Environment(mean_c=40.0, swing_c=3.0, period_s=200.0))
    assert max(sine) == pytest.approx(43.0, abs=0.01)
    assert min(sine) == pytest.approx(37.0, abs=0.01)
    draught = drawn(Environment(mean_c=40.0, wander_c=2.0, draught_s=20.0))
    spread = sqrt(fmean((celsius - 40.0) ** 2 for celsius in draught))
    assert spread == pytest.approx(2.0, rel=0.15)


def test_one_that_ends_says_so() -> None:
    oscillator = Oscillator(iter([(0.0, 20.0), (5.0, 20.0)]))
    assert oscillator.phase(SECOND.ns // 5) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="ends after 2 s"):
        oscillator.phase(SECOND.ns)


def test_a_trace_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "b.csv.gz"
    text = "pps_noise_ns,t_s,other,free_phase_ns,pulse\n0.5,0,x,100,1\n-2,1,y,90.5,0\n"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    rows = [TraceRow(0, 100.0, 0.5, None, True), TraceRow(1, 90.5, -2.0, None, False)]
    assert list(read_trace(plain)) == list(read_trace(packed)) == rows


def test_a_trace_may_have_temperatures_and_no_missing_pulse(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("t_s,free_phase_ns,pps_noise_ns,temperature_c\n0,1,2,45.25\n")
    assert list(read_trace(file)) == [TraceRow(0, 1.0, 2.0, 45.25, True)]


@pytest.mark.parametrize(
    "text",
    [
        "t_s,free_phase_ns\n0,1\n",
        "t_s,free_phase_ns,pps_noise_ns\n0,1,many\n",
        "t_s,free_phase_ns,pps_noise_ns\n0,1\n",
        "t_s,free_phase_ns,pps_noise_ns\n0,1,0\n2,1,0\n",
    ],
)
def test_what_is_no_trace_is_refused_with_its_row(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"a\.csv: row \d"):
        list(read_trace(file))
