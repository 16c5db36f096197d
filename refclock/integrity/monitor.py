"""Do we believe this receiver? It can lie with a good checksum and status A.

Our own oscillator is the witness: between two pulses it cannot have moved by more
than the bound says, and it carries the second when sentences contradict. So a
jump of the pulse or of the second is held off, alarmed, and accepted only when it
lasts and something vouches for it. Every refusal has its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Final

from refclock.events import (
    Dropped,
    DropReason,
    Fix,
    Interference,
    LeapNotice,
    LineLoad,
    NoTime,
    Position,
    SkyView,
    TimeMessage,
    Witness,
)
from refclock.integrity.alarm import Alarm, AlarmKind, Alarms
from refclock.integrity.antenna import Antenna
from refclock.integrity.dates import DateJudge
from refclock.integrity.fix import FixState
from refclock.integrity.leapcount import LeapCount
from refclock.integrity.phase import PhaseJudge, PulseVerdict
from refclock.integrity.second import SETTLING, SecondJudge, Voucher
from refclock.reasons import Code, Reason
from refclock.settings import Range
from refclock.timebase import (
    GPS_BEHIND_TAI,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    LeapTable,
    Mono,
    Tai,
    Utc,
)

__all__ = [
    "Alarm",
    "AlarmKind",
    "Integrity",
    "IntegritySettings",
    "MessageRefused",
    "Policy",
    "PulseVerdict",
]


class Policy(StrEnum):
    """What to do about a jump that lasts, when nobody vouches for it."""

    HOLD = "hold"
    """Hold off for as long as our clock's claim is the stronger (`phase`)."""
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


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """A message that is not believed, and why."""

    reason: Reason


_SILENCE: Final = 10 * SECOND
_BESIDE: Final = {
    DropReason.FOREIGN_CLOCK: Code.FOREIGN_CLOCK,
    DropReason.CONTRADICTION: Code.SENTENCES_CONTRADICT,
}
"""Refusals that an operator should know of."""
_CORRECTED: Final = 30 * SECOND
"""A receiver names another second so soon after its count was corrected."""
CROWDED: Final = 0.7
"""Of what the receiver's line can carry."""


class Integrity:
    """Judges one receiver. Used by one thread."""

    def __init__(
        self,
        settings: IntegritySettings,
        leaps: LeapTable,
        floor: Utc,
        last_good: Utc | None = None,
    ) -> None:
        """`floor`: it is not earlier (build date). `last_good`: the last time that an
        earlier run served."""
        self._follow = settings.policy is Policy.FOLLOW
        self._leaps = leaps
        self._persist = settings.persist_s * SECOND
        self._alarms = Alarms()
        self._count = LeapCount(self._alarms, leaps, self._persist)
        moved_m = settings.moved_m if settings.static else None
        self._antenna = Antenna(self._alarms, moved_m)
        self._dates = DateJudge(self._alarms, floor, last_good)
        self._second = SecondJudge(self._alarms, self._persist)
        self._phase = PhaseJudge(self._alarms, self._persist, follow=self._follow)
        self._began: Mono | None = None
        """When the receiver was first believed."""
        self._named: Tai | None = None
        """What it said last."""
        self._fix = FixState()
        self._beside: Mono | None = None
        """When two names of the second last stood side by side."""
        self.restarted()

    def restarted(self) -> None:
        """The clock began afresh: what was held off is forgotten."""
        self._second.restarted()
        self._phase.restarted()

    def know(self, leaps: LeapTable) -> None:
        """A leap second more is known."""
        self._leaps = leaps
        self._count.know(leaps)

    def alarms(self, now: Mono) -> tuple[Alarm, ...]:
        """What stands now, by kind."""
        return self._alarms.standing(now)

    # sentences

    def vouches(self, now: Mono) -> bool:
        """Did a message vouch for the pulse of late, by a fix?"""
        return self._fix.vouches(now)

    def no_fix(self, now: Mono) -> bool:
        """Does the receiver send messages, and do they deny a fix?"""
        return self._fix.denied(now)

    def no_time(self, fact: NoTime) -> None:
        """A message that names no time."""
        self._fix.no_time(fact)

    def accept(self, message: TimeMessage) -> TimeMessage | MessageRefused:
        """The message with its date made right, or why it is not believed."""
        if self._beside is not None and message.mono - self._beside > _SILENCE:
            self._beside = None
            self._alarms.clear(AlarmKind.SENTENCES)
        self._fix.observe(message)
        if not (message.fix.good or message.fix is Fix.UNKNOWN):
            return message
        dated = self._dates.judge(message.utc, message.mono)
        if isinstance(dated, Reason):
            return MessageRefused(dated)
        at = self._leaps.tai(dated.utc)
        if (miscounted := self._count.refusal(at, message.mono)) is not None:
            return MessageRefused(miscounted)
        self._count.date(at, message.mono)
        self._named = at
        self._began = self._began or message.mono
        return replace(message, utc=dated.utc) if dated.rollovers else message

    def witness(self, witness: Witness) -> bool:
        """Another's word on the time, which excludes dates; False: it was never set."""
        return self._dates.witness(witness)

    def second(
        self, ahead: Duration, now: Mono, *, confirmed: bool | None = None
    ) -> bool:
        """Sentences are `ahead` of the second our clock carries: adopt theirs?

        `confirmed`: witnesses exclude our second, or (False) that of the sentences.
        """
        return self._second.adopt(
            ahead,
            now,
            self._vouchers(now) if ahead else frozenset(),
            confirmed=confirmed,
            gps_time=ahead == self._behind() - GPS_BEHIND_TAI,
        )

    # pulses

    def pulse(
        self,
        residual: Duration,
        bound: Duration,
        now: Mono,
        *,
        confirmed: bool | None = None,
    ) -> PulseVerdict:
        """May a pulse be used that is off by `residual` while we know to `bound`?
        `confirmed`: as `PhaseJudge.pulse` has it."""
        return self._phase.pulse(residual, bound, now, confirmed=confirmed)

    def doubt(self) -> Duration:
        """By how much pulses contradict our clock while neither is known to be right:
        the served time may be wrong by all of it."""
        return self._phase.doubt()

    def stepped(self, by: Duration, now: Mono) -> None:
        """Another program set the clock, or the machine slept."""
        self._alarms.tell(
            AlarmKind.STEPPED,
            Reason.of(Code.CLOCK_STEPPED, step_s=by.seconds),
            now,
        )

    # leap seconds, and signs

    def leap_notice(self, notice: LeapNotice, now: Tai | None) -> None:
        """The receiver's count of leap seconds, and its announcement."""
        self._count.observe(notice, now)

    def leap(self, now: Tai) -> LeapSecond | None:
        """The next leap second, if one is known of."""
        return self._count.next(now)

    def position(self, here: Position) -> None:
        """Where the receiver says it is."""
        self._antenna.position(here)

    def sky(self, view: SkyView) -> None:
        """What satellites it says it uses, while it says that it has a fix."""
        self._antenna.sky(view, fixed=self._fix.present)

    def interference(self, report: Interference) -> None:
        """Its own word on jamming and spoofing."""
        self._antenna.interference(report)

    def line(self, load: LineLoad) -> None:
        """Beyond 70 % a burst of sentences more makes all of them late. Where nothing
        was understood yet it is no sentences that crowd the line."""
        if load.share < CROWDED or self._named is None:
            self._alarms.clear(AlarmKind.LINE)
            return
        self._alarms.raise_(
            AlarmKind.LINE,
            Reason.of(Code.LINE_CROWDED, share=load.share),
            load.mono,
        )

    def dropped(self, refused: Dropped) -> None:
        """Sentences refused because others beside them name another second: alarmed
        until none was for ten seconds."""
        if code := _BESIDE.get(refused.reason):
            self._beside = refused.mono
            reason = Reason.of(code, detail=refused.detail)
            self._alarms.raise_(AlarmKind.SENTENCES, reason, refused.mono)

    # what follows

    def _vouchers(self, now: Mono) -> frozenset[Voucher]:
        """Who vouches for the receiver's second now, beside witnesses."""
        vouchers = {Voucher.POLICY} if self._follow else set()
        if self._named is None or self._began is None:
            return frozenset(vouchers)
        counted = self._count.right_since
        corrected = counted is None or self._second.since(now) - counted < _CORRECTED
        if corrected and self._count.agrees(self._named):
            vouchers.add(Voucher.LEAP_COUNT)
        if now - self._began < SETTLING and corrected:
            vouchers.add(Voucher.LATE_COUNT)
        if self._count.missed(self._named):
            vouchers.add(Voucher.EXPIRED_TABLE)
        return frozenset(vouchers)

    def _behind(self) -> Duration:
        """TAI - UTC where the receiver is."""
        return ZERO if self._named is None else self._leaps.offset(self._named)
