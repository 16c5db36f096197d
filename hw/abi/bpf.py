"""bpf(2): maps, programs and links, without a library.

Numbers and layouts: <linux/bpf.h>, <linux/if_link.h>, <linux/capability.h>. All
fields of `union bpf_attr` are of fixed size and pointers are 64 bits wide, so the
layouts are the same on every machine.

What takes CAP_BPF and CAP_NET_ADMIN is to make maps and to load programs; what is
made can be read, changed and attached without (Linux 6.0).
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HASH, ARRAY, PERCPU_ARRAY, LRU_HASH, LPM_TRIE = 1, 2, 6, 9, 11
"""Map types."""
NO_PREALLOC, MMAPABLE = 1 << 0, 1 << 10
"""Map flags."""
SCHED_CLS, XDP = 3, 6
"""Program types."""
ON_XDP, ON_TCX_INGRESS = 37, 46
"""Where a program is attached."""
XDP_FLAGS_SKB_MODE: Final = 1 << 1
"""Generic XDP: before the network layers, behind any driver."""

HELPERS: Final = {
    "map_lookup_elem": 1,
    "map_update_elem": 2,
    "ktime_get_ns": 5,
    "get_prandom_u32": 7,
    "skb_store_bytes": 9,
    "l4_csum_replace": 11,
    "redirect": 23,
    "skb_load_bytes": 26,
    "csum_diff": 28,
    "ktime_get_tai_ns": 208,
    "xdp_load_bytes": 189,
    "xdp_store_bytes": 190,
}

_SYSCALL: Final = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361}
_SYSCALL_32: Final = {"x86_64": 357, "i686": 357, "aarch64": 386}
_ARM: Final = 386
(
    _MAP_CREATE,
    _MAP_LOOKUP_ELEM,
    _MAP_UPDATE_ELEM,
    _MAP_DELETE_ELEM,
    _MAP_GET_NEXT_KEY,
    _PROG_LOAD,
) = range(6)
_PROG_TEST_RUN: Final = 10
_MAP_LOOKUP_BATCH: Final = 24
_LINK_CREATE: Final = 28

_LOG_BYTES: Final = 1 << 20
_CAPABILITY_VERSION_3: Final = 0x2008_0522
_CAP_NET_ADMIN, _CAP_BPF = 12, 39

_libc = ctypes.CDLL(None, use_errno=True)


def _number() -> int:
    machine = platform.machine()
    if machine.startswith("armv"):
        return _ARM
    table = _SYSCALL if struct.calcsize("P") == 8 else _SYSCALL_32
    if machine not in table:
        raise OSError(errno.ENOSYS, f"bpf(2) has no known number on {machine}")
    return table[machine]


def _bpf(command: int, attributes: bytes, size: int = 128) -> tuple[int, bytes]:
    """What bpf(2) returned, and the attributes as it left them. OSError: refused."""
    room = ctypes.create_string_buffer(attributes, size)
    done = int(_libc.syscall(_number(), command, room, size))
    if done < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"bpf(2): {os.strerror(code)}")
    return done, room.raw


class Map:
    """A map in the kernel. For any thread."""

    def __init__(
        self, kind: int, key: int, value: int, entries: int, flags: int, name: str
    ) -> None:
        """Key and value sizes in bytes. OSError: not permitted, or not known."""
        attributes = struct.pack(
            "=IIIIIIi16s", kind, key, value, entries, flags, 0, 0, name.encode()
        )
        self.fd, _ = _bpf(_MAP_CREATE, attributes)
        self._key, self._value, self._entries = key, value, entries

    def __setitem__(self, key: bytes, value: bytes) -> None:
        with _At(key) as key_at, _At(value) as value_at:
            _bpf(_MAP_UPDATE_ELEM, struct.pack("=I4xQQ", self.fd, key_at, value_at))

    def __getitem__(self, key: bytes) -> bytes:
        """KeyError: not there."""
        return self.lookup(key, self._value)

    def __delitem__(self, key: bytes) -> None:
        with _At(key) as key_at:
            try:
                _bpf(_MAP_DELETE_ELEM, struct.pack("=I4xQ", self.fd, key_at))
            except FileNotFoundError as error:
                raise KeyError(key) from error

    def __iter__(self) -> Iterator[bytes]:
        """The keys, one call each."""
        last: bytes | None = None
        room = ctypes.create_string_buffer(self._key)
        while True:
            with _At(last or b"") as last_at:
                at = last_at if last is not None else 0
                attributes = struct.pack("=I4xQQ", self.fd, at, ctypes.addressof(room))
                try:
                    _bpf(_MAP_GET_NEXT_KEY, attributes)
                except FileNotFoundError:
                    return
            last = room.raw
            yield last

    def lookup(self, key: bytes, room_for: int) -> bytes:
        """The value, or those of all CPUs. KeyError: not there."""
        room = ctypes.create_string_buffer(room_for)
        with _At(key) as key_at:
            attributes = struct.pack("=I4xQQ", self.fd, key_at, ctypes.addressof(room))
            try:
                _bpf(_MAP_LOOKUP_ELEM, attributes)
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
        room = ctypes.create_string_buffer(attributes, 128)
        done = _libc.syscall(_number(), _MAP_LOOKUP_BATCH, room, 128)
        code = ctypes.get_errno()
        if done < 0 and code != errno.ENOENT:  # there are no more
            raise OSError(code, f"bpf(2): {os.strerror(code)}")
        (count,) = struct.unpack_from("=I", room.raw, 32)
        return [
            (
                keys.raw[at * self._key : (at + 1) * self._key],
                values.raw[at * self._value : (at + 1) * self._value],
            )
            for at in range(count)
        ]

    def memory(self) -> mmap.mmap:
        """The values of an array made with MMAPABLE, shared with the kernel."""
        return mmap.mmap(self.fd, self._entries * self._value)

    def close(self) -> None:
        """Let go of it; a program that uses it keeps it."""
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a program made of one frame, run for a test."""

    returned: int
    frame: bytes


class Program:
    """A program the kernel has verified. For any thread."""

    def __init__(self, kind: int, code: bytes, name: str) -> None:
        """OSError: not permitted, or, with its reasons, refused by the verifier."""
        try:
            self.fd = _load(kind, code, name, b"")
        except PermissionError:
            raise
        except OSError as error:
            log = ctypes.create_string_buffer(_LOG_BYTES)
            try:
                self.fd = _load(kind, code, name, log)
            except OSError:
                said = log.value.decode(errors="replace").splitlines()
                raise OSError(error.errno, "\n".join(["bpf(2)", *said[-20:]])) from None

    def test(self, frame: bytes, context: bytes = b"") -> Verdict:
        """What it makes of `frame`, arrived as `context` says."""
        room = ctypes.create_string_buffer(len(frame) + 256)
        with _At(frame) as frame_at, _At(context) as context_at:
            attributes = struct.pack(
                "=IIIIQQIIIIQQ",
                self.fd,
                0,
                len(frame),
                len(room),
                frame_at,
                ctypes.addressof(room),
                0,
                0,
                len(context),
                0,
                context_at if context else 0,
                0,
            )
            _, said = _bpf(_PROG_TEST_RUN, attributes)
        returned, _, length = struct.unpack_from("=III", said, 4)
        return Verdict(returned, room.raw[:length])

    def attach(self, interface: int, where: int, flags: int = 0) -> Link:
        """Have it run for all that arrives by that interface. OSError: refused."""
        attributes = struct.pack("=IIII", self.fd, interface, where, flags)
        return Link(_bpf(_LINK_CREATE, attributes, 64)[0])

    def close(self) -> None:
        """Let go of it; a link that uses it keeps it."""
        os.close(self.fd)


class Link:
    """A program attached, until closed; the end of the process closes it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def close(self) -> None:
        """Detach."""
        os.close(self._fd)


def drop_privileges() -> None:
    """Give up CAP_BPF and CAP_NET_ADMIN, in this thread and those it starts.

    OSError: refused.
    """
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    room = ctypes.create_string_buffer(24)
    if _libc.capget(header, room):
        raise OSError(ctypes.get_errno(), "capget(2)")
    words = list(struct.unpack("=6I", room.raw))
    for capability in (_CAP_NET_ADMIN, _CAP_BPF):
        word, bit = divmod(capability, 32)
        for kind in range(3):  # effective, permitted, inheritable
            words[3 * word + kind] &= ~(1 << bit)
    if _libc.capset(header, struct.pack("=6I", *words)):
        raise OSError(ctypes.get_errno(), "capset(2)")


class _At:
    """The address of some bytes, for as long as it is entered."""

    def __init__(self, data: bytes) -> None:
        self._memory = ctypes.create_string_buffer(data, max(len(data), 1))

    def __enter__(self) -> int:
        return ctypes.addressof(self._memory)

    def __exit__(self, *_: object) -> None:
        del self._memory


def _load(
    kind: int, code: bytes, name: str, log: ctypes.Array[ctypes.c_char] | bytes
) -> int:
    """Load it; with room for a log the verifier says what it finds."""
    with _At(code) as code_at, _At(b"MIT\0") as licence_at:
        attributes = struct.pack(
            "=IIQQIIQII16s",
            kind,
            len(code) // 8,
            code_at,
            licence_at,
            1 if log else 0,
            len(log),
            ctypes.addressof(log) if isinstance(log, ctypes.Array) else 0,
            0,
            0,
            name.encode(),
        )
        return _bpf(_PROG_LOAD, attributes)[0]
