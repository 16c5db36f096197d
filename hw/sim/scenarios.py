"""Worlds with a name: what clock, receivers, sky and network are like, and what goes
wrong when. The catalogue is `config/worlds/*.toml`; anyone may write another.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources.abc import Traversable
from math import inf
from pathlib import Path
from typing import Annotated, Final, Literal

from hw.emu.faults import KINDS, Fault
from hw.emu.gnss.receiver import ReceiverModel
from hw.emu.oscillator import OscillatorModel
from hw.emu.server import Upstream
from refclock.config import ConfigError, read
from refclock.events import SourceId, SourcePair
from refclock.settings import Dated, Range
from refclock.shipped import shipped
from refclock.timebase import SECOND, Duration, LeapSecond, LeapTable, Tai, Utc

_UTC_BEHIND_TAI: Final = 37 * SECOND
"""Since 2017."""
_YEARS = Range(-4e9, 4e9, "s")


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery clock beside the machine."""

    error_s: Annotated[float, _YEARS] = 0.0
    """What it shows less UTC, at the start."""
    spread_s: Annotated[float, Range(0.05, 86_400.0, "s")] = 60.0
    """How wrong the settings say that it may be (`rtc.spread_s`)."""


@dataclass(frozen=True, slots=True)
class LeapEvent:
    """A leap second that comes true."""

    before: Annotated[Utc, Dated()]
    """The midnight it ends with."""
    kind: Literal["insert", "delete"] = "insert"
    published: bool = True
    """The machine's own table has it."""

    @property
    def second(self) -> LeapSecond:
        """The same in TAI."""
        by = SECOND if self.kind == "insert" else -SECOND
        return LeapSecond.ending(self.before, _UTC_BEHIND_TAI, _UTC_BEHIND_TAI + by)


@dataclass(frozen=True, slots=True)
class NetworkClient:
    """Hosts that ask for the time."""

    name: str
    count: Annotated[int, Range(1, 10_000)] = 1
    every_s: Annotated[float, Range(0.001, 131_072.0, "s")] = 16.0
    """Each of them asks so often."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong, for people."""

    words: str
    at_s: float
    """After the start."""
    for_s: float = inf
    """0: it is over at once."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One world, from its start to its troubles. Times are in true time."""

    name: str = ""
    description: str = ""
    faults: tuple[Fault, ...] = ()
    receivers: tuple[ReceiverModel, ...] = (ReceiverModel(),)
    oscillator: OscillatorModel = field(default_factory=OscillatorModel)
    start: Annotated[Utc, Dated()] = Utc.of(2026, 12, 1, 12)
    live_at_start: bool = False
    """A live world begins at `start` too, and not at the machine's own time."""
    moment_s: Annotated[float, Range(0.0, 1e7, "s")] | None = None
    """When what it is about happens, after the start; None: its faults tell."""
    clock_error_s: Annotated[float, _YEARS] = 0.037
    """Local clock less UTC at the start."""
    battery: Battery | None = None
    leap: LeapEvent | None = None
    upstreams: tuple[Upstream, ...] = ()
    clients: tuple[NetworkClient, ...] = ()

    def __post_init__(self) -> None:
        """ValueError: no receiver, one named twice, or a fault of one not there."""
        names = [each.name for each in self.receivers]
        if not names:
            raise ValueError("receivers: there must be one")
        if len(set(names)) < len(names):
            raise ValueError(f"receivers: a name comes twice in {', '.join(names)}")
        for fault in self.faults:
            if fault.receiver and fault.receiver not in names:
                raise ValueError(
                    f"faults: no receiver is named {fault.receiver!r}; "
                    f"known: {', '.join(names)}"
                )

    @property
    def receiver_model(self) -> ReceiverModel:
        """The first receiver, which steers."""
        return self.receivers[0]

    @property
    def pairs(self) -> tuple[SourcePair, ...]:
        """What facts of each receiver and of its pulse name as their source."""
        return tuple(
            SourcePair(SourceId(f"gps{n}"), SourceId(f"pps{n}"))
            for n in range(len(self.receivers))
        )

    def having(self, receiver: ReceiverModel) -> Scenario:
        """The same world with another first receiver."""
        return replace(self, receivers=(receiver, *self.receivers[1:]))

    def faults_of(self, receiver: str) -> tuple[Fault, ...]:
        """Those that befall that receiver, and those of all and of the machine."""
        return tuple(each for each in self.faults if each.receiver in {"", receiver})

    @property
    def leaps(self) -> LeapTable:
        """The truth about leap seconds from 2017 on."""
        return _table(self.leap)

    @property
    def table(self) -> LeapTable:
        """What the machine's leap-seconds.list says."""
        unknown = self.leap is not None and not self.leap.published
        return _EXPIRED if unknown else self.leaps

    @property
    def begins(self) -> Tai:
        """True time at the start."""
        return self.leaps.tai(self.start)

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """All that goes wrong, in its order."""
        found = [
            Trouble(f.words, f.at_s, 0.0 if KINDS[f.kind].once else f.for_s)
            for f in self.faults
        ]
        environment = self.oscillator.environment
        if environment.step_c and environment.step_at_s < inf:
            words = f"it gets {environment.step_c:g} K warmer"
            found.append(Trouble(words, environment.step_at_s))
        if self.leap is not None:
            at_s = (self.leap.second.at - self.begins).seconds
            found.append(Trouble(f"a leap second ({self.leap.kind})", at_s, 1.0))
        if self.moment_s is not None:
            found.append(Trouble(self.description, self.moment_s, 0.0))
        return tuple(sorted(found, key=lambda trouble: trouble.at_s))

    @property
    def trouble_s(self) -> float | None:
        """When the first comes that is not there from the start on; None: all are."""
        return next((each.at_s for each in self.troubles if each.at_s > 0), None)

    def sooner(self, by_s: float) -> Scenario:
        """The same, all its faults `by_s` sooner; at once at most."""
        environment = self.oscillator.environment
        environment = replace(environment, step_at_s=environment.step_at_s - by_s)
        return replace(
            self,
            faults=tuple(_sooner(fault, by_s) for fault in self.faults),
            oscillator=replace(self.oscillator, environment=environment),
        )

    def begun_late(self, by_s: float) -> Scenario:
        """The same world without its first `by_s` seconds: all comes sooner."""
        moment_s = None if self.moment_s is None else max(self.moment_s - by_s, 0.0)
        start = self.start + Duration.from_seconds(by_s)
        return replace(self.sooner(by_s), start=start, moment_s=moment_s)


def _sooner(fault: Fault, by_s: float) -> Fault:
    return replace(fault, at_s=max(fault.at_s - by_s, 0.0))


def _table(leap: LeapEvent | None) -> LeapTable:
    since = Utc.of(2017, 1, 1)
    table = LeapTable((), _UTC_BEHIND_TAI, since, Utc.of(2050, 1, 1))
    return table if leap is None else table.with_leap(leap.second)


_EXPIRED: Final = LeapTable(
    (), _UTC_BEHIND_TAI, Utc.of(2025, 7, 7), Utc.of(2026, 6, 28)
)
"""Of a machine nobody has updated for a while."""


class Catalogue(Mapping[str, Scenario]):
    """The worlds of a folder by name, each read when it is first asked for."""

    def __init__(self, place: Traversable) -> None:
        self._place = place
        self._read: dict[str, Scenario] = {}

    def __getitem__(self, name: str) -> Scenario:
        """ConfigError: its file is wrong."""
        if name not in self._read:
            if name not in self._names:
                raise KeyError(name)
            file = self._place / f"{name}.toml"
            self._read[name] = parse(file.read_bytes(), str(file), name)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @cached_property
    def _names(self) -> list[str]:
        names = (each.name for each in self._place.iterdir())
        return sorted(n.removesuffix(".toml") for n in names if n.endswith(".toml"))


def parse(raw: bytes, file: str, name: str) -> Scenario:
    """A world from TOML text. ConfigError: every fault, as `file:line: key: what`."""
    return replace(read(Scenario, raw, file), name=name)


def find(name: str) -> Scenario:
    """The world of that name in the catalogue, or in the file at that path.

    OSError: it cannot be read. ConfigError: it is wrong, or there is none.
    """
    if name in SCENARIOS:
        return SCENARIOS[name]
    path = Path(name)
    if path.suffix == ".toml" or path.exists():
        return parse(path.read_bytes(), name, path.stem)
    near = difflib.get_close_matches(name, SCENARIOS, 1)
    hint = f"did you mean {near[0]}?" if near else "--list-scenarios names them all"
    raise ConfigError(f"no scenario is named {name!r}, and no file; {hint}")


SCENARIOS: Final = Catalogue(shipped("config", "worlds"))
