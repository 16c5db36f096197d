"""UDP in sweeps: recvmmsg and sendmmsg on memory laid out once, by ctypes.

What costs is the system call, so one call takes in up to 64 requests and one
sends their replies; nothing is allocated, copied or parsed for a datagram but
the tuple that is handed on. Each slot of the slab holds one datagram:

    sender's address | stamps (SCM_TIMESTAMPING) | our address (PKTINFO) | payload

With name and control buffers of exactly the right size the kernel writes back the
lengths it found, so that the headers need no care between two calls. The reply
goes out with the PKTINFO that came in: from the address that was asked.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from ctypes import Structure, c_int, c_size_t, c_uint, c_void_p, sizeof
from typing import Final

from refclock.ports import BATCH, Datagram, Left
from refclock.timebase import SECOND, ZERO, Duration

_REPLY: Final = 48
_PAYLOAD: Final = 1536
"""An NTP request with all its extension fields; what is longer is cut."""

# linux/net_tstamp.h, asm-generic/socket.h, linux/in.h, linux/in6.h
SO_TIMESTAMPING: Final = 37
SO_MEMINFO: Final = 55
_SK_MEMINFO_DROPS: Final = 8
_MSG_WAITFORONE: Final = 0x10000
TX_SOFTWARE: Final = 1 << 1
RX_SOFTWARE: Final = 1 << 3
SOFTWARE: Final = 1 << 4
OPT_ID: Final = 1 << 7
OPT_TSONLY: Final = 1 << 11

_STAMPING: Final = SOFTWARE | RX_SOFTWARE | OPT_ID | OPT_TSONLY
_FROM_ERRORS: Final = socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
_MOST_WAITING: Final = 4 * BATCH
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25

_LONG: Final = sizeof(ctypes.c_long)
_CMSG_HEADER: Final = (sizeof(c_size_t) + 2 * sizeof(c_int) + _LONG - 1) & -_LONG


class _Header(Structure):
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


class _Message(Structure):
    """struct mmsghdr."""

    _fields_ = (("header", _Header), ("length", c_uint))


class _Iov(Structure):
    """struct iovec."""

    _fields_ = (("base", c_void_p), ("length", c_size_t))


def _cmsg_space(length: int) -> int:
    return _CMSG_HEADER + (length + _LONG - 1 & -_LONG)


_WANT_STAMP: Final = struct.pack(
    f"@Nii I{_cmsg_space(4) - _CMSG_HEADER - 4}x",
    _CMSG_HEADER + 4,
    socket.SOL_SOCKET,
    SO_TIMESTAMPING,
    TX_SOFTWARE,
)
_STAMP: Final = struct.Struct("@ll")
_TICKET: Final = struct.Struct("@12xI")
"""ee_data in struct sock_extended_err (linux/errqueue.h)."""
_STAMPS_SPACE: Final = _cmsg_space(3 * 2 * _LONG)

# name length, sender's address within it, size of PKTINFO, interface index within it
_LAYOUT: Final = {
    socket.AF_INET: (16, slice(4, 8), 12, 0),
    socket.AF_INET6: (28, slice(8, 24), 20, 16),
}

_libc: Final = ctypes.CDLL(None, use_errno=True)
_recvmmsg: Final = _libc.recvmmsg
_recvmmsg.argtypes = (c_int, c_void_p, c_uint, c_int, c_void_p)
_sendmmsg: Final = _libc.sendmmsg
_sendmmsg.argtypes = (c_int, c_void_p, c_uint, c_int)


def _address_of(memory: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(memory)).from_buffer(memory))


class UdpSocket:
    """A bound socket, as the port `Datagrams`. Used by one thread."""

    def __init__(self, bound: socket.socket) -> None:
        """Takes `bound` over. OSError: the kernel cannot stamp."""
        self._socket = bound
        host, port, *_ = bound.getsockname()
        self.name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._limit = ZERO
        _prepare(bound)

        self._error_kind = (
            (socket.IPPROTO_IP, IP_RECVERR)
            if bound.family == socket.AF_INET
            else (socket.IPPROTO_IPV6, IPV6_RECVERR)
        )
        name, sender, info, index = _LAYOUT[bound.family]
        stamps_at = name + -name % 8
        info_at = stamps_at + _STAMPS_SPACE
        info_space = _cmsg_space(info)
        payload_at = info_at + info_space
        self._stride = payload_at + _PAYLOAD
        self._stamps_at, self._info_at, self._payload_at = (
            stamps_at,
            info_at,
            payload_at,
        )
        self._whole = _STAMPS_SPACE + info_space
        self._info_space = info_space

        self._slab = bytearray(BATCH * self._stride)
        slab = self._slab_at = _address_of(self._slab)
        self.replies = bytearray(BATCH * _REPLY)
        replies = _address_of(self.replies)
        self._iovs = (_Iov * (2 * BATCH))()
        iovs = ctypes.addressof(self._iovs)
        self._requests = (_Message * BATCH)()
        self._answers = (_Message * BATCH)()
        for slot in range(BATCH):
            at = slab + slot * self._stride
            self._iovs[slot] = _Iov(at + payload_at, _PAYLOAD)
            self._iovs[BATCH + slot] = _Iov(replies + slot * _REPLY, _REPLY)
            iov, iov_out = (iovs + n * sizeof(_Iov) for n in (slot, BATCH + slot))
            stamps = at + stamps_at, self._whole
            info_only = at + info_at, info_space
            self._requests[slot].header = _Header(at, name, iov, 1, *stamps)
            self._answers[slot].header = _Header(at, name, iov_out, 1, *info_only)
        # the kernel's answers, a column at a time
        words = memoryview(self._requests).cast("B")
        step = sizeof(_Message)
        self._lengths = words.cast("I")[_Message.length.offset // 4 :: step // 4]
        self._controls = words.cast("L")[
            _Header.control_length.offset // _LONG :: step // _LONG
        ]
        indices = info_at + _CMSG_HEADER + index
        self._interfaces = memoryview(self._slab).cast("I")[
            indices // 4 :: self._stride // 4
        ]
        self._no_interfaces = memoryview(bytes(4 * BATCH)).cast("I")
        self._usual_controls = [self._whole] * BATCH
        stamp = "qq" if _LONG == 8 else "ii"
        self._slot = struct.Struct(
            f"={sender.start}x{sender.stop - sender.start}s"
            f"{stamps_at + _CMSG_HEADER - sender.stop}x{stamp}"
            f"{payload_at - stamps_at - _CMSG_HEADER - 2 * _LONG}x"
            f"Bx B 21x 8s 8s 8s{_PAYLOAD - _REPLY}x"
        )
        self.odd: dict[int, bytes] = {}
        self._usual_lengths = [_REPLY] * BATCH
        self._waiting: dict[int, Sequence[Left]] = {}
        self._tickets = 0
        self._stamped: list[int] = []
        self._to = list(range(BATCH))

    def now_ns(self) -> int:
        """CLOCK_REALTIME, which stamps datagrams."""
        return time.clock_gettime_ns(time.CLOCK_REALTIME)

    def receive(self, limit: Duration) -> Sequence[Datagram]:
        """What has come, at most `BATCH`, waiting at most `limit` for the first."""
        if limit != self._limit:
            self._wait_at_most(limit)
        count = _recvmmsg(
            self._socket.fileno(), self._requests, BATCH, _MSG_WAITFORONE, None
        )
        if count < 0:
            code = ctypes.get_errno()
            if code in {errno.EAGAIN, errno.EINTR}:
                return ()
            raise OSError(code, f"{self.name}: {os.strerror(code)}")
        if self._controls[:count].tolist() != self._usual_controls[:count]:
            self._straighten(count)
        if self._waiting:
            self._hear_stamps()
        self._interfaces[:count] = self._no_interfaces[:count]
        lengths = self._lengths[:count].tolist()
        self.odd = {}
        if lengths != self._usual_lengths[:count]:
            self.odd = self._payloads(lengths)
        used = memoryview(self._slab)[: count * self._stride]
        return list(self._slot.iter_unpack(used))

    def aim(self, to: Sequence[int], tell: Mapping[int, Sequence[Left]]) -> None:
        """Reply i goes to the sender of datagram `to[i]`; see `Datagrams.aim`."""
        if to != self._to[: len(to)]:
            for place, slot in enumerate(to):
                if self._to[place] != slot:
                    self._to[place] = slot
                    self._aim(place, slot)
        for place in sorted(tell):
            self._want_stamp(place, to[place], tell[place])

    def send(self, count: int) -> int:
        """Send the first `count` replies, as aimed; how many went out.

        Where the kernel refuses one (no route back) the next are still sent.
        """
        answers = ctypes.addressof(self._answers)
        done = sent = 0
        while done < count:
            taken = _sendmmsg(
                self._socket.fileno(),
                answers + done * sizeof(_Message),
                count - done,
                0,
            )
            sent += max(taken, 0)
            done += max(taken, 1)
        if self._stamped:
            for place in self._stamped:
                self._aim(place, self._to[place])
            self._stamped.clear()
            self._hear_stamps()
            if sent < count:
                self._count_anew()
        return sent

    def dropped(self) -> int:
        """How many the kernel threw away, for want of room, since opening."""
        memory = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64)
        return int(memoryview(memory).cast("I")[_SK_MEMINFO_DROPS])

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _wait_at_most(self, limit: Duration) -> None:
        seconds, ns = divmod(max(limit.ns, 1_000), SECOND.ns)
        self._socket.setsockopt(
            socket.SOL_SOCKET,
            socket.SO_RCVTIMEO,
            struct.pack("ll", seconds, ns // 1000),
        )
        self._limit = limit

    def _payloads(self, lengths: Sequence[int]) -> dict[int, bytes]:
        """Of the datagrams that are not as long as all others, all there is."""
        starts = range(self._payload_at, len(self._slab), self._stride)
        return {
            slot: bytes(self._slab[start : start + length])
            for slot, (start, length) in enumerate(zip(starts, lengths, strict=False))
            if length != _REPLY
        }

    def _straighten(self, count: int) -> None:
        """A datagram the kernel did not stamp lies askew: stamp it here and now."""
        for slot in range(count):
            found = self._controls[slot]
            if found == self._whole:
                continue
            self._controls[slot] = self._whole
            at = slot * self._stride
            control = at + self._stamps_at
            info = self._slab[control + found - self._info_space : control + found]
            self._slab[at + self._info_at : at + self._payload_at] = info
            struct.pack_into(
                "ll",
                self._slab,
                control + _CMSG_HEADER,
                *divmod(self.now_ns(), SECOND.ns),
            )

    def _aim(self, place: int, slot: int) -> None:
        header = self._answers[place].header
        header.name = self._slab_at + slot * self._stride
        header.control = header.name + self._info_at
        header.control_length = self._info_space

    def _want_stamp(self, place: int, slot: int, tell: Sequence[Left]) -> None:
        """Put a request for a send stamp before the PKTINFO, where the receive
        stamps lie that have been read."""
        at = slot * self._stride + self._info_at - len(_WANT_STAMP)
        self._slab[at : at + len(_WANT_STAMP)] = _WANT_STAMP
        header = self._answers[place].header
        header.control = self._slab_at + at
        header.control_length = self._info_space + len(_WANT_STAMP)
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.clear()
        self._stamped.append(place)
        self._waiting[self._tickets] = tell
        self._tickets += 1

    def _hear_stamps(self) -> None:
        """Pass on the send stamps that have come to the error queue."""
        while self._waiting:
            try:
                _, control, _, _ = self._socket.recvmsg(0, 512, _FROM_ERRORS)
            except BlockingIOError:
                return
            told = {(level, kind): content for level, kind, content in control}
            stamps = told.get((socket.SOL_SOCKET, SO_TIMESTAMPING))
            error = told.get(self._error_kind)
            if stamps is None or error is None:
                continue
            seconds, ns = _STAMP.unpack_from(stamps)
            (ticket,) = _TICKET.unpack_from(error)
            for left in self._waiting.pop(ticket, ()):
                left(seconds * SECOND.ns + ns)

    def _count_anew(self) -> None:
        """A reply not sent may or may not have drawn a ticket: start at 0 again."""
        self._waiting.clear()
        self._tickets = 0
        for flags in (_STAMPING & ~OPT_ID, _STAMPING):
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)


def _prepare(bound: socket.socket) -> None:
    bound.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, _STAMPING)
    if bound.family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        bound.setsockopt(socket.IPPROTO_IP, 8, 1)
