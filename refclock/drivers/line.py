"""A receiver's line: its load, its bursts, and whether it has the speed it is set to.

A receiver that has more to send than its line can carry in a second falls behind: the
bursts run into each other and a sentence arrives when its turn comes. Its text is as
good as ever; its arrival has no meaning.

A speed may be set that is none: on a pseudo terminal, over Bluetooth, USB or a network
bytes come as fast as they are written. Evidence decides. Bytes that came faster than
the speed allows, or three bursts in a row of which none took half of the time it
needed, refute the speed, for as long as the line is open: then it has no load and no
queue.
"""

from __future__ import annotations

from typing import Final

from refclock.board.ports import Chunk
from refclock.timebase import MILLISECOND, SECOND, Mono

_BITS_PER_BYTE: Final = 10
"""A start bit, eight, a stop bit."""
_REST: Final = 20 * MILLISECOND
"""A shorter silence is how bytes are gathered, not rest."""
_PAUSE: Final = 100 * MILLISECOND
"""A longer silence parts two bursts, however slow the line."""
_ARREARS: Final = SECOND
"""A line busy for longer carries what belonged to the second before."""
_FULL: Final = 0.9
_WINDOW: Final = 10 * SECOND
_BUFFERED: Final = 256
"""Bytes a UART, an adapter and the kernel may hold back, and deliver at once."""
_TOLERANCE: Final = 1.05
"""A sender's baud rate generator may be off by so much."""
_LONG: Final = 64
"""Bytes of a chunk whose pace can be measured."""
_HASTY, _PACED = 0.5, 0.8
"""Of the time that a chunk needs at the line's speed."""
_REFUTED: Final = 3


class LineTiming:
    """Observes every chunk. Used by one thread."""

    def __init__(self, bits_per_second: int | None) -> None:
        self._bytes_per_s = bits_per_second and bits_per_second / _BITS_PER_BYTE
        self._hasty = 0
        """Chunks in a row that came faster than the line can carry them."""
        self._burst: Mono | None = None
        self._busy_from: Mono | None = None
        self._busy_bytes = 0
        self._last = Mono(0)
        self._window_from: Mono | None = None
        self._window_bytes = 0

    @property
    def burst(self) -> Mono | None:
        """When the present burst began: the first byte after a pause of 100 ms. None:
        there was no pause yet."""
        return self._burst

    def took(self, chunk: Chunk) -> float | None:
        """These bytes came.

        Returns the share of what the line can carry that was used, when ten seconds
        are full; None: they are not, or it is a line without a speed.
        """
        load = None
        silence_ns = chunk.first.ns - self._last.ns
        if self._busy_from is not None:
            if self._bytes_per_s:
                self.weigh(chunk, self._bytes_per_s)
            if silence_ns > _PAUSE.ns:
                self._burst = chunk.first
        if self._busy_from is None or silence_ns > _REST.ns:
            self._busy_from, self._busy_bytes = chunk.first, 0
        self._busy_bytes += len(chunk.data)
        self._last = chunk.last
        if self._window_from is None:
            self._window_from = chunk.first
        passed_ns = chunk.first.ns - self._window_from.ns
        if passed_ns >= _WINDOW.ns:
            load = self._share(self._window_bytes, passed_ns * 1e-9)
            self._window_from, self._window_bytes = chunk.first, 0
        self._window_bytes += len(chunk.data)
        return load

    def queued(self, at: Mono) -> bool:
        """Did what came then have to wait for its turn?"""
        if self._busy_from is None or at.ns - self._busy_from.ns <= _ARREARS.ns:
            return False
        share = self._share(self._busy_bytes, (self._last - self._busy_from).seconds)
        return share is not None and share >= _FULL

    def weigh(self, chunk: Chunk, bytes_per_s: float) -> None:
        """Can the line have the speed it is set to?"""
        count = len(chunk.data)
        if count < _LONG:
            return
        since_s = (chunk.last.ns - self._last.ns) * 1e-9 * _TOLERANCE
        if count > since_s * bytes_per_s + _BUFFERED:
            self._bytes_per_s = None
            return
        pace = (chunk.last.ns - chunk.first.ns) * 1e-9 * bytes_per_s / count
        if pace >= _PACED:
            self._hasty = 0
        elif pace < _HASTY:
            self._hasty += 1
            if self._hasty >= _REFUTED:
                self._bytes_per_s = None

    def _share(self, count: int, seconds: float) -> float | None:
        return self._bytes_per_s and count / self._bytes_per_s / seconds
