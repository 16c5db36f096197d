"""The board that a file of settings names, as settings to lay that file over.

Precedence: a key of the file, then of its board, then the default.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from refclock.codec import dotted
from refclock.codec.faults import nearest
from refclock.config.toml import ConfigError, Key, Places, Table, text_of
from refclock.shipped import shipped

_ENDING: Final = ".toml"


def boards() -> list[str]:
    """The names of all boards there are files for."""
    files = (each.name for each in shipped("config", "boards").iterdir())
    return sorted(name.removesuffix(_ENDING) for name in files)


def board_of(raw: bytes, name: str) -> tuple[Table, Places | None]:
    """The settings of the board that TOML text names, and where they stand.

    None of either where it names none, or is no TOML. ConfigError: there is no such
    board, or the text itself sets every key of it.
    """
    text = text_of(raw, name)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}, None
    board = table.get("board", "")
    if not isinstance(board, str) or not board:
        return {}, None
    at = Places.of(text, name)
    if board not in (known := boards()):
        said = f"there is no board {board!r}{nearest(board, known)}"
        raise ConfigError(at.fault(("board",), f"{said}; there are {', '.join(known)}"))
    file = shipped("config", "boards", board + _ENDING)
    settings = tomllib.loads(file.read_text("utf-8"))
    keys = list(_keys(settings, ()))
    if all(_has(table, key) for key in keys):
        said = f"{board!r} changes nothing, as this file sets all its keys; take out "
        said += ", ".join(map(dotted, keys))
        raise ConfigError(at.fault(("board",), said))
    return settings, Places.of(file.read_text("utf-8"), str(file))


def _keys(table: Table, at: Key) -> Iterator[Key]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _keys(value, (*at, key))
        else:
            yield (*at, key)


def _has(table: Any, key: Key) -> bool:  # noqa: ANN401 - as TOML has it
    for part in key:
        if not isinstance(table, Mapping) or part not in table:
            return False
        table = table[part]
    return True
