"""TOML to one frozen tree of settings, or every fault at once.

A room's settings are a frozen dataclass in that room, each with its default and
its range; here they are only composed and loaded. The file is outside, so it is
refused whole: each fault with file, line, key, what is allowed and, for a key
unknown key, the nearest known one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from refclock.board.wiring import (
    PairSettings,
    PulseSettings,
    ReceiverSettings,
    RtcSettings,
    ThermometerSettings,
)
from refclock.codec import encode
from refclock.config.boards import board_of
from refclock.config.toml import (
    ConfigError,
    Key,
    Places,
    Table,
    content,
    overlaid,
    read,
    text_of,
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
from refclock.ntp.mac import KeysSettings
from refclock.ntp.nts.settings import NtsSettings
from refclock.server.settings import LeapMode, ServerSettings
from refclock.settings import Range
from refclock.upstream.settings import UpstreamSettings, WitnessSettings

__all__ = [
    "Config",
    "ConfigError",
    "ControlSettings",
    "Key",
    "LeapSettings",
    "StateSettings",
    "load",
    "overlaid",
    "parse",
    "places",
    "read",
]


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

    board: str = ""
    """The hat, by the name of its file in config/boards; "": none."""
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


def load(path: Path, under: Table | None = None) -> Config:
    """The settings in the file at `path`, laid over the tables of `under`.

    OSError: cannot be read. ConfigError: every fault, one a line.
    """
    return parse(content(path), str(path), under)


def places(path: Path) -> Places:
    """Where each key stands in the file at `path`. OSError, ConfigError: as `load`."""
    raw = content(path)
    _, beneath = board_of(raw, str(path))
    return Places.of(text_of(raw, str(path)), str(path), beneath)


def parse(
    raw: bytes, name: str = "configuration", under: Table | None = None
) -> Config:
    """The settings in TOML text, laid over the board they name and that over the tables
    of `under`; `name` is what faults call it."""
    board, beneath = board_of(raw, name)
    return read(Config, raw, name, overlaid(under or {}, board), beneath)
