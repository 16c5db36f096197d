"""Request and published clock in, reply out. RFC 5905 section 9.2.

What a reply says of us is the same for everyone who asks at the same moment, so
it is worked out once, as a `Moment`; what differs is the version, the poll, the
origin and the two stamps. Of a few requests each reply is written by itself; those
of a full sweep together, a field at a time: a copy of a column costs less than a
call for each of its packets.

While we are not synchronised the packet says leap 3 and stratum 0: RFC 5905
section 7.3 maps our stratum 16 to 0 on the wire. The reference identifier is
then all zeros, no kiss code, so that no client reads an order into it.

Behind a request that is not authenticated, extension fields (RFC 7822) are skipped, and
a MAC where no keys are configured; the reply has neither. A crypto-NAK is never sent:
it would only be one more packet that anyone can forge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, compress, repeat
from struct import Struct, error
from typing import Final

from refclock.board.ports import BATCH
from refclock.ntp.packet import HEADER_LENGTH, MAX_DISPERSION, PacketMode
from refclock.published import ALARM, ClockSnapshot
from refclock.timebase import (
    SECOND,
    ZERO,
    Duration,
    Local,
    Mono,
    NtpShort,
    NtpTimestamp,
)

RATE: Final = b"RATE"
DENY: Final = b"DENY"
NTS_NAK: Final = b"NTSN"
"""RFC 8915 section 5.7: the cookie could not be opened."""
LEAST_KISS_POLL: Final = 6
MOST_POLL: Final = 17

_REACH: Final = 10 * SECOND

_ABOUT_US: Final = Struct(">bII4sQ")
_HEAD: Final = Struct(">BBB21s")
_BEGUN: Final = Struct(">BBB21s8sQ")
_STAMP: Final = Struct(">Q")
_COLUMN: Final = tuple(Struct(f">{count}Q") for count in range(BATCH + 1))
_WORDS: Final = HEADER_LENGTH // 8
_FIRSTS: Final = [
    bytes(leap << 6 | kind for kind in range(64)) + bytes(192) for leap in range(4)
]
"""The first byte by leap indicator, then by version and mode."""
_ORIGIN, _RECEIVE, _TRANSMIT = 3, 4, 5
"""Where the stamps are, in words of 8 bytes."""
_POLL: Final = 2
_SIGNED: Final = (*range(128), *range(-128, 0))
"""A byte as a signed number: log2 s of a poll may be negative."""
_FEW: Final = 6
"""Fewer replies are written sooner one by one."""

_MASK: Final = (1 << 64) - 1
_GAIN_SHIFT: Final = 34
"""Exact to a quarter of a nanosecond over `_REACH`, and small enough to be quick."""


def answers(*, symmetric: bool) -> bytes:
    """Version and mode to answer with, by a request's first byte; 0: no answer.

    A client gets mode 4, a symmetric active peer mode 2 (we keep no state of it);
    version 1 has no modes, its clients send zeros there. A version above 4 is
    from the future: RFC 5905 appendix A.5.1 drops it. A request's leap indicator
    means nothing.
    """
    table = bytearray(64)
    for version in range(1, 5):
        table[version << 3 | PacketMode.CLIENT] = version << 3 | PacketMode.SERVER
        if symmetric:
            table[version << 3 | PacketMode.SYMMETRIC_ACTIVE] = (
                version << 3 | PacketMode.SYMMETRIC_PASSIVE
            )
    table[1 << 3] = 1 << 3 | PacketMode.SERVER
    return bytes(4 * table)


class ReplyTemplate:
    """What we say in one sweep, and how a local stamp is written.

    Built from both clocks, read together. Over one sweep the served time is a
    straight line in the local clock: what came before a leap second and would be
    answered after it cannot be written on it, and is left to ask again.
    """

    def __init__(self, snapshot: ClockSnapshot, local: Local, mono: Mono) -> None:
        realtime_offset = Duration(local.ns - mono.ns)
        tai = snapshot.tai(local, realtime_offset)
        leap = snapshot.indicator(tai, mono, realtime_offset)
        synchronised = leap != ALARM
        self._firsts = _FIRSTS[leap]
        self._about_us = _ABOUT_US.pack(
            snapshot.precision,
            NtpShort.of(snapshot.root_delay if synchronised else ZERO).bits,
            NtpShort.of(
                snapshot.bound_at(mono) if synchronised else MAX_DISPERSION
            ).bits,
            snapshot.ref_id if synchronised else bytes(4),
            NtpTimestamp.of(snapshot.posix(snapshot.updated)).bits
            if synchronised
            else 0,
        )
        self._stratum = snapshot.stratum if synchronised else 0
        self.header = _HEAD.pack(leap << 6, self._stratum, 0, self._about_us)
        """The first 24 bytes of a reply, with version and mode 0."""
        head = _HEAD.pack(0, self._stratum, 0, self._about_us)
        self._reply = head.ljust(HEADER_LENGTH, b"\0")
        self.made_ns = local.ns
        self.mono_ns = mono.ns
        at_pivot = NtpTimestamp.of(snapshot.posix(tai)).bits + 1  # `wire` rounds down
        self._gain = round((1.0 + snapshot.rate) * (1 << 32 + _GAIN_SHIFT) / SECOND.ns)
        self._at_zero = (at_pivot << _GAIN_SHIFT) - local.ns * self._gain
        reach_ns = _REACH.ns
        if snapshot.leap is not None and snapshot.leap.at <= tai:
            since_leap = round((tai - snapshot.leap.at).ns / (1.0 + snapshot.rate))
            reach_ns = min(reach_ns, since_leap)
        self.oldest_ns = local.ns - reach_ns
        """Older stamps are from before a leap second or a step of the clock."""

    def wire(self, local_ns: int) -> int:
        """The served time at a reading of the local clock, as an NTP timestamp."""
        return local_ns * self._gain + self._at_zero >> _GAIN_SHIFT & _MASK

    def begin(
        self,
        requests: bytearray,
        replies: bytearray,
        kinds: bytes | bytearray,
        received_ns: Sequence[int],
    ) -> None:
        """Write replies all but their transmit stamps; `kinds` as `answers` has it.

        A request that is not answered costs nothing to answer, if it is not sent.
        """
        count = len(kinds)
        if count < _FEW:
            for place, received in enumerate(received_ns):
                at = place * HEADER_LENGTH
                _BEGUN.pack_into(
                    replies,
                    at,
                    self._firsts[kinds[place]],
                    self._stratum,
                    requests[at + _POLL],
                    self._about_us,
                    requests[at + 40 : at + 48],
                    self.wire(received),
                )
            return
        end, words = count * HEADER_LENGTH, count * _WORDS
        replies[:end] = self._reply * count
        replies[:end:HEADER_LENGTH] = kinds.translate(self._firsts)
        replies[_POLL:end:HEADER_LENGTH] = requests[_POLL:end:HEADER_LENGTH]
        asked, told = memoryview(requests).cast("Q"), memoryview(replies).cast("Q")
        told[_ORIGIN:words:_WORDS] = asked[_TRANSMIT:words:_WORDS]
        gain, at_zero = self._gain, self._at_zero
        told[_RECEIVE:words:_WORDS] = _column(
            [ns * gain + at_zero >> _GAIN_SHIFT for ns in received_ns]  # as in `wire`
        )

    def kiss(
        self, requests: bytearray, replies: bytearray, place: int, code: bytes
    ) -> None:
        """Make a reply tell no time: a kiss-o'-death (RFC 5905 section 7.4).

        Its request, if it asked for the interleaved mode, asks for that no more: a
        kiss is known by the request's transmit stamp, which only the client knows.
        """
        at = place * HEADER_LENGTH
        requests[at + 24 : at + 32] = bytes(8)
        first = replies[at]
        poll = min(_SIGNED[replies[at + _POLL]] + 1, MOST_POLL)
        _HEAD.pack_into(
            replies,
            at,
            first | ALARM << 6,
            0,
            max(poll, LEAST_KISS_POLL),
            _ABOUT_US.pack(0, 0, 0, code, 0),
        )

    def stamp(
        self, replies: bytearray, places: Sequence[int], first_ns: int, step_ns: int
    ) -> None:
        """Write the transmit stamps of some replies: the first leaves at `first_ns`,
        and each next one `step_ns` later."""
        at_zero, gain = self._at_zero + first_ns * self._gain, step_ns * self._gain
        for number, place in enumerate(places):
            stamp = at_zero + number * gain >> _GAIN_SHIFT & _MASK  # as in `wire`
            _STAMP.pack_into(replies, place * HEADER_LENGTH + 40, stamp)

    def finish(
        self, replies: bytearray, answered: Sequence[int], first_ns: int, step_ns: int
    ) -> None:
        """Write the transmit stamps of the replies that are sent.

        The first leaves at `first_ns`, and each next one `step_ns` later: one call
        sends them all, one after the other.
        """
        count = len(answered)
        first = self.wire(first_ns)
        step = step_ns * self._gain >> _GAIN_SHIFT
        steps: Iterable[int] = repeat(step, count - 1)
        if 0 in answered:
            steps = (step if kind else 0 for kind in answered[:-1])
        stamps = [*accumulate(steps, initial=first)]
        if count < _FEW:
            for place, stamp in enumerate(stamps):
                _STAMP.pack_into(replies, place * HEADER_LENGTH + 40, stamp & _MASK)
            return
        told = memoryview(replies).cast("Q")
        told[_TRANSMIT : count * _WORDS : _WORDS] = _column(stamps)


def _column(stamps: Sequence[int]) -> memoryview:
    """Stamps as they go on the wire, to be put into every so many words."""
    column = _COLUMN[len(stamps)]
    try:
        packed = column.pack(*stamps)
    except error:  # the turn of an era, 2036-02-07
        packed = column.pack(*(stamp & _MASK for stamp in stamps))
    return memoryview(packed).cast("Q")


def asks_interleaved(requests: bytearray, count: int) -> list[int]:
    """The places of those of `count` requests that have an origin stamp, and a
    receive stamp by which the two kinds of reply can be told apart (RFC 9769)."""
    stamps = memoryview(requests).cast("Q")
    origins = stamps[_ORIGIN : count * _WORDS : _WORDS].tolist()
    return [
        place
        for place in compress(range(count), origins)
        if stamps[place * _WORDS + _RECEIVE] != stamps[place * _WORDS + _TRANSMIT]
    ]


def interleave(
    requests: bytearray, replies: bytearray, place: int, left: bytes
) -> None:
    """Make a reply one of the interleaved mode (RFC 9769 section 2).

    It is known by the request's receive stamp, and tells when our previous reply
    truly `left`: for its own departure the client asks next time.
    """
    at = place * HEADER_LENGTH
    replies[at + 24 : at + 32] = requests[at + 32 : at + 40]
    replies[at + 40 : at + 48] = left


def origin_of(requests: bytearray, place: int) -> bytes:
    """By which reply of ours a request goes on: when we said its request came."""
    at = place * HEADER_LENGTH
    return bytes(requests[at + 24 : at + 32])


def received_as_told(replies: bytearray, place: int) -> bytes:
    """The receive stamp in a reply: how the client will refer to it."""
    at = place * HEADER_LENGTH
    return bytes(replies[at + 32 : at + 40])
