"""TOML to one frozen tree of settings, or every fault at once.

A room's settings are a frozen dataclass in that room, each with its default and
its range; here they are only composed and loaded. The file is outside, so it is
refused whole: each fault with file, line, key, what is allowed and, for a key
unknown key, the nearest known one.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, Self, TypeVar

from refclock.board.wiring import (
    PairSettings,
    PulseSettings,
    ReceiverSettings,
    RtcSettings,
    ThermometerSettings,
)
from refclock.codec import CodecError, Fault, decode, dotted, encode
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
from refclock.ntp.mac import KeysSettings
from refclock.ntp.nts.settings import NtsSettings
from refclock.server.settings import LeapMode, ServerSettings
from refclock.settings import Range
from refclock.upstream.settings import UpstreamSettings, WitnessSettings


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """The socket that `refclock status` asks."""

    socket: str = "/run/refclock/control.sock"
    everyone: bool = False
    """May any user ask? Clients are listed for root and the group only."""


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
    watched: tuple[PairSettings, ...] = ()
    thermometer: ThermometerSettings = field(default_factory=ThermometerSettings)
    rtc: RtcSettings = field(default_factory=RtcSettings)
    upstream: tuple[UpstreamSettings, ...] = ()
    witness: WitnessSettings = field(default_factory=WitnessSettings)
    clock: ClockSettings = field(default_factory=ClockSettings)
    steer: SteerSettings = field(default_factory=SteerSettings)
    acquire: AcquireSettings = field(default_factory=AcquireSettings)
    holdover: HoldoverSettings = field(default_factory=HoldoverSettings)
    bound: BoundSettings = field(default_factory=BoundSettings)
    label: LabelSettings = field(default_factory=LabelSettings)
    integrity: IntegritySettings = field(default_factory=IntegritySettings)
    leap: LeapSettings = field(default_factory=LeapSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    keys: KeysSettings = field(default_factory=KeysSettings)
    nts: NtsSettings = field(default_factory=NtsSettings)
    control: ControlSettings = field(default_factory=ControlSettings)
    state: StateSettings = field(default_factory=StateSettings)

    def engine(self) -> EngineSettings:
        """The part of it that makes the engine."""
        return EngineSettings(
            self.clock,
            self.steer,
            self.acquire,
            self.holdover,
            self.label,
            self.integrity,
            self.bound,
            self.witness,
        )

    def differs(self, other: Config) -> list[str]:
        """The keys whose values are not those of `other`, as `server.port`."""
        ours, theirs = encode(Config, self), encode(Config, other)
        return list(_differences(ours, theirs, ()))


def _differences(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], at: tuple[str, ...]
) -> Iterator[str]:
    for key, value in ours.items():
        if isinstance(value, Mapping):
            yield from _differences(value, theirs[key], (*at, key))
        elif value != theirs[key]:
            yield ".".join((*at, key))


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

    @classmethod
    def of(cls, text: str, name: str) -> Self:
        """Of TOML text."""
        return cls(name, dict(_lines(text)))

    def fault(self, key: Key, message: str) -> str:
        """`file:line: key: message`."""
        where = f"{dotted(key)}: " if key else ""
        return f"{self.name}:{_line(self.lines, key)}: {where}{message}"


def load(path: Path, under: Table | None = None) -> Config:
    """The settings in the file at `path`, laid over the tables of `under`.

    OSError: cannot be read. ConfigError: every fault, one a line.
    """
    return parse(_bytes(path), str(path), under)


def places(path: Path) -> Places:
    """Where each key stands in the file at `path`. OSError, ConfigError: as `load`."""
    return Places.of(_text(_bytes(path), str(path)), str(path))


def parse(
    raw: bytes, name: str = "configuration", under: Table | None = None
) -> Config:
    """The settings in TOML text; `name` is what faults call it."""
    return read(Config, raw, name, under)


def read(kind: type[T], raw: bytes, name: str, under: Table | None = None) -> T:
    """A dataclass in TOML text, laid over the tables of `under`.

    ConfigError: every fault, one a line as `name:line: key: what`.
    """
    text = _text(raw, name)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # no date, digits without end
        _refuse(error, name, text)
    try:
        return decode(kind, overlaid(under or {}, table))
    except CodecError as error:
        at = Places.of(text, name)
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


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ConfigError(f"{path}:1: more than {_LARGEST} bytes: no file of settings")
    return raw


def _text(raw: bytes, name: str) -> str:
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
