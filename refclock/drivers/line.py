"""How busy a receiver's line is, and when it can no longer keep time.

A receiver that has more to say than its line can carry in a second falls behind:
bursts run into each other, the line never rests, and a sentence arrives when its
turn comes, not when it was meant. Its text is as good as ever, its arrival tells
nothing.
"""

from __future__ import annotations

from typing import Final

from refclock.board.ports import Chunk
from refclock.timebase import MILLISECOND, SECOND, Mono

_BITS_PER_BYTE: Final = 10
"""A start bit, eight, a stop bit."""
_REST: Final = 20 * MILLISECOND
"""A shorter silence is how bytes are gathered, not rest."""
_ARREARS: Final = SECOND
"""A line busy for longer carries what belonged to the second before."""
_FULL: Final = 0.9
_WINDOW: Final = 10 * SECOND


class LineTiming:
    """Watches what comes. Used by one thread."""

    def __init__(self, bits_per_second: int | None) -> None:
        self._bytes_per_s = bits_per_second and bits_per_second / _BITS_PER_BYTE
        self._busy_from: Mono | None = None
        self._busy_bytes = 0
        self._last = Mono(0)
        self._window_from: Mono | None = None
        self._window_bytes = 0

    def took(self, chunk: Chunk) -> float | None:
        """These bytes came.

        Returns the share of what the line can carry that was used, when ten seconds
        are full; None: they are not, or it is a line without a speed.
        """
        load = None
        if self._busy_from is None or chunk.first - self._last > _REST:
            self._busy_from, self._busy_bytes = chunk.first, 0
        self._busy_bytes += len(chunk.data)
        self._last = chunk.last
        if self._window_from is None:
            self._window_from = chunk.first
        passed = chunk.first - self._window_from
        if passed >= _WINDOW:
            load = self._share(self._window_bytes, passed.seconds)
            self._window_from, self._window_bytes = chunk.first, 0
        self._window_bytes += len(chunk.data)
        return load

    def queued(self, seen: Mono) -> bool:
        """Did what came then have to wait for its turn?"""
        if self._busy_from is None or seen - self._busy_from <= _ARREARS:
            return False
        share = self._share(self._busy_bytes, (self._last - self._busy_from).seconds)
        return share is not None and share >= _FULL

    def _share(self, count: int, seconds: float) -> float | None:
        return self._bytes_per_s and count / self._bytes_per_s / seconds
