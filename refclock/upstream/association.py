"""One server and we: what is asked when, and what an answer is worth. Pure: bytes and
instants in, bytes and facts out.

A reply counts only if it answers the question that is open (its origin is our random
cookie), once, and with the proof that was asked for; a kiss-o'-death, too. Whatever
else comes is stray: anybody can have sent it, and it changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from refclock.events.upstream import NoReply, ServerReply
from refclock.ntp.exchange import Measurement, Question, ReplyFault, kiss_code, measure
from refclock.ntp.packet import Packet
from refclock.timebase import SECOND, Duration, Local, Mono, NtpTimestamp, Utc
from refclock.upstream.poll import Poll
from refclock.upstream.sealing import Keyed, Sealing

PATIENCE: Final = 4 * SECOND
"""A question is open for so long."""
LOOP: Final = "it takes its time from us"
UNPROVEN: Final = "no answer with a good proof (key or NTS)"
NO_ANSWER: Final = "no answer"
NAK: Final = "it cannot read our cookies or key"


@dataclass(frozen=True, slots=True)
class _Open:
    """The question that waits for its answer."""

    question: Question
    mono: Mono
    sent: Local | None = None
    era: int = 0


@dataclass(frozen=True, slots=True)
class _Exchanged:
    """The last exchange, for the interleaved mode."""

    reply: Packet
    sent: Local
    received: Local
    era: int


def reference_id(address: str) -> bytes:
    """How a client of that address names it: itself, or of IPv6 the begin of its MD5
    (RFC 5905 section 7.3)."""
    packed = ip_address(address.partition("%")[0]).packed
    if len(packed) == 4:
        return packed
    return hashlib.md5(packed, usedforsecurity=False).digest()[:4]


class Association:
    """One address of one server. Used by one thread."""

    def __init__(
        self,
        server: str,
        sealing: Sealing,
        poll: Poll,
        *,
        server_id: bytes,
        our_id: bytes = b"",
        interleaved: bool = False,
    ) -> None:
        """`server_id`, `our_id`: reference identifiers of who follows it or us."""
        self.server = server
        self.sealing = sealing
        self.poll = poll
        self._server_id = server_id
        self.our_id = our_id
        self._interleaved = interleaved
        self._open: _Open | None = None
        self._last: _Exchanged | None = None
        self._stray = NO_ANSWER
        self.bad_rounds = 0
        """Questions in a row that brought no time."""
        self.nak = False
        """A NAK came to a question that no good answer came to."""
        self.proven = False
        """An answer came since these keys are used."""
        self.renewal = False
        """Keys are to be exchanged anew: such a question has expired, or no cookie is
        left."""

    @property
    def answered(self) -> bool:
        """Is no answer waited for?"""
        return self._open is None

    def renew(self, sealing: Sealing) -> None:
        """Use other keys from now on; an answer to an open question counts no more."""
        self.sealing, self._open, self._last = sealing, None, None
        self.nak = self.renewal = self.proven = False
        self.bad_rounds = 0

    def ask(self, now: Mono, draw: Callable[[], int]) -> bytes:
        """The next request. `draw`: 64 random bits. IndexError: no cookie is left."""
        version = self.sealing.version if isinstance(self.sealing, Keyed) else 4
        previous, other = NtpTimestamp(0), 0
        if self._interleaved:
            other = draw()
            previous = self._last.reply.receive if self._last else previous
        question = Question.ask(version, draw(), previous, other)
        try:
            data = self.sealing.request(question.packet.encode())
        except IndexError:
            self.renewal = True
            raise
        self._open, self._stray, self.nak = _Open(question, now), NO_ANSWER, False
        return data

    def sent(self, at: Local, era: int) -> None:
        """When the request left, on the local clock that was stepped `era` times."""
        if self._open is not None:
            self._open = _Open(self._open.question, self._open.mono, at, era)

    def unsent(self, now: Mono, why: str) -> NoReply:
        """It could not be sent, or the port is closed."""
        return self._failed(now, why)

    def expired(self, now: Mono, *, due: bool = False) -> NoReply | None:
        """The open question, if it has waited for too long, or the next one is due."""
        if self._open is None or not (due or now - self._open.mono > PATIENCE):
            return None
        self.renewal = self.renewal or self.nak
        return self._failed(now, self._stray)

    def take(
        self, data: bytes, received: Local, mono: Mono, era: int
    ) -> ServerReply | NoReply | None:
        """What came from the server's address at `received` (`mono`) is worth. None:
        it is stray, or measures nothing."""
        opened = self._open
        if opened is None or opened.sent is None:
            return None
        reply = opened.question.judge(data)
        if not self._authentic(reply, data):
            return None
        if isinstance(reply, ReplyFault):
            return self._refused(reply, data, mono)
        if reply.stratum > 1 and reply.ref_id == self.our_id:
            return self._failed(mono, LOOP)
        measured = self._measured(opened, reply, received, era)
        self._last = _Exchanged(reply, opened.sent, received, era)
        if isinstance(measured, ReplyFault):
            return self._failed(mono, str(measured))
        return self._succeeded(measured, received, mono)

    def _authentic(self, reply: Packet | ReplyFault, data: bytes) -> bool:
        """Does it answer the open question, with the proof that was asked for?"""
        if isinstance(reply, ReplyFault) and reply.stray:
            return False
        if self.sealing.is_nak(data):
            self._stray, self.nak = NAK, True
            return False
        if not self.sealing.proves(data):
            self._stray = UNPROVEN
            return False
        return True

    def _succeeded(
        self, measured: Measurement | None, received: Local, mono: Mono
    ) -> ServerReply | None:
        self._open, self.bad_rounds, self.proven = None, 0, True
        self.poll.answered()
        if measured is None:
            return None
        packet = measured.packet
        return ServerReply(
            mono - (received - measured.received),
            self.server,
            Utc(measured.received.ns + measured.offset.ns),
            measured.delay,
            packet.stratum,
            packet.leap,
            Duration.from_seconds(packet.root_delay.seconds),
            Duration.from_seconds(packet.root_dispersion.seconds),
            self._server_id,
        )

    def _measured(
        self, opened: _Open, reply: Packet, received: Local, era: int
    ) -> Measurement | ReplyFault | None:
        """Of this exchange, or in interleaved mode of the one before; None: our clock
        was stepped meanwhile."""
        last = self._last
        if last is not None and opened.question.interleaved(reply):
            if last.era != era or opened.era != era:
                return None
            return measure(last.reply, last.sent, last.received, reply.transmit)
        if opened.sent is None or opened.era != era:
            return None
        return measure(reply, opened.sent, received)

    def _refused(self, fault: ReplyFault, data: bytes, mono: Mono) -> NoReply:
        """A kiss, or a server that says itself that it has no time."""
        why = str(fault)
        if fault is ReplyFault.KISS:
            code = kiss_code(Packet.decode(data))
            why = f"{why}: {code}"
            if code == "RATE":
                self.poll.rate()
        return self._failed(mono, why)

    def _failed(self, now: Mono, why: str) -> NoReply:
        self._open = None
        self.bad_rounds += 1
        self.poll.missed()
        return NoReply(now, self.server, why)
