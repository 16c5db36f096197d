"""Which second does this pulse begin? The sentence names it, the pulse marks it.

Warm, our own clock names the second: it cannot have strayed by half of one, and
sentences only confirm or contradict. Their lag may then wander where it likes,
across half a second or a whole one. Cold, what sentences and witnesses say is put
to the vote (`vote`), and while that is in doubt a pulse has no label.

Reckoning is in TAI along CLOCK_MONOTONIC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final

from refclock.events import Fix, PulseEdge, TimeMessage, Witness
from refclock.label.edges import EdgeSelector
from refclock.label.lag import Lag
from refclock.label.sentences import CARRIED, SentenceLags, SentenceSample
from refclock.label.vote import Doubt, Named, Testimony, Vote, whole
from refclock.reasons import Code, Reason
from refclock.settings import Range
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapTable,
    Mono,
    Tai,
)


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """How sure we must be of the second."""

    guard_ms: Annotated[int, Range(1, 400, "ms")] = 15
    """A lag this close to 0 or 1 s, or closer than it scatters, is in doubt."""
    agree: Annotated[int, Range(2, 60, "sentences")] = 3
    """How many sentences in a row must name the same second."""
    trust_zda_alone: bool = False
    """Believe a receiver that sends ZDA and never a word on its fix."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What our own clock says the instant of a pulse was."""

    tai: Tai
    sigma: Duration


@dataclass(frozen=True, slots=True)
class Label:
    """The second a pulse begins, and who said so."""

    tai: Tai
    by: str


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """No second for this pulse, and why."""

    reason: Reason


OTHER_EDGE: Final = Unlabelled(Reason.of(Code.OTHER_EDGE))
OWN_CLOCK: Final = "our own clock"
_WARM: Final = 50 * MILLISECOND
"""Our own clock labels while its sigma is below this."""
_HALF: Final = 500 * MILLISECOND
_STRAY: Final = 300 * MILLISECOND
"""A pulse this far from a whole second of ours may belong to either neighbour."""
_UNEVEN: Final = 10 * MILLISECOND
"""Pulses that come at intervals further from a whole second are none, or not all."""


class Labeller:
    """Names the second of each pulse. Used by one thread."""

    def __init__(
        self,
        settings: LabelSettings,
        leaps: LeapTable,
        learned: Mapping[str, Lag] | None = None,
    ) -> None:
        self._settings = settings
        self._leaps = leaps
        self._sentences = SentenceLags(learned or {})
        self.forget()

    def forget(self) -> None:
        """Start cold: the monotonic clock carries no second any more."""
        settings = self._settings
        self._vote = Vote(settings.guard_ms * MILLISECOND, settings.agree)
        self._edges = EdgeSelector()
        self._before: Mono | None = None
        """When the last pulse came, labelled or not."""
        self._anchor: Named | None = None
        """The last labelled pulse, where our clock puts it."""
        self._pulse: Mono | None = None
        self._away = ZERO
        """How far the last labelled pulse was from its second."""
        self._sentences.forget()
        self._vouched = False
        self._doubt: Reason | None = None

    def know(self, leaps: LeapTable) -> None:
        """A leap second more is known."""
        self._leaps = leaps

    def lags(self) -> Mapping[str, Lag]:
        """What was learned, by kind of sentence."""
        return dict(self._sentences.lags)

    def forget_lags(self) -> None:
        """What an earlier run learned of the sentences is not true of them."""
        self._sentences.lags.clear()

    def tai(self, message: TimeMessage) -> Tai:
        """The moment a sentence names. Second 60 is the one after 59."""
        if message.leap_second:
            return self._leaps.tai(message.utc - SECOND) + SECOND
        return self._leaps.tai(message.utc)

    def observe(self, message: TimeMessage) -> Duration | None:
        """Take a sentence in: whole seconds it is ahead of us; None: cannot be said."""
        if message.fix is not Fix.UNKNOWN and not message.queued:
            self._vouched = message.fix.good
        if not self._usable(message):
            return None
        sentence = Named(self.tai(message), message.mono)
        self._vote.observe(message.kind, sentence)
        if self._anchor is None or sentence.mono - self._anchor.mono > CARRIED:
            return None
        ahead, self._anchor = self._sentences.compare(
            message.kind, sentence, self._anchor
        )
        return ahead

    def witness(self, witness: Witness) -> None:
        """Another's word on the time: it counts where it is better than half a
        second."""
        reading = Named(self._leaps.tai(witness.utc), witness.mono)
        self._vote.witness(witness.source, Testimony(reading, witness))

    def confirmed(self, ahead: Duration) -> bool | None:
        """Do witnesses exclude our second but not that of sentences `ahead` of us, or
        (False) theirs but not ours? None: they cannot tell."""
        if self._anchor is None:
            return None
        ours = whole(self._anchor.named)
        return self._vote.sides(ours + ahead, ours, self._anchor.mono)

    def label(self, edge: PulseEdge, predicted: Predicted | None) -> Label | Unlabelled:
        """The second that `edge` begins, or why nobody knows."""
        warm = predicted is not None and predicted.sigma < _WARM
        known = predicted if warm and self._anchor is not None else None
        if (passed_over := self._passed_over(edge, known)) is not None:
            return passed_over
        if known is not None:
            return self._by_our_clock(edge, known)
        before = self._before
        if self._one_of_several(edge.mono) or (
            before is not None and edge.mono - before < _HALF
        ):
            return Unlabelled(Reason.of(Code.SEVERAL_PULSES))
        self._before = edge.mono
        if before is None or not _even(edge.mono - before):
            return Unlabelled(Reason.of(Code.PULSE_NOT_PERIODIC))
        named = self._vote.second(edge.mono, self._sentences.lags)
        if isinstance(named, Doubt):
            return Unlabelled(self._doubt or named.reason)
        second, by = named
        self._sentences.begin(self._vote.lags(second, edge.mono))
        return self._settled(edge, second, second, by)

    def carry(self, at: Tai, mono: Mono) -> None:
        """Our clock, disciplined by another receiver, says what time it is."""
        if self._anchor is None:
            self._anchor = Named(at, mono)

    def adopt(self, by: Duration) -> None:
        """The second was another one all along: what is known moves by `by`."""
        if self._anchor is not None:
            self._anchor = replace(self._anchor, named=self._anchor.named + by)

    def sample_from(self, message: TimeMessage) -> SentenceSample | None:
        """What a sentence is worth without a pulse; None: nothing."""
        if not self._usable(message):
            return None
        named = Named(self.tai(message), message.mono)
        return self._sentences.sample(message.kind, named, self._anchor)

    def _usable(self, message: TimeMessage) -> bool:
        if message.queued:
            self._doubt = Reason.of(Code.LINE_SATURATED)
            return False
        if message.fix is Fix.UNKNOWN:
            return self._vouched or (self._settings.trust_zda_alone and not self._doubt)
        self._doubt = None if message.fix.good else Reason.of(Code.NO_FIX)
        return message.fix.good

    def _passed_over(
        self, edge: PulseEdge, known: Predicted | None
    ) -> Unlabelled | None:
        """Why this edge is not the second; None: it is. Where the widths do not tell,
        our own clock does, or lags learned before."""
        begins = self._edges.begins(edge)
        if begins is None:
            near = Duration(self._edges.apart.ns // 2)
            if known is not None:
                begins = abs(known.tai - whole(known.tai)) < near
            else:
                begins = self._vote.fits(edge.mono, self._sentences.lags, near)
            if begins:
                self._edges.choose(edge.edge)
        if begins is None:
            apart_s = self._edges.apart.seconds
            return Unlabelled(Reason.of(Code.EDGE_AMBIGUOUS, apart_s=apart_s))
        return None if begins else OTHER_EDGE

    def _by_our_clock(
        self, edge: PulseEdge, predicted: Predicted
    ) -> Label | Unlabelled:
        second = whole(predicted.tai)
        away = abs(predicted.tai - second)
        if away > self._near:
            return Unlabelled(
                Reason.of(Code.PULSE_BETWEEN_SECONDS, distance_s=away.seconds)
            )
        twice = self._pulse is not None and edge.mono - self._pulse < _HALF
        if twice and away >= self._away:
            return Unlabelled(Reason.of(Code.SECOND_PULSE))
        self._before, self._away = edge.mono, away
        return self._settled(edge, second, predicted.tai, OWN_CLOCK)

    def _one_of_several(self, edge: Mono) -> bool:
        """Do several come a second, and does nothing put this one on its second?"""
        lags = self._sentences.lags
        several = self._edges.each < SECOND
        return several and not self._vote.fits(edge, lags, self._near)

    @property
    def _near(self) -> Duration:
        """Further from a whole second a pulse may belong to another one."""
        return Duration(min(_STRAY.ns, self._edges.each.ns * 2 // 5))

    def _settled(
        self, edge: PulseEdge, second: Tai, at: Tai, by: str
    ) -> Label | Unlabelled:
        """`at`: what time it is taken to have been, for what follows."""
        self._anchor, self._pulse = Named(at, edge.mono), edge.mono
        if self._leaps.utc(second) is None:
            return Unlabelled(Reason.of(Code.PULSE_OF_LEAP_SECOND))
        return Label(second, by)


def _even(gap: Duration) -> bool:
    """A whole number of seconds, as far as a poor clock can tell."""
    return abs(gap - gap.rounded(SECOND)) < _UNEVEN
