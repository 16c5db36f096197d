"""UDP in sweeps: recvmmsg and sendmmsg on memory laid out once, by ctypes.

What costs is the system call, so one call takes in up to 64 requests and one
sends their replies. What belongs to a datagram lies at its place in each of these:

    senders' addresses                                             (names)
    stamps (SCM_TIMESTAMPING) | address of ours, asked (PKTINFO)   (controls)
    headers | replies | what else a request had                    (tails)

With name and control buffers of exactly the right size the kernel writes back the
lengths it found, so that the headers need no care between two calls. The reply
goes out with the PKTINFO that came in: from the address that was asked. A socket
bound to one address answers from that, and does without.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ctypes import sizeof
from typing import Final

from hw.abi.sockets import (
    CMSG_HEADER,
    IP_PKTINFO,
    LAYOUT,
    MSG_WAITFORONE,
    SK_MEMINFO_DROPS,
    SO_MEMINFO,
    SO_RCVTIMEO,
    STAMPS_SPACE,
    TIMEVAL,
    Header,
    Iov,
    Message,
    address_of,
    cmsg_space,
    recvmmsg,
    sendmmsg,
)
from hw.net.hardware import Cards
from hw.net.sent import Sent
from refclock.board.ports import BATCH, Left
from refclock.ntp.packet import HEADER_LENGTH
from refclock.timebase import SECOND, ZERO, Duration

_TAIL: Final = 1488
"""Extension fields and MAC of a request; what is longer is cut."""
_ALIGNED: Final = 8
"""Bytes; stamps are of 64 bits on every machine."""
_SIZE: Final = sizeof(ctypes.c_size_t)
_SECOND_NS: Final = SECOND.ns
_ANY: Final = {"0.0.0.0", "::"}  # noqa: S104 - to be told from others
_NOTHING_CAME: Final = {
    errno.EAGAIN,
    errno.EINTR,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENODEV,
}
_MAPPED: Final = bytes(10) + b"\xff\xff"
_NO_INTERFACES: Final = memoryview(bytearray(4 * BATCH)).cast("I")


class UdpSocket:
    """A bound socket, as the port `Datagrams`. Used by one thread."""

    def __init__(
        self,
        bound: socket.socket,
        cards: Cards | None = None,
        renew: Callable[[], socket.socket | None] = lambda: None,
    ) -> None:
        """Takes `bound` over, and the `cards` that may stamp.

        `renew` is called when nothing was received for a while, or the network went
        down; what it returns, of the same family, takes the place of `bound`. OSError:
        the kernel cannot.
        """
        self._cards = cards
        self._renew = renew
        host, *_ = bound.getsockname()
        self._needs_destination = cards is not None or host in _ANY
        self._adopt(bound)
        name, sender, info, index = LAYOUT[bound.family]
        self._dual_stack = bound.family == socket.AF_INET6 and not bound.getsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_V6ONLY
        )
        told = self._needs_destination
        self._info_space = cmsg_space(info) if told else 0
        self._whole = STAMPS_SPACE + self._info_space
        self._stride = self._whole + -self._whole % _ALIGNED
        space = name + -name % _ALIGNED
        one = f"{sender.start}x{sender.stop - sender.start}s{space - sender.stop}x"
        self._senders = [struct.Struct(f"={one * count}") for count in range(BATCH + 1)]
        self.requests = bytearray(BATCH * HEADER_LENGTH)
        self.replies = bytearray(BATCH * HEADER_LENGTH)
        self._tails = bytearray(BATCH * _TAIL)
        self._names = bytearray(BATCH * space)
        self._controls = bytearray(BATCH * self._stride + CMSG_HEADER)
        names, self._controls_at, requests, replies, tails = map(
            address_of,
            (self._names, self._controls, self.requests, self.replies, self._tails),
        )
        self._iovs = (Iov * (4 * BATCH))()
        self._messages, self._answers = (Message * BATCH)(), (Message * BATCH)()
        self._messages_at, self._answers_at = map(
            ctypes.addressof, (self._messages, self._answers)
        )
        for slot in range(BATCH):
            at = ctypes.addressof(self._iovs) + 4 * slot * sizeof(Iov)
            head = slot * HEADER_LENGTH
            self._iovs[4 * slot : 4 * slot + 4] = [
                Iov(requests + head, HEADER_LENGTH),
                Iov(tails + slot * _TAIL, _TAIL),
                Iov(replies + head, HEADER_LENGTH),
                Iov(tails + slot * _TAIL, 0),
            ]
            control = self._controls_at + slot * self._stride
            who = names + slot * space, name
            come, go = self._messages[slot], self._answers[slot]
            come.header = Header(*who, at, 2, control, self._whole)
            go.header = Header(*who, at + 2 * sizeof(Iov), 1)
            self._plain(slot)
        # what the kernel tells, a column at a time
        self._told = memoryview(self._messages).cast("B")
        self._lengths = self._told.cast("I")[
            Message.length.offset // 4 :: sizeof(Message) // 4
        ]
        self._found = self._told.cast("L")[
            Header.control_length.offset // _SIZE :: sizeof(Message) // _SIZE
        ]
        self._parts = (
            memoryview(self._answers)
            .cast("B")
            .cast("L")[Header.iov_count.offset // _SIZE :: sizeof(Message) // _SIZE]
        )
        self._trailer_lengths = (
            memoryview(self._iovs)
            .cast("B")
            .cast("L")[
                (3 * sizeof(Iov) + Iov.length.offset) // _SIZE :: 4
                * sizeof(Iov)
                // _SIZE
            ]
        )
        stamps = memoryview(self._controls)[CMSG_HEADER:].cast("q")
        self._seconds, self._ns, self._card_seconds, self._card_ns = (
            stamps[part :: self._stride // stamps.itemsize] for part in (0, 1, 4, 5)
        )
        self._interfaces = _NO_INTERFACES
        if told:
            self._interfaces = memoryview(self._controls).cast("I")[
                (STAMPS_SPACE + CMSG_HEADER + index) // 4 :: self._stride // 4
            ]
        self._lengths[:] = memoryview(struct.pack("I", HEADER_LENGTH) * BATCH).cast("I")
        self._usual = self._told.tobytes()
        self.odd: dict[int, bytes] = {}
        self._heads, self._ends = memoryview(self.requests), memoryview(self._tails)
        self._watched: list[int] = []

    def now_ns(self) -> int:
        """CLOCK_REALTIME, which stamps datagrams."""
        return time.clock_gettime_ns(time.CLOCK_REALTIME)

    def receive(self, limit: Duration) -> tuple[Sequence[bytes], Sequence[int]]:
        """Who sent what has come, and when; see `Datagrams.receive`."""
        if limit != self._limit:
            self._wait_at_most(limit)
        count = recvmmsg(self._fileno, self._messages_at, BATCH, MSG_WAITFORONE, None)
        if count < 0:
            code = ctypes.get_errno()
            if code in _NOTHING_CAME:
                if (fresh := self._renew()) is not None:
                    self._socket.close()
                    self._adopt(fresh)
                return [], []
            raise OSError(code, f"{self.name}: {os.strerror(code)}")
        self.odd = {}
        end = count * sizeof(Message)
        if self._told[:end].tobytes() != self._usual[:end]:
            self._straighten(count)
            self.odd = self._whole_of_the_odd(count)
        if self._sent.waiting:
            self._sent.hear_all()
        seconds, ns = self._seconds[:count].tolist(), self._ns[:count].tolist()
        if seconds.count(seconds[0]) == count:  # as usual
            begun = seconds[0] * _SECOND_NS
            received = [begun + n for n in ns]
        else:
            received = [s * _SECOND_NS + n for s, n in zip(seconds, ns, strict=True)]
        if self._cards is not None:
            received = self._by_cards(self._cards, received)
        if self._info_space:
            self._interfaces[:count] = _NO_INTERFACES[:count]
        senders: Sequence[bytes] = self._senders[count].unpack_from(self._names)
        if self._dual_stack:
            senders = [*map(_unmapped, senders)]
        return senders, received

    def watch(self, tell: Mapping[int, Sequence[Left]]) -> None:
        """When reply i was passed to the device, `tell[i]` are told."""
        for place in sorted(tell):
            self._want_stamp(place, tell[place])

    def send(self, answered: Sequence[int]) -> int:
        """Send reply i where `answered[i]` is not 0; how many went out.

        Where the kernel refuses one (no route back) the next are still sent.
        """
        runs = _runs(answered) if 0 in answered else [(0, len(answered))]
        return self._send_runs(runs)

    def send_sealed(self, trailers: Mapping[int, bytes]) -> int:
        """Send reply i followed by `trailers[i]`; how many went out.

        A trailer is not longer than what followed the request's 48 bytes; its place in
        memory is the same.
        """
        tails, lengths, parts = self._tails, self._trailer_lengths, self._parts
        for place, trailer in trailers.items():
            at, length = place * _TAIL, len(trailer)
            tails[at : at + length] = trailer
            lengths[place] = length
            parts[place] = 2
        begin, end = min(trailers), max(trailers) + 1
        runs: Iterable[tuple[int, int]] = [(begin, end)]
        if end - begin > len(trailers):
            runs = _runs([place in trailers for place in range(end)])
        sent = self._send_runs(runs)
        for place in trailers:
            parts[place] = 1
        return sent

    def _send_runs(self, runs: Iterable[tuple[int, int]]) -> int:
        wanted = sent = 0
        for begin, end in runs:
            wanted += end - begin
            sent += self._send_run(begin, end)
        if self._watched:
            for place in self._watched:
                self._plain(place)
            self._watched.clear()
            self._sent.observe()
            if sent < wanted:
                self._sent.count_anew()
        return sent

    def dropped(self) -> int:
        """How many the kernel threw away, for want of room, since opening."""
        memory = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64)
        return int(memoryview(memory).cast("I")[SK_MEMINFO_DROPS])

    def close(self) -> None:
        """Give the socket back."""
        self._fileno = -1  # the next file opened gets the number
        self._socket.close()
        if self._cards is not None:
            self._cards.close()

    def _adopt(self, bound: socket.socket) -> None:
        self._socket = bound
        self._fileno = bound.fileno()
        self._limit = ZERO
        host, port, *_ = bound.getsockname()
        self.name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._sent = Sent(bound, self._cards)
        if self._needs_destination:
            _tell_destination(bound)

    def _by_cards(self, cards: Cards, received: list[int]) -> list[int]:
        """The same moments, as the network cards stamped them."""
        count = len(received)
        stamps = zip(self._card_seconds[:count], self._card_ns[:count], strict=True)
        by_card = [seconds * _SECOND_NS + ns for seconds, ns in stamps]
        return cards.received(self._interfaces[:count].tolist(), by_card, received)

    def _wait_at_most(self, limit: Duration) -> None:
        seconds, ns = divmod(max(limit.ns, 1_000), SECOND.ns)
        self._socket.setsockopt(
            socket.SOL_SOCKET,
            SO_RCVTIMEO,
            TIMEVAL.pack(seconds, ns // 1000),
        )
        self._limit = limit

    def _send_run(self, begin: int, end: int) -> int:
        sent = 0
        while begin < end:
            at = self._answers_at + begin * sizeof(Message)
            taken = sendmmsg(self._fileno, at, end - begin, 0)
            sent += max(taken, 0)
            begin += max(taken, 1)
        return sent

    def _whole_of_the_odd(self, count: int) -> dict[int, bytes]:
        """Of the datagrams that are not as long as all others, all there is."""
        odd: dict[int, bytes] = {}
        heads, tails = self._heads, self._ends
        for slot, length in enumerate(self._lengths[:count].tolist()):
            if length > HEADER_LENGTH:
                head, tail = slot * HEADER_LENGTH, slot * _TAIL
                more = tails[tail : tail + length - HEADER_LENGTH]
                odd[slot] = b"".join((heads[head : head + HEADER_LENGTH], more))
            elif length < HEADER_LENGTH:
                odd[slot] = bytes(heads[slot * HEADER_LENGTH :][:length])
        return odd

    def _straighten(self, count: int) -> None:
        """A datagram the kernel did not stamp lies askew: stamp it here and now."""
        for slot in range(count):
            found = self._found[slot]
            if found == self._whole:
                continue
            self._found[slot] = self._whole
            control = slot * self._stride
            info = self._controls[control + found - self._info_space : control + found]
            at = control + STAMPS_SPACE
            self._controls[at : at + self._info_space] = info
            self._seconds[slot], self._ns[slot] = divmod(self.now_ns(), _SECOND_NS)
            self._card_seconds[slot] = self._card_ns[slot] = 0

    def _plain(self, place: int) -> None:
        """The reply is sent with the PKTINFO of its request, where that was told."""
        header = self._answers[place].header
        header.control = self._controls_at + place * self._stride + STAMPS_SPACE
        header.control_length = self._info_space

    def _want_stamp(self, place: int, tell: Sequence[Left]) -> None:
        """Put a request for a send stamp before the PKTINFO, where the receive
        stamps lie that have been read."""
        want = self._sent.want
        at = place * self._stride + STAMPS_SPACE - len(want)
        self._controls[at : at + len(want)] = want
        header = self._answers[place].header
        header.control = self._controls_at + at
        header.control_length = self._info_space + len(want)
        self._watched.append(place)
        self._sent.expect(tell)


def _unmapped(sender: bytes) -> bytes:
    """An IPv4 address mapped into IPv6 (RFC 4291 section 2.5.5.2) as four bytes."""
    return sender[12:] if sender.startswith(_MAPPED) else sender


def _runs(answered: Sequence[int]) -> Iterator[tuple[int, int]]:
    """From where to where there is no 0."""
    begin, count = 0, len(answered)
    for place, kind in enumerate(answered):
        if not kind:
            if begin < place:
                yield begin, place
            begin = place + 1
    if begin < count:
        yield begin, count


def _tell_destination(bound: socket.socket) -> None:
    """Have the kernel say which address of ours was asked, and by which interface."""
    if bound.family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        bound.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
