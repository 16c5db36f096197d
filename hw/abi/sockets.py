"""UDP sockets: structs, option numbers, recvmmsg(2), sendmmsg(2), and kernel stamps.

cmsg(3), <linux/net_tstamp.h>, <linux/errqueue.h>, <asm-generic/socket.h>,
Documentation/networking/timestamping.rst.

Where the kernel has two numbers of one option, the older with the machine's own
time_t and the newer with 64 bits on every machine, the newer is used (Linux 5.1):
the number behind `socket.SO_RCVTIMEO` or the C name `SO_TIMESTAMPING` depends on
how a distribution compiles for 32 bits.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from ctypes import Structure, c_int, c_size_t, c_uint, c_void_p, sizeof
from typing import Final

SO_TIMESTAMPING: Final = 65
"""SO_TIMESTAMPING_NEW; also the type of the control message that has the stamps."""
SO_RCVTIMEO: Final = 66
"""SO_RCVTIMEO_NEW."""
TIMEVAL: Final = struct.Struct("=qq")
"""struct __kernel_sock_timeval: s, us."""
_REQUEST_STAMP: Final = 37
"""SO_TIMESTAMPING_OLD: kernels before 6.8 take a request for one packet's stamp by
this number alone. It carries no time."""
SO_RCVBUFFORCE: Final = 33
SO_ATTACH_REUSEPORT_CBPF: Final = 51
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
IP_FREEBIND: Final = 15
IPV6_FREEBIND: Final = 78
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25

_WORD: Final = sizeof(c_size_t)
CMSG_HEADER: Final = (sizeof(c_size_t) + 2 * sizeof(c_int) + _WORD - 1) & -_WORD
"""Bytes of struct cmsghdr."""


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
    return CMSG_HEADER + (length + _WORD - 1 & -_WORD)


def want_stamp(flags: int) -> bytes:
    """The control message that asks for a send stamp of one packet."""
    return struct.pack(
        f"@Nii I{cmsg_space(4) - CMSG_HEADER - 4}x",
        CMSG_HEADER + 4,
        socket.SOL_SOCKET,
        _REQUEST_STAMP,
        flags,
    )


STAMPS: Final = struct.Struct("=qq16xqq")
"""struct scm_timestamping64: the kernel's stamp (s, ns), one not in use, the card's."""
STAMPS_SPACE: Final = cmsg_space(STAMPS.size)
TICKET: Final = struct.Struct("=12xI")
"""ee_data in struct sock_extended_err."""

# name length, sender's address within it, size of PKTINFO, interface index within it
LAYOUT: Final = {
    socket.AF_INET: (16, slice(4, 8), 12, 0),
    socket.AF_INET6: (28, slice(8, 24), 20, 16),
}

FILTER_INSTRUCTION: Final = struct.Struct("=HBBI")
"""struct sock_filter: code, jump if true, jump if false, operand."""
FILTER_PROGRAM: Final = struct.Struct("@HP")
"""struct sock_fprog: count of instructions, where they are."""

_libc: Final = ctypes.CDLL(None, use_errno=True)
# without a time-out, whose size follows time_t
recvmmsg: Final = _libc.recvmmsg
recvmmsg.argtypes = (c_int, c_void_p, c_uint, c_int, c_void_p)
sendmmsg: Final = _libc.sendmmsg
sendmmsg.argtypes = (c_int, c_void_p, c_uint, c_int)


def address_of(memory: bytearray) -> int:
    """Where it lies; it must not be resized any more."""
    return ctypes.addressof((ctypes.c_char * len(memory)).from_buffer(memory))
