"""An hour of the kernel, skipped: drift learned, then holdover over a leap second."""

from __future__ import annotations

from concurrent.futures import Future
from itertools import groupby
from statistics import median
from typing import Any

import pytest

from tests.kernel.guest.skipped import BACK_S, GONE_S, LEAP_S

pytestmark = pytest.mark.kernel

_INS, _OOP, _WAIT = 1, 3, 4


def test_an_hour_of_holdover_with_a_leap_second_in_it(
    skipped_hour: Future[dict[str, Any]],
) -> None:
    told = skipped_hour.result()
    print(told["log"])
    said = [row | snapshot(row) for row in told["said"] if row["t"] > 30]
    for row in said[::5]:
        print(row)
    tracked = [row for row in said if row["t"] < GONE_S]
    assert {row["mode"] for row in tracked} == {"TRACK"}
    assert all(abs(row["served_s"]) < row["bound_s"] for row in tracked)
    assert max(abs(row["error_s"]) for row in tracked) < 1e-3  # the prior's own 0.5 ms
    learned = median(row["frequency_ppm"] for row in tracked[-10:])
    assert learned == pytest.approx(-80, abs=15)

    assert {row["leap"] for row in said if row["t"] < LEAP_S} == {"insert"}
    states = [state for state, _ in groupby(each["state"] for each in told["states"])]
    assert states[:3] == [_INS, _OOP, _WAIT]
    assert [told["states"][at]["tai"] for at in (0, -1)] == [37, 38]

    held = [row for row in said if GONE_S + 20 < row["t"] < BACK_S]
    assert held[-1]["t"] - held[0]["t"] > 3500
    assert {row["mode"] for row in held} == {"HOLDOVER"}
    assert {row["leap"] for row in held if row["t"] > LEAP_S} == {"none"}
    assert all(abs(row["served_s"]) < row["bound_s"] for row in held)
    assert abs(held[-1]["served_s"]) < 100e-3  # uncorrected it would be 290 ms
    assert said[-1]["mode"] == "TRACK"
    assert abs(said[-1]["served_s"]) < said[-1]["bound_s"] < 1e-3


def snapshot(row: dict[str, Any]) -> dict[str, float]:
    """How wrong a client is told the time: what is not slewed yet is no part of it."""
    return {"served_s": row["error_s"] + row["offset_s"]}
