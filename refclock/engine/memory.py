"""What outlives a restart, as a document. Pure: files belong to the application.

The state on disk is evidence, not law. Every value is in the range in which the
filters can start from it, or the whole document is refused: a torn, foreign or newer
one is no memory at all, and the daemon starts cold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from refclock.codec import CodecError, decode, dumps, encode, loads
from refclock.discipline.bank import Learned
from refclock.label.lag import Lag
from refclock.published import ClockSnapshot
from refclock.timebase import MINUTE, SECOND, Mono, Utc

VERSION: Final = 2
_SERVED_FOR: Final = 10 * MINUTE
"""Time that was served for less is not kept: a receiver's lie may end soon."""
_SLACK: Final = SECOND
"""How much a leap second may add to the elapsed time."""


class MemoryLostError(ValueError):
    """Text that is no memory of ours."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The oscillator model, the receiver's lags, and the last time that was served."""

    learned: Learned | None
    lags: Mapping[str, Lag]
    last_good: Utc | None = None
    """None: nothing was ever served."""

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
