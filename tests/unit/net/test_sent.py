"""Stamps off the error queue: whose they are, and whose is believed."""

import socket
import struct
from collections import deque
from typing import cast

import pytest

from hw.abi.sockets import (
    OPT_CMSG,
    OPT_ID,
    OPT_TSONLY,
    OPT_TX_SWHW,
    RAW_HARDWARE,
    SO_TIMESTAMPING,
    TX_HARDWARE,
    TX_SOFTWARE,
)
from hw.net.hardware import Cards
from hw.net.sent import Sent
from refclock.board.ports import Left
from refclock.timebase import SECOND

Control = list[tuple[int, int, bytes]]
NOW = 1_000 * SECOND.ns
CARD, OTHER = 2, 3
"""Indices of an interface whose card stamps, and of one that has none."""
KINDS = {
    socket.AF_INET: (socket.IPPROTO_IP, 11, 8, "=I8x"),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25, 50, "=16xI"),
}


class Queue:
    """A socket whose error queue we fill."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self.family = family
        self.flags: list[int] = []
        self.errors: deque[Control] = deque()

    def setsockopt(self, level: int, option: int, flags: int) -> None:
        assert (level, option) == (socket.SOL_SOCKET, SO_TIMESTAMPING)
        self.flags.append(flags)

    def recvmsg(
        self, size: int, _room: int, flags: int
    ) -> tuple[bytes, Control, int, None]:
        assert (size, flags) == (0, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        if not self.errors:
            raise BlockingIOError
        return b"", self.errors.popleft(), 0, None

    def add(
        self, ticket: int, kernel: int = 0, card: int = 0, index: int | None = CARD
    ) -> None:
        level, error, info, form = KINDS[self.family]
        stamps = (*divmod(kernel, SECOND.ns), 0, 0, *divmod(card, SECOND.ns))
        control = [
            (socket.SOL_SOCKET, SO_TIMESTAMPING, struct.pack("=6q", *stamps)),
            (
                level,
                error,
                struct.pack("=IBBBBIIIIII", 42, 4, *[0] * 4, ticket, *[0] * 4),
            ),
        ]
        if index is not None:
            control.append((level, info, struct.pack(form, index)))
        self.errors.append(control)


class Believed:
    """A card that is 7 ns later than the kernel and nothing else."""

    def left(self, card: int, kernel: int) -> int:
        assert card == kernel + 37 * SECOND.ns
        return kernel + 7


class OneCard:
    def of(self, index: int) -> Believed | None:
        return Believed() if index == CARD else None


@pytest.fixture(params=KINDS)
def queue(request: pytest.FixtureRequest) -> Queue:
    return Queue(request.param)


def stamped(queue: Queue, *, cards: bool) -> tuple[Sent, list[tuple[int, int]]]:
    """Five packets of which we want to know when they left; what is told."""
    made = Sent(
        cast("socket.socket", queue), cast("Cards", OneCard()) if cards else None
    )
    told: list[tuple[int, int]] = []

    def teller(number: int) -> Left:
        return lambda left: told.append((number, left - NOW))

    for number in range(5):
        made.expect([teller(number)])
    return made, told


def test_the_kernel_s_are_told_at_once(queue: Queue) -> None:
    sent, told = stamped(queue, cards=False)
    for ticket in (0, 1, 2):
        queue.add(ticket, NOW + ticket, index=None)
    queue.errors.append([])  # of something else
    sent.observe()
    assert told == [(0, 0), (1, 1), (2, 2)]
    assert sorted(sent.waiting) == [3, 4]
    (flags,) = queue.flags
    assert flags & OPT_TSONLY
    assert not flags & RAW_HARDWARE
    assert struct.unpack_from("@I", sent.want, 16) == (TX_SOFTWARE,)


def test_a_card_s_stamp_is_waited_for_until_the_next_sweep(queue: Queue) -> None:
    sent, told = stamped(queue, cards=True)
    for ticket in range(3):
        queue.add(ticket, NOW + ticket)
    queue.add(3, NOW, index=OTHER)
    queue.add(4, NOW, index=None)
    sent.observe()
    assert told == [(3, 0), (4, 0)]
    queue.add(1, card=NOW + 1 + 37 * SECOND.ns)
    sent.observe()
    assert told[2:] == [(1, 8)]
    queue.add(0, card=NOW + 37 * SECOND.ns)
    sent.hear_all()
    assert told[3:] == [(0, 7), (2, 2)]
    queue.add(2, card=NOW + 37 * SECOND.ns)  # too late
    sent.expect([])
    sent.hear_all()
    assert len(told) == 5


def test_a_card_asked_for_stamps_by_another_program(queue: Queue) -> None:
    sent, told = stamped(queue, cards=True)
    queue.add(0, NOW, index=OTHER)
    queue.add(0, card=NOW, index=OTHER)
    sent.hear_all()
    assert told == [(0, 0)]


def test_with_cards_the_kernel_is_asked_for_both_stamps_and_where(queue: Queue) -> None:
    sent, _ = stamped(queue, cards=True)
    (flags,) = queue.flags
    both = OPT_TX_SWHW | OPT_CMSG | RAW_HARDWARE | OPT_ID
    assert flags & (both | OPT_TSONLY) == both
    assert struct.unpack_from("@I", sent.want, 16) == (TX_SOFTWARE | TX_HARDWARE,)


def test_counting_anew_forgets_all_that_were_waiting(queue: Queue) -> None:
    sent, told = stamped(queue, cards=True)
    queue.add(0, NOW)
    sent.observe()
    sent.count_anew()
    assert [bool(flags & OPT_ID) for flags in queue.flags] == [True, False, True]
    queue.add(0, card=NOW)
    sent.hear_all()
    assert told == []
    sent.expect([lambda left: told.append((9, left - NOW))])
    queue.add(0, NOW + 1, index=OTHER)
    sent.hear_all()
    assert told == [(9, 1)]


def test_what_is_never_stamped_is_forgotten(queue: Queue) -> None:
    sent, _ = stamped(queue, cards=False)
    for _ in range(1000):
        sent.expect([])
    assert len(sent.waiting) < 300
