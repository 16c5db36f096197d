"""The rooms and who may import whom, as import-linter's contracts have it.

`python -m tests.rooms` draws them into the README; `python -m tests.rooms --cov`
prints pytest's options that measure the coverage of the rooms that touch no device.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
README: Final = ROOT / "README.md"
_BEGIN: Final = "```text rooms\n"
_END: Final = "```\n"


def contracts() -> list[dict[str, Any]]:
    """Those of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: list[dict[str, Any]] = project["tool"]["importlinter"]["contracts"]
    return found


def layers() -> list[list[str]]:
    """Rooms, a list a layer, the highest first: each imports only from lower layers."""
    (contract,) = (each for each in contracts() if each["type"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


def pure() -> list[str]:
    """The rooms that read no clock and touch no device."""
    (contract,) = (
        each for each in contracts() if "hw" in each.get("forbidden_modules", ())
    )
    rooms: list[str] = contract["source_modules"]
    return rooms


def picture() -> str:
    """A line a layer; `*` marks the rooms that read no clock and touch no device."""
    alone = set(pure())
    names = [
        "   ".join(
            room.removeprefix("refclock.") + "*" * (room in alone) for room in layer
        )
        for layer in layers()
    ]
    width = max(map(len, names))
    edge = f"+{'-' * (width + 2)}+"
    return "\n".join([edge, *(f"| {line:<{width}} |" for line in names), edge, ""])


def drawn_into(readme: str) -> str:
    """The README's text with the picture of today in its place."""
    before, found, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not found or not end:
        raise ValueError(f"README.md has no place for the picture: {_BEGIN!r}")
    return f"{before}{found}{picture()}{end}{after}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--cov"]:
        sys.stdout.write(" ".join(f"--cov={room}" for room in pure()))
    else:
        README.write_text(drawn_into(README.read_text()))
