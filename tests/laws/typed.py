"""Values of any type the codec knows, within the ranges beside the type."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from ipaddress import ip_address
from typing import Annotated, Any, NewType

from hypothesis import reject
from hypothesis import strategies as st

from refclock.settings import Form, Range
from refclock.timebase import Duration, Instant

INT64 = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4) | st.just("is"), inner, max_size=4)
    ),
    max_leaves=12,
)


def values(kind: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401, PLR0911 - by form
    """Any value of type `kind` that may be written."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _annotated(arguments[0], kind.__metadata__)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin in {typing.Union, types.UnionType}:
        return st.one_of(*map(values, arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=4).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=4)
    if isinstance(kind, NewType):
        return values(kind.__supertype__)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    if issubclass(kind, Duration | Instant):
        return INT64.map(kind)
    if dataclasses.is_dataclass(kind):
        return _records(kind)
    return _SCALARS[kind]


_SCALARS: Mapping[type, st.SearchStrategy[Any]] = {
    types.NoneType: st.none(),
    bool: st.booleans(),
    int: INT64,
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    bytes: st.binary(max_size=12),
}


def _annotated(kind: Any, notes: tuple[object, ...]) -> st.SearchStrategy[Any]:  # noqa: ANN401
    for note in notes:
        if isinstance(note, Range) and kind is int:
            return st.integers(int(note.least), int(note.most))
        if isinstance(note, Range) and kind is float:
            return st.floats(note.least, note.most)
        if isinstance(note, Range):
            least, most = (round(end * 1e9) for end in (note.least, note.most))
            return st.integers(least, most).map(kind)
        if isinstance(note, Form):
            return _forms(note) if kind is str else st.just(())
    return values(kind)


def _forms(form: Form) -> st.SearchStrategy[str]:
    if form.check is ip_address:
        return st.ip_addresses().map(str)
    return st.sampled_from(_of_form(form))


def _of_form(form: Form) -> list[str]:
    """Those of a few examples that have the form."""
    fitting = []
    for text in ("10.0.0.0/8", "192.0.2.255", "eth0", "::/0"):
        try:
            form.check(text)
        except ValueError:
            continue
        fitting.append(text)
    return fitting


@st.composite
def _records(draw: st.DrawFn, room: Any) -> Any:  # noqa: ANN401
    """One that its own __post_init__ lets pass."""
    hints = typing.get_type_hints(room, include_extras=True)
    fields = {
        field.name: draw(values(hints[field.name]))
        for field in dataclasses.fields(room)
    }
    try:
        return room(**fields)
    except ValueError:
        reject()
