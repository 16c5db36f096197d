"""What the operator should know of, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from refclock.reasons import Code, Reason
from refclock.timebase import MINUTE, Duration, Mono

BRIEF: Final = 10 * MINUTE
"""How long an alarm about one moment stays."""

HOLD: Final = MINUTE
"""How long an alarm must be absent before it is reported as over."""


class Severity(StrEnum):
    """How much an alarm matters."""

    CRITICAL = "critical"
    """The served time itself may be false."""
    WARNING = "warning"
    """The time is right; something around it needs attention."""


class AlarmKind(StrEnum):
    """What is suspicious."""

    SECOND = "second"
    PHASE = "phase"
    ROLLOVER = "rollover"
    DATE = "date"
    LEAP = "leap second"
    COUNT = "leap-second count"
    ANTENNA = "antenna"
    SATELLITES = "satellites"
    INTERFERENCE = "interference"
    STEPPED = "stepped"
    LINE = "line"
    SENTENCES = "sentences"
    TABLE = "table of leap seconds"
    UPSTREAM = "upstream"

    @property
    def severity(self) -> Severity:
        """Of every alarm of this kind."""
        return Severity.CRITICAL if self in _CRITICAL else Severity.WARNING


_CRITICAL: Final = frozenset(
    {
        AlarmKind.SECOND,
        AlarmKind.PHASE,
        AlarmKind.DATE,
        AlarmKind.SATELLITES,
        AlarmKind.INTERFERENCE,
        AlarmKind.UPSTREAM,
    }
)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something to tell the operator, and what he can do."""

    kind: AlarmKind
    reason: Reason
    since: Mono


class Alarms:
    """Those that stand, one of a kind. Used by one thread."""

    def __init__(self) -> None:
        self._standing: dict[AlarmKind, Alarm] = {}
        self._until: dict[AlarmKind, Mono] = {}
        """When those about one moment go by themselves."""

    def raise_(self, kind: AlarmKind, reason: Reason, now: Mono) -> None:
        """It is so until it is cleared."""
        standing = self._standing.get(kind)
        brief = self._until.pop(kind, None) is not None
        since = standing.since if standing is not None and not brief else now
        self._standing[kind] = Alarm(kind, reason, since)

    def tell(self, kind: AlarmKind, reason: Reason, now: Mono) -> None:
        """It happened, and goes by itself."""
        self._standing[kind] = Alarm(kind, reason, now)
        self._until[kind] = now + BRIEF

    def clear(self, kind: AlarmKind) -> None:
        """It is so no more; what happened still has."""
        if kind not in self._until:
            self._standing.pop(kind, None)

    def standing(self, now: Mono) -> tuple[Alarm, ...]:
        """What stands now, by kind."""
        for kind, until in list(self._until.items()):
            if now > until:
                del self._until[kind], self._standing[kind]
        return tuple(self._standing[kind] for kind in sorted(self._standing))


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm that was raised, or is over."""

    alarm: Alarm
    """As it was when it was raised."""
    raised: bool
    lasted: Duration
    """From its raising to the last time it stood; 0 when it is raised."""


class Ledger:
    """Which alarms were reported as raised, one of a kind and code.

    An alarm is over when it did not stand for `HOLD`: one that comes and goes faster
    is raised once and stays. Used by one thread.
    """

    def __init__(self) -> None:
        self._raised: dict[tuple[AlarmKind, Code], tuple[Alarm, Mono, Mono]] = {}
        """The alarm, when it was raised, and when it last stood."""

    def update(self, standing: Iterable[Alarm], now: Mono) -> tuple[Change, ...]:
        """What changed by the alarms that stand at `now`: first those raised."""
        changes = []
        for alarm in standing:
            key = alarm.kind, alarm.reason.code
            known = self._raised.get(key)
            if known is None:
                changes.append(Change(alarm, raised=True, lasted=Duration(0)))
                self._raised[key] = alarm, now, now
            else:
                self._raised[key] = *known[:2], now
        for key, (alarm, since, last) in sorted(
            self._raised.items(), key=lambda item: item[0]
        ):
            if now - last >= HOLD:
                del self._raised[key]
                changes.append(Change(alarm, raised=False, lasted=last - since))
        return tuple(changes)
