"""Small files of the kernel's: read as text, by number, or not there."""

from __future__ import annotations

import re
from pathlib import Path


def text(path: Path) -> str:
    """What is in it, without blanks at its ends; "" where it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """The number in it; None: there is none."""
    found = re.fullmatch(r"-?\d{1,18}", text(path))
    return int(found[0]) if found else None


def numbered(folder: Path, name: str) -> list[Path]:
    """The entries of that name and a number, by number."""
    found = [
        (int(entry.name.removeprefix(name)), entry)
        for entry in folder.glob(f"{name}*")
        if re.fullmatch(r"\d{1,6}", entry.name.removeprefix(name))
    ]
    return [entry for _, entry in sorted(found)]
