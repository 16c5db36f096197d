"""What a board must offer. The mind above, the body (real or emulated) below.

Every wait is bounded. `OSError` means the device is gone; nothing else is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from refclock.events import Command, Edge, SourcePair
from refclock.timebase import Duration, Local, Mono, Utc


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they came off a line, with the arrival of the first and the last.

    The bytes between arrived evenly: whoever cuts a sentence out of the middle
    finds its own arrival by interpolation.
    """

    data: bytes
    first: Mono
    last: Mono


class ByteStream(Protocol):
    """A receiver's line. Used by one thread."""

    @property
    def name(self) -> str:
        """Path and speed, for people."""
        ...

    @property
    def bits_per_second(self) -> int | None:
        """The speed of the line, None where it has none (USB, a pipe)."""
        ...

    def read(self, limit: Duration) -> Chunk | None:
        """What has come, waiting at most `limit` for a first byte; None: silence."""
        ...

    def write(self, data: bytes) -> None:
        """Send to the receiver."""
        ...

    def close(self) -> None:
        """Give the line back."""
        ...


@dataclass(frozen=True, slots=True)
class EdgeEvent:
    """One edge as the line stamped it."""

    seq: int
    at: Local
    edge: Edge


class PpsLine(Protocol):
    """A pulse line. Used by one thread."""

    @property
    def name(self) -> str:
        """Device and how it is read, for people."""
        ...

    def wait(self, limit: Duration) -> EdgeEvent | None:
        """The next edge not yet told, or None when none came within `limit`."""
        ...

    def close(self) -> None:
        """Give the line back."""
        ...


class Pin(Protocol):
    """The level of the pulse's line, for whoever does not own it. For one thread."""

    @property
    def name(self) -> str:
        """Line and how it is read, for people."""
        ...

    def change(self, until: Local) -> tuple[Local, Local] | None:
        """Look without a pause until the level changes: the clock before the last
        look at the old level, and after the first at the new one. None: it is
        later than `until`, and it has not changed."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class SystemClock(Protocol):
    """The local clock. `read` may be called from any thread."""

    @property
    def era(self) -> int:
        """How often the clock was stepped, by us or by others, as far as read."""
        ...

    def read(self) -> tuple[Local, Mono]:
        """Both clocks at the same moment."""
        ...

    def apply(self, command: Command) -> None:
        """Carry out a command. PermissionError: not allowed to steer."""
        ...


class Thermometer(Protocol):
    """Used by one thread."""

    @property
    def name(self) -> str:
        """Which sensor, for people."""
        ...

    def celsius(self) -> float:
        """The temperature now."""
        ...

    def close(self) -> None:
        """Give the sensor back."""
        ...


class Rtc(Protocol):
    """A battery clock. Used by one thread."""

    @property
    def name(self) -> str:
        """Which chip, for people."""
        ...

    def read(self) -> Utc | None:
        """Its time; None when it says itself that it lost it."""
        ...

    def write(self, utc: Utc) -> None:
        """Set it."""
        ...

    def close(self) -> None:
        """Give the chip back."""
        ...


Left = Callable[[int], None]
"""Told when a reply left (CLOCK_REALTIME, ns)."""

BATCH: Final = 64
"""Datagrams in one sweep: more gains no speed and lengthens the wait of each."""


class Datagrams(Protocol):
    """A UDP socket, read and answered in sweeps. Used by one thread.

    Reply i is the answer to request i, and lies at the same place.
    """

    @property
    def name(self) -> str:
        """Address and port, for people."""
        ...

    @property
    def requests(self) -> bytearray:
        """The first 48 bytes of each request of the last sweep: `BATCH` places."""
        ...

    @property
    def replies(self) -> bytearray:
        """Where replies are written: `BATCH` places of 48 bytes."""
        ...

    @property
    def odd(self) -> Mapping[int, bytes]:
        """Those of the last sweep that are not 48 bytes long, all of each.

        Where there are less, the rest of the place in `requests` means nothing.
        """
        ...

    def now_ns(self) -> int:
        """The clock that stamps datagrams, now."""
        ...

    def receive(self, limit: Duration) -> tuple[Sequence[bytes], Sequence[int]]:
        """Who sent what has come (addresses of 4 or 16 bytes), and when the kernel
        took it in (CLOCK_REALTIME, ns): at most `BATCH`, waiting at most `limit` for
        the first."""
        ...

    def watch(self, tell: Mapping[int, Sequence[Left]]) -> None:
        """When reply i is sent and was passed to the device, `tell[i]` are told."""
        ...

    def send(self, answered: Sequence[int]) -> int:
        """Send reply i where `answered[i]` is not 0: to the sender of request i, from
        the address he had asked. How many went out."""
        ...

    def send_sealed(self, trailers: Mapping[int, bytes]) -> int:
        """Send reply i followed by `trailers[i]`, which is not longer than what
        followed the 48 bytes of request i. How many went out."""
        ...

    def dropped(self) -> int:
        """How many the kernel threw away, for want of room, since opening."""
        ...

    def close(self) -> None:
        """Give the socket back."""
        ...


@dataclass(frozen=True, slots=True)
class Pair:
    """Another receiver of the board, and its pulse: watched, while the first steers."""

    sources: SourcePair
    open_receiver: Callable[[], ByteStream]
    open_pulse: Callable[[], PpsLine] | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """Everything a daemon needs of the machine.

    Lines are given as openers, since they are opened anew when they were lost;
    None: this board has no such part. An opener raises OSError with a sentence
    that says what to do.
    """

    name: str
    clock: SystemClock
    open_receiver: Callable[[], ByteStream] | None
    open_pulse: Callable[[], PpsLine] | None
    open_thermometer: Callable[[], Thermometer] | None = None
    open_rtc: Callable[[], Rtc] | None = None
    open_pin: Callable[[], Pin] | None = None
    """What to watch to measure the pulse's latency; None: it is not to be."""
    pulse_latency: Duration = Duration(0)
    """How late this board stamps a pulse, as known (TIMING: a bias)."""
    pulse_latency_spread: Duration = Duration(5_000)
    """How far the true lateness may be from it, either way."""
    watched: tuple[Pair, ...] = ()
    """Receivers beside the one of `open_receiver`, which steers."""
