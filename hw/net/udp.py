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
from ctypes import sizeof
from typing import Final

from hw.net.mmsg import (
    CMSG_HEADER,
    IP_RECVERR,
    IPV6_RECVERR,
    LAYOUT,
    LONG,
    MSG_WAITFORONE,
    OPT_ID,
    OPT_TSONLY,
    RX_SOFTWARE,
    SK_MEMINFO_DROPS,
    SO_MEMINFO,
    SO_TIMESTAMPING,
    SOFTWARE,
    STAMP,
    STAMPS_SPACE,
    TICKET,
    WANT_STAMP,
    Header,
    Iov,
    Message,
    address_of,
    cmsg_space,
    recvmmsg,
    sendmmsg,
)
from refclock.ports import BATCH, Datagram, Left
from refclock.timebase import SECOND, ZERO, Duration

_REPLY: Final = 48
_PAYLOAD: Final = 1536
"""An NTP request with all its extension fields; what is longer is cut."""
_STAMPING: Final = SOFTWARE | RX_SOFTWARE | OPT_ID | OPT_TSONLY
_FROM_ERRORS: Final = socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
_MOST_WAITING: Final = 4 * BATCH


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
        name, sender, info, index = LAYOUT[bound.family]
        stamps_at = name + -name % 8
        info_at = stamps_at + STAMPS_SPACE
        info_space = cmsg_space(info)
        payload_at = info_at + info_space
        self._stride = payload_at + _PAYLOAD
        self._stamps_at, self._info_at, self._payload_at = (
            stamps_at,
            info_at,
            payload_at,
        )
        self._whole = STAMPS_SPACE + info_space
        self._info_space = info_space

        self._slab = bytearray(BATCH * self._stride)
        slab = self._slab_at = address_of(self._slab)
        self.replies = bytearray(BATCH * _REPLY)
        replies = address_of(self.replies)
        self._iovs = (Iov * (2 * BATCH))()
        iovs = ctypes.addressof(self._iovs)
        self._requests = (Message * BATCH)()
        self._answers = (Message * BATCH)()
        for slot in range(BATCH):
            at = slab + slot * self._stride
            self._iovs[slot] = Iov(at + payload_at, _PAYLOAD)
            self._iovs[BATCH + slot] = Iov(replies + slot * _REPLY, _REPLY)
            iov, iov_out = (iovs + n * sizeof(Iov) for n in (slot, BATCH + slot))
            stamps = at + stamps_at, self._whole
            info_only = at + info_at, info_space
            self._requests[slot].header = Header(at, name, iov, 1, *stamps)
            self._answers[slot].header = Header(at, name, iov_out, 1, *info_only)
        # the kernel's answers, a column at a time
        words = memoryview(self._requests).cast("B")
        step = sizeof(Message)
        self._lengths = words.cast("I")[Message.length.offset // 4 :: step // 4]
        self._controls = words.cast("L")[
            Header.control_length.offset // LONG :: step // LONG
        ]
        indices = info_at + CMSG_HEADER + index
        self._interfaces = memoryview(self._slab).cast("I")[
            indices // 4 :: self._stride // 4
        ]
        self._no_interfaces = memoryview(bytes(4 * BATCH)).cast("I")
        self._usual_controls = [self._whole] * BATCH
        stamp = "qq" if LONG == 8 else "ii"
        self._slot = struct.Struct(
            f"={sender.start}x{sender.stop - sender.start}s"
            f"{stamps_at + CMSG_HEADER - sender.stop}x{stamp}"
            f"{payload_at - stamps_at - CMSG_HEADER - 2 * LONG}x"
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
        count = recvmmsg(
            self._socket.fileno(), self._requests, BATCH, MSG_WAITFORONE, None
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
            taken = sendmmsg(
                self._socket.fileno(),
                answers + done * sizeof(Message),
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
        return int(memoryview(memory).cast("I")[SK_MEMINFO_DROPS])

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
                control + CMSG_HEADER,
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
        at = slot * self._stride + self._info_at - len(WANT_STAMP)
        self._slab[at : at + len(WANT_STAMP)] = WANT_STAMP
        header = self._answers[place].header
        header.control = self._slab_at + at
        header.control_length = self._info_space + len(WANT_STAMP)
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
            seconds, ns = STAMP.unpack_from(stamps)
            (ticket,) = TICKET.unpack_from(error)
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
