"""Programs: loaded, tried on a frame, and attached to an interface.

Numbers: <linux/bpf.h>, <linux/if_link.h>. Loading takes CAP_BPF and CAP_NET_ADMIN; what
is loaded can be attached without (Linux 6.0).
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from typing import Final

from hw.abi.bpf.call import LINK_CREATE, PROG_LOAD, PROG_TEST_RUN, At, bpf

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

_LOG_BYTES: Final = 1 << 20


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
        with At(frame) as frame_at, At(context) as context_at:
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
            _, said = bpf(PROG_TEST_RUN, attributes)
        returned, _, length = struct.unpack_from("=III", said, 4)
        return Verdict(returned, room.raw[:length])

    def attach(self, interface: int, where: int, flags: int = 0) -> Link:
        """Have it run for all that arrives by that interface. OSError: refused."""
        attributes = struct.pack("=IIII", self.fd, interface, where, flags)
        return Link(bpf(LINK_CREATE, attributes, 64)[0])

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


def _load(
    kind: int, code: bytes, name: str, log: ctypes.Array[ctypes.c_char] | bytes
) -> int:
    """Load it; with room for a log the verifier says what it finds."""
    with At(code) as code_at, At(b"MIT\0") as licence_at:
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
        return bpf(PROG_LOAD, attributes)[0]
