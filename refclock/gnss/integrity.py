"""Do we believe this receiver? It can lie with a good checksum and status A.

Our own oscillator is the witness: between two pulses it cannot have moved by more
than the bound says, and it carries the second when sentences contradict. So a
jump of the pulse or of the second is held off, told, and believed only when it
lasts and the policy or a second witness allows. Every refusal has its words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from math import cos, hypot, radians
from typing import Annotated, Final

from refclock.events import Interference, LeapNotice, Position, SkyView, TimeMessage
from refclock.gnss.dates import unrolled
from refclock.settings import Range
from refclock.timebase import (
    MICROSECOND,
    MINUTE,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    LeapTable,
    Mono,
    Tai,
    Utc,
)


class Policy(StrEnum):
    """What to do about a jump that lasts."""

    HOLD = "hold"
    """Hold over until the bound is spent, then start afresh."""
    FOLLOW = "follow"
    """Believe it."""


@dataclass(frozen=True, slots=True)
class IntegritySettings:
    """How long to doubt, and what to do then."""

    policy: Policy = Policy.HOLD
    persist_s: Annotated[int, Range(5, 86_400, "s")] = 60
    """A change of the second must last so long before it can be believed."""
    static: bool = True
    """The antenna does not move: a position elsewhere is suspicious."""
    moved_m: Annotated[int, Range(10, 100_000, "m")] = 300


class Verdict(Enum):
    """What to do with a pulse."""

    USE = "use"
    REJECT = "reject"
    RESTART = "restart"
    """The phase is another one: begin anew with this pulse."""


class AlarmKind(StrEnum):
    """What is suspicious."""

    SECOND = "second"
    PHASE = "phase"
    ROLLOVER = "rollover"
    DATE = "date"
    LEAP = "leap"
    ANTENNA = "antenna"
    SATELLITES = "satellites"
    INTERFERENCE = "interference"
    STEPPED = "stepped"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something to tell the operator, and what he can do."""

    kind: AlarmKind
    text: str
    since: Mono


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that is not believed, and why."""

    reason: str


_SMALL: Final = 100 * MICROSECOND
"""The filter itself copes with a pulse off by less: it counts for little."""
_BOUNDS: Final = 4
_RUN: Final = 8
_BRIEF: Final = 10 * MINUTE
"""How long an alarm about one moment stays."""
_SETTLING: Final = 30
_EARTH_M: Final = 6_371_000.0


class Integrity:
    """Judges one receiver. Used by one thread."""

    def __init__(
        self, settings: IntegritySettings, leaps: LeapTable, floor: Utc
    ) -> None:
        self._settings = settings
        self._leaps = leaps
        self._floor = floor
        self._persist = settings.persist_s * SECOND
        self._alarms: dict[AlarmKind, Alarm] = {}
        self._brief: dict[AlarmKind, Mono] = {}
        self._ahead: tuple[Duration, Mono] | None = None
        """What sentences differ by, and since when."""
        self._jumps: list[tuple[Duration, Mono]] = []
        self._home: Position | None = None
        self._places = 0
        self._announced: LeapSecond | None = None
        self._false_count = False

    def alarms(self, now: Mono) -> tuple[Alarm, ...]:
        """What stands now, by kind."""
        for kind, until in list(self._brief.items()):
            if now > until:
                del self._brief[kind], self._alarms[kind]
        return tuple(self._alarms[kind] for kind in sorted(self._alarms))

    def believable(self, message: TimeMessage) -> TimeMessage | Refusal:
        """The message with its date made right, or why it is not believed."""
        if not message.fix.good:
            return message
        if self._false_count:
            return Refusal("the receiver does not know the leap seconds yet")
        found = unrolled(message.utc, self._floor)
        day = message.utc.iso()[:10]
        if found is None:
            text = f"the receiver says it is {day}, which cannot be"
            self._raise(AlarmKind.DATE, text, message.seen)
            return Refusal(text)
        self._clear(AlarmKind.DATE)
        utc, turns = found
        if not turns:
            self._clear(AlarmKind.ROLLOVER)
            return message
        self._raise(
            AlarmKind.ROLLOVER,
            f"the receiver says it is {day}: its week count has rolled over; "
            f"{turns * 1024} weeks are added. Newer firmware would know",
            message.seen,
        )
        return replace(message, utc=utc)

    def second(self, ahead: Duration | None, now: Mono) -> bool:
        """Sentences are `ahead` of the second our clock carries: believe them?

        Only if it lasts, and then only under the policy `follow`, or when it is
        the known pattern of a count of leap seconds that came late from the sky:
        back by whole seconds, never further than a count can be wrong.
        """
        if ahead is None:
            return False
        if ahead == ZERO:
            self._ahead = None
            self._clear(AlarmKind.SECOND)
            return False
        if self._ahead is None or self._ahead[0] != ahead:
            self._ahead = ahead, now
        _, since = self._ahead
        late_count = -18 * SECOND <= ahead <= -1 * SECOND
        self._raise(
            AlarmKind.SECOND,
            f"the receiver is {ahead.seconds:+.0f} s from the second our clock carries,"
            " with no change of the pulse; our clock is believed",
            now,
        )
        lasting = now - since >= self._persist
        if not (lasting and (late_count or self._settings.policy is Policy.FOLLOW)):
            return False
        self._ahead = None
        self._tell(
            AlarmKind.SECOND,
            f"the second was corrected by {ahead.seconds:+.0f} s, as the receiver "
            f"has said for {self._persist.seconds:.0f} s",
            now,
        )
        return True

    def pulse(self, residual: Duration, bound: Duration, now: Mono) -> Verdict:
        """May a pulse be used that is off by `residual` while we know to `bound`?"""
        limit = max(_BOUNDS * bound, _SMALL)
        if abs(residual) <= limit:
            self._jumps.clear()
            self._clear(AlarmKind.PHASE)
            return Verdict.USE
        self._jumps.append((residual, now))
        recent = [each for each, _ in self._jumps[-_RUN:]]
        since = self._jumps[0][1]
        if len(recent) < _RUN:
            return Verdict.REJECT
        if max(recent) - min(recent) > limit:
            return Verdict.USE  # no jump: the noise is another one
        self._raise(
            AlarmKind.PHASE,
            f"the pulse jumped by {recent[-1].seconds * 1e6:+.1f} µs, which our "
            "oscillator cannot have done: a fault of the receiver, or spoofing",
            now,
        )
        lasting = now - since >= self._persist
        if not (lasting and self._settings.policy is Policy.FOLLOW):
            return Verdict.REJECT
        self._jumps.clear()
        self._tell(AlarmKind.PHASE, "the pulse jumped, and was followed", now)
        return Verdict.RESTART

    def restarted(self) -> None:
        """The clock began afresh: what was held off is forgotten."""
        self._jumps.clear()
        self._ahead = None

    def leap_notice(self, notice: LeapNotice, now: Tai | None) -> None:
        """The receiver's count, against the table's; and its announcement."""
        count = notice.utc_behind_tai
        if count is not None and now is not None and now.ns < self._expiry_ns:
            false = count != self._leaps.offset(now)
        else:
            false = notice.firmware_default
        self._false_count = false
        if false:
            self._raise(
                AlarmKind.LEAP,
                "the receiver's count of leap seconds is its firmware's, not the "
                "sky's: its time is not believed until that has come (12.5 min)",
                notice.seen,
            )
        else:
            self._clear(AlarmKind.LEAP)
        leap = notice.announced
        if leap is not None and _in_season(leap.midnight):
            self._announced = leap

    def leap(self, now: Tai) -> LeapSecond | None:
        """The next leap second: the table's; once that is expired, the receiver's."""
        known = self._leaps.next_after(now)
        announced = self._announced
        if known is not None or announced is None or now.ns < self._expiry_ns:
            return known
        return announced if announced.at > now else None

    def position(self, here: Position) -> None:
        """A static antenna that moves is a false position, or a stolen antenna."""
        if not self._settings.static:
            return
        self._places += 1
        if self._home is None or self._places < _SETTLING:
            self._home = here
            return
        moved = _metres(self._home, here)
        if moved > self._settings.moved_m:
            self._raise(
                AlarmKind.ANTENNA,
                f"the antenna is {moved:.0f} m from where it stood: spoofing, "
                "or it was moved (then restart)",
                here.seen,
            )
        else:
            self._clear(AlarmKind.ANTENNA)

    def sky(self, view: SkyView, *, fixed: bool) -> None:
        """A fix from no satellites is none."""
        if view.used == 0 and fixed:
            self._raise(
                AlarmKind.SATELLITES,
                "the receiver has a fix but uses no satellites: it may be simulated",
                view.seen,
            )
        elif view.used:
            self._clear(AlarmKind.SATELLITES)

    def interference(self, told: Interference) -> None:
        """The receiver's own word on jamming and spoofing."""
        if told.jammed or told.spoofed:
            what = "spoofed" if told.spoofed else "jammed"
            text = f"the receiver says it is {what} ({told.detail})"
            self._raise(AlarmKind.INTERFERENCE, text, told.seen)
        else:
            self._clear(AlarmKind.INTERFERENCE)

    def stepped(self, by: Duration, now: Mono) -> None:
        """Another program set the clock, or the machine slept."""
        self._tell(
            AlarmKind.STEPPED,
            f"the clock was set by {by.seconds:+.6f} s and not by us: another time "
            "service is running, or the machine slept",
            now,
        )

    @property
    def _expiry_ns(self) -> int:
        return self._leaps.tai(self._leaps.expires).ns

    def _raise(self, kind: AlarmKind, text: str, now: Mono) -> None:
        standing = self._alarms.get(kind)
        since = standing.since if standing and kind not in self._brief else now
        self._alarms[kind] = Alarm(kind, text, since)
        self._brief.pop(kind, None)

    def _tell(self, kind: AlarmKind, text: str, now: Mono) -> None:
        """An alarm about one moment; it goes by itself."""
        self._alarms[kind] = Alarm(kind, text, now)
        self._brief[kind] = now + _BRIEF

    def _clear(self, kind: AlarmKind) -> None:
        if kind not in self._brief:
            self._alarms.pop(kind, None)


def _in_season(midnight: Utc) -> bool:
    """Leap seconds come before 1 January or 1 July."""
    return midnight.iso()[5:] in {"01-01T00:00:00Z", "07-01T00:00:00Z"}


def _metres(one: Position, other: Position) -> float:
    """Distance over ground, well below a degree."""
    north = radians(other.latitude - one.latitude)
    east = radians(other.longitude - one.longitude) * cos(radians(one.latitude))
    return _EARTH_M * hypot(north, east)
