"""The boot files of machines made of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hw.linux.probe.boot import Boot, BootLine, boot
from tests.fakes.machine import MadeUp

CONFIG = """# For more options see
dtparam=i2c_arm=on   # the clock

[pi5]
dtoverlay=disable-bt
[ALL]
dtoverlay=pps-gpio,gpiopin=18
"""


@pytest.mark.parametrize("place", ["boot/firmware", "boot"])
def test_each_line_stands_under_its_section(tmp_path: Path, place: str) -> None:
    made = MadeUp(tmp_path)
    made.file(f"{place}/config.txt", CONFIG)
    made.file(f"{place}/cmdline.txt", "console=tty1")
    made.file("proc/cmdline", "console=tty1 quiet\n")
    assert boot(tmp_path) == Boot(
        f"/{place}/config.txt",
        (
            BootLine(2, "all", "dtparam=i2c_arm=on"),
            BootLine(5, "pi5", "dtoverlay=disable-bt"),
            BootLine(7, "all", "dtoverlay=pps-gpio,gpiopin=18"),
        ),
        f"/{place}/cmdline.txt",
        ("console=tty1", "quiet"),
        (),
        False,
    )


def test_a_dash_from_a_web_page_is_found(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.file("boot/config.txt", "dtparam=i2c_arm=on\ndtoverlay=pps\u2013gpio\n")
    assert boot(tmp_path).strange == (2,)


@pytest.mark.parametrize(("changed", "stale"), [(1_000, False), (3_000, True)])
def test_a_file_changed_since_the_boot(
    tmp_path: Path, changed: int, stale: bool
) -> None:
    made = MadeUp(tmp_path)
    made.file("boot/config.txt", CONFIG)
    os.utime(tmp_path / "boot/config.txt", (changed, changed))
    made.file("proc/stat", "cpu 1 2 3\nbtime 2000\nprocesses 1\n")
    assert boot(tmp_path).stale is stale
