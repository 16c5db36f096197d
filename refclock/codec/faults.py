"""What is wrong with a document, by path, in words on one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Path = tuple[str | int, ...]

SHOWN: Final = 60
"""Characters of a refused value, or of an unknown key, that a fault shows."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one key. A number in the path is a place in a list, from 1."""

    path: Path
    message: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}" if self.path else self.message


class CodecError(ValueError):
    """Everything that is wrong with a document, one line a fault."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: Final = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def dotted(path: Path) -> str:
    """`server.listener[2].port`; a key from outside on one line, short and escaped."""
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{_printable(part)}"
        for part in path
    )
    return "".join(parts).removeprefix(".")


def _printable(key: str) -> str:
    short = key if len(key) <= SHOWN else f"{key[:SHOWN]}..."
    return short if short.isprintable() else ascii(short)[1:-1]


def shown(plain: object) -> str:
    """A value as a fault shows it: escaped and short."""
    try:
        text = ascii(plain) if not isinstance(plain, str) else repr(plain)
    except (ValueError, RecursionError):
        return f"a {type(plain).__name__} without end"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def nearest(plain: object, choices: Iterable[object]) -> str:
    """What may have been meant, to be appended to a fault; or nothing."""
    if isinstance(plain, str):
        texts = [choice for choice in choices if isinstance(choice, str)]
        near = difflib.get_close_matches(plain[:SHOWN], texts, 1)
        return f"; did you mean {near[0]!r}?" if near else ""
    if type(plain) is int:
        numbers = [choice for choice in choices if type(choice) is int]
        if numbers:
            near_by = min(numbers, key=lambda number: abs(number - plain))
            return f"; the nearest is {near_by}"
    return ""


def unknown(key: str, at: Path, known: list[str]) -> str:
    """The fault of a key that is none of the `known` ones of the table `at`."""
    near = difflib.get_close_matches(key[:SHOWN], known, 1)
    if near:
        return f"no such key; did you mean {dotted((*at, near[0]))}?"
    return f"no such key; known: {', '.join(known)}"
