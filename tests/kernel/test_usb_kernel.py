"""Chips and ports behind USB, by the kernel's own drivers for the adapters."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.kernel.machine import Guest

pytestmark = pytest.mark.kernel


def test_clock_chip_on_the_bus(guest: Guest) -> None:
    told = guest.call("chips.clock_chip")
    assert told["name"] == "DS3231"
    assert told["celsius"] == 21.75
    assert told["ageing"] == -12
    assert 0 <= told["late_s"] < 2
    assert 0 <= told["after_setting_s"] < 2
    assert "No such device" in told["gone"]


def test_motion_sensor_is_no_clock(guest: Guest) -> None:
    assert "no chip on the bus behaves like" in guest.call("chips.motion_sensor")


def test_empty_bus(guest: Guest) -> None:
    assert "no chip on the bus behaves like" in guest.call("chips.empty_bus")


def test_clock_chip_taken_over_by_the_kernel(guest: Guest) -> None:
    told = guest.call("chips.taken_by_the_kernel")
    assert 0 <= told["late_s"] < 2
    assert told["after_setting"].startswith("2031-12-24T18:30:1")
    assert told["celsius"] in {-3.25, None}
    assert told["path"] in told["refusal"]


def alternate(edges: list[list[Any]]) -> None:
    """Both flanks come in turn, each counted without a gap, in order of time."""
    assert all(a[2] != b[2] for a, b in pairwise(edges))
    assert all(a[1] < b[1] for a, b in pairwise(edges))
    for kind in ("assert", "clear"):
        counts = [seq for seq, _, which in edges if which == kind]
        assert counts == list(range(counts[0], counts[0] + len(counts)))


def test_carrier_detect_by_the_line_discipline(guest: Guest) -> None:
    told = guest.call("chips.carrier_detect", 8)
    assert told["kind"] == "DisciplinePps"
    assert told["name"] == "DCD as /dev/pps1"
    alternate(told["edges"])
    assert told["left"] == ["/dev/pps0"]


def test_carrier_detect_by_a_thread_that_watches(guest: Guest) -> None:
    told = guest.call("chips.carrier_watched", 8)
    alternate(told["edges"])


def test_carrier_detect_unplugged(guest: Guest) -> None:
    why = guest.call("chips.carrier_unplugged", limit_s=60)
    assert why.startswith("OSError: ")
    assert "the pulse device is gone" in why
