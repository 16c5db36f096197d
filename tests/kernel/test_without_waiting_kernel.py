"""An hour of the kernel, skipped: drift learned, then holdover over a leap second."""

from __future__ import annotations

from itertools import groupby
from statistics import median

import pytest

from tests.kernel.machine import Guest

pytestmark = pytest.mark.kernel

_INS, _OOP, _WAIT = 1, 3, 4
_GONE_S, _LEAP_S, _BACK_S, _LASTS_S = 120, 600, 3780, 3850


def test_an_hour_of_holdover_with_a_leap_second_in_it(skipping: Guest) -> None:
    when = (_GONE_S, _LEAP_S, _BACK_S, _LASTS_S)
    told = skipping.call("skipped.hour", *when, limit_s=170)
    print(told["log"])
    for row in told["said"][::5]:
        print(row)
    said = [row for row in told["said"] if row["t"] > 30]
    tracked = [row for row in said if row["t"] < _GONE_S]
    assert {row["mode"] for row in tracked} == {"TRACK"}
    assert max(abs(row["error_s"]) for row in tracked) < 500e-6
    learned = median(row["frequency_ppm"] for row in tracked[-10:])
    assert learned == pytest.approx(-80, abs=5)

    assert {row["leap"] for row in said if row["t"] < _LEAP_S} == {"insert"}
    states = [state for state, _ in groupby(each["state"] for each in told["states"])]
    assert states[:3] == [_INS, _OOP, _WAIT]
    assert [told["states"][at]["tai"] for at in (0, -1)] == [37, 38]

    held = [row for row in said if _GONE_S + 20 < row["t"] < _BACK_S]
    assert held[-1]["t"] - held[0]["t"] > 3500
    assert {row["mode"] for row in held} == {"HOLDOVER"}
    assert {row["leap"] for row in held if row["t"] > _LEAP_S} == {"none"}
    assert all(abs(row["error_s"]) < row["bound_s"] for row in held)
    assert abs(held[-1]["error_s"]) < 50e-3  # uncorrected it would be 290 ms
    assert said[-1]["mode"] == "TRACK"
    assert abs(said[-1]["error_s"]) < 1e-3
