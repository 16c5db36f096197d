"""Maps: memory that this process and BPF programs share.

Numbers: <linux/bpf.h>. Making a map takes CAP_BPF; what is made can be read and changed
without (Linux 6.0).
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
from collections.abc import Iterator

from hw.abi.bpf.call import (
    MAP_CREATE,
    MAP_DELETE_ELEM,
    MAP_GET_NEXT_KEY,
    MAP_LOOKUP_BATCH,
    MAP_LOOKUP_ELEM,
    MAP_UPDATE_ELEM,
    At,
    bpf,
)

HASH, ARRAY, PERCPU_ARRAY, LRU_HASH, LPM_TRIE = 1, 2, 6, 9, 11
"""Map types."""
NO_PREALLOC, MMAPABLE = 1 << 0, 1 << 10
"""Map flags."""


class Map:
    """A map in the kernel. For any thread."""

    def __init__(
        self, kind: int, key: int, value: int, entries: int, flags: int, name: str
    ) -> None:
        """Key and value sizes in bytes. OSError: not permitted, or not known."""
        attributes = struct.pack(
            "=IIIIIIi16s", kind, key, value, entries, flags, 0, 0, name.encode()
        )
        self.fd, _ = bpf(MAP_CREATE, attributes)
        self._key, self._value, self._entries = key, value, entries

    def __setitem__(self, key: bytes, value: bytes) -> None:
        with At(key) as key_at, At(value) as value_at:
            bpf(MAP_UPDATE_ELEM, struct.pack("=I4xQQ", self.fd, key_at, value_at))

    def __getitem__(self, key: bytes) -> bytes:
        """KeyError: not there."""
        return self.lookup(key, self._value)

    def __delitem__(self, key: bytes) -> None:
        with At(key) as key_at:
            try:
                bpf(MAP_DELETE_ELEM, struct.pack("=I4xQ", self.fd, key_at))
            except FileNotFoundError as error:
                raise KeyError(key) from error

    def __iter__(self) -> Iterator[bytes]:
        """The keys, one call each."""
        last: bytes | None = None
        room = ctypes.create_string_buffer(self._key)
        while True:
            with At(last or b"") as last_at:
                at = last_at if last is not None else 0
                attributes = struct.pack("=I4xQQ", self.fd, at, ctypes.addressof(room))
                try:
                    bpf(MAP_GET_NEXT_KEY, attributes)
                except FileNotFoundError:
                    return
            last = room.raw
            yield last

    def lookup(self, key: bytes, room_for: int) -> bytes:
        """The value, or those of all CPUs. KeyError: not there."""
        room = ctypes.create_string_buffer(room_for)
        with At(key) as key_at:
            attributes = struct.pack("=I4xQQ", self.fd, key_at, ctypes.addressof(room))
            try:
                bpf(MAP_LOOKUP_ELEM, attributes)
            except FileNotFoundError as error:
                raise KeyError(key) from error
        return room.raw

    def items(self) -> list[tuple[bytes, bytes]]:
        """All entries of a hash, in one call."""
        keys = ctypes.create_string_buffer(self._entries * self._key)
        values = ctypes.create_string_buffer(self._entries * self._value)
        position = ctypes.create_string_buffer(8)
        attributes = struct.pack(
            "=QQQQIIQQ",
            0,
            ctypes.addressof(position),
            ctypes.addressof(keys),
            ctypes.addressof(values),
            self._entries,
            self.fd,
            0,
            0,
        )
        _, left = bpf(MAP_LOOKUP_BATCH, attributes, ends=errno.ENOENT)
        (count,) = struct.unpack_from("=I", left, 32)
        all_keys, all_values = keys.raw, values.raw
        return [
            (
                all_keys[at * self._key : (at + 1) * self._key],
                all_values[at * self._value : (at + 1) * self._value],
            )
            for at in range(count)
        ]

    def memory(self) -> mmap.mmap:
        """The values of an array made with MMAPABLE, shared with the kernel."""
        return mmap.mmap(self.fd, self._entries * self._value)

    def close(self) -> None:
        """Let go of it; a program that uses it keeps it."""
        os.close(self.fd)
