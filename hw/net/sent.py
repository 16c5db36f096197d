"""When packets truly left, from the error queue of their socket.

The kernel numbers the packets it was asked to stamp, and so do we. Where a network
card stamps them too, its stamp comes a moment after the kernel's, under the same
number: it is waited for until the next sweep.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import Final

from hw.abi.sockets import (
    IP_PKTINFO,
    IP_RECVERR,
    IPV6_RECVERR,
    LAYOUT,
    OPT_CMSG,
    OPT_ID,
    OPT_TSONLY,
    OPT_TX_SWHW,
    RAW_HARDWARE,
    RX_HARDWARE,
    RX_SOFTWARE,
    SO_TIMESTAMPING,
    SOFTWARE,
    STAMPS,
    TICKET,
    TX_HARDWARE,
    TX_SOFTWARE,
    want_stamp,
)
from hw.net.hardware import Cards
from refclock.board.ports import BATCH, Left
from refclock.timebase import SECOND

_BY_KERNEL: Final = SOFTWARE | RX_SOFTWARE | OPT_ID | OPT_TSONLY
_BY_CARD: Final = (
    SOFTWARE
    | RX_SOFTWARE
    | RAW_HARDWARE
    | RX_HARDWARE
    | OPT_ID
    | OPT_CMSG
    | OPT_TX_SWHW
)
"""Without OPT_TSONLY the kernel tells the interface."""
_FROM_ERRORS: Final = socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
_MOST_WAITING: Final = 4 * BATCH


class Sent:
    """Of one socket. Used by one thread."""

    def __init__(self, bound: socket.socket, cards: Cards | None) -> None:
        """Has the kernel stamp, and the cards if any. OSError: it cannot."""
        self._socket = bound
        self._cards = cards
        self._flags = _BY_KERNEL if cards is None else _BY_CARD
        bound.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, self._flags)
        self.want = want_stamp(TX_SOFTWARE | (0 if cards is None else TX_HARDWARE))
        self._index_at = LAYOUT[bound.family][3]
        four = bound.family == socket.AF_INET
        level = socket.IPPROTO_IP if four else socket.IPPROTO_IPV6
        self._error = level, IP_RECVERR if four else IPV6_RECVERR
        self._info = level, IP_PKTINFO if four else socket.IPV6_PKTINFO
        self.waiting: dict[int, Sequence[Left]] = {}
        self._by_kernel: dict[int, int] = {}
        self._tickets = 0

    def expect(self, tell: Sequence[Left]) -> None:
        """The next packet asked to be stamped is theirs."""
        if len(self.waiting) > _MOST_WAITING:
            self.waiting.clear()
        self.waiting[self._tickets] = tell
        self._tickets += 1

    def observe(self) -> None:
        """Pass on the stamps that have come, but for those a card's may follow."""
        while self.waiting:
            try:
                _, control, _, _ = self._socket.recvmsg(0, 512, _FROM_ERRORS)
            except BlockingIOError:
                return
            told = {(level, kind): content for level, kind, content in control}
            stamps = told.get((socket.SOL_SOCKET, SO_TIMESTAMPING))
            error = told.get(self._error)
            if stamps is None or error is None:
                continue
            seconds, ns, card_s, card_ns = STAMPS.unpack_from(stamps)
            (ticket,) = TICKET.unpack_from(error)
            left = seconds * SECOND.ns + ns
            if self._cards is None:
                self._tell(ticket, left)
            else:
                by = self._cards.of(self._interface(told.get(self._info)))
                if card := card_s * SECOND.ns + card_ns:
                    kernel = self._by_kernel.pop(ticket, 0)
                    if by is not None and kernel:
                        self._tell(ticket, by.left(card, kernel))
                elif by is None:
                    self._tell(ticket, left)
                else:
                    self._by_kernel[ticket] = left

    def hear_all(self) -> None:
        """Those no card stamped until now were stamped by the kernel alone."""
        self.observe()
        for ticket, left in self._by_kernel.items():
            self._tell(ticket, left)
        self._by_kernel.clear()

    def count_anew(self) -> None:
        """A packet not sent may or may not have drawn a ticket: start at 0 again."""
        self.waiting.clear()
        self._by_kernel.clear()
        self._tickets = 0
        for flags in (self._flags & ~OPT_ID, self._flags):
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)

    def _interface(self, info: bytes | None) -> int:
        """The index in a PKTINFO; 0: it is not there."""
        if info is None:
            return 0
        return int.from_bytes(info[self._index_at :][:4], sys.byteorder)

    def _tell(self, ticket: int, left: int) -> None:
        for each in self.waiting.pop(ticket, ()):
            each(left)
