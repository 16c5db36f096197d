"""How values with parts are written and read: lists, mappings, unions, dataclasses."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, NewType

from refclock.codec.faults import CodecError, Fault, Path, nearest, shown, unknown
from refclock.codec.kinds import (
    SCALARS,
    Kind,
    MismatchError,
    annotated,
    choice,
    nanoseconds,
    part,
    written_at,
)
from refclock.timebase import Duration, Instant

_TAG: Final = "is"
_TABLE: Final = "a table"


@cache
def kind_of(kind: Any) -> Kind:  # noqa: ANN401, PLR0911 - a case for every form
    """How `kind` is written and read. TypeError: by no rule of ours."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return annotated(kind_of(arguments[0]), kind.__metadata__)
    if origin is typing.Literal:
        return choice({each: each for each in arguments})
    if origin in {typing.Union, types.UnionType}:
        return _union(arguments)
    if origin is tuple and arguments[1:] == (...,):
        return _list(kind_of(arguments[0]))
    if origin is tuple:
        return _row([kind_of(each) for each in arguments])
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(kind_of(arguments[0]), kind_of(arguments[1]))
    if isinstance(kind, NewType):
        return kind_of(kind.__supertype__)
    if isinstance(kind, type):
        if kind in SCALARS:
            return SCALARS[kind]
        if issubclass(kind, Enum):
            return choice({each.value: each for each in kind})
        if issubclass(kind, Duration | Instant):
            return nanoseconds(kind)
        if dataclasses.is_dataclass(kind):
            return _record(kind)
    raise TypeError(f"no rule to write or read {kind}")


def _list(item: Kind) -> Kind:
    def write(value: tuple[Any, ...]) -> list[Any]:
        return [item.write(each) for each in value]

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        if not isinstance(plain, list):
            raise MismatchError
        return tuple(
            part(item, each, (*path, place), faults)
            for place, each in enumerate(plain, 1)
        )

    several = "an array of tables" if item.expects == _TABLE else "a list, as in [...]"
    return Kind(write, read, several, ns=item.ns)


def _row(items: list[Kind]) -> Kind:
    """So many values, each of its own kind."""

    def write(value: tuple[Any, ...]) -> list[Any]:
        return [item.write(each) for item, each in zip(items, value, strict=True)]

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        if not isinstance(plain, list) or len(plain) != len(items):
            raise MismatchError
        return tuple(
            part(item, each, (*path, place), faults)
            for place, (item, each) in enumerate(zip(items, plain, strict=True), 1)
        )

    return Kind(write, read, f"[{', '.join(item.expects for item in items)}]")


def _mapping(key: Kind, item: Kind) -> Kind:
    def write(value: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key.write(name): written_at(name, item, each)
            for name, each in value.items()
        }

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        if not isinstance(plain, dict):
            raise MismatchError
        return {
            part(key, name, (*path, name), faults): part(
                item, each, (*path, name), faults
            )
            for name, each in plain.items()
        }

    return Kind(write, read, _TABLE)


def _union(options: tuple[Any, ...]) -> Kind:
    """The first that fits; of several dataclasses, the one whose name `is` there."""
    tagged = {each.__name__: each for each in options if _is_record(each)}
    if len(tagged) > 1:
        return _tagged(options, tagged)
    ordered = sorted(options, key=lambda each: each is float)  # 1 is an int first
    kinds = [(each, kind_of(each)) for each in ordered]
    named = [kind for each, kind in kinds if each is not types.NoneType]

    def write(value: object) -> object:
        for each, kind in kinds:
            if _holds(each, value):
                return kind.write(value)
        raise CodecError([Fault((), f"no rule to write {shown(value)}")])

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        for _, kind in kinds:
            try:
                return kind.read(plain, path, faults)
            except MismatchError:
                continue
        raise MismatchError

    return Kind(
        write,
        read,
        " or ".join(kind.expects for kind in named),
        tuple(each for kind in named for each in kind.choices),
        ns=any(kind.ns for kind in named),
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


def _tagged(options: tuple[Any, ...], tagged: Mapping[str, Any]) -> Kind:
    optional = types.NoneType in options
    if len(tagged) + optional < len(options):
        raise TypeError(f"no rule for a union of dataclasses and others: {options}")
    records = {name: kind_of(each) for name, each in tagged.items()}

    def write(value: object) -> object:
        if value is None and optional:
            return None
        name = type(value).__name__
        return {_TAG: name, **records[name].write(value)}

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        if plain is None and optional:
            return None
        if not isinstance(plain, dict) or not isinstance(plain.get(_TAG), str):
            raise MismatchError
        name = plain[_TAG]
        if name not in records:
            near = nearest(name, records)
            faults.append(Fault((*path, _TAG), f"{shown(name)} is unknown{near}"))
            return None
        rest = {key: each for key, each in plain.items() if key != _TAG}
        return records[name].read(rest, path, faults)

    return Kind(write, read, f"a table with a key {_TAG!r}")


def _is_record(kind: object) -> bool:
    return isinstance(kind, type) and (
        dataclasses.is_dataclass(kind) and not issubclass(kind, Duration | Instant)
    )


def _record(room: type[Any]) -> Kind:
    """A frozen dataclass: a key for every field."""
    hints = typing.get_type_hints(room, include_extras=True)
    fields: dict[str, tuple[str, Kind]] = {}
    needed: set[str] = set()
    for field in dataclasses.fields(room):
        kind = kind_of(hints[field.name])
        key = f"{field.name}_ns" if kind.ns else field.name
        fields[key] = field.name, kind
        if field.default is field.default_factory is dataclasses.MISSING:
            needed.add(key)

    def write(value: object) -> dict[str, Any]:
        return {
            key: written_at(key, kind, getattr(value, name))
            for key, (name, kind) in fields.items()
        }

    def read(plain: object, path: Path, faults: list[Fault]) -> object:
        if not isinstance(plain, dict):
            raise MismatchError
        before = len(faults)
        given: dict[str, Any] = {}
        for key, each in plain.items():
            if key in fields:
                name, kind = fields[key]
                given[name] = part(kind, each, (*path, key), faults)
            else:
                faults.append(Fault((*path, key), unknown(key, path, list(fields))))
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

    return Kind(write, read, _TABLE)
