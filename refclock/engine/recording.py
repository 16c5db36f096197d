"""A run on paper: every fact the engine was told, a line each, in order.

Told again to an engine made alike, the same facts give the same run, bit for
bit: the way to attach a problem to a report. The first line says how the engine
was made; lines of kind `Chunk` are the receiver's raw bytes, for people and
for `decode`; the line of kind `Outcome` after a fact is what the engine made of
it, to compare with. Pure: text in, values out.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, Final

from refclock.board.ports import Chunk
from refclock.engine.engine import Engine
from refclock.engine.memory import Memory
from refclock.engine.policy import EngineSettings
from refclock.events import Command, Event
from refclock.published import ClockSnapshot
from refclock.timebase import Duration, Instant, LeapTable, Utc

VERSION: Final = 1


class RecordingError(ValueError):
    """A line that is no recording of ours."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """How the engine was made."""

    settings: EngineSettings
    leaps: LeapTable
    floor: Utc
    latency: Duration
    latency_spread: Duration
    precision: int
    memory: str | None
    """As on disk."""
    version: int = VERSION

    def engine(self) -> Engine:
        """Another one, made alike."""
        return Engine(
            self.settings,
            self.leaps,
            self.floor,
            latency=self.latency,
            latency_spread=self.latency_spread,
            precision=self.precision,
            memory=Memory.parse(self.memory) if self.memory else None,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the engine made of the fact before."""

    commands: tuple[Command, ...]
    snapshot: ClockSnapshot


@dataclass(frozen=True, slots=True)
class Counted:
    """What the server had counted by then."""

    counters: str
    """As JSON."""


Entry = Beginning | Chunk | Outcome | Counted | Event

_KINDS: Final[Mapping[str, type]] = {
    kind.__name__: kind
    for kind in (
        Beginning,
        Chunk,
        Outcome,
        Counted,
        *typing.get_args(Event),
        *typing.get_args(Command),
    )
}


def write(line: Entry) -> str:
    """One line of JSON, without its end."""
    return json.dumps(_plain(line))


def read(text: str) -> Entry:
    """What `write` wrote. RecordingError says what is wrong with anything else."""
    try:
        line: Entry = _tagged(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RecordingError(f"not a line of a recording: {text[:60]!r}") from error
    return line


def _plain(value: Any) -> Any:  # noqa: ANN401 - what JSON can hold
    match value:
        case Duration() | Instant():
            return value.ns
        case Enum():
            return value.value
        case bytes():
            return value.hex()
        case tuple():
            return [_plain(each) for each in value]
        case _ if is_dataclass(value):
            name = type(value).__name__
            tag = {"is": name} if name in _KINDS else {}
            return tag | {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        case _:
            return value


def _tagged(plain: dict[str, Any]) -> Any:  # noqa: ANN401 - one of _KINDS
    kind = _KINDS[plain["is"]]
    return _made(kind, {name: value for name, value in plain.items() if name != "is"})


def _made(kind: Any, plain: Any) -> Any:  # noqa: ANN401 - the inverse of _plain
    """The value of type `kind` that `_plain` made `plain` of."""
    if plain is None:
        return None
    if isinstance(plain, dict) and "is" in plain:
        return _tagged(plain)
    origin = typing.get_origin(kind)
    choices = typing.get_args(kind)
    if origin is Annotated:
        kind = choices[0]
    if origin is tuple:
        return tuple(_made(choices[0], each) for each in plain)
    if origin in {typing.Union, types.UnionType}:
        kind = next((each for each in choices if is_dataclass(each)), None)
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(plain, dict):
        hints = typing.get_type_hints(kind, include_extras=True)
        return kind(**{name: _made(hints[name], each) for name, each in plain.items()})
    if isinstance(kind, type) and issubclass(kind, Duration | Instant | Enum):
        return kind(plain)
    return bytes.fromhex(plain) if kind is bytes else plain
