"""Logs of other time daemons, as traces. Every log here is of our own making."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path
from random import Random

import pytest

from hw.sim.logs import parse, read_history

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
DRIFT = 2e-6
"""How fast the clock gains, s/s."""


def ahead(k: int, rng: Random) -> float:
    """The clock less the reference, measured."""
    return DRIFT * k + rng.gauss(0.0, 1e-6)


def refclocks(k: int, z: float) -> str:
    at = BEGAN + timedelta(seconds=k)
    return (
        f"{at:%Y-%m-%d %H:%M:%S}.000000 PPS0    {k % 16} N 1  {-z:.6e} {z:.6e}  1.0e-6"
    )


def statistics(k: int, z: float) -> str:
    at = BEGAN + timedelta(seconds=k)
    return (
        f"{at:%Y-%m-%d %H:%M:%S} PPS0             1.0e-06 {z:.6e}  1.0e-07"
        "  1.0e-09  1.0e-08  7.8e-02  16   0   8  0.00"
    )


def peerstats(k: int, z: float) -> str:
    return f"61100 {k}.000 127.127.22.0 971a {-z:.9f} 0.000000000 0.000230 0.000001"


def loopstats(k: int, z: float) -> str:
    """The clock is made to run 3 ppm faster, so by itself it gains 1 ppm less."""
    return f"61100 {k}.000 {-z:.9f} 3.000 0.000001 0.000500 4"


def ppstest(k: int, z: float) -> str:
    ns = round(z * 1e9)
    second, ns = (1_770_000_000 + k, ns) if ns >= 0 else (1_769_999_999 + k, ns + 10**9)
    return (
        f"source 0 - assert {second}.{ns:09d}, sequence: {k} - clear  0.0, sequence: 0"
    )


@pytest.mark.parametrize(
    ("line", "every", "drift"),
    [
        (refclocks, 1, DRIFT),
        (statistics, 16, DRIFT),
        (statistics, 64, DRIFT),
        (peerstats, 8, DRIFT),
        (loopstats, 64, DRIFT - 3e-6),
        (ppstest, 1, DRIFT),
    ],
)
def test_a_log_is_a_phase_and_its_noise(
    tmp_path: Path, line: object, every: int, drift: float
) -> None:
    assert callable(line)
    rng, log = Random(1), tmp_path / "log"
    log.write_text(
        "=====\n   Date (UTC) Time\n"
        + "\n".join(line(k, ahead(k, rng)) for k in range(0, 100 * every, every))
        + "\nnot a line\n"
    )
    rows = read_history(log)
    assert len(rows) == 99 * every + 1
    assert [row.t_s for row in rows] == list(range(len(rows)))
    gained = 1e-9 * (rows[-1].phase_ns - rows[0].phase_ns) / rows[-1].t_s
    assert gained == pytest.approx(drift, abs=1e-6 / every / 20)
    noise = [row.noise_ns for row in rows if row.pulse]
    assert len(noise) == (100 if every <= 16 else len(rows))
    assert 800 < sqrt(sum(z * z for z in noise) / len(noise)) < 1200


def test_an_early_edge_belongs_to_the_second_after_it() -> None:
    found = parse("source 0 - assert 1769999999.999999000, sequence: 1")
    assert found is not None
    assert found.at_s == 1_770_000_000.0
    assert found.ahead_s == pytest.approx(-1e-6)


def test_what_has_no_offset_is_no_history(tmp_path: Path) -> None:
    log = tmp_path / "clockstats"
    log.write_text("61100 12.5 127.127.20.0 $GPRMC,000012,A,,,,,,,010326,,\n" * 40)
    with pytest.raises(ValueError, match="neither a trace nor a log with offsets"):
        read_history(log)
    log.write_text("\n".join(peerstats(k, 0.0) for k in range(10)))
    with pytest.raises(ValueError, match="10 samples, need 16"):
        read_history(log)


def test_of_several_sources_the_one_with_most_samples(tmp_path: Path) -> None:
    log = tmp_path / "peerstats"
    other = [peerstats(k, 0.5).replace("22.0", "28.0") for k in range(0, 90, 3)]
    log.write_text("\n".join([*other, *(peerstats(k, 1e-6) for k in range(90))]))
    assert {round(row.phase_ns) for row in read_history(log)} == {1000}
