"""Which second a pulse begins, by what sentences and witnesses say.

A sentence never comes before the moment it names, nor a whole second after it. So
a first byte at `mono`, naming t, gives for a pulse at e the second

    s = ceil(v)      v = t + (e - mono)      lag = s - v, of 0 to 1 s

whatever the lag is: 20, 500 or 900 ms. Nothing is rounded before that, so a fix
stamp of .408, or of .99 for the whole second, needs no rule of its own. A lag near 0
or near 1 s is in doubt; there a lag learned before decides, or a witness.

Of the sentences that name one moment within half a second the first has the least lag:
it alone votes for them, since a later one may well be late by more than a second. Of
any, a lag learned before votes. Kinds that name different seconds contradict each
other: one of them is late by more than a second, or wrong, and only a witness can tell
which.

A witness says that the time lies within an interval: its reading, carried along the
monotonic clock, plus or minus its uncertainty. Where only one second is within that, it
names the second, and sentences that may be late by more than one give way. Where more
are, it still excludes every second outside: a battery clock good to a minute knows
no second, but the hour, the day and the year.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from refclock.events import Witness
from refclock.label.lag import Lag
from refclock.reasons import Code, Reason
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Mono, Tai

_FRESH: Final = 15 * SECOND
"""A sentence this old names no second any more."""
_GUESSED: Final = "GLL"
"""Some receivers reckon its time ahead, a second after the burst it comes in."""
_BURST: Final = 500 * MILLISECOND
"""Sentences of one moment that come within so long are one burst."""
_HALF: Final = 500 * MILLISECOND
_MARGIN: Final = 100 * MILLISECOND
"""A witness that names the second must exclude its neighbours by more."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Nobody can tell, and why."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Named:
    """A moment was named: by a sentence that came at `mono`, or by a witness."""

    named: Tai
    mono: Mono

    def at(self, edge: Mono) -> Tai:
        """The time of an edge, carried along the monotonic clock."""
        return self.named + (edge - self.mono)


@dataclass(frozen=True, slots=True)
class Testimony:
    """A witness, and the TAI of its reading."""

    reading: Named
    witness: Witness

    def second(self, edge: Mono) -> Tai | None:
        """The second of that edge, the only one within its uncertainty; None: it
        cannot tell."""
        within, at = self.witness.within(edge), self.reading.at(edge)
        second = whole(at)
        away = abs(at - second)
        return second if away <= within < SECOND - away - _MARGIN else None

    def excludes(self, second: Tai, edge: Mono) -> bool:
        """Can that edge not have been that second?"""
        return abs(self.reading.at(edge) - second) > self.witness.within(edge)


class Vote:
    """What sentences and witnesses say of the second. Used by one thread."""

    def __init__(self, guard: Duration, agree: int) -> None:
        """`guard`: a lag this close to 0 or 1 s is in doubt. `agree`: of how many
        sentences of one kind in a row."""
        self._guard = guard
        self._agree = agree
        self._sentences: dict[str, deque[Named]] = {}
        self._witnesses: dict[str, Testimony] = {}

    def observe(self, kind: str, sentence: Named) -> None:
        """A sentence with a fix. Where a kind that ran on goes back, the receiver has
        corrected itself: all names before are void. One that always went to and fro
        is two clocks on one line, and voids but its own."""
        if kind == _GUESSED and self._sentences.keys() - {_GUESSED}:
            return
        named = self._sentences.setdefault(kind, deque(maxlen=self._agree))
        if named and sentence.named < named[-1].named:
            if len(named) == self._agree:
                self._sentences.clear()
                self._sentences[kind] = named
            named.clear()
        if not named or sentence.named > named[-1].named:
            named.append(sentence)

    def witness(self, source: str, testimony: Testimony) -> None:
        """Another's reading; the last of each source counts."""
        self._witnesses[source] = testimony

    def second(self, edge: Mono, lags: Mapping[str, Lag]) -> tuple[Tai, str] | Doubt:
        """The second the edge begins and who says so."""
        few = Doubt(Reason.of(Code.TOO_FEW_SENTENCES, needed=self._agree))
        if not (running := self._running(edge)):
            return few
        votes = {
            kind: vote
            for kind, at in running.items()
            if (vote := self._by(kind, at, lags)) is not None
        }
        sure = {kind: at for kind, at in votes.items() if isinstance(at, Tai)}
        named, contradiction = set(sure.values()), None
        if len(named) == 1:
            (second,) = named
            contradiction = self.contradiction(second, edge)
            if contradiction is None:
                return second, next(iter(sure))
        witness = self.witnessed(edge)
        if witness is not None and (
            witness[0] in named or _near(witness[0], running.values())
        ):
            return witness
        if contradiction is not None:
            return Doubt(contradiction)
        if named:
            kinds = " and ".join(sorted(sure))
            return Doubt(Reason.of(Code.SENTENCES_DISAGREE, kinds=kinds))
        return next((d for d in votes.values() if isinstance(d, Doubt)), few)

    def lags(self, second: Tai, edge: Mono) -> dict[str, list[Duration]]:
        """How late the latest sentences of each kind came, if the edge is `second`."""
        return {
            kind: [second - at for at in seen]
            for kind, seen in self._running(edge).items()
        }

    def fits(self, edge: Mono, lags: Mapping[str, Lag], near: Duration) -> bool | None:
        """Is that edge within `near` of a second, by lags learned before, or by
        witnesses? None: none is known well enough to tell."""
        away = [
            abs(at - whole(at)) < near
            for testimony in self._witnesses.values()
            if testimony.witness.within(edge) < near
            for at in [testimony.reading.at(edge)]
        ]
        away += [
            abs(middle - whole(middle)) < near
            for kind, at in self._running(edge).items()
            if (lag := lags.get(kind)) and lag.known and 3 * lag.spread < near
            for middle in [at[len(at) // 2] + lag.mean]
        ]
        return None if not away else all(away)

    def witnessed(self, edge: Mono) -> tuple[Tai, str] | None:
        """The second that more than half of the witnesses name that can name one."""
        named = {
            source: second
            for source, testimony in self._witnesses.items()
            if (second := testimony.second(edge)) is not None
        }
        if not named:
            return None
        second, count = Counter(named.values()).most_common(1)[0]
        if 2 * count <= len(named):
            return None
        return second, next(source for source in named if named[source] == second)

    def contradiction(self, second: Tai, edge: Mono) -> Reason | None:
        """Why that edge cannot have been that second, if more witnesses exclude it
        than do not."""
        against = [
            source
            for source, testimony in self._witnesses.items()
            if testimony.excludes(second, edge)
        ]
        if 2 * len(against) <= len(self._witnesses):
            return None
        source = against[0]
        offset_s = (second - self._witnesses[source].reading.at(edge)).seconds
        return Reason.of(Code.WITNESS_CONTRADICTS, witness=source, offset_s=offset_s)

    def sides(self, theirs: Tai, ours: Tai, edge: Mono) -> bool | None:
        """Which second can that edge have been: do more witnesses exclude `ours` alone,
        or (False) `theirs` alone? None: as many, or no one."""
        balance = 0
        for testimony in self._witnesses.values():
            balance += testimony.excludes(ours, edge)
            balance -= testimony.excludes(theirs, edge)
        return balance > 0 if balance else None

    def _running(self, edge: Mono) -> dict[str, list[Tai]]:
        """By kind, where its last sentences would put the edge, if there are enough."""
        running = {}
        for kind, words in self._sentences.items():
            at = [each.at(edge) for each in words if edge - each.mono < _FRESH]
            if len(at) == self._agree:
                running[kind] = sorted(at)
        return running

    def _follows(self, kind: str) -> bool:
        """Does another kind name the same moment before it in one burst?"""
        last = self._sentences[kind][-1]
        return any(
            each.named == last.named and ZERO < last.mono - each.mono <= _BURST
            for other, words in self._sentences.items()
            if other != kind
            for each in words
        )

    def _by(
        self, kind: str, at: list[Tai], lags: Mapping[str, Lag]
    ) -> Tai | Doubt | None:
        """What one kind of sentence says of an edge it would put between the first
        and the last of `at`; None: others of the same moment speak for it."""
        early, late = at[0], at[-1]
        known = lags.get(kind)
        if known is not None and known.tells:
            middle = at[len(at) // 2] + known.mean
            second = whole(middle)
            off = max(abs(late + known.mean - second), abs(early + known.mean - second))
            if abs(middle - second) <= known.reach and off < _HALF - self._guard:
                return second
        if self._follows(kind):
            return None
        if late - early > _HALF:
            return Doubt(Reason.of(Code.SENTENCES_IRREGULAR, kind=kind))
        second = Tai(-(-late.ns // SECOND.ns) * SECOND.ns)
        least, most = second - late, second - early
        if least < self._guard or most + (late - early) > SECOND - self._guard:
            return Doubt(Reason.of(Code.SENTENCE_NEAR_PULSE, kind=kind))
        return second


def whole(at: Tai) -> Tai:
    """The nearest second."""
    return Tai(Duration(at.ns).rounded(SECOND).ns)


def _near(second: Tai, running: Iterable[list[Tai]]) -> bool:
    """Could sentences that would put the edge there name that second?"""
    return all(-_HALF < second - at < 3 * _HALF for each in running for at in each)
