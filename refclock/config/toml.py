"""A file of settings in TOML to a dataclass, or every fault at once with its place.

The file is outside, so it is refused whole: each fault with file, line, key and what is
allowed there.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, Self, TypeVar

from refclock.codec import CodecError, Fault, decode, dotted


class ConfigError(ValueError):
    """Everything that is wrong with a configuration, one line a fault."""


T = TypeVar("T")
Table = Mapping[str, Any]
Key = tuple[str | int, ...]

_LARGEST: Final = 1 << 20
"""Bytes of a file of settings."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where each key stands in a file of settings."""

    name: str
    lines: Mapping[Key, int]
    beneath: Places | None = None
    """Those of the file this one is laid over."""

    @classmethod
    def of(cls, text: str, name: str, beneath: Places | None = None) -> Self:
        """Of TOML text."""
        return cls(name, dict(_lines(text)), beneath)

    def fault(self, key: Key, message: str) -> str:
        """`file:line: key: message`, in the file that has the key."""
        if self.beneath and key not in self.lines and key in self.beneath.lines:
            return self.beneath.fault(key, message)
        where = f"{dotted(key)}: " if key else ""
        return f"{self.name}:{_line(self.lines, key)}: {where}{message}"


def read(
    kind: type[T],
    raw: bytes,
    name: str,
    under: Table | None = None,
    beneath: Places | None = None,
) -> T:
    """A dataclass in TOML text, laid over the tables of `under`, whose keys stand at
    `beneath`.

    ConfigError: every fault, one a line as `name:line: key: what`.
    """
    text = text_of(raw, name)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # no date, digits without end
        _refuse(error, name, text)
    try:
        return decode(kind, overlaid(under or {}, table))
    except CodecError as error:
        at = Places.of(text, name, beneath)
        faults = sorted(error.faults, key=lambda fault: _line(at.lines, fault.path))
        raise ConfigError(
            "\n".join(at.fault(fault.path, _advice(fault)) for fault in faults)
        ) from error


def overlaid(under: Table, over: Table) -> dict[str, Any]:
    """Both tables in one; a value of `over` replaces one of `under`."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = overlaid(below, value)
        else:
            merged[key] = value
    return merged


def content(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ConfigError(f"{path}:1: more than {_LARGEST} bytes: no file of settings")
    return raw


def text_of(raw: bytes, name: str) -> str:
    """UTF-8, with or without the mark that some editors begin a file with."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            said = "it is UTF-16 text; save it as UTF-8"
        else:
            said = f"not UTF-8 text: byte 0x{raw[error.start]:02x}; save it as UTF-8"
        raise ConfigError(f"{name}:{line}: {said}") from error


def _advice(fault: Fault) -> str:
    """The fault's message, with how TOML writes what is wanted there."""
    if fault.message.endswith("is not a table"):
        return f"{fault.message}: write [{dotted(fault.path)}]"
    if fault.message.endswith("is not an array of tables"):
        return f"{fault.message}: write [[{dotted(fault.path)}]]"
    return fault.message


_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_CURLY: Final = re.compile("[\u2018-\u201f\u00ab\u00bb]")
_BARE: Final = re.compile(r"""[^=]+=\s*(?!true\b|false\b|inf\b|nan\b)[A-Za-z_/~.:]""")


def _refuse(error: ValueError | RecursionError, name: str, text: str) -> NoReturn:
    """What is no TOML, as a fault with its line, its key and what to do."""
    if isinstance(error, RecursionError):
        raise ConfigError(f"{name}:1: nested without end") from error
    said, rows = str(error), text.splitlines() or [""]
    place = _PLACE.search(said)
    at, column = len(rows), 0
    if place and place[1]:
        at, column = int(place[1]), int(place[2])
    elif not place:  # no place is given: digits without end
        longest = max(rows, key=len)
        at, said = rows.index(longest) + 1, "a number without end"
    row = rows[min(at, len(rows)) - 1]
    what = _PLACE.sub("", said).lower() + (f" at column {column}" if column else "")
    if "overwrite" in what or "twice" in what or "mutate" in what:
        what = "it was set before; a key or table may stand in the file once"
    elif _CURLY.search(row):
        what = f'{what}; text needs straight quotes: "..."'
    elif _BARE.match(row):
        what = f'{what}; text needs quotes: "..."'
    key = dict(_lines("\n".join(rows[:at])))
    near = next((f"{dotted(each)}: " for each, line in key.items() if line == at), "")
    raise ConfigError(f"{name}:{at}: {near}{what}") from error


_HEAD = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*([\w."'-]+)\s*=""")


def _lines(text: str) -> Iterator[tuple[Key, int]]:
    """Each table and key of the text, and the line it stands on."""
    table: Key = ()
    counts: Counter[Key] = Counter()
    for number, line in enumerate(text.split("\n"), 1):
        if head := _HEAD.match(line):
            table = _placed(_keys(head[2]), counts, another=head[1] == "[[")
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_keys(key[1])), number


def _placed(table: Key, counts: Counter[Key], *, another: bool) -> Key:
    """The table's key, with its place after each name that is an array of tables;
    `another`: it begins the next table of its array."""
    key: Key = ()
    for depth, name in enumerate(table, 1):
        key = (*key, name)
        counts[key] += another and depth == len(table)
        if place := counts[key]:
            key = (*key, place)
    return key


def _keys(name: str) -> Key:
    return tuple(part.strip(" \"'") for part in name.split("."))


def _line(lines: Mapping[Key, int], key: Key) -> int:
    """Where `key` stands, or the first thing in it, or else the table it is in."""
    while key:
        if key in lines:
            return lines[key]
        for known, line in lines.items():
            if known[: len(key)] == key:
                return line
        key = key[:-1]
    return 1
