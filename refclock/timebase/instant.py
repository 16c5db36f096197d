"""Instants and durations: whole nanoseconds, and a type for every clock.

Float64 seconds at today's epoch resolve 238 ns, so instants are integers; only
differences become float seconds, inside the filter. Readings of different
clocks never mix: the type checker refuses, and so does the interpreter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self, overload


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A signed length of time, in whole nanoseconds."""

    ns: int

    def __add__(self, other: Duration) -> Duration:
        return Duration(self.ns + other.ns)

    def __sub__(self, other: Duration) -> Duration:
        return Duration(self.ns - other.ns)

    def __neg__(self) -> Duration:
        return Duration(-self.ns)

    def __abs__(self) -> Duration:
        return Duration(abs(self.ns))

    def __mul__(self, times: int) -> Duration:
        return Duration(self.ns * times)

    __rmul__ = __mul__

    def __bool__(self) -> bool:
        return self.ns != 0

    @property
    def seconds(self) -> float:
        """For filters and for people; never for adding to an Instant."""
        return self.ns * 1e-9

    @classmethod
    def from_seconds(cls, seconds: float) -> Duration:
        """The nearest whole nanosecond."""
        return cls(round(seconds * 1e9))

    def rounded(self, to: Duration) -> Duration:
        """The nearest whole multiple of `to`; a half goes up."""
        return Duration((2 * self.ns + to.ns) // (2 * to.ns) * to.ns)


ZERO: Final = Duration(0)
NANOSECOND: Final = Duration(1)
MICROSECOND: Final = Duration(1_000)
MILLISECOND: Final = Duration(1_000_000)
SECOND: Final = Duration(1_000_000_000)
MINUTE: Final = 60 * SECOND
HOUR: Final = 3600 * SECOND
DAY: Final = 86_400 * SECOND

_UNIX_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, as written
_CALENDAR_CYCLE_S: Final = 146_097 * 86_400
"""400 years, after which the Gregorian calendar repeats."""


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """One reading of one clock. Readings of different clocks never mix."""

    ns: int

    def __add__(self, by: Duration) -> Self:
        if not isinstance(by, Duration):
            return NotImplemented
        return type(self)(self.ns + by.ns)

    @overload
    def __sub__(self, other: Duration) -> Self: ...
    @overload
    def __sub__(self, other: Self) -> Duration: ...
    def __sub__(self, other: Self | Duration) -> Self | Duration:
        if isinstance(other, Duration):
            return type(self)(self.ns - other.ns)
        if type(other) is not type(self):
            return NotImplemented
        return Duration(self.ns - other.ns)


class Utc(Instant):
    """Nanoseconds since 1970-01-01 UTC, as POSIX counts: no leap seconds.

    An inserted second has no name here; see `timebase.leap`.
    """

    __slots__ = ()

    @classmethod
    def of(
        cls,
        year: int,
        month: int,
        day: int,
        hour: int = 0,
        minute: int = 0,
        sec: int = 0,
    ) -> Utc:
        """That moment. ValueError: no such date or time of day."""
        at = datetime(year, month, day, hour, minute, sec, tzinfo=UTC)
        return cls(int(at.timestamp()) * SECOND.ns)

    def iso(self) -> str:
        """`2026-05-01T11:11:06.25Z`: the fraction as short as it is exact.

        Of every instant: a year beyond 0 to 9999 has a sign and five digits or more
        (ISO 8601 expanded representation).
        """
        whole, fraction = divmod(self.ns, SECOND.ns)
        cycles, within_s = divmod(whole, _CALENDAR_CYCLE_S)
        at = _UNIX_EPOCH + timedelta(seconds=within_s)
        year = at.year + 400 * cycles
        digits = f".{fraction:09d}".rstrip("0") if fraction else ""
        shown = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+06d}"
        return f"{shown}{at.isoformat()[4:]}{digits}Z"


class Tai(Instant):
    """Nanoseconds since 1970-01-01 00:00:00 TAI. Every second has a name."""

    __slots__ = ()


class Local(Instant):
    """CLOCK_REALTIME: the clock we discipline. It can be stepped."""

    __slots__ = ()


class Mono(Instant):
    """CLOCK_MONOTONIC: never stepped. For ages, timeouts and reckoning."""

    __slots__ = ()
