"""Giving up capabilities. Numbers: <linux/capability.h>."""

from __future__ import annotations

import ctypes
import struct
from typing import Final

_VERSION_3: Final = 0x2008_0522
_CAP_NET_ADMIN, _CAP_BPF = 12, 39

_libc = ctypes.CDLL(None, use_errno=True)


def drop_privileges() -> None:
    """Give up CAP_BPF and CAP_NET_ADMIN, in this thread and those it starts.

    OSError: refused.
    """
    header = struct.pack("=Ii", _VERSION_3, 0)
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
