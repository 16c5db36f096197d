"""Frozen dataclasses as plain values and as JSON text, and back. One for all.

    settings (plain values of TOML), state, recordings, control answers, workers

The type says everything: fields, `Annotated` with `Range`, `Decimals` or `Form`,
`Literal`, enumerations, tuples, mappings by text, optional values and unions of
dataclasses, which are told apart by a key `is`. Instants and durations are written
in whole nanoseconds under a key that ends in `_ns`.

What comes in is refused whole, with the path of every fault: unknown, missing and
doubled keys, another type, a value out of range, NaN and infinity, an integer that
does not fit into 64 bits. What `encode` writes, `decode` reads.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, NewType, NoReturn, TypeVar, overload

from refclock.settings import Dated, Decimals, Form, Range
from refclock.timebase import Duration, Instant, Utc

T = TypeVar("T")
Path = tuple[str | int, ...]

_LEAST_INT: Final = -(2**63)
_MOST_INT: Final = 2**63 - 1
_SHOWN: Final = 60
"""Characters of a refused value that a fault shows."""
_TAG: Final = "is"
_TABLE: Final = "a table"
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")


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


class _MismatchError(Exception):
    """A value of another shape than the type asks for."""


_Read = Callable[[Any, Path, list[Fault]], Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How values of one type are written and read."""

    write: Callable[[Any], Any]
    """CodecError: it must not be written."""
    read: _Read
    """Appends faults, or raises _MismatchError where the shape is another."""
    expects: str
    """Continues "... is not": `a whole number`."""
    choices: tuple[object, ...] = ()
    """All there is to choose from, where that is a list."""
    ns: bool = False
    """Whole nanoseconds: the key says so."""


def dotted(path: Path) -> str:
    """`server.listener[2].port`; a key from outside on one line, short and escaped."""
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{_printable(part)}"
        for part in path
    )
    return "".join(parts).removeprefix(".")


def _printable(key: str) -> str:
    short = key if len(key) <= _SHOWN else f"{key[:_SHOWN]}..."
    return short if short.isprintable() else ascii(short)[1:-1]


def encode(kind: object, value: object) -> Any:  # noqa: ANN401 - what JSON can hold
    """`value`, of type `kind`, as what JSON can hold. CodecError: NaN, infinity, or
    an integer of more than 64 bits."""
    return _kind(kind).write(value)


@overload
def decode(kind: type[T], plain: object) -> T: ...
@overload
def decode(kind: object, plain: object) -> Any: ...  # noqa: ANN401 - of a union
def decode(kind: object, plain: object) -> Any:
    """The value of type `kind` that `encode` wrote. CodecError: every fault."""
    faults: list[Fault] = []
    value = _part(_kind(kind), plain, (), faults)
    if faults:
        raise CodecError(faults)
    return value


def dumps(kind: object, value: object, version: int | None = None) -> str:
    """One line of JSON; an object with its `version` in it. CodecError: as `encode`."""
    plain = encode(kind, value)
    if version is not None:
        plain = {"version": version, **plain}
    return json.dumps(plain, allow_nan=False)


@overload
def loads(kind: type[T], text: str, version: int | None = None) -> T: ...
@overload
def loads(kind: object, text: str, version: int | None = None) -> Any: ...  # noqa: ANN401
def loads(kind: object, text: str, version: int | None = None) -> Any:
    """What `dumps` wrote. CodecError: every fault, another version before all."""
    plain = parsed(text)
    if version is None:
        return decode(kind, plain)
    if not isinstance(plain, dict) or "version" not in plain:
        raise CodecError([Fault((), "it names no version, so it is not one of ours")])
    found = plain.pop("version")
    if found != version or type(found) is not int:
        message = f"it is of version {_shown(found)}, this program reads {version}"
        raise CodecError([Fault((), message)])
    return decode(kind, plain)


def parsed(text: str) -> Any:  # noqa: ANN401 - what JSON can hold
    """The plain values of JSON text. CodecError: what is no JSON, doubled keys, NaN."""
    try:
        return json.loads(text, parse_constant=_refused, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        message = f"torn, or no JSON (line {error.lineno} column {error.colno})"
        if not text.strip("\0 \t\r\n"):
            message = "it is empty"
        raise CodecError([Fault((), message)]) from error
    except RecursionError as error:
        raise CodecError([Fault((), "nested without end")]) from error
    except CodecError:
        raise
    except ValueError as error:  # an integer of more digits than Python reads
        raise CodecError([Fault((), "a number without end")]) from error


def _refused(name: str) -> NoReturn:
    raise CodecError([Fault((), f"{name} is no number")])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise CodecError([Fault((), f"the key {_shown(twice)} comes twice")])
    return made


# one kind of value


@cache
def _kind(kind: Any) -> _Kind:  # noqa: ANN401, PLR0911 - a case for every form
    """How `kind` is written and read. TypeError: by no rule of ours."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _annotated(_kind(arguments[0]), kind.__metadata__)
    if origin is typing.Literal:
        return _choice({choice: choice for choice in arguments})
    if origin in {typing.Union, types.UnionType}:
        return _union(arguments)
    if origin is tuple and arguments[1:] == (...,):
        return _list(_kind(arguments[0]))
    if origin is tuple:
        return _row([_kind(each) for each in arguments])
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_kind(arguments[0]), _kind(arguments[1]))
    if isinstance(kind, NewType):
        return _kind(kind.__supertype__)
    if isinstance(kind, type):
        if kind in _SCALARS:
            return _SCALARS[kind]
        if issubclass(kind, Enum):
            return _choice({choice.value: choice for choice in kind})
        if issubclass(kind, Duration | Instant):
            return _nanoseconds(kind)
        if dataclasses.is_dataclass(kind):
            return _record(kind)
    raise TypeError(f"no rule to write or read {kind}")


def _part(kind: _Kind, plain: object, path: Path, faults: list[Fault]) -> Any:  # noqa: ANN401
    """What `kind` reads there; another shape is one more of the `faults`."""
    try:
        return kind.read(plain, path, faults)
    except _MismatchError:
        near = _nearest(plain, kind.choices)
        message = f"{_shown(plain)} is not {kind.expects}{near}"
        faults.append(Fault(path, message))
        return None


def _shown(plain: object) -> str:
    """A value as a fault shows it: escaped and short."""
    try:
        text = ascii(plain) if not isinstance(plain, str) else repr(plain)
    except (ValueError, RecursionError):
        return f"a {type(plain).__name__} without end"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _nearest(plain: object, choices: Iterable[object]) -> str:
    """What was meant, perhaps."""
    if isinstance(plain, str):
        texts = [choice for choice in choices if isinstance(choice, str)]
        near = difflib.get_close_matches(plain[:_SHOWN], texts, 1)
        return f"; did you mean {near[0]!r}?" if near else ""
    if type(plain) is int:
        numbers = [choice for choice in choices if type(choice) is int]
        if numbers:
            nearest = min(numbers, key=lambda number: abs(number - plain))
            return f"; the nearest is {nearest}"
    return ""


def _read_bool(plain: object, _path: Path, _faults: list[Fault]) -> object:
    if type(plain) is not bool:
        raise _MismatchError
    return plain


def _read_int(plain: object, path: Path, faults: list[Fault]) -> object:
    if type(plain) is not int:
        raise _MismatchError
    if not _LEAST_INT <= plain <= _MOST_INT:
        faults.append(Fault(path, f"{_shown(plain)} does not fit into 64 bits"))
    return plain


def _write_int(value: int) -> int:
    if not _LEAST_INT <= value <= _MOST_INT:
        raise CodecError([Fault((), f"{_shown(value)} does not fit into 64 bits")])
    return int(value)


def _read_float(plain: object, path: Path, faults: list[Fault]) -> object:
    if type(plain) is int and _LEAST_INT <= plain <= _MOST_INT:
        return float(plain)
    if type(plain) is not float:
        raise _MismatchError
    if not math.isfinite(plain):
        faults.append(Fault(path, f"{plain} is no number"))
    return plain


def _write_float(value: float) -> float:
    if not math.isfinite(value):
        raise CodecError([Fault((), f"{value} is no number")])
    return float(value)


def _read_str(plain: object, path: Path, faults: list[Fault]) -> object:
    if type(plain) is not str:
        raise _MismatchError
    if _text(plain) != plain:
        faults.append(Fault(path, f"{_shown(plain)} is no Unicode text"))
    return plain


def _text(value: str) -> str:
    """`value`, half surrogate pairs (bytes that were no UTF-8) spelled out."""
    if value.isascii():
        return str(value)
    return value.encode(errors="backslashreplace").decode()


def _read_bytes(plain: object, _path: Path, _faults: list[Fault]) -> object:
    if type(plain) is not str or not _HEX.fullmatch(plain):
        raise _MismatchError
    return bytes.fromhex(plain)


def _read_none(plain: object, _path: Path, _faults: list[Fault]) -> object:
    if plain is not None:
        raise _MismatchError
    return None


_SCALARS: Final[Mapping[type, _Kind]] = {
    bool: _Kind(bool, _read_bool, "true or false"),
    int: _Kind(_write_int, _read_int, "a whole number"),
    float: _Kind(_write_float, _read_float, "a number"),
    str: _Kind(_text, _read_str, 'text in "quotes"'),
    bytes: _Kind(bytes.hex, _read_bytes, "bytes in hexadecimal"),
    types.NoneType: _Kind(lambda _: None, _read_none, "null"),
}


def _nanoseconds(kind: type[Duration | Instant]) -> _Kind:
    """Whole nanoseconds in 64 bits: of instants, the years 1677 to 2262."""

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        _read_int(plain, path, faults)
        return kind(typing.cast("int", plain))

    return _Kind(lambda value: _write_int(value.ns), read, "whole nanoseconds", ns=True)


def _read_date(plain: object, _path: Path, _faults: list[Fault]) -> object:
    """A date of TOML, or its text in JSON."""
    try:
        at = datetime.fromisoformat(plain) if isinstance(plain, str) else plain
    except ValueError:
        raise _MismatchError from None
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise _MismatchError
    since = at - _UNIX_BEGAN
    return Utc(
        (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
    )


_UNIX_BEGAN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DATE: Final = _Kind(
    lambda value: value.iso(),
    _read_date,
    "a date and time with its zone, as 2026-12-31T23:59:00Z",
)


def _choice(choices: Mapping[Any, Any]) -> _Kind:
    """One of few; `choices` by what is written."""
    expects = ", ".join(map(repr, choices))
    written = {value: plain for plain, value in choices.items()}

    by_type = {(type(plain), plain): value for plain, value in choices.items()}

    def read(plain: object, _path: Path, _faults: list[Fault]) -> object:
        if not isinstance(plain, str | int) or (type(plain), plain) not in by_type:
            raise _MismatchError  # True is 1, but not what is asked for
        return by_type[type(plain), plain]

    return _Kind(
        lambda value: written[value],
        read,
        expects if len(choices) == 1 else f"one of {expects}",
        tuple(choices),
    )


def _list(item: _Kind) -> _Kind:
    def write(value: tuple[Any, ...]) -> list[Any]:
        return [item.write(each) for each in value]

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        if not isinstance(plain, list):
            raise _MismatchError
        return tuple(
            _part(item, each, (*path, place), faults)
            for place, each in enumerate(plain, 1)
        )

    several = "an array of tables" if item.expects == _TABLE else "a list, as in [...]"
    return _Kind(write, read, several, ns=item.ns)


def _row(items: list[_Kind]) -> _Kind:
    """So many values, each of its own kind."""

    def write(value: tuple[Any, ...]) -> list[Any]:
        return [item.write(each) for item, each in zip(items, value, strict=True)]

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        if not isinstance(plain, list) or len(plain) != len(items):
            raise _MismatchError
        return tuple(
            _part(item, each, (*path, place), faults)
            for place, (item, each) in enumerate(zip(items, plain, strict=True), 1)
        )

    return _Kind(write, read, f"[{', '.join(item.expects for item in items)}]")


def _mapping(key: _Kind, item: _Kind) -> _Kind:
    def write(value: Mapping[str, Any]) -> dict[str, Any]:
        return {key.write(name): _at(name, item, each) for name, each in value.items()}

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        if not isinstance(plain, dict):
            raise _MismatchError
        return {
            _part(key, name, (*path, name), faults): _part(
                item, each, (*path, name), faults
            )
            for name, each in plain.items()
        }

    return _Kind(write, read, _TABLE)


def _at(name: str, kind: _Kind, value: object) -> Any:  # noqa: ANN401 - JSON's
    """`value` written; a fault in it gets the path."""
    try:
        return kind.write(value)
    except CodecError as error:
        raise CodecError(
            Fault((name, *fault.path), fault.message) for fault in error.faults
        ) from error


def _annotated(kind: _Kind, notes: tuple[object, ...]) -> _Kind:
    for note in notes:
        if isinstance(note, Range):
            kind = _ranged(kind, note)
        elif isinstance(note, Form):
            kind = _formed(kind, note)
        elif isinstance(note, Decimals):
            kind = _rounded(kind, note)
        elif isinstance(note, Dated):
            kind = _DATE
    return kind


def _ranged(kind: _Kind, allowed: Range) -> _Kind:
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


def _formed(kind: _Kind, form: Form) -> _Kind:
    def read(plain: Any, path: Path, faults: list[Fault]) -> object:  # noqa: ANN401
        value = kind.read(plain, path, faults)
        try:
            form.check(value)
        except ValueError:
            faults.append(Fault(path, f"{_shown(value)} is not {form.what}"))
        return value

    return dataclasses.replace(kind, read=read, expects=form.what)


def _rounded(kind: _Kind, decimals: Decimals) -> _Kind:
    def write(value: float) -> float:
        return round(float(kind.write(value)), decimals.places)

    return dataclasses.replace(kind, write=write)


def _union(options: tuple[Any, ...]) -> _Kind:
    """The first that fits; of several dataclasses, the one whose name `is` there."""
    tagged = {each.__name__: each for each in options if _is_record(each)}
    if len(tagged) > 1:
        return _tagged(options, tagged)
    ordered = sorted(options, key=lambda each: each is float)  # 1 is an int first
    kinds = [(each, _kind(each)) for each in ordered]
    shown = [kind for each, kind in kinds if each is not types.NoneType]

    def write(value: object) -> object:
        for each, kind in kinds:
            if _holds(each, value):
                return kind.write(value)
        raise CodecError([Fault((), f"no rule to write {_shown(value)}")])

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        for _, kind in kinds:
            try:
                return kind.read(plain, path, faults)
            except _MismatchError:
                continue
        raise _MismatchError

    return _Kind(
        write,
        read,
        " or ".join(kind.expects for kind in shown),
        tuple(choice for kind in shown for choice in kind.choices),
        ns=any(kind.ns for kind in shown),
    )


def _holds(kind: Any, value: object) -> bool:  # noqa: ANN401 - any type
    """Is `value` of type `kind`, as far as the members of a union differ?"""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _holds(arguments[0], value)
    if origin is typing.Literal:
        return any(type(value) is type(each) and value == each for each in arguments)
    if isinstance(kind, NewType):
        return _holds(kind.__supertype__, value)
    if kind is int and isinstance(value, bool):
        return False
    return isinstance(value, origin or kind)


def _tagged(options: tuple[Any, ...], tagged: Mapping[str, Any]) -> _Kind:
    optional = types.NoneType in options
    if len(tagged) + optional < len(options):
        raise TypeError(f"no rule for a union of dataclasses and others: {options}")
    records = {name: _kind(each) for name, each in tagged.items()}

    def write(value: object) -> object:
        if value is None and optional:
            return None
        name = type(value).__name__
        return {_TAG: name, **records[name].write(value)}

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        if plain is None and optional:
            return None
        if not isinstance(plain, dict) or not isinstance(plain.get(_TAG), str):
            raise _MismatchError
        name = plain[_TAG]
        if name not in records:
            near = _nearest(name, records)
            faults.append(Fault((*path, _TAG), f"{_shown(name)} is unknown{near}"))
            return None
        rest = {key: each for key, each in plain.items() if key != _TAG}
        return records[name].read(rest, path, faults)

    return _Kind(write, read, f"a table with a key {_TAG!r}")


def _is_record(kind: object) -> bool:
    return isinstance(kind, type) and (
        dataclasses.is_dataclass(kind) and not issubclass(kind, Duration | Instant)
    )


def _record(room: type[Any]) -> _Kind:
    """A frozen dataclass: a key for every field."""
    hints = typing.get_type_hints(room, include_extras=True)
    fields: dict[str, tuple[str, _Kind]] = {}
    needed: set[str] = set()
    for field in dataclasses.fields(room):
        kind = _kind(hints[field.name])
        key = f"{field.name}_ns" if kind.ns else field.name
        fields[key] = field.name, kind
        if field.default is field.default_factory is dataclasses.MISSING:
            needed.add(key)

    def write(value: object) -> dict[str, Any]:
        return {
            key: _at(key, kind, getattr(value, name))
            for key, (name, kind) in fields.items()
        }

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        if not isinstance(plain, dict):
            raise _MismatchError
        before = len(faults)
        given: dict[str, Any] = {}
        for key, each in plain.items():
            if key in fields:
                name, kind = fields[key]
                given[name] = _part(kind, each, (*path, key), faults)
            else:
                faults.append(Fault((*path, key), _unknown(key, path, list(fields))))
        faults += [
            Fault((*path, key), "is missing")
            for key in fields
            if key in needed - plain.keys()
        ]
        if len(faults) > before:
            return None
        try:
            return room(**given)
        except ValueError as error:  # what its own __post_init__ refuses
            faults.append(Fault(path, str(error)))
            return None

    return _Kind(write, read, _TABLE)


def _unknown(key: str, at: Path, known: list[str]) -> str:
    near = difflib.get_close_matches(key[:_SHOWN], known, 1)
    if near:
        return f"no such key; did you mean {dotted((*at, near[0]))}?"
    return f"no such key; known: {', '.join(known)}"
