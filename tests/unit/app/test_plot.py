from __future__ import annotations

import math
import random
import sys
from pathlib import Path

import pytest

from refclock.app.plot import PlotError, Series, allan_deviation, draw


def test_white_frequency_noise_falls_as_the_root_of_the_averaging_time() -> None:
    dice = random.Random(1)
    deviations = dict(allan_deviation([dice.gauss(0.0, 1e-9) for _ in range(20_000)]))
    for n in (1, 2, 4, 16, 64):
        assert deviations[n] == pytest.approx(1e-9 / math.sqrt(n), rel=0.1)


def test_a_frequency_ramp_rises_with_the_averaging_time() -> None:
    deviations = dict(allan_deviation([1e-9 * k for k in range(1000)]))
    for n in (1, 8, 64):
        assert deviations[n] == pytest.approx(1e-9 * n / math.sqrt(2))


def test_a_picture_has_a_kind() -> None:
    with pytest.raises(PlotError, match="svg"):
        draw(Series([0.0], [1.0], [0.0]), Path("x.jpeg"))


def test_without_matplotlib_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotError, match="pip install"):
        draw(Series([0.0], [1.0], [0.0]), tmp_path / "x.svg")


def test_a_run_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    dice = random.Random(2)
    errors = [dice.gauss(0.0, 1e-7) for _ in range(100)]
    draw(Series(errors, [4e-7] * 100, errors), tmp_path / "x.svg")
    drawn = (tmp_path / "x.svg").read_text()
    assert "<svg" in drawn
    assert drawn.count("<path") > 4
