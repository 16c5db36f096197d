"""Which second a pulse begins, by what others say: sentences, and witnesses.

A sentence never comes before the moment it names, nor a whole second after it. So
a first byte at `seen`, naming t, gives for a pulse at e the second

    s = ceil(v)      v = t + (e - seen)      lag = s - v, of 0 to 1 s

whatever the lag is: 20, 500 or 900 ms. Nothing is rounded before that, so a fix
stamp of .408, or of .99 for the whole second, needs no rule of its own.

What is left in doubt is a lag near 0 or near 1 s. There a lag learned before
decides, or a witness better than half a second; and where they contradict each
other nobody does. Only the first sentence to name a moment is heard: one after a
long burst may well come a second late.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from refclock.label.lag import Lag
from refclock.reasons import Code, Reason
from refclock.timebase import MILLISECOND, SECOND, Duration, Mono, Tai

_FRESH: Final = 15 * SECOND
"""A sentence this old names no second any more."""
_SAME: Final = 90 * MILLISECOND
"""Stamps of one burst differ by less: some sentences tell the time of their output."""
_GUESSED: Final = "GLL"
"""Some receivers reckon its time ahead, a second after the burst it comes in."""
_HALF: Final = 500 * MILLISECOND
_SURE: Final = 400 * MILLISECOND
"""A witness must be better than half a second, with room to spare."""
DRIFT: Final = 500e-6
"""How fast the monotonic clock may run wrong, s/s."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Nobody can tell, and why."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Heard:
    """A moment was named: by a sentence `seen` then, or by a witness."""

    named: Tai
    mono: Mono

    def at(self, edge: Mono) -> Tai:
        """What it says of an edge, carried along the monotonic clock."""
        return self.named + (edge - self.mono)


@dataclass(frozen=True, slots=True)
class Testimony:
    """A witness's word on the second, and how wrong it may be."""

    heard: Heard
    spread: Duration

    def second(self, edge: Mono) -> Tai | None:
        """The second of that edge; None: it cannot tell."""
        age_s = abs(edge - self.heard.mono).seconds
        doubt = self.spread + Duration.from_seconds(age_s * DRIFT)
        at = self.heard.at(edge)
        second = whole(at)
        return second if abs(at - second) <= doubt < _SURE else None


class Vote:
    """Hears sentences and witnesses, and tells the second. Used by one thread."""

    def __init__(self, guard: Duration, agree: int) -> None:
        """`guard`: a lag this close to 0 or 1 s is in doubt. `agree`: of how many
        sentences of one kind in a row."""
        self._guard = guard
        self._agree = agree
        self._heard: dict[str, deque[Heard]] = {}
        self._latest: Tai | None = None
        self._witnesses: dict[str, Testimony] = {}

    def observe(self, kind: str, heard: Heard) -> None:
        """A sentence with a fix. Names that go back make all before them void."""
        if kind == _GUESSED and self._heard.keys() - {_GUESSED}:
            return
        if self._latest is not None and abs(heard.named - self._latest) < _SAME:
            return
        if self._latest is not None and heard.named < self._latest:
            self._heard.clear()
        self._latest = heard.named
        self._heard.setdefault(kind, deque(maxlen=self._agree)).append(heard)

    def witness(self, source: str, told: Testimony) -> None:
        """Another's word; the last of each source counts."""
        self._witnesses[source] = told

    def second(self, edge: Mono, lags: Mapping[str, Lag]) -> tuple[Tai, str] | Doubt:
        """The second the edge begins and who says so."""
        running: dict[str, list[Tai]] = {}
        for kind, words in self._heard.items():
            at = [each.at(edge) for each in words if edge - each.mono < _FRESH]
            if len(at) == self._agree:
                running[kind] = sorted(at)
        if not running:
            return Doubt(Reason.of(Code.TOO_FEW_SENTENCES, needed=self._agree))
        told = {kind: self._by(kind, at, lags) for kind, at in running.items()}
        sure = {kind: at for kind, at in told.items() if isinstance(at, Tai)}
        if len(set(sure.values())) > 1:
            kinds = " and ".join(sorted(sure))
            return Doubt(Reason.of(Code.SENTENCES_DISAGREE, kinds=kinds))
        witness = self.witnessed(edge)
        if sure:
            kind, second = next(iter(sure.items()))
            if witness is None or witness[0] == second:
                return second, kind
            return Doubt(_contradiction(witness, second))
        if witness is None or not _near(witness[0], running.values()):
            return next(doubt for doubt in told.values() if isinstance(doubt, Doubt))
        return witness

    def witnessed(self, edge: Mono) -> tuple[Tai, str] | None:
        """What more than half of the witnesses say that can tell."""
        said = {
            source: second
            for source, told in self._witnesses.items()
            if (second := told.second(edge)) is not None
        }
        if not said:
            return None
        second, count = Counter(said.values()).most_common(1)[0]
        if 2 * count <= len(said):
            return None
        return second, next(source for source in said if said[source] == second)

    def _by(self, kind: str, at: list[Tai], lags: Mapping[str, Lag]) -> Tai | Doubt:
        """What one kind of sentence says of an edge it would put between the first
        and the last of `at`."""
        early, late = at[0], at[-1]
        known = lags.get(kind)
        if known is not None and known.known:
            middle = at[len(at) // 2] + known.mean
            second = whole(middle)
            off = max(abs(late + known.mean - second), abs(early + known.mean - second))
            if abs(middle - second) <= known.reach and off < _HALF - self._guard:
                return second
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


def _contradiction(witness: tuple[Tai, str], second: Tai) -> Reason:
    offset_s = (second - witness[0]).seconds
    return Reason.of(Code.WITNESS_CONTRADICTS, witness=witness[1], offset_s=offset_s)
