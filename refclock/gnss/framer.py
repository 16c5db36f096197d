"""Bytes in any cutting -> sentences and binary frames, each with its arrival.

One pass: a sentence begins at a '$', a frame at the sync of one of the protocols in
`frames`, and what lies between is noise. A frame with a right checksum is lifted out
whole, so that a '$' in its payload is no sentence. One with a wrong checksum, or not
complete within a second, is read again from its second byte. What comes out does not
depend on where the stream was cut, and the work is linear in its length.

A sentence (NMEA 0183) runs from '$' over printable bytes to CR or LF and must end in
'*' and the right checksum: two hexadecimal digits of either case, or one where the
first would be 0. Blanks behind it are allowed, and a missing line end at the end of
the stream.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from refclock.board.ports import Chunk
from refclock.events import Dropped, DropReason
from refclock.gnss.frames import NOT_YET, OPENING, protocol_at
from refclock.timebase import SECOND, Mono

LONGEST: Final = 1024
"""Bytes between '$' and the line end. The standard allows 79; receivers reach 205."""

_PATIENCE: Final = SECOND
"""A frame not complete after so long was none: receivers speak once a second, so a
header made of noise delays no sentence for longer."""
_FREE: Final = 65_536
_CHECKED_PER_BYTE: Final = 2
"""Bytes put through a checksum, at most: so many for each byte of the stream, and
`_FREE` in advance. A stream of true frames needs one for one; headers within headers,
each of which claims a long payload, would need hundreds."""

_OPENING: Final = re.compile(OPENING, re.DOTALL)
_STOP: Final = re.compile(rb"[^\x20-\x23\x25-\x7e]")
_STOPPED: Final[Mapping[int, DropReason | None]] = {
    0x0D: None,
    0x0A: None,
    0x24: DropReason.INTERRUPTED,
}
_SEALED: Final = re.compile(rb"([A-Za-z\d][^$]*)\*([\dA-Fa-f]{1,2})")
_ADDRESS: Final = re.compile(rb"[A-Z\d]{3,10}(?=[,*]|\Z)")
_SHOWN: Final = 100
_HALVES: Final = (512, 256, 128, 64, 32, 16, 8)


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
    """The protocol's name: `UBX`, `CASIC`, or one of `frames` that is not read."""
    cls: int
    id: int
    """Class and number, of UBX, CASIC and Allystar; else 0."""
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
        took_ns = self.last.ns - self.first.ns
        into = offset - self.start
        return Mono(self.first.ns + took_ns * into // max(self.size - 1, 1))


class Framer:
    """Cuts a stream into sentences and frames. Used by one thread.

    Holds at most one unfinished frame: 10 kB, whatever comes.
    """

    def __init__(self) -> None:
        self._held = b""
        self._start = 0
        self._marks: deque[_Mark] = deque()
        self._checked = 0

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
            if data[i] == 0x24 and data[i + 1 : i + 2] != b"@":
                end, item = self._sentence(data, i, last=stale is None)
            else:
                mono = self._arrival(i)
                end, item = self._frame(data, i, mono)
                if end == 0 and (stale is None or mono < stale):
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
        good = sealed is not None and _xor(sealed[1]) == int(sealed[2], 16)
        if sealed and good and why in {None, DropReason.TRUNCATED}:
            return end, Sentence(sealed[1], self._arrival(i), self._start + i)
        if _ADDRESS.match(text) is None:
            return end, None  # a '$' in binary junk
        if why is None:
            why = _fault(bare)
        elif good and why is DropReason.INTERRUPTED:
            why = DropReason.GLUED
        return end, Dropped(self._arrival(i), why, text[:_SHOWN].decode("ascii"))

    def _frame(self, data: bytes, i: int, mono: Mono) -> tuple[int, Item | None]:
        """What begins at the sync and where it ends; 0: not here yet."""
        protocol = protocol_at(data, i)
        size = NOT_YET if protocol is None else protocol.measure(data, i)
        if protocol is None or size == NOT_YET or len(data) < i + size:
            return 0, None
        if not size:
            return i + 1, None
        whole, at = data[i : i + size], self._start + i
        if self._checked + size <= _FREE + _CHECKED_PER_BYTE * (at + size):
            self._checked += size
            if protocol.proves(whole):
                cls, number = 0, 0
                if protocol.number_at is not None:
                    cls, number = whole[protocol.number_at : protocol.number_at + 2]
                payload = whole[protocol.head : size - protocol.tail]
                name = protocol.name
                return i + size, Binary(name, cls, number, payload, mono, at)
        return i + 1, Dropped(mono, DropReason.BINARY, whole[:6].hex(" "))

    def _arrival(self, i: int) -> Mono:
        """When held byte `i` came. Asked in ascending order only."""
        self._forget(self._start + i)
        return self._marks[0].at(self._start + i)

    def _forget(self, before: int) -> None:
        while self._marks and self._marks[0].start + self._marks[0].size <= before:
            self._marks.popleft()


def _xor(body: bytes) -> int:
    """All bytes exclusive-ored. Up to 128 by halves: byte 64 + k to k, 32 + k to k …"""
    if len(body) > 128:
        return reduce(xor, body)
    folded = int.from_bytes(body, "little")
    for shift in _HALVES:
        folded ^= folded >> shift
    return folded & 0xFF


def _fault(bare: bytes) -> DropReason:
    """Why a line that came whole is no sentence."""
    if re.search(rb"\*[\dA-Fa-f]{2}\Z", bare):
        return DropReason.CHECKSUM_MISMATCH
    return (
        DropReason.CHECKSUM_MALFORMED if b"*" in bare else DropReason.CHECKSUM_MISSING
    )


def proves(data: bytes) -> bool:
    """Is there a sentence or a frame with a right checksum in it? No wrong speed of a
    line makes one."""
    framer = Framer()
    items = framer.feed(Chunk(data, Mono(0), Mono(0))) + framer.finish()
    return any(isinstance(item, Sentence | Binary) for item in items)
