"""What the other devices say, as facts, and what became of a device."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from refclock.events.source import PIN0, PPS0, TEMP0, SourceId
from refclock.timebase import Duration, Local, Mono, Utc

MONO_DRIFT: Final = 500e-6
"""How fast CLOCK_MONOTONIC may run wrong, s/s."""


class Edge(Enum):
    """Which flank of the pulse. RFC 2783 calls the rising one the assert."""

    ASSERT = "assert"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class PulseEdge:
    """One flank of a pulse: the same moment on both clocks."""

    at: Local
    """The kernel's stamp, as stamped: no latency taken off."""
    mono: Mono
    seq: int
    """The line's own count of this edge; a gap tells of lost edges."""
    era: int
    """How often the local clock had been stepped when `at` was read."""
    edge: Edge = Edge.ASSERT
    source: SourceId = PPS0


@dataclass(frozen=True, slots=True)
class Bracket:
    """The pulse's pin, watched without a pause: its level changed between these."""

    low: Local
    """Read before the last look that found the old level."""
    high: Local
    """Read after the first look that found the new one."""
    mono: Mono
    era: int
    """How often the local clock had been stepped when both were read."""
    source: SourceId = PIN0


@dataclass(frozen=True, slots=True)
class Temperature:
    """One reading of one thermometer."""

    mono: Mono
    celsius: float
    sensor: str
    source: SourceId = TEMP0


@dataclass(frozen=True, slots=True)
class Witness:
    """Another source's word on what time it is: an RTC, an upstream server."""

    source: SourceId
    offset: Duration
    """reference - local at `at`."""
    at: Local
    mono: Mono
    era: int
    spread: Duration
    """How wrong it may be at `mono`: the truth lies within ± this."""

    @property
    def utc(self) -> Utc:
        """Its time at `mono`."""
        return Utc(self.at.ns + self.offset.ns)

    def within(self, now: Mono) -> Duration:
        """How wrong its time may be, carried along the monotonic clock to `now`."""
        age_s = abs(now - self.mono).seconds
        return self.spread + Duration.from_seconds(age_s * MONO_DRIFT)


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; both clocks, read together."""

    mono: Mono
    local: Local
    era: int


@dataclass(frozen=True, slots=True)
class InForce:
    """The clock runs at the commanded rate from now on."""

    mono: Mono
    ppb: float


@dataclass(frozen=True, slots=True)
class Lost:
    """A device is gone; its driver goes on trying."""

    source: SourceId
    mono: Mono
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """A device was opened. `detail`: path, speed."""

    source: SourceId
    mono: Mono
    detail: str
