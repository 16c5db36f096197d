"""What the operator should know of, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from refclock.reasons import Reason
from refclock.timebase import MINUTE, Mono

BRIEF: Final = 10 * MINUTE
"""How long an alarm about one moment stays."""


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
