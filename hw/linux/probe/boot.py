"""What the machine was told at boot: config.txt of a Pi, and the kernel's command line.

In config.txt a line such as [pi4] begins a section that counts on that model alone,
until the next; [all] ends it (Raspberry Pi documentation, "Conditional filters").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hw.linux.probe.files import text

_PLACES: Final = ("boot/firmware", "boot")
"""Of the boot files: from Debian 12 on, and before."""


@dataclass(frozen=True, slots=True)
class BootLine:
    """One line of config.txt that says something."""

    number: int
    section: str
    """The filters it stands under: "all", "pi5" ..."""
    words: str
    """Without comment and blanks: "dtoverlay=pps-gpio,gpiopin=18"."""


@dataclass(frozen=True, slots=True)
class Boot:
    """The files, and whether the machine has read them as they are now."""

    config: str | None
    """Path of config.txt; None: there is none."""
    lines: tuple[BootLine, ...]
    command_file: str | None
    """Path of cmdline.txt."""
    command: tuple[str, ...]
    """The running kernel's words."""
    strange: tuple[int, ...]
    """Lines of config.txt with letters that are not ASCII: a dash from a web page."""
    stale: bool
    """A file was changed after the machine booted."""


def boot(root: Path) -> Boot:
    """Of this machine."""
    config = _first(root, "config.txt")
    command_file = _first(root, "cmdline.txt")
    rows = text(config).splitlines() if config else []
    began = re.search(r"^btime (\d+)$", text(root / "proc/stat"), re.MULTILINE)
    return Boot(
        _inside(root, config),
        tuple(_lines(rows)),
        _inside(root, command_file),
        tuple(text(root / "proc/cmdline").split()),
        tuple(count for count, row in enumerate(rows, 1) if not row.isascii()),
        began is not None
        and any(
            file.stat().st_mtime > int(began[1])
            for file in (config, command_file)
            if file
        ),
    )


def _first(root: Path, name: str) -> Path | None:
    places = (root / place / name for place in _PLACES)
    return next((place for place in places if place.exists()), None)


def _inside(root: Path, path: Path | None) -> str | None:
    return None if path is None else f"/{path.relative_to(root)}"


def _lines(rows: list[str]) -> list[BootLine]:
    section = "all"
    found: list[BootLine] = []
    for count, row in enumerate(rows, 1):
        words = row.partition("#")[0].strip()
        if begins := re.fullmatch(r"\[(.+)\]", words):
            section = begins[1].lower()
        elif words:
            found.append(BootLine(count, section, words))
    return found
