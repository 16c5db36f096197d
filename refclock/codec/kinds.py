"""How values that have no parts are written and read, and what annotations add."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from refclock.codec.faults import CodecError, Fault, Path, nearest, shown
from refclock.settings import Dated, Decimals, Form, Range
from refclock.timebase import Duration, Instant, Utc

_LEAST_INT: Final = -(2**63)
_MOST_INT: Final = 2**63 - 1
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")


class MismatchError(Exception):
    """A value of another shape than the type asks for."""


Read = Callable[[Any, Path, list[Fault]], Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of one type are written and read."""

    write: Callable[[Any], Any]
    """CodecError: it must not be written."""
    read: Read
    """Appends faults, or raises MismatchError where the shape is another."""
    expects: str
    """Continues "... is not": `a whole number`."""
    choices: tuple[object, ...] = ()
    """All there is to choose from, where that is a list."""
    ns: bool = False
    """Whole nanoseconds: the key ends in `_ns`."""


def part(kind: Kind, plain: object, path: Path, faults: list[Fault]) -> Any:  # noqa: ANN401
    """What `kind` reads there; another shape is one more of the `faults`."""
    try:
        return kind.read(plain, path, faults)
    except MismatchError:
        near = nearest(plain, kind.choices)
        message = f"{shown(plain)} is not {kind.expects}{near}"
        faults.append(Fault(path, message))
        return None


def written_at(name: str, kind: Kind, value: object) -> Any:  # noqa: ANN401 - JSON's
    """`value` written; a fault in it gets the path."""
    try:
        return kind.write(value)
    except CodecError as error:
        raise CodecError(
            Fault((name, *fault.path), fault.message) for fault in error.faults
        ) from error


def _read_bool(plain: object, _path: Path, _faults: list[Fault]) -> object:
    if type(plain) is not bool:
        raise MismatchError
    return plain


def _read_int(plain: object, path: Path, faults: list[Fault]) -> object:
    if type(plain) is not int:
        raise MismatchError
    if not _LEAST_INT <= plain <= _MOST_INT:
        faults.append(Fault(path, f"{shown(plain)} does not fit into 64 bits"))
    return plain


def _write_int(value: int) -> int:
    if not _LEAST_INT <= value <= _MOST_INT:
        raise CodecError([Fault((), f"{shown(value)} does not fit into 64 bits")])
    return int(value)


def _read_float(plain: object, path: Path, faults: list[Fault]) -> object:
    if type(plain) is int and _LEAST_INT <= plain <= _MOST_INT:
        return float(plain)
    if type(plain) is not float:
        raise MismatchError
    if not math.isfinite(plain):
        faults.append(Fault(path, f"{plain} is no number"))
    return plain


def _write_float(value: float) -> float:
    if not math.isfinite(value):
        raise CodecError([Fault((), f"{value} is no number")])
    return float(value)


def _read_str(plain: object, path: Path, faults: list[Fault]) -> object:
    if type(plain) is not str:
        raise MismatchError
    if _text(plain) != plain:
        faults.append(Fault(path, f"{shown(plain)} is no Unicode text"))
    return plain


def _text(value: str) -> str:
    """`value`, half surrogate pairs (bytes that were no UTF-8) spelled out."""
    if value.isascii():
        return str(value)
    return value.encode(errors="backslashreplace").decode()


def _read_bytes(plain: object, _path: Path, _faults: list[Fault]) -> object:
    if type(plain) is not str or not _HEX.fullmatch(plain):
        raise MismatchError
    return bytes.fromhex(plain)


def _read_none(plain: object, _path: Path, _faults: list[Fault]) -> object:
    if plain is not None:
        raise MismatchError
    return None


SCALARS: Final[Mapping[type, Kind]] = {
    bool: Kind(bool, _read_bool, "true or false"),
    int: Kind(_write_int, _read_int, "a whole number"),
    float: Kind(_write_float, _read_float, "a number"),
    str: Kind(_text, _read_str, 'text in "quotes"'),
    bytes: Kind(bytes.hex, _read_bytes, "bytes in hexadecimal"),
    types.NoneType: Kind(lambda _: None, _read_none, "null"),
}


def nanoseconds(kind: type[Duration | Instant]) -> Kind:
    """Whole nanoseconds in 64 bits: of instants, the years 1677 to 2262."""

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        _read_int(plain, path, faults)
        return kind(typing.cast("int", plain))

    return Kind(lambda value: _write_int(value.ns), read, "whole nanoseconds", ns=True)


def _read_date(plain: object, _path: Path, _faults: list[Fault]) -> object:
    """A date of TOML, or its text in JSON."""
    try:
        at = datetime.fromisoformat(plain) if isinstance(plain, str) else plain
    except ValueError:
        raise MismatchError from None
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise MismatchError
    since = at - _UNIX_BEGAN
    return Utc(
        (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
    )


_UNIX_BEGAN: Final = datetime(1970, 1, 1, tzinfo=UTC)


DATE: Final = Kind(
    lambda value: value.iso(),
    _read_date,
    "a date and time with its zone, as 2026-12-31T23:59:00Z",
)


def choice(choices: Mapping[Any, Any]) -> Kind:
    """One of few; `choices` by what is written."""
    expects = ", ".join(map(repr, choices))
    written = {value: plain for plain, value in choices.items()}

    by_type = {(type(plain), plain): value for plain, value in choices.items()}

    def read(plain: object, _path: Path, _faults: list[Fault]) -> object:
        if not isinstance(plain, str | int) or (type(plain), plain) not in by_type:
            raise MismatchError  # True is 1, but not what is asked for
        return by_type[type(plain), plain]

    return Kind(
        lambda value: written[value],
        read,
        expects if len(choices) == 1 else f"one of {expects}",
        tuple(choices),
    )


def annotated(kind: Kind, notes: tuple[object, ...]) -> Kind:
    for note in notes:
        if isinstance(note, Range):
            kind = _ranged(kind, note)
        elif isinstance(note, Form):
            kind = _formed(kind, note)
        elif isinstance(note, Decimals):
            kind = _rounded(kind, note)
        elif isinstance(note, Dated):
            kind = DATE
    return kind


def _ranged(kind: Kind, allowed: Range) -> Kind:
    def read(plain: Any, path: Path, faults: list[Fault]) -> object:  # noqa: ANN401
        before = len(faults)
        value = kind.read(plain, path, faults)
        size = value.ns * 1e-9 if isinstance(value, Duration) else value
        if len(faults) == before and not allowed.least <= size <= allowed.most:
            nearest = allowed.least if size < allowed.least else allowed.most
            faults.append(
                Fault(
                    path,
                    f"{size!r} is not in {allowed}; the nearest is {nearest:.12g}",
                )
            )
        return value

    return dataclasses.replace(kind, read=read, expects=f"{kind.expects}, {allowed}")


def _formed(kind: Kind, form: Form) -> Kind:
    def read(plain: Any, path: Path, faults: list[Fault]) -> object:  # noqa: ANN401
        before = len(faults)
        value = kind.read(plain, path, faults)
        if len(faults) == before:
            try:
                form.check(value)
            except ValueError:
                faults.append(Fault(path, f"{shown(plain)} is not {form.what}"))
        return value

    return dataclasses.replace(kind, read=read, expects=form.what)


def _rounded(kind: Kind, decimals: Decimals) -> Kind:
    def write(value: float) -> float:
        return round(float(kind.write(value)), decimals.places)

    return dataclasses.replace(kind, write=write)
