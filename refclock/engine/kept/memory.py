"""What outlives a restart, as a document. Pure: files belong to the application.

The state on disk is evidence, not law. Every value is in the range in which the
filters can start from it, or the whole document is refused: a torn, foreign or newer
one is no memory at all, and the daemon starts cold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, Self

from refclock.codec import CodecError, decode, dumps, encode, loads
from refclock.discipline.sample import CURVE, Learned
from refclock.label.lag import Lag
from refclock.published import ClockSnapshot
from refclock.settings import Range
from refclock.timebase import MILLISECOND, MINUTE, SECOND, ZERO, Duration, Mono, Utc

VERSION: Final = 2
_SERVED_FOR: Final = 10 * MINUTE
"""Time that was served for less is not kept: a receiver's lie may end soon."""
_SLACK: Final = SECOND
"""How much a leap second may add to the elapsed time."""


_LEAST_JITTER_S, _MOST_JITTER_S = 5e-8, 1e-4
_LEAST_SIGMA, _MOST_SIGMA = 1e-15, 0.01
_WIDEST: Final = 250 * MILLISECOND


class MemoryLostError(ValueError):
    """Text that is no memory of ours."""


@dataclass(frozen=True, slots=True)
class KnownLag:
    """A lag that names a second by itself: one of a second or more, or less than none,
    is that of a second named wrong, or needs a second opinion at every start."""

    mean: Annotated[Duration, Range(0.0, 1.0, "s")]
    spread: Annotated[Duration, Range(0.0, 0.25, "s")]
    count: Annotated[int, Range(0, 10**12)]


@dataclass(frozen=True, slots=True)
class Memory:
    """The oscillator model, the receiver's lags, and the last time that was served."""

    learned: Learned | None
    lags: Mapping[str, KnownLag]
    """By kind of sentence."""
    last_good: Utc | None = None
    """None: nothing was ever served."""

    @classmethod
    def of(
        cls, learned: Learned, lags: Mapping[str, Lag], last_good: Utc | None
    ) -> Self:
        """What is worth keeping of that.

        What is out of its range is kept as the nearest that is not. A jitter below
        50 ns is kept as 50 ns: else the bound would not cover the first pulses after
        a start.
        """
        jitter_s = min(max(learned.jitter_s, _LEAST_JITTER_S), _MOST_JITTER_S)
        sigma = min(max(learned.rate_sigma, _LEAST_SIGMA), _MOST_SIGMA)
        curve = tuple(
            min(max(value, allowed.least), allowed.most)
            for value, allowed in zip(learned.curve, CURVE, strict=False)
        )
        return cls(
            replace(learned, jitter_s=jitter_s, rate_sigma=sigma, curve=curve),
            {
                kind: KnownLag(lag.mean, lag.spread, lag.count)
                for kind, lag in lags.items()
                if ZERO <= lag.mean <= SECOND and lag.spread <= _WIDEST
            },
            last_good,
        )

    def learned_lags(self) -> dict[str, Lag]:
        """As the labeller learns them."""
        return {
            kind: Lag(each.mean, each.spread, each.count)
            for kind, each in self.lags.items()
        }

    def text(self) -> str:
        """As it goes to disk. MemoryLostError: it holds what could not be read back."""
        try:
            decode(Memory, encode(Memory, self))
            return dumps(Memory, self, version=VERSION)
        except CodecError as error:
            raise MemoryLostError(str(error)) from error

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `text` wrote. MemoryLostError: every fault of anything else."""
        try:
            return loads(cls, text, version=VERSION)
        except CodecError as error:
            raise MemoryLostError(str(error)) from error


class LastGood:
    """The last time that was served, as far as it may be kept. Used by one thread.

    Never further ahead of the first that was served in this run than the monotonic
    clock ran since: a receiver that leaps years ahead later on adds nothing.
    """

    def __init__(self, kept: Utc | None) -> None:
        """`kept`: by the run before."""
        self._kept = kept
        self._first: tuple[Utc, Mono] | None = None
        """The earliest that was served, and when."""
        self._since: Mono | None = None
        """Since when it was not found to be ahead."""

    def at(self, snapshot: ClockSnapshot) -> Utc | None:
        """What to keep when the state is saved while `snapshot` is served."""
        if snapshot.stratum >= 16:
            return self._kept
        served, now = snapshot.posix(snapshot.updated), snapshot.at
        first, began = self._first or (served, now)
        most = first + (now - began) + _SLACK
        if self._first is None or served + 2 * _SLACK < most:
            self._first, self._since = (served, now), now
        elif self._since is not None and now - self._since >= _SERVED_FOR:
            self._kept = min(served, most)
        return self._kept
