"""Chips and ports behind USB, by the kernel's own drivers for the adapters."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.kernel.machine import Guest

pytestmark = pytest.mark.kernel

_KINDS = ("assert", "clear")


@pytest.mark.parametrize("name", ["DS3231", "PCF8523", "RV-3028"])
def test_clock_chip_on_the_bus(guest: Guest, name: str) -> None:
    told = guest.call("chips.clock_chip", name)
    assert told["name"] == name
    assert told["fresh"] is None
    assert 0 <= told["after_setting_s"] < 2
    assert 1 <= told["later_s"] <= 2
    assert "No such device" in told["gone"]


def test_thermometer_and_trim_of_the_chip(guest: Guest) -> None:
    told = guest.call("chips.thermometer", 21.75, -12)
    assert told == {"celsius": 21.75, "ageing": -12}


def test_motion_sensor_is_no_clock_and_is_left_alone(guest: Guest) -> None:
    told = guest.call("chips.motion_sensor")
    assert "no chip on the bus behaves like" in told["refusal"]
    assert not told["was_set"]


def test_clock_chip_beside_a_motion_sensor(guest: Guest) -> None:
    assert guest.call("chips.clock_chip_beside_a_motion_sensor") == "RV-3028"


def test_empty_bus(guest: Guest) -> None:
    assert "no chip on the bus behaves like" in guest.call("chips.empty_bus")


@pytest.mark.parametrize(("name", "celsius"), [("DS3231", -3.25), ("PCF8523", None)])
def test_clock_chip_taken_over_by_the_kernel(
    guest: Guest, name: str, celsius: float | None
) -> None:
    """Whose drivers are one more reading of the data sheets our models are from."""
    told = guest.call("chips.taken_by_the_kernel", name)
    assert told["fresh"] is None
    assert 0 <= told["after_setting_s"] < 2
    assert told["celsius"] == celsius
    assert told["path"] in told["refusal"]


def test_receiver_on_the_bus(guest: Guest) -> None:
    words = "".join(f"$GNTXT,{i:060}*00\r\n" for i in range(12))
    told = guest.call("chips.receiver_on_the_bus", words)
    assert told["name"].startswith("/dev/i2c-")
    assert told["silence"] is None
    assert told["data"] == words
    stamps = [at for span in told["spans"] for at in span]
    assert stamps == sorted(stamps)
    assert told["told"] == "b5620a0400000e34"
    assert "No such device" in told["gone"]
    assert "no u-blox answers at 0x42" in told["nobody"]


def alternate(edges: list[list[Any]]) -> bool:
    """Do both flanks come in turn, each counted without a gap, in order of time?"""
    counts = {kind: [seq for seq, _, of in edges if of == kind] for kind in _KINDS}
    return (
        all(a[2] != b[2] for a, b in pairwise(edges))
        and all(a[1] < b[1] for a, b in pairwise(edges))
        and all(b == a + 1 for seqs in counts.values() for a, b in pairwise(seqs))
    )


def test_carrier_detect_by_the_line_discipline(guest: Guest) -> None:
    told = guest.call("chips.carrier_detect", 8)
    assert told["kind"] == "DisciplinePps"
    assert told["name"] == "DCD as /dev/pps1"
    assert alternate(told["edges"])
    assert told["left"] == ["/dev/pps0"]


def test_carrier_detect_by_a_thread_that_watches(guest: Guest) -> None:
    told = guest.call("chips.carrier_watched", 8)
    assert len(told["edges"]) == 8
    assert alternate(told["edges"])


def test_carrier_detect_unplugged(guest: Guest) -> None:
    why = guest.call("chips.carrier_unplugged", limit_s=60)
    assert why.startswith("OSError: ")
    assert "it does not answer" in why
