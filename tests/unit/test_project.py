"""pyproject.toml, the tree and the picture of the rooms agree."""

from __future__ import annotations

import pytest

from tests.rooms import README, ROOT, drawn_into, layers, picture, pure


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
