"""The NTP service: datagrams in, replies out, a sweep at a time.

    receive a batch -> check, admit, write replies -> read the clock -> send

The kernel stamps each request as it comes in (T2). The clock for T3 is read when
all replies of the sweep are otherwise done, so that only the stamping itself
and the sending lie between T3 and the wire.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Final

from refclock.board.ports import Datagrams, SystemClock
from refclock.ntp.auth import Authenticator, Opened
from refclock.ntp.extension import read
from refclock.ntp.packet import HEADER_LENGTH, PacketError
from refclock.published import ClockSnapshot
from refclock.server.admission.admit import Admission, Decision
from refclock.server.admission.clients import Client, ClientStatus, busiest
from refclock.server.reply import DENY, NTS_NAK, RATE, ReplyTemplate, answers
from refclock.server.settings import (
    LeapMode,
    ListenerSettings,
    Requirement,
    ServerSettings,
)
from refclock.server.smear import Smear
from refclock.server.transmit import Transmitter
from refclock.timebase import MILLISECOND, SECOND, Duration, LeapSecond, Mono

_LASTS_NS: Final = MILLISECOND.ns
"""How long a `ReplyTemplate` is good for, on the local clock: a step shows at once."""
_PLAIN: Final = ListenerSettings()
_KISSES: Final = {Decision.DENIED_KISS: DENY, Decision.LIMITED_KISS: RATE}
_COUNTED_AS: Final = {Decision.DENIED_KISS: Decision.DENIED}


class NtpService:
    """Answers on one socket. Used by one thread; `counters` by any."""

    def __init__(
        self,
        socket: Datagrams,
        published: Callable[[], ClockSnapshot],
        clock: SystemClock,
        settings: ServerSettings,
        draw: Callable[[], float],
        listener: ListenerSettings = _PLAIN,
        leaps: Sequence[LeapSecond] = (),
        authenticators: Sequence[Authenticator] = (),
    ) -> None:
        """`draw`: a random number, 0 up to but not 1.

        `listener`: what differs on this socket; `leaps`: known by now;
        `authenticators`: asked in this order about requests longer than 48 bytes.
        """
        self._socket = socket
        self._listener = listener
        self._smear = Smear(leaps) if listener.leap is LeapMode.SMEAR else None
        self._published = published
        self._clock = clock
        self._kinds = answers(symmetric=settings.symmetric)
        self._draw = draw
        self.reload_access(settings)
        self._authenticators = authenticators
        self._transmitter = Transmitter(
            socket,
            self._known,
            learn=settings.learn_transmit_delay,
            interleaves=settings.interleaved,
        )
        self._snapshot = published()
        self._moment = self._told(self._snapshot)
        self._requests = 0
        self._answered = 0
        self._dropped: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """Where it listens."""
        return self._socket.name

    def reload_access(self, settings: ServerSettings) -> None:
        """Access, pace and stratum are as `settings` say from the next sweep on, and
        all clients newcomers. From any thread."""
        listener = settings.as_now(self._listener)
        self._listener = replace(self._listener, stratum_least=listener.stratum_least)
        access = settings.access(listener)
        self._required = settings.requirement(listener)
        self._admission = Admission(
            access, settings.rate_limit, self._draw, kiss_denied=settings.tell_denied
        )

    def serve(self, limit: Duration) -> None:
        """Answer what comes, waiting at most `limit` for the first request."""
        socket = self._socket
        senders, received_ns = socket.receive(limit)
        count = len(senders)
        if not count:
            return
        self._requests += count
        now_ns = socket.now_ns()
        moment = self._template_at(now_ns)
        firsts = socket.requests[: count * HEADER_LENGTH : HEADER_LENGTH]
        answered = firsts.translate(self._kinds)
        opened: dict[int, Opened] = {}
        if socket.odd or 0 in answered:
            opened = self._refuse_by_form(answered)
        if self._required is not None:
            self._refuse_unproved(senders, answered, opened, self._required)
        if min(received_ns) < moment.oldest_ns or max(received_ns) > now_ns:
            self._refuse_out_of_reach(answered, received_ns, moment.oldest_ns, now_ns)
        kisses = self._admit(senders, answered, moment.mono_ns)
        if any(answered):
            moment.begin(socket.requests, socket.replies, answered, received_ns)
            for place, code in kisses:
                moment.kiss(socket.requests, socket.replies, place, code)
            self._answered += self._send(moment, senders, answered, opened)

    def _known(self, sender: bytes) -> Client | None:
        return self._admission.known(sender)  # of the admission in force now

    def counters(self) -> dict[str, int]:
        """What was asked, answered and, by reason, not answered with the time."""
        return {
            "requests": self._requests,
            "answered": self._answered,
            **dict(self._dropped),
            "kernel_dropped": self._socket.dropped(),
            "clients": len(self._admission.clients()),
            "newcomers": self._admission.newcomers(),
        }

    def clients(self, most: int) -> list[ClientStatus]:
        """The `most` that asked most, of those remembered. From any thread."""
        _, now = self._clock.read()
        known = self._admission.clients()
        known.sort(key=attrgetter("count"), reverse=True)
        return [_status(client, now) for client in known[:most]]

    def denied(self, most: int) -> list[ClientStatus]:
        """Hosts that the access rules excluded, `most` at most. From any thread."""
        _, now = self._clock.read()
        denied = [_status(client, now) for client in self._admission.denied()]
        return busiest(denied, most)

    def template_now(self) -> ReplyTemplate:
        """What is published, as this listener tells it. From any thread."""
        return self._told(self._published())

    def _told(self, snapshot: ClockSnapshot) -> ReplyTemplate:
        local, mono = self._clock.read()
        if self._smear is not None:
            snapshot = self._smear(snapshot, mono)
        if snapshot.stratum < self._listener.stratum_least:
            snapshot = replace(snapshot, stratum=self._listener.stratum_least)
        return ReplyTemplate(snapshot, local, mono)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _send(
        self,
        template: ReplyTemplate,
        senders: Sequence[bytes],
        answered: bytearray,
        opened: dict[int, Opened],
    ) -> int:
        """Send what is answered, the plain replies first; how many went out."""
        opened = {place: each for place, each in opened.items() if answered[place]}
        if not opened:
            return self._transmitter.send(template, senders, answered)
        for place, each in opened.items():
            answered[place] = 0
            if each.nak:
                template.kiss(
                    self._socket.requests, self._socket.replies, place, NTS_NAK
                )
        sent = 0
        if any(answered):
            sent = self._transmitter.send(template, senders, answered)
        return sent + self._transmitter.send_sealed(template, senders, opened)

    def _refuse_by_form(self, answered: bytearray) -> dict[int, Opened]:
        """Leave out what has no answer by its form; the requests authenticated."""
        others = answered.count(0)
        opened: dict[int, Opened] = {}
        for place, request in self._socket.odd.items():
            found: Opened | str | None
            try:
                found = self._open(request, answer=answered[place] != 0)
            except PacketError:
                others -= not answered[place]
                found = "malformed"
            if isinstance(found, Opened):
                opened[place] = found
            elif found is not None:
                answered[place] = 0
                self._dropped[found] += 1
        if others:
            self._dropped["mode_or_version"] += others
        return opened

    def _open(self, request: bytes, *, answer: bool) -> Opened | str | None:
        """Authenticated, a reason to drop it, or neither. PacketError: malformed.

        A request that gets no `answer` anyway is only looked at for its shape.
        """
        for each in self._authenticators if answer else ():
            if (found := each.open(request)) is not None:
                return found
        if not (answer and self._authenticators):
            read(request)
        return None

    def _refuse_unproved(
        self,
        senders: Sequence[bytes],
        answered: bytearray,
        opened: Mapping[int, Opened],
        required: Requirement,
    ) -> None:
        for place, sender in enumerate(senders):
            found = opened.get(place)
            proof = None if found is None else found.proof
            if answered[place] and not required.met(sender, proof):
                answered[place] = 0
                self._dropped["not_authenticated"] += 1

    def _refuse_out_of_reach(
        self,
        answered: bytearray,
        received_ns: Sequence[int],
        oldest_ns: int,
        now_ns: int,
    ) -> None:
        """The clock was stepped, or a second inserted, since these came in."""
        for place, came_ns in enumerate(received_ns):
            if answered[place] and not oldest_ns <= came_ns <= now_ns:
                answered[place] = 0
                self._dropped["clock_stepped"] += 1

    def _admit(
        self, senders: Sequence[bytes], answered: bytearray, mono_ns: int
    ) -> list[tuple[int, bytes]]:
        """Leave out those the rules or their pace exclude.

        Returns the places of those to be sent a kiss-o'-death instead, with its code.
        """
        admission = self._admission
        kisses: list[tuple[int, bytes]] = []
        place = 0
        for (sender, kind), run in groupby(zip(senders, bytes(answered), strict=True)):
            begun, place = place, place + len(list(run))
            if not kind or admission.admit_run(
                sender, kind >> 3, mono_ns, place - begun
            ):
                continue
            for each in range(begun, place):
                verdict = admission.admit(sender, kind >> 3, mono_ns)
                if verdict is Decision.SERVE:
                    continue
                if code := _KISSES.get(verdict):
                    kisses.append((each, code))
                else:
                    answered[each] = 0
                self._dropped[_COUNTED_AS.get(verdict, verdict)] += 1
        return kisses

    def _template_at(self, now_ns: int) -> ReplyTemplate:
        """What we say now; worked out anew each millisecond, after a step, and at once
        when something else is published."""
        snapshot = self._published()
        lasts = 0 <= now_ns - self._moment.made_ns < _LASTS_NS
        if not lasts or snapshot is not self._snapshot:
            self._snapshot, self._moment = snapshot, self._told(snapshot)
        return self._moment


def _status(client: Client, now: Mono) -> ClientStatus:
    return ClientStatus(
        client.name,
        max(now.ns - client.last, 0) / SECOND.ns,
        client.count,
        client.version,
        client.interleaved,
        client.limited,
    )
