"""A run as a file: every fact that the engine took, a line each, in order.

The same facts, given to an engine made alike, give the same run, bit for bit: the
way to attach a problem to a report. The first line (`Beginning`) holds the version of
the format and how the engine was made; lines of kind `Chunk` hold the receiver's raw
bytes, for people and for `decode`; the `Outcome` after a fact is what the engine made
of it, to compare with. Pure: text in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from refclock.board.ports import Chunk
from refclock.codec import CodecError, decode, dumps, parsed
from refclock.engine.engine import Engine
from refclock.engine.kept.memory import Memory
from refclock.engine.policy import EngineSettings
from refclock.events import ONE_PAIR, Command, Event, SourcePair
from refclock.published import ClockSnapshot
from refclock.settings import Range
from refclock.timebase import Duration, LeapTable, Utc

VERSION: Final = 2


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
    precision: Annotated[int, Range(-40, 0)]
    memory: Memory | None
    pairs: tuple[SourcePair, ...] = ONE_PAIR
    version: Literal[2] = VERSION

    def engine(self) -> Engine:
        """Another one, made alike."""
        return Engine(
            self.settings,
            self.leaps,
            self.floor,
            latency=self.latency,
            latency_spread=self.latency_spread,
            precision=self.precision,
            memory=self.memory,
            pairs=self.pairs,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the engine made of the fact before."""

    commands: tuple[Command, ...]
    snapshot: ClockSnapshot


@dataclass(frozen=True, slots=True)
class Counted:
    """What the server had counted by then."""

    counters: Mapping[str, int]


Entry = Beginning | Chunk | Outcome | Counted | Event


def write(line: Entry) -> str:
    """One line of JSON, without its end. CodecError: NaN, or more than 64 bits."""
    return dumps(Entry, line)


def read(text: str) -> Entry:
    """What `write` wrote. RecordingError: every fault of anything else."""
    try:
        plain = parsed(text)
        if isinstance(plain, dict) and plain.get("is") == Beginning.__name__:
            _same_version(plain.get("version"))
        line: Entry = decode(Entry, plain)
    except CodecError as error:
        raise RecordingError(f"not a line of a recording: {error}") from error
    return line


def _same_version(found: object) -> None:
    """RecordingError: it is another one."""
    if found != VERSION:
        raise RecordingError(
            f"it is of version {found!r:.20}, this program reads {VERSION}; replay it"
            " with the release that recorded it"
        )
