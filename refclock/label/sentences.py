"""How late each kind of sentence comes, learned against the second our clock carries.

The lag of a sentence is the time of its first byte minus the moment it names, + is
late. While pulses come, it is measured with each sentence; later, it turns a sentence
without a pulse into a sample, and finds sentences that name another second than ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from refclock.events import MONO_DRIFT
from refclock.label.lag import LabelHistory, Lag
from refclock.label.vote import Named
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Mono, Tai

CARRIED: Final = 1000 * SECOND
"""For so long the monotonic clock carries a second: 500 ppm make half of one."""
_RECENT: Final = 10 * SECOND
"""After a pulse this old no lag is learned: our clock may have drifted."""
_PRIOR: Final = Lag(250 * MILLISECOND, 50 * MILLISECOND)
"""Of a kind never measured."""
_WITHIN: Final = SECOND
"""A sentence of unknown lag is taken to come within the second it names."""
_MET: Final = 3
"""From so many sentences on a lag shows which second the next one names."""
_HALF: Final = 500 * MILLISECOND
_WHOLE: Final = 250 * MILLISECOND
"""A lag further than this from whole seconds beyond the usual one is a late or early
sentence, not another second."""
_EXACTLY: Final = 30 * MILLISECOND
"""A lag this close to whole seconds beyond the usual one is another second: a delay on
the line would hardly be a whole number of seconds."""


@dataclass(frozen=True, slots=True)
class SentenceSample:
    """The time by a sentence without a pulse."""

    tai: Tai
    mono: Mono
    """When it was `tai`: the first byte minus the mean lag."""
    spread: Duration
    """Standard deviation of the lag."""
    doubt: Duration
    """Error of the mean lag, at most; common to all sentences, so that no average
    lessens it."""


class SentenceLags:
    """The lag of each kind of sentence. Used by one thread."""

    def __init__(self, learned: Mapping[str, Lag]) -> None:
        """`learned`: by an earlier run."""
        self.lags = dict(learned)
        """By kind of sentence."""
        self._histories: dict[str, LabelHistory] = {}

    def forget(self) -> None:
        """The monotonic clock carries no second any more; the lags stay."""
        self._histories = {}

    def begin(self, lags: Mapping[str, Sequence[Duration]]) -> None:
        """A pulse has its first second: the lags that the latest sentences have by it,
        of kinds never measured before."""
        for kind, seen in lags.items():
            if kind not in self.lags:
                lag = Lag()
                for each in seen:
                    lag = lag.learn(each)
                self.lags[kind] = lag

    def compare(
        self, kind: str, sentence: Named, anchor: Named
    ) -> tuple[Duration | None, Named]:
        """Whole seconds by which a sentence is ahead of ours, and the anchor to carry.

        `anchor`: the last pulse, at most `CARRIED` old. Where the sentence names our
        second (0), its lag is learned; long after the pulse it is the new anchor
        instead. None: it is late or early, but by no whole seconds.
        """
        lag = anchor.at(sentence.mono) - sentence.named
        known = self.lags.get(kind, Lag())
        met = known.count >= _MET
        away = (known.mean if met else _HALF) - lag
        ahead = away.rounded(SECOND)
        if met:
            off_by_seconds = ahead != ZERO and abs(away - ahead) < _WHOLE
        else:
            off_by_seconds = not ZERO <= lag < 3 * _HALF
        exactly = abs(away - ahead) < _EXACTLY
        history = self._histories.setdefault(kind, LabelHistory())
        late = history.observe(
            sentence.named, off_by_seconds=off_by_seconds, exactly=exactly
        )
        if off_by_seconds and not late:
            return ahead, anchor
        age = sentence.mono - anchor.mono
        if age < _RECENT:
            self.lags[kind] = known.learn(lag)
        elif ahead == ZERO and known.known and 2 * age > CARRIED:
            anchor = Named(sentence.named + known.mean, sentence.mono)
        return (ZERO if ahead == ZERO else None), anchor

    def sample(
        self, kind: str, sentence: Named, anchor: Named | None
    ) -> SentenceSample | None:
        """The time by a sentence alone; None: it was held up on its way, as `anchor`
        (the last pulse, if there was one) shows."""
        lag, doubt = self.lags.get(kind, _PRIOR), ZERO
        if not lag.known:
            lag, doubt = _PRIOR, _WITHIN - _PRIOR.mean
        doubt = max(doubt, lag.spread)
        alone = SentenceSample(
            sentence.named, sentence.mono - lag.mean, lag.spread, doubt
        )
        held_up = lag.known and anchor is not None and _held_up(alone, lag, anchor)
        return None if held_up else alone


def _held_up(alone: SentenceSample, lag: Lag, anchor: Named) -> bool:
    """Is it further from `anchor` than the lag ever was and our clock can drift?"""
    drift = abs(alone.mono - anchor.mono).seconds * MONO_DRIFT
    away = abs(anchor.at(alone.mono) - alone.tai)
    return away > lag.reach + Duration.from_seconds(drift)
