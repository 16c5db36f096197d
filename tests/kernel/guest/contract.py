"""Runs in the guest: the contract suite, on its own ports, as `-m hardware` on a Pi."""

from __future__ import annotations

from typing import Final

import pytest

SUITE: Final = "tests/contract"

_KERNEL: Final = """
[receiver]
device = "/dev/ttyAMA0"
[pulse]
source = "kernel"
[rtc]
source = "kernel"
[thermometer]
source = "none"
"""
_GPIO: Final = """
[receiver]
device = "/dev/ttyAMA0"
baud = 9600
[pulse]
source = "gpio"
[rtc]
source = "i2c"
bus = {bus}
[thermometer]
source = "ds3231"
"""
_USB: Final = """
[receiver]
device = "/dev/i2c-{bus}"
[pulse]
source = "serial"
device = "{port}"
[rtc]
source = "none"
[thermometer]
source = "none"
"""


class Verdicts:
    """What became of each test."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Once for each of setup, call and teardown."""
        if report.when == "call" or report.outcome != "passed":
            row = {"test": report.nodeid, "outcome": report.outcome}
            self.rows.append(row | {"why": report.longreprtext})
