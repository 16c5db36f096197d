"""What a receiver says, as facts. Every fact names the receiver it came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from refclock.events.source import GPS0, SourceId
from refclock.timebase import Duration, LeapSecond, Mono, Utc


class Fix(Enum):
    """What a receiver says of the time in one sentence or burst."""

    VALID = "A"
    """From satellites: status A, or a fix quality, and nothing against it."""
    PRESUMED = "A*"
    """GGA or GNS alone vouch for it; good when a date came beside it."""
    NONE = "V"
    ESTIMATED = "E"
    """Status A, but dead reckoning, manual or simulated."""
    CONTRADICTION = "X"
    UNKNOWN = "?"
    """ZDA alone: it has no word for validity."""

    @property
    def good(self) -> bool:
        """May the time be used?"""
        return self in {Fix.VALID, Fix.PRESUMED}

    @property
    def denied(self) -> bool:
        """Does it say that the time may not be used?"""
        return not self.good and self is not Fix.UNKNOWN


@dataclass(frozen=True, slots=True)
class TimeMessage:
    """A receiver named a time."""

    utc: Utc
    """As written, fraction kept. 23:59:60 is written as the midnight after it."""
    mono: Mono
    """When the first byte of the sentence came, not the last."""
    kind: str
    """`RMC`, `ZDA`, `GGA`, `UBX-NAV-PVT` …: lag is learned per kind."""
    fix: Fix
    leap_second: bool = False
    """The sentence said second 60: `utc` is one second too late."""
    queued: bool = False
    """It waited on a saturated line; its arrival tells nothing."""
    accuracy: Duration | None = None
    """The receiver's own estimate of its time error, 1 sigma, if it gives one."""
    source: SourceId = GPS0


@dataclass(frozen=True, slots=True)
class NoTime:
    """Where a receiver names the time it named none, or no date with it: it speaks,
    and does not know."""

    mono: Mono
    fix: Fix
    source: SourceId = GPS0


@dataclass(frozen=True, slots=True)
class LeapNotice:
    """The receiver's count of leap seconds, or its announcement of one."""

    mono: Mono
    kind: str
    utc_behind_tai: Duration | None
    """TAI - UTC now as the receiver counts it; None where it does not know."""
    firmware_default: bool = False
    """The count is built in, not received from the sky."""
    announced: LeapSecond | None = None
    source: SourceId = GPS0


@dataclass(frozen=True, slots=True)
class Satellite:
    """One line of the sky view. Degrees; dB-Hz, None while not tracked."""

    system: str
    number: int
    elevation: int | None
    azimuth: int | None
    cn0: int | None


@dataclass(frozen=True, slots=True)
class SkyView:
    """The satellites of one system or of all, and how many are in the fix."""

    mono: Mono
    used: int | None = None
    satellites: tuple[Satellite, ...] = ()
    source: SourceId = GPS0


@dataclass(frozen=True, slots=True)
class Position:
    """Where the receiver says its antenna is: WGS 84 degrees, metres."""

    mono: Mono
    latitude: float
    longitude: float
    altitude_m: float | None = None
    hdop: float | None = None
    source: SourceId = GPS0


@dataclass(frozen=True, slots=True)
class Sawtooth:
    """The receiver's own word on the granularity error of one pulse (TIM-TP qErr)."""

    mono: Mono
    pulse: Utc | None
    """The second of the pulse it is about; None: the next one to come."""
    error: Duration
    """How much later than the true second the pulse comes (+ is late)."""
    source: SourceId = GPS0


@dataclass(frozen=True, slots=True)
class Interference:
    """The receiver's own jamming and spoofing verdict."""

    mono: Mono
    jammed: bool
    spoofed: bool
    detail: str
    source: SourceId = GPS0


class Feed(Enum):
    """What a receiver finds at its antenna's plug, by the current it feeds there."""

    WELL = "well"
    OPEN = "open"
    """No current: nothing is plugged in, or an antenna without an amplifier."""
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class AntennaFeed:
    """What the receiver says of its antenna's feed, where it watches it."""

    mono: Mono
    feed: Feed
    source: SourceId = GPS0


@dataclass(frozen=True, slots=True)
class Identity:
    """What the receiver calls itself."""

    mono: Mono
    name: str
    source: SourceId = GPS0


@dataclass(frozen=True, slots=True)
class Configured:
    """What was changed in the receiver, or could not be; the last one sums it up."""

    mono: Mono
    text: str
    source: SourceId = GPS0


@dataclass(frozen=True, slots=True)
class LineLoad:
    """How busy the receiver's line was in the last ten seconds."""

    mono: Mono
    share: float
    """Of what it can carry."""
    source: SourceId = GPS0


class DropReason(StrEnum):
    """Why bytes from a receiver were refused."""

    CHECKSUM_MISMATCH = "checksum_mismatch"
    CHECKSUM_MISSING = "checksum_missing"
    CHECKSUM_MALFORMED = "checksum_malformed"
    CONTROL_BYTE = "control_byte"
    INTERRUPTED = "interrupted"
    GLUED = "glued_no_line_end"
    OVERLONG = "overlong"
    TRUNCATED = "truncated_eof"
    BINARY = "binary_checksum"
    FIELD = "field"
    """A good checksum around a field that cannot be read, or is out of its range."""
    PROTOCOL = "foreign_protocol"
    """A whole frame of a protocol that is not read; `detail` is its name."""
    FOREIGN_CLOCK = "foreign_clock"
    """Another clock on the same line."""
    CONTRADICTION = "contradiction"
    """Two sentences side by side name different seconds."""
    FLOOD = "flood"
    """More bytes in a second than are read."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Bytes refused, and why. `detail` shows them."""

    mono: Mono
    reason: DropReason
    detail: str
    source: SourceId = GPS0
