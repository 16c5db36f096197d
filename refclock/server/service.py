"""The NTP service: datagrams in, replies out, a sweep at a time.

    receive a batch -> check, admit, write replies -> read the clock -> send

The kernel stamps each request as it comes in (T2). The clock for T3 is read when
all replies of the sweep are otherwise done, so that only the stamping itself
and the sending lie between T3 and the wire.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Final

from refclock.board.ports import Datagrams, Left, SystemClock
from refclock.ntp.packet import HEADER_LENGTH, PacketError, check_length
from refclock.published import ClockSnapshot
from refclock.server.admit import Admission, Decision
from refclock.server.clients import Client, ClientStatus, busiest
from refclock.server.reply import (
    DENY,
    RATE,
    ReplyTemplate,
    answers,
    asks_interleaved,
    interleave,
    origin_of,
    received_as_told,
)
from refclock.server.settings import LeapMode, ListenerSettings, ServerSettings
from refclock.server.smear import Smear
from refclock.server.transmit import TransmitDelay
from refclock.timebase import MILLISECOND, SECOND, Duration, LeapSecond, Mono

_LASTS_NS: Final = MILLISECOND.ns
"""How long a `Moment` is good for, on the local clock: a step shows at once."""
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
    ) -> None:
        """`draw`: a random number, 0 up to but not 1.

        `listener`: what differs on this socket; `leaps`: known by now.
        """
        self._socket = socket
        self._listener = listener
        self._smear = Smear(leaps) if listener.leap is LeapMode.SMEAR else None
        self._published = published
        self._clock = clock
        self._kinds = answers(symmetric=settings.symmetric)
        self._draw = draw
        self.reload_access(settings)
        self._learn = settings.learn_transmit_delay
        self._interleaves = settings.interleaved
        self._departures = TransmitDelay()
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
        if socket.odd or 0 in answered:
            self._refuse_by_form(answered)
        if min(received_ns) < moment.oldest_ns or max(received_ns) > now_ns:
            self._refuse_out_of_reach(answered, received_ns, moment.oldest_ns, now_ns)
        kisses = self._admit(senders, answered, moment.mono_ns)
        if any(answered):
            moment.begin(socket.requests, socket.replies, answered, received_ns)
            for place, code in kisses:
                moment.kiss(socket.requests, socket.replies, place, code)
            self._answered += self._send(moment, senders, answered)

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

    def _refuse_by_form(self, answered: bytearray) -> None:
        others = answered.count(0)
        for place, request in self._socket.odd.items():
            if not _well_formed(request):
                others -= not answered[place]
                answered[place] = 0
                self._dropped["malformed"] += 1
        if others:
            self._dropped["mode_or_version"] += others

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

    def _send(
        self, moment: ReplyTemplate, senders: Sequence[bytes], answered: bytearray
    ) -> int:
        """Stamp the replies as they will leave, and send them."""
        socket = self._socket
        tell = self._departures.watch(answered, socket.now_ns()) if self._learn else {}
        told: list[tuple[int, bytes]] = []
        if self._interleaves and (
            asked := asks_interleaved(socket.requests, len(senders))
        ):
            told = list(self._interleave(moment, senders, answered, asked, tell))
        if tell:
            socket.watch(tell)
        first_ns, step_ns = socket.now_ns(), 0
        if self._learn:
            first_ns, step_ns = self._departures.leave(first_ns)
        moment.finish(socket.replies, answered, first_ns, step_ns)
        for place, left in told:
            interleave(socket.requests, socket.replies, place, left)
        return socket.send(answered)

    def _interleave(
        self,
        moment: ReplyTemplate,
        senders: Sequence[bytes],
        answered: bytearray,
        asked: Sequence[int],
        tell: dict[int, list[Left]],
    ) -> Iterator[tuple[int, bytes]]:
        """Of those who `asked` for it and can have it: the place, and when our
        previous reply left."""
        requests, replies = self._socket.requests, self._socket.replies
        for place in asked:
            client = self._admission.known(senders[place])
            if client is None or not answered[place]:
                continue
            left = client.departure(origin_of(requests, place))
            keep = partial(
                _keep_departure,
                client,
                received_as_told(replies, place),
                moment,
                continues=left is not None,
            )
            tell.setdefault(place, []).append(keep)
            if left is not None:
                client.interleaved += 1
                yield place, left

    def _template_at(self, now_ns: int) -> ReplyTemplate:
        """What we say now; worked out anew each millisecond, after a step, and at once
        when something else is published."""
        snapshot = self._published()
        lasts = 0 <= now_ns - self._moment.made_ns < _LASTS_NS
        if not lasts or snapshot is not self._snapshot:
            self._snapshot, self._moment = snapshot, self._told(snapshot)
        return self._moment


def _well_formed(request: bytes) -> bool:
    try:
        check_length(request)
    except PacketError:
        return False
    return True


def _status(client: Client, now: Mono) -> ClientStatus:
    return ClientStatus(
        client.name,
        max(now.ns - client.last, 0) / SECOND.ns,
        client.count,
        client.version,
        client.interleaved,
        client.limited,
    )


def _keep_departure(
    client: Client,
    received: bytes,
    template: ReplyTemplate,
    left_ns: int,
    *,
    continues: bool,
) -> None:
    left = template.wire(left_ns).to_bytes(8, "big")
    client.departed(received, left, continues=continues)
