"""TOML to one frozen tree of settings, or every fault at once.

A room's settings are a frozen dataclass in that room, each with its default and
its range; here they are only composed and loaded. The file is outside, so it is
refused whole: each fault with file, line, key, what is allowed and, for a key
nobody knows, the nearest one that is known.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import types
import typing
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

from refclock.board.wiring import (
    PulseSettings,
    ReceiverSettings,
    RtcSettings,
    ThermometerSettings,
)
from refclock.discipline.bound import BoundSettings
from refclock.discipline.servo import SteerSettings
from refclock.engine.policy import (
    AcquireSettings,
    ClockSettings,
    EngineSettings,
    HoldoverSettings,
)
from refclock.integrity.monitor import IntegritySettings
from refclock.label.labeller import LabelSettings
from refclock.server.listener import LeapMode
from refclock.server.settings import ServerSettings
from refclock.settings import Range


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """The socket that `refclock status` asks."""

    socket: str = "/run/refclock/control.sock"


@dataclass(frozen=True, slots=True)
class StateSettings:
    """What is remembered across restarts."""

    file: str = "/var/lib/refclock/state.json"
    save_every_s: Annotated[int, Range(10, 86_400, "s")] = 600


@dataclass(frozen=True, slots=True)
class LeapSettings:
    """Where leap seconds are known from."""

    file: str = "auto"
    """A leap-seconds.list; "auto": the system's or the packaged one, the newer."""
    mode: LeapMode = LeapMode.ANNOUNCE
    """What listeners do with a leap second that do not say so themselves."""


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of the daemon."""

    receiver: ReceiverSettings = field(default_factory=ReceiverSettings)
    pulse: PulseSettings = field(default_factory=PulseSettings)
    thermometer: ThermometerSettings = field(default_factory=ThermometerSettings)
    rtc: RtcSettings = field(default_factory=RtcSettings)
    clock: ClockSettings = field(default_factory=ClockSettings)
    steer: SteerSettings = field(default_factory=SteerSettings)
    acquire: AcquireSettings = field(default_factory=AcquireSettings)
    holdover: HoldoverSettings = field(default_factory=HoldoverSettings)
    bound: BoundSettings = field(default_factory=BoundSettings)
    label: LabelSettings = field(default_factory=LabelSettings)
    integrity: IntegritySettings = field(default_factory=IntegritySettings)
    leap: LeapSettings = field(default_factory=LeapSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    control: ControlSettings = field(default_factory=ControlSettings)
    state: StateSettings = field(default_factory=StateSettings)

    def engine(self) -> EngineSettings:
        """What of it the engine is told."""
        return EngineSettings(
            self.clock,
            self.steer,
            self.acquire,
            self.holdover,
            self.label,
            self.integrity,
            self.bound,
        )

    def differs(self, other: Config) -> set[str]:
        """The tables whose settings are not those of `other`."""
        return {
            room.name
            for room in dataclasses.fields(self)
            if getattr(self, room.name) != getattr(other, room.name)
        }


class ConfigError(ValueError):
    """Everything that is wrong with a configuration, one line a fault."""


Table = Mapping[str, Any]
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one key."""

    key: tuple[str, ...]
    says: str


def load(path: Path, under: Table | None = None) -> Config:
    """The settings in the file at `path`, laid over the tables of `under`.

    OSError: cannot be read. ConfigError: every fault, one a line.
    """
    return parse(path.read_bytes(), str(path), under)


def parse(
    raw: bytes, name: str = "configuration", under: Table | None = None
) -> Config:
    """The settings in TOML text; `name` is what faults call it."""
    try:
        text = raw.decode()
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{name}:{line}: not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{name}: {error}; a text value needs straight quotes"
        ) from error
    faults: list[Fault] = []
    config = _build(Config, overlaid(under or {}, table), (), faults)
    if faults:
        lines = dict(_lines(text))
        raise ConfigError(
            "\n".join(
                f"{name}:{_line(lines, fault.key)}: {'.'.join(fault.key)}: {fault.says}"
                for fault in sorted(faults, key=lambda f: _line(lines, f.key))
            )
        )
    return config


def overlaid(under: Table, over: Table) -> dict[str, Any]:
    """Both tables in one; where they meet, `over` has the say."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = overlaid(below, value)
        else:
            merged[key] = value
    return merged


def _build(room: type[S], table: Table, at: tuple[str, ...], faults: list[Fault]) -> S:
    """A settings dataclass from its table; what is wrong goes into `faults`."""
    hints = typing.get_type_hints(room, include_extras=True)
    given: dict[str, Any] = {}
    for key, value in table.items():
        path = (*at, key)
        if key not in hints:
            faults.append(Fault(path, _unknown(key, at, list(hints))))
        elif dataclasses.is_dataclass(hints[key]):
            if isinstance(value, Mapping):
                given[key] = _build(hints[key], value, path, faults)
            else:
                faults.append(Fault(path, f"is a table: write [{'.'.join(path)}]"))
        elif item := _repeated(hints[key]):
            if isinstance(value, list) and all(isinstance(v, Mapping) for v in value):
                given[key] = _build_each(item, value, path, faults)
            else:
                told = f"is an array of tables: write [[{'.'.join(path)}]]"
                faults.append(Fault(path, told))
        else:
            try:
                given[key] = _value(hints[key], value)
            except ValueError as error:
                faults.append(Fault(path, str(error)))
    try:
        return room(**given)
    except ValueError as error:  # what a room's own __post_init__ refuses
        faults.append(Fault(at, str(error)))
        return room()


def _build_each(
    room: type[S], tables: list[Table], at: tuple[str, ...], faults: list[Fault]
) -> tuple[S, ...]:
    """One for each table of an array; of those at fault, none."""
    built = []
    for number, table in enumerate(tables, 1):
        before = len(faults)
        each = _build(room, table, (*at[:-1], f"{at[-1]}[{number}]"), faults)
        if len(faults) == before:
            built.append(each)
    return tuple(built)


def _repeated(kind: Any) -> Any:  # noqa: ANN401 - as _value
    """The settings that may be given any number of times, if `kind` is such."""
    if typing.get_origin(kind) is not tuple:
        return None
    item = typing.get_args(kind)[0]
    return item if dataclasses.is_dataclass(item) else None


def _unknown(key: str, at: tuple[str, ...], known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    if near:
        return f"no such setting; did you mean {'.'.join((*at, near[0]))}?"
    return f"no such setting; known: {', '.join(known)}"


def _value(kind: Any, value: Any) -> Any:  # noqa: ANN401 - a TOML value may be anything
    """`value` as the annotated type `kind`; ValueError says what is allowed."""
    origin = typing.get_origin(kind)
    if origin is Annotated:
        inner, *notes = typing.get_args(kind)
        checked = _value(inner, value)
        for note in notes:
            if isinstance(note, Range) and not note.least <= checked <= note.most:
                raise ValueError(f"{value!r} is not in {note}")
        return checked
    if origin in {typing.Union, types.UnionType}:
        return _any_of(typing.get_args(kind), value)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is not a list, as in [...]")
        item = typing.get_args(kind)[0]
        return tuple(_value(item, each) for each in value)
    if choices := _choices(kind):
        if value not in choices:
            raise ValueError(f"{value!r} is not one of {', '.join(map(repr, choices))}")
        return choices[value]
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{value!r} is not {_IN_WORDS.get(kind, str(kind))}")
    return value


def _choices(kind: Any) -> Mapping[Any, Any]:  # noqa: ANN401 - as _value
    """What may be written, and what it stands for, where the choices are few."""
    if typing.get_origin(kind) is typing.Literal:
        return {choice: choice for choice in typing.get_args(kind)}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {choice.value: choice for choice in kind}
    return {}


_IN_WORDS: Mapping[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: 'text in "quotes"',
}


def _any_of(kinds: tuple[Any, ...], value: Any) -> Any:  # noqa: ANN401 - as _value
    said = []
    for kind in kinds:
        if kind is types.NoneType:
            continue
        try:
            return _value(kind, value)
        except ValueError as error:
            said.append(str(error))
    raise ValueError("; ".join(said))


_HEAD = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*([\w."'-]+)\s*=""")


def _lines(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Each table and key of the text, and the line it stands on."""
    table: tuple[str, ...] = ()
    repeated: Counter[tuple[str, ...]] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.match(line):
            table = _dotted(head[2])
            if head[1] == "[[":
                repeated[table] += 1
                table = (*table[:-1], f"{table[-1]}[{repeated[table]}]")
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_dotted(key[1])), number


def _dotted(name: str) -> tuple[str, ...]:
    return tuple(part.strip(" \"'") for part in name.split("."))


def _line(lines: Mapping[tuple[str, ...], int], key: tuple[str, ...]) -> int:
    """Where `key` stands, or the first thing in it, or else the table it is in."""
    while key:
        if key in lines:
            return lines[key]
        for known, line in lines.items():
            if known[: len(key)] == key:
                return line
        key = key[:-1]
    return 1
