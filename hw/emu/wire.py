"""A receiver's line in fast time."""

from __future__ import annotations

from refclock.board.ports import Chunk
from refclock.timebase import Duration


class Wire:
    """A `ByteStream` that holds what was brought until it is read."""

    name = "emulated line"

    def __init__(self, bits_per_second: int | None) -> None:
        self.bits_per_second = bits_per_second
        self._brought: Chunk | None = None

    def bring(self, chunk: Chunk) -> None:
        """The next read gives this."""
        self._brought = chunk

    def read(self, limit: Duration) -> Chunk | None:  # noqa: ARG002 - never waits
        """What was brought last, once."""
        brought, self._brought = self._brought, None
        return brought

    def write(self, data: bytes) -> None:
        """It does not listen."""

    def close(self) -> None:
        """Nothing is held."""
