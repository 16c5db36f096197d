"""Request and published clock in, reply out. RFC 5905 section 9.2.

What a reply says of us is the same for everyone who asks at the same moment, so
it is worked out once a sweep, as a `Moment`; what differs is the version, the
poll, the origin and the two stamps.

While we are not synchronised the packet says leap 3 and stratum 0: RFC 5905
section 7.3 maps our stratum 16 to 0 on the wire. The reference identifier is
then all zeros, no kiss code, so that no client reads an order into it.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from refclock.packet import HEADER_LENGTH, Mode
from refclock.ports import BATCH
from refclock.server.served import ALARM, Served
from refclock.timebase import (
    SECOND,
    ZERO,
    Duration,
    Local,
    Mono,
    NtpShort,
    NtpTimestamp,
)

UNSYNCHRONISED_DISPERSION: Final = 16 * SECOND
"""MAXDISP, RFC 5905 section 7.3."""
RATE: Final = b"RATE"
DENY: Final = b"DENY"
LEAST_KISS_POLL: Final = 6
MOST_POLL: Final = 17

_REACH: Final = 10 * SECOND

_ABOUT_US: Final = Struct(">bII4sQ")
_REPLY: Final = Struct(">BBB21s8sQ")
_COLUMN: Final = tuple(Struct(f">{count}Q") for count in range(BATCH + 1))
_WORDS: Final = HEADER_LENGTH // 8
_TRANSMIT: Final = _WORDS - 1

_MASK: Final = (1 << 64) - 1
_GAIN_SHIFT: Final = 34
"""Exact to a quarter of a nanosecond over `_REACH`, and small enough to be quick."""


def answers(*, symmetric: bool) -> tuple[int, ...]:
    """Version and mode to answer with, by those asked with; 0: no answer.

    The index and the value are the low six bits of a packet's first byte. A
    client gets mode 4, a symmetric active peer mode 2 (we keep no state of it);
    version 1 has no modes, its clients send zeros there. A version above 4 is
    from the future: RFC 5905 appendix A.5.1 drops it.
    """
    table = [0] * 64
    for version in range(1, 5):
        table[version << 3 | Mode.CLIENT] = version << 3 | Mode.SERVER
        if symmetric:
            table[version << 3 | Mode.SYMMETRIC_ACTIVE] = (
                version << 3 | Mode.SYMMETRIC_PASSIVE
            )
    table[1 << 3] = 1 << 3 | Mode.SERVER
    return tuple(table)


class Moment:
    """What we say in one sweep, and how a local stamp is written.

    Built from both clocks, read together. Over one sweep the served time is a
    straight line in the local clock: what came before a leap second and would be
    answered after it cannot be written on it, and is left to ask again.
    """

    def __init__(self, served: Served, local: Local, mono: Mono) -> None:
        skew = Duration(local.ns - mono.ns)
        tai = served.tai(local, skew)
        synchronised = served.synchronised(mono, skew)
        self._leap = served.indicator(tai, mono, skew) << 6
        self._stratum = served.stratum if synchronised else 0
        self._about_us = _ABOUT_US.pack(
            served.precision,
            NtpShort.of(ZERO).bits,
            NtpShort.of(
                served.bound_at(mono) if synchronised else UNSYNCHRONISED_DISPERSION
            ).bits,
            served.ref_id if synchronised else bytes(4),
            NtpTimestamp.of(served.posix(served.updated)).bits if synchronised else 0,
        )
        self.made_ns = local.ns
        self.mono_ns = mono.ns
        at_pivot = NtpTimestamp.of(served.posix(tai)).bits
        self._at_pivot = at_pivot + 1  # `wire` rounds down; ns must come out exact
        self._gain = round((1.0 + served.rate) * (1 << 32 + _GAIN_SHIFT) / SECOND.ns)
        reach_ns = _REACH.ns
        if served.leap is not None and served.leap.at <= tai:
            since_leap = round((tai - served.leap.at).ns / (1.0 + served.rate))
            reach_ns = min(reach_ns, since_leap)
        self.oldest_ns = local.ns - reach_ns
        """Older stamps are from before a leap second or a step of the clock."""

    def wire(self, local_ns: int) -> int:
        """The served time at a reading of the local clock, as an NTP timestamp."""
        since = (local_ns - self.made_ns) * self._gain >> _GAIN_SHIFT
        return self._at_pivot + since & _MASK

    def begin(
        self,
        into: bytearray,
        at: int,
        kind: int,
        poll: int,
        origin: bytes,
        received_ns: int,
    ) -> None:
        """Write a reply all but its transmit stamp; `kind` as `answers` has it."""
        _REPLY.pack_into(
            into,
            at,
            self._leap | kind,
            self._stratum,
            poll,
            self._about_us,
            origin,
            self._at_pivot + ((received_ns - self.made_ns) * self._gain >> _GAIN_SHIFT)
            & _MASK,  # `wire`, spelled out for speed
        )

    def kiss(
        self,
        into: bytearray,
        at: int,
        kind: int,
        poll: int,
        origin: bytes,
        received_ns: int,
        code: bytes,
    ) -> None:
        """As `begin`, but no time: a kiss-o'-death (RFC 5905 section 7.4)."""
        _REPLY.pack_into(
            into,
            at,
            ALARM << 6 | kind,
            0,
            min(max(poll + 1, LEAST_KISS_POLL), MOST_POLL),
            _ABOUT_US.pack(0, 0, 0, code, 0),
            origin,
            self.wire(received_ns),
        )

    def finish(self, into: bytearray, count: int, first_ns: int, step_ns: int) -> None:
        """Write the transmit stamps of the first `count` replies.

        Reply i leaves `i * step_ns` after `first_ns`: one call sends them all, one
        after the other.
        """
        first = self.wire(first_ns)
        step = self.wire(first_ns + step_ns) - first & _MASK
        stamps = [first + i * step for i in range(count)]
        if first + count * step > _MASK:  # the turn of an era, 2036-02-07
            stamps = [stamp & _MASK for stamp in stamps]
        column = memoryview(_COLUMN[count].pack(*stamps)).cast("Q")
        memoryview(into).cast("Q")[_TRANSMIT : count * _WORDS : _WORDS] = column


def interleave(into: bytearray, at: int, receive: bytes, left: bytes) -> None:
    """Make the reply at `at` one of the interleaved mode (RFC 9769 section 2).

    It is known by the request's receive stamp, and tells when our previous reply
    truly `left`: for its own departure the client asks next time.
    """
    into[at + 24 : at + 32] = receive
    into[at + 40 : at + 48] = left


def received_as_told(reply: bytearray, at: int) -> bytes:
    """The receive stamp in the reply at `at`: how the client will refer to it."""
    return bytes(reply[at + 32 : at + 40])
