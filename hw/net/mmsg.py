"""The kernel's side of UDP in sweeps: its structs, numbers and two calls.

recvmmsg(2), sendmmsg(2), cmsg(3), Documentation/networking/timestamping.rst.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from ctypes import Structure, c_int, c_size_t, c_uint, c_void_p, sizeof
from typing import Final

# linux/net_tstamp.h, asm-generic/socket.h, linux/in.h, linux/in6.h
SO_TIMESTAMPING: Final = 37
SO_MEMINFO: Final = 55
SK_MEMINFO_DROPS: Final = 8
MSG_WAITFORONE: Final = 0x10000
TX_HARDWARE: Final = 1 << 0
TX_SOFTWARE: Final = 1 << 1
RX_HARDWARE: Final = 1 << 2
RX_SOFTWARE: Final = 1 << 3
SOFTWARE: Final = 1 << 4
RAW_HARDWARE: Final = 1 << 6
OPT_ID: Final = 1 << 7
OPT_CMSG: Final = 1 << 10
OPT_TSONLY: Final = 1 << 11
OPT_TX_SWHW: Final = 1 << 14

IP_PKTINFO: Final = 8
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25

LONG: Final = sizeof(ctypes.c_long)
CMSG_HEADER: Final = (sizeof(c_size_t) + 2 * sizeof(c_int) + LONG - 1) & -LONG


class Header(Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", c_void_p),
        ("name_length", c_uint),
        ("iov", c_void_p),
        ("iov_count", c_size_t),
        ("control", c_void_p),
        ("control_length", c_size_t),
        ("flags", c_int),
    )


class Message(Structure):
    """struct mmsghdr."""

    _fields_ = (("header", Header), ("length", c_uint))


class Iov(Structure):
    """struct iovec."""

    _fields_ = (("base", c_void_p), ("length", c_size_t))


def cmsg_space(length: int) -> int:
    """What one control message with `length` bytes in it takes up (CMSG_SPACE)."""
    return CMSG_HEADER + (length + LONG - 1 & -LONG)


def want_stamp(flags: int) -> bytes:
    """The control message that asks for a send stamp of one packet."""
    return struct.pack(
        f"@Nii I{cmsg_space(4) - CMSG_HEADER - 4}x",
        CMSG_HEADER + 4,
        socket.SOL_SOCKET,
        SO_TIMESTAMPING,
        flags,
    )


STAMP: Final = struct.pack(
    f"@Nii I{cmsg_space(4) - CMSG_HEADER - 4}x",
    CMSG_HEADER + 4,
    socket.SOL_SOCKET,
    SO_TIMESTAMPING,
    TX_SOFTWARE,
)
STAMPS: Final = struct.Struct("@ll16xll" if LONG == 8 else "@ll8xll")
"""struct scm_timestamping: the kernel's stamp, one not in use, the card's."""
TICKET: Final = struct.Struct("@12xI")
"""ee_data in struct sock_extended_err (linux/errqueue.h)."""
STAMPS_SPACE: Final = cmsg_space(3 * 2 * LONG)

# name length, sender's address within it, size of PKTINFO, interface index within it
LAYOUT: Final = {
    socket.AF_INET: (16, slice(4, 8), 12, 0),
    socket.AF_INET6: (28, slice(8, 24), 20, 16),
}

_libc: Final = ctypes.CDLL(None, use_errno=True)
recvmmsg: Final = _libc.recvmmsg
recvmmsg.argtypes = (c_int, c_void_p, c_uint, c_int, c_void_p)
sendmmsg: Final = _libc.sendmmsg
sendmmsg.argtypes = (c_int, c_void_p, c_uint, c_int)


def address_of(memory: bytearray) -> int:
    """Where it lies; it must not be resized any more."""
    return ctypes.addressof((ctypes.c_char * len(memory)).from_buffer(memory))
