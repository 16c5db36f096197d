"""Values to plain values and JSON text, and back: whole, or every fault."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar, overload

from refclock.codec.faults import CodecError, Fault, shown
from refclock.codec.kinds import part
from refclock.codec.shapes import kind_of

T = TypeVar("T")


def encode(kind: object, value: object) -> Any:  # noqa: ANN401 - what JSON can hold
    """`value`, of type `kind`, as what JSON can hold. CodecError: NaN, infinity, or
    an integer of more than 64 bits."""
    return kind_of(kind).write(value)


@overload
def decode(kind: type[T], plain: object) -> T: ...


@overload
def decode(kind: object, plain: object) -> Any: ...  # noqa: ANN401 - of a union


def decode(kind: object, plain: object) -> Any:
    """The value of type `kind` that `encode` wrote. CodecError: every fault."""
    faults: list[Fault] = []
    value = part(kind_of(kind), plain, (), faults)
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
        message = f"it is of version {shown(found)}, this program reads {version}"
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
        raise CodecError([Fault((), f"the key {shown(twice)} comes twice")])
    return made
