"""Bytes in any cutting -> sentences and binary frames, each with its arrival.

One pass, since the bytes that open a binary frame are not printable and so end
any sentence: at a '$' begins a sentence, at a sync pair a frame, and whatever lies
between is noise. A frame with a right checksum is lifted out whole, so that a '$'
in its payload is no sentence; one with a wrong checksum, or one that does not
come to its end in time, was none, and is read again as noise. What comes out does
not depend on where the stream was cut.

A sentence (NMEA 0183) runs from '$' over printable bytes to CR or LF and must end
in '*' and the right checksum, either case; blanks after it are forgiven, and so is
a missing line end at the end of a file. UBX frames: u-blox M8 protocol
specification, 32.2. CASIC frames: CASIC multimode receiver protocol, 1.3.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from operator import xor
from typing import Final

from refclock.board.ports import Chunk
from refclock.events import Dropped, DropReason
from refclock.timebase import SECOND, Duration, Mono

LONGEST: Final = 1024
"""Bytes between '$' and the line end. The standard says 79; receivers reach 205."""

_UBX_PAYLOAD: Final = 8192
"""Bytes; the longest message in use (raw measurements, 255 signals) has 8176."""
_CASIC_PAYLOAD: Final = 2048
_PATIENCE: Final = SECOND
"""A frame not at its end after so long was none: receivers speak once a second, so
a header made of noise holds up no sentence for longer."""

_OPENING: Final = re.compile(rb"\$|\xb5(?:b|\Z)|\xba(?:\xce|\Z)")
_STOP: Final = re.compile(rb"[^\x20-\x23\x25-\x7e]")
_STOPPED: Final[Mapping[int, DropReason | None]] = {
    0x0D: None,
    0x0A: None,
    0x24: DropReason.INTERRUPTED,
}
_SEALED: Final = re.compile(rb"([A-Za-z\d][^$]*)\*([\dA-Fa-f]{2})")
_ADDRESS: Final = re.compile(rb"[A-Z\d]{3,10}(?=[,*]|\Z)")
_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Sentence:
    """What stood between '$' and '*'; its checksum was right."""

    body: bytes
    mono: Mono
    """When the '$' came."""
    offset: int
    """Bytes of the stream before the '$'."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary frame; its checksum was right."""

    kind: str
    """`UBX` or `CASIC`."""
    cls: int
    id: int
    payload: bytes
    mono: Mono
    offset: int


Item = Sentence | Binary | Dropped


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where in the stream a chunk lies, and when it came."""

    start: int
    size: int
    first: Mono
    last: Mono

    def at(self, offset: int) -> Mono:
        """When that byte came: evenly between the first and the last."""
        took = self.last - self.first
        return self.first + Duration(
            took.ns * (offset - self.start) // max(self.size - 1, 1)
        )


class Framer:
    """Cuts a stream into sentences and frames. Used by one thread.

    Holds at most one unfinished frame: 8 kB, whatever comes.
    """

    def __init__(self) -> None:
        self._held = b""
        self._start = 0
        self._marks: deque[_Mark] = deque()

    def feed(self, chunk: Chunk) -> list[Item]:
        """All that these bytes complete."""
        end = self._start + len(self._held)
        self._marks.append(_Mark(end, len(chunk.data), chunk.first, chunk.last))
        self._held += chunk.data
        return list(self._cut(chunk.last - _PATIENCE))

    def finish(self) -> list[Item]:
        """The rest: no more will come."""
        return list(self._cut(None))

    def _cut(self, stale: Mono | None) -> Iterator[Item]:
        """Items off the front. A frame begun before `stale` is given up; None: all."""
        data, i = self._held, 0
        while opening := _OPENING.search(data, i):
            i = opening.start()
            if data[i] == 0x24:
                end, item = self._sentence(data, i, last=stale is None)
            else:
                seen = self._seen(i)
                end, item = self._frame(data, i, seen)
                if end == 0 and (stale is None or seen < stale):
                    end = i + 1
            if end == 0:
                break
            i = end
            if item is not None:
                yield item
        else:
            i = len(data)
        self._held = data[i:]
        self._start += i
        self._forget(self._start)

    def _sentence(self, data: bytes, i: int, *, last: bool) -> tuple[int, Item | None]:
        """What begins at the '$' and where it ends; 0: not here yet."""
        limit = i + LONGEST + 2
        stop = _STOP.search(data, i + 1, limit)
        end = stop.start() if stop else min(len(data), limit)
        text = data[i + 1 : end]
        if stop is not None:
            why = _STOPPED.get(data[end], DropReason.CONTROL_BYTE)
        elif len(text) > LONGEST:
            why = DropReason.OVERLONG
        elif last:
            why = DropReason.TRUNCATED
        else:
            return 0, None
        bare = text.rstrip(b" ")
        sealed = _SEALED.fullmatch(bare)
        good = sealed is not None and reduce(xor, sealed[1]) == int(sealed[2], 16)
        if good and why in {None, DropReason.TRUNCATED}:
            return end, Sentence(bare[:-3], self._seen(i), self._start + i)
        if _ADDRESS.match(text) is None:
            return end, None  # a '$' in binary junk
        if why is None:
            why = _fault(bare)
        elif good and why is DropReason.INTERRUPTED:
            why = DropReason.GLUED
        return end, Dropped(self._seen(i), why, text[:_SHOWN].decode("ascii"))

    def _frame(self, data: bytes, i: int, seen: Mono) -> tuple[int, Item | None]:
        """What begins at the sync pair and where it ends; 0: not here yet."""
        ubx = data[i] == 0xB5
        head = data[i : i + 6]
        if len(head) < 6:
            return 0, None
        size = int.from_bytes(head[4:6] if ubx else head[2:4], "little")
        if size > (_UBX_PAYLOAD if ubx else _CASIC_PAYLOAD) or not (
            ubx or size % 4 == 0
        ):
            return i + 1, None
        body_end = i + 6 + size
        end = body_end + (2 if ubx else 4)
        if end > len(data):
            return 0, None
        told, payload = data[body_end:end], data[i + 6 : body_end]
        at = self._start + i
        if ubx:
            if _fletcher(data[i + 2 : body_end], told):
                return end, Binary("UBX", head[2], head[3], payload, seen, at)
        elif _casic_sum(head, payload) == told:
            return end, Binary("CASIC", head[4], head[5], payload, seen, at)
        return i + 1, Dropped(seen, DropReason.BINARY, head.hex(" "))

    def _seen(self, i: int) -> Mono:
        """When held byte `i` came. Asked in ascending order only."""
        self._forget(self._start + i)
        return self._marks[0].at(self._start + i)

    def _forget(self, before: int) -> None:
        while self._marks and self._marks[0].start + self._marks[0].size <= before:
            self._marks.popleft()


def _fault(bare: bytes) -> DropReason:
    """Why a line that came whole is no sentence."""
    if re.search(rb"\*[\dA-Fa-f]{2}\Z", bare):
        return DropReason.CHECKSUM_MISMATCH
    return (
        DropReason.CHECKSUM_MALFORMED if b"*" in bare else DropReason.CHECKSUM_MISSING
    )


def _fletcher(data: bytes, told: bytes) -> bool:
    """RFC 1145's checksum, 8 bits wide, over class, id, length and payload. Its
    first half alone refuses nearly all noise, and costs a third."""
    return sum(data) & 0xFF == told[0] and sum(accumulate(data)) & 0xFF == told[1]


def _casic_sum(head: bytes, payload: bytes) -> bytes:
    """The sum of 32-bit words: id, class and length as one, then the payload."""
    words = sum(
        int.from_bytes(payload[k : k + 4], "little") for k in range(0, len(payload), 4)
    )
    first = (head[5] << 24) + (head[4] << 16) + int.from_bytes(head[2:4], "little")
    return ((first + words) & 0xFFFF_FFFF).to_bytes(4, "little")
