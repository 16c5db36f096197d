"""pyproject.toml, the tree and the picture of the rooms agree."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.rooms import README, ROOT, drawn_into, layers, picture, pure

MOST_LINES: Final = 300
"""Of a module: it is one idea."""
MOST_LINES_OF_ENGINE: Final = 250
MOST_MODULES: Final = 8
"""Of a room."""
LONG: Final = {
    "hw/net/listen.py": 370,
    "hw/net/udp.py": 370,
    "hw/sim/fast.py": 326,
    "refclock/diagnose/words.py": 320,
    "refclock/discipline/bank.py": 528,
    "refclock/gnss/ubx.py": 372,
}
"""Modules that are still longer, and by how much: to be split, never to grow."""
WIDE: Final = {
    "hw/abi": "one kernel interface a file",
    "hw/sim": "to be split",
    "refclock/cli": "one command a file",
}
"""Rooms of more modules, and why."""


def modules() -> list[Path]:
    return [
        path
        for top in ("refclock", "hw")
        for path in sorted((ROOT / top).rglob("*.py"))
        if path.name != "__init__.py"
    ]


def test_a_module_fits_in_a_head() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in modules()
        if (count := len(path.read_text().splitlines())) > MOST_LINES
    }
    assert {
        path: count for path, count in long.items() if count > LONG.get(path, 0)
    } == {}
    assert long.keys() == LONG.keys(), "what was split is listed no longer"


def test_the_engine_is_no_hub() -> None:
    tree = ast.parse((ROOT / "refclock/engine/engine.py").read_text())
    (engine,) = (
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Engine"
    )
    assert engine.end_lineno is not None
    assert engine.end_lineno - engine.lineno < MOST_LINES_OF_ENGINE


def test_a_room_has_few_modules() -> None:
    count = Counter(str(path.parent.relative_to(ROOT)) for path in modules())
    wide = {room for room, many in count.items() if many > MOST_MODULES}
    assert wide == WIDE.keys()


def test_the_picture_of_the_rooms_is_that_of_the_contracts() -> None:
    text = README.read_text()
    assert drawn_into(text) == text, "draw it anew: python -m tests.rooms"


def test_the_picture_has_every_room_once_and_marks_the_pure_ones() -> None:
    cells = [
        cell
        for line in picture().splitlines()
        if not line.startswith("+")
        for cell in line[1:-1].split()
    ]
    marked = [
        room.removeprefix("refclock.") + "*" * (room in pure())
        for layer in layers()
        for room in layer
    ]
    assert cells == marked
    assert len(set(cells)) == len(cells)


def test_every_room_has_its_layer() -> None:
    rooms = {
        f"{top}.{path.stem}"
        for top in ("refclock", "hw")
        for path in (ROOT / top).iterdir()
        if (path / "__init__.py").exists() or path.suffix == ".py"
    } - {"refclock.__init__", "refclock.__main__", "hw.__init__"}
    assert {room for layer in layers() for room in layer} == rooms


def test_a_readme_without_a_place_for_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        drawn_into("# refclock\n")
