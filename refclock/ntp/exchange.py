"""One question to an NTP server, and what its answer is worth.

RFC 5905 sections 8 and 9.2; interleaved mode RFC 9769. Our clock is `Local`, the
server's is `Utc`; an offset is server - us: positive, our clock is behind.

A request tells nothing of us: its stamps are random cookies, by which the reply
is known. In interleaved mode the server tells in each reply when the *previous*
one truly left, so that it is the previous exchange that can be measured then.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from refclock.ntp.packet import MAX_DISPERSION, Packet, PacketError, PacketMode
from refclock.timebase import SECOND, ZERO, Duration, Local, NtpShort, NtpTimestamp, Utc

NEWEST_VERSION: Final = 4
_CLIENT_POLL: Final = 6
_CLIENT_PRECISION: Final = 32
"""What a client that reveals nothing of itself sends (NTP data minimization draft)."""
_NONE: Final = NtpTimestamp(0)


class ReplyFault(StrEnum):
    """Why a reply is no answer."""

    MALFORMED = "what came is no NTP packet"
    MODE = "it answered in a mode that is not a server's"
    VERSION = "it answered in a version that does not exist"
    BOGUS = "it answered a question we did not ask"
    KISS = "it refuses to serve us"
    UNSYNCHRONISED = "it says itself that it is not synchronised"
    STRATUM = "its stratum is out of range"
    FAR = "it says that its time may be 16 s off or more"
    NO_TIME = "a timestamp is missing"
    ORDER = "its timestamps are in no possible order"

    @property
    def stray(self) -> bool:
        """Anyone could have sent this: wait on for the true reply."""
        return self in {
            ReplyFault.MALFORMED,
            ReplyFault.MODE,
            ReplyFault.VERSION,
            ReplyFault.BOGUS,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and what a reply to it must contain. Servers may answer in an older
    version."""

    packet: Packet

    @classmethod
    def ask(
        cls, version: int, cookie: int, previous: NtpTimestamp = _NONE, other: int = 0
    ) -> Question:
        """`cookie`: 64 random bits; interleaved: also `other`, and when the server
        received our previous request, as it said."""
        return cls(
            Packet(
                leap=0,
                version=version,
                mode=PacketMode.CLIENT,
                stratum=0,
                poll=_CLIENT_POLL,
                precision=_CLIENT_PRECISION,
                root_delay=NtpShort(0),
                root_dispersion=NtpShort(0),
                ref_id=bytes(4),
                reference=_NONE,
                origin=previous,
                receive=NtpTimestamp(other),
                transmit=NtpTimestamp(cookie),
            )
        )

    def judge(self, data: bytes) -> Packet | ReplyFault:
        """The reply, or why it is none. RFC 5905 section 8, tests 1 to 7."""
        try:
            reply = Packet.decode(data)
        except PacketError:
            return ReplyFault.MALFORMED
        ours = self.packet
        cookies = {ours.transmit, ours.receive} - {_NONE}
        checks = (
            (reply.mode is PacketMode.SERVER, ReplyFault.MODE),
            (1 <= reply.version <= NEWEST_VERSION, ReplyFault.VERSION),
            (reply.origin in cookies, ReplyFault.BOGUS),
            (kiss_code(reply) is None, ReplyFault.KISS),
            (reply.leap < 3 and reply.stratum > 0, ReplyFault.UNSYNCHRONISED),
            (reply.stratum < 16, ReplyFault.STRATUM),
            (root_distance(reply) < MAX_DISPERSION, ReplyFault.FAR),
            (_NONE not in {reply.receive, reply.transmit}, ReplyFault.NO_TIME),
        )
        return next((refusal for good, refusal in checks if not good), reply)

    def interleaved(self, reply: Packet) -> bool:
        """Does `reply` tell when the previous reply left, not when it left itself?"""
        return reply.origin == self.packet.receive != self.packet.transmit


@dataclass(frozen=True, slots=True)
class Measurement:
    """The server's clock by one exchange."""

    packet: Packet
    received: Local
    offset: Duration
    """Server - us."""
    delay: Duration
    """There and back, without the time in the server."""

    @property
    def error(self) -> Duration:
        """The offset is within ± this if the server tells the truth: its root
        distance, and half our delay for an asymmetric path."""
        return root_distance(self.packet) + Duration((self.delay.ns + 1) // 2)

    @property
    def reference_age(self) -> Duration | None:
        """How long before this reply the server's clock had been set; None: it does
        not tell."""
        if self.packet.reference == _NONE:
            return None
        sent = self.packet.transmit.near(Utc(self.received.ns))
        return sent - self.packet.reference.near(sent)


def measure(
    reply: Packet,
    sent: Local,
    received: Local,
    transmit: NtpTimestamp | None = None,
) -> Measurement | ReplyFault:
    """Offset and delay of an exchange by RFC 5905 section 8.

    `transmit`: when the reply truly left, if told later (interleaved).
    """
    t2 = reply.receive.near(Utc(sent.ns))
    t3 = (transmit or reply.transmit).near(t2)
    offset = Duration((t2.ns - sent.ns + t3.ns - received.ns) // 2)
    delay = (received - sent) - (t3 - t2)
    if t3 < t2 or delay < -SECOND:
        return ReplyFault.ORDER
    return Measurement(reply, received, offset, max(delay, ZERO))


def kiss_code(reply: Packet) -> str | None:
    """The four letters of a kiss-o'-death (RFC 5905 section 7.4), if it is one.

    INIT and STEP are no order to us: that server only waits for its own clock.
    """
    letters = reply.ref_id.rstrip(b"\0")
    if reply.stratum == 0 and letters.isalpha() and letters not in {b"INIT", b"STEP"}:
        return letters.decode("ascii", "replace")
    return None


def root_distance(reply: Packet) -> Duration:
    """How far the server may be from true time, as it says."""
    seconds = reply.root_delay.seconds / 2 + reply.root_dispersion.seconds
    return Duration.from_seconds(seconds)


def reference_name(reply: Packet) -> str:
    """The reference identifier for people: a clock's name, or an address."""
    if reply.stratum <= 1:
        text = reply.ref_id.rstrip(b"\0")
        if text.isascii() and text.decode("ascii").isprintable():
            return text.decode("ascii")
    return ".".join(map(str, reply.ref_id))
