"""One value that processes share: one writer, many readers, always whole.

A block of memory without a name, passed on as a file descriptor, with a value of one
type in it, as the codec writes it: whoever can write there cannot run code here. The
writer makes
the count odd, writes, and makes it even again; a reader who saw the count move,
or whose checksum is wrong (another CPU may see the writes in another order), reads
again. Nobody ever waits for a lock.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from typing import Final, Generic, TypeVar

from refclock.codec import dumps, loads

_HEAD: Final = struct.Struct("<QII")
_ROOM: Final = 1 << 20
_TRIES: Final = 1_000

T = TypeVar("T")


class Shared(Generic[T]):
    """Used by one thread in each process; written by one process only."""

    def __init__(self, kind: type[T], fd: int | None = None) -> None:
        """A new block for values of `kind`, or the one passed on as `fd`."""
        self._kind = kind
        if fd is None:
            fd = os.memfd_create("refclock")
            os.ftruncate(fd, _ROOM)
        self.fd = fd
        self._memory = mmap.mmap(fd, _ROOM)
        self._count = -1
        self._value: T | None = None

    def set(self, value: T) -> None:
        """Replace the value whole. ValueError: too large, or NaN in it."""
        content = dumps(self._kind, value).encode()
        if len(content) > _ROOM - _HEAD.size:
            raise ValueError(f"{len(content)} bytes do not fit into {_ROOM}")
        count, _, _ = _HEAD.unpack_from(self._memory)
        count += count % 2  # a writer before us died in the act
        _HEAD.pack_into(self._memory, 0, count + 1, 0, 0)
        self._memory[_HEAD.size : _HEAD.size + len(content)] = content
        head = count + 2, len(content), zlib.crc32(content)
        _HEAD.pack_into(self._memory, 0, *head)

    def get(self) -> T | None:
        """The value as last set; None before. OSError: the writer died in the act."""
        for _ in range(_TRIES):
            count, length, checksum = _HEAD.unpack_from(self._memory)
            if count in {self._count, 0}:
                return self._value
            content = self._memory[_HEAD.size : _HEAD.size + length]
            if count % 2 == 0 and zlib.crc32(content) == checksum:
                self._value = loads(self._kind, content.decode())
                self._count = count
                return self._value
        raise OSError("shared memory is torn: its writer is gone")

    def close(self) -> None:
        """Give the block back."""
        self._memory.close()
        os.close(self.fd)
