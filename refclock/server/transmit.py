"""Stamping replies as they will leave, and sending them.

T3 is read before the packet is handed to the kernel, and is early by what lies
between: some 25 us after a long rest, when nothing is in the caches, and 3 us when
busy. The kernel reports when a packet truly left. Of the last eight samples after as
long a rest the second smallest is used, not the mean, so that hardly a packet leaves
before its T3; the same for the time between two of one batch, but of 256 samples: it
is added up to 63 times over, and what delays a busy machine ends as suddenly as it
began.

Plain replies of a batch leave first, all in one call. A sealed reply is sealed over its
own T3, so that sealing lies between the clock and the wire: they follow in small
groups, each with a stamp of its own, and the delay of a group is learned by its size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from refclock.board.ports import Datagrams, Left
from refclock.ntp.auth import Opened, Proof
from refclock.ntp.packet import HEADER_LENGTH
from refclock.server.admission.clients import Client
from refclock.server.reply import (
    ReplyTemplate,
    asks_interleaved,
    interleave,
    origin_of,
    received_as_told,
)
from refclock.timebase import MILLISECOND

_SAMPLES: Final = 8
_STEPS: Final = 256
_EVERY_NS: Final = 10 * MILLISECOND.ns
_REST_NS: Final = MILLISECOND.ns // 4
_RESTS: Final = 7
"""Rests between two sweeps are told apart by powers of two of that: to 16 ms."""
_GROUP: Final = {Proof.KEY: 16, Proof.NTS: 1}
"""Sealed replies that are stamped together, at most."""
_LONGEST_NS: Final = MILLISECOND.ns // 4
"""Longer means that we were held up, or that the clock was stepped."""


class _Learned:
    """The second least of the last samples, ns; 0 until there are eight.

    The least may be the odd one out. Of too few samples all may be from moments
    when we were held up, and T3 would lie in the future.
    """

    def __init__(self, most: int = _SAMPLES) -> None:
        self._samples: deque[int] = deque(maxlen=most)
        self.ns = 0

    def learn(self, sample_ns: int) -> None:
        if 0 <= sample_ns < _LONGEST_NS:
            self._samples.append(sample_ns)
            if len(self._samples) >= _SAMPLES:
                self.ns = sorted(self._samples)[1]


class _Sweep:
    """One sweep whose first and last reply are watched."""

    def __init__(self, delay: _Learned, step: _Learned, count: int) -> None:
        self._delay = delay
        self._step = step
        self._count = count
        self.read_ns = 0
        self._first_ns = 0

    def first(self, left_ns: int) -> None:
        self._first_ns = left_ns
        self._delay.learn(left_ns - self.read_ns)

    def last(self, left_ns: int) -> None:
        if self._first_ns:
            self._step.learn((left_ns - self._first_ns) // (self._count - 1))


class TransmitDelay:
    """Learned for one socket. Used by one thread."""

    def __init__(self) -> None:
        self._by_rest = [_Learned() for _ in range(_RESTS)]
        self._step = _Learned(_STEPS)
        self._delay = self._by_rest[-1]
        self._watched = _Sweep(self._delay, self._step, 1)
        self._last_ns = 0
        self._next_ns = 0

    def watch(self, answered: Sequence[int], now_ns: int) -> dict[int, list[Left]]:
        """Who is to be told when replies of this sweep left (those not 0 are sent).

        Below 100 sweeps a second all are watched.
        """
        places = (place for place, kind in enumerate(answered) if kind)
        return self.watch_places(places, now_ns)

    def watch_places(self, sent: Iterable[int], now_ns: int) -> dict[int, list[Left]]:
        """As `watch`, by the places of the replies that are sent."""
        rest_ns, self._last_ns = now_ns - self._last_ns, now_ns
        octave = (max(rest_ns, 0) // _REST_NS).bit_length()
        self._delay = self._by_rest[min(octave, _RESTS - 1)]
        if 0 < self._next_ns - now_ns <= _EVERY_NS:
            return {}
        self._next_ns = now_ns + _EVERY_NS
        places = [*sent]
        sweep = self._watched = _Sweep(self._delay, self._step, len(places))
        tell: dict[int, list[Left]] = {places[0]: [sweep.first]}
        if len(places) > 1:
            tell[places[-1]] = [sweep.last]
        return tell

    def leave(self, read_ns: int) -> tuple[int, int]:
        """When the first reply of this sweep will leave if the clock now reads
        `read_ns`, and how long after it each of the next (ns)."""
        if not self._watched.read_ns:
            self._watched.read_ns = read_ns
        return read_ns + self._delay.ns, self._step.ns


class Transmitter:
    """Stamps and sends what was answered on one socket. Used by one thread."""

    def __init__(
        self,
        socket: Datagrams,
        known: Callable[[bytes], Client | None],
        *,
        learn: bool,
        interleaves: bool,
    ) -> None:
        """`known`: the client with an address. `learn`: how long after reading the
        clock replies leave. `interleaves`: whether the interleaved mode is served."""
        self._socket = socket
        self._known = known
        self._learn = learn
        self._interleaves = interleaves
        self._delay = TransmitDelay()
        self._sealed_delays: dict[tuple[Proof, int], TransmitDelay] = {}

    def send(
        self, template: ReplyTemplate, senders: Sequence[bytes], answered: Sequence[int]
    ) -> int:
        """Send reply i where `answered[i]` is not 0; how many went out."""
        socket = self._socket
        tell = self._delay.watch(answered, socket.now_ns()) if self._learn else {}
        lefts: list[tuple[int, bytes]] = []
        if self._interleaves and (
            asked := asks_interleaved(socket.requests, len(senders))
        ):
            asked = [place for place in asked if answered[place]]
            lefts = list(self._interleave(template, senders, asked, tell))
        if tell:
            socket.watch(tell)
        first_ns, step_ns = socket.now_ns(), 0
        if self._learn:
            first_ns, step_ns = self._delay.leave(first_ns)
        template.finish(socket.replies, answered, first_ns, step_ns)
        for place, left in lefts:
            interleave(socket.requests, socket.replies, place, left)
        return socket.send(answered)

    def send_sealed(
        self,
        template: ReplyTemplate,
        senders: Sequence[bytes],
        opened: Mapping[int, Opened],
    ) -> int:
        """Send the replies at these places, sealed; how many went out."""
        asked: set[int] = set()
        if self._interleaves:
            asked = {*asks_interleaved(self._socket.requests, len(senders))}
        sent = 0
        for proof, most in _GROUP.items():
            places = [place for place, each in opened.items() if each.proof is proof]
            for begin in range(0, len(places), most):
                group = places[begin : begin + most]
                size = proof, len(group).bit_length()
                delay = self._sealed_delays.get(size)
                if delay is None:
                    delay = self._sealed_delays[size] = TransmitDelay()
                ask = [place for place in group if place in asked] if asked else ()
                sent += self._send_group(template, senders, opened, group, ask, delay)
        return sent

    def _send_group(
        self,
        template: ReplyTemplate,
        senders: Sequence[bytes],
        opened: Mapping[int, Opened],
        group: Sequence[int],
        asked: Sequence[int],
        delay: TransmitDelay,
    ) -> int:
        socket = self._socket
        tell = delay.watch_places(group, socket.now_ns()) if self._learn else {}
        lefts: Sequence[tuple[int, bytes]] = ()
        if asked:
            lefts = list(self._interleave(template, senders, asked, tell))
        if tell:
            socket.watch(tell)
        replies = socket.replies
        at_ns, step_ns = socket.now_ns(), 0
        if self._learn:
            at_ns, step_ns = delay.leave(at_ns)
        template.stamp(replies, group, at_ns, step_ns)
        for place, left in lefts:
            interleave(socket.requests, replies, place, left)
        trailers: dict[int, bytes] = {}
        for place in group:
            at = place * HEADER_LENGTH
            header = bytes(replies[at : at + HEADER_LENGTH])
            trailers[place] = opened[place].seal(header)
        return socket.send_sealed(trailers)

    def _interleave(
        self,
        template: ReplyTemplate,
        senders: Sequence[bytes],
        asked: Iterable[int],
        tell: dict[int, list[Left]],
    ) -> Iterator[tuple[int, bytes]]:
        """Of those who `asked` for it and can have it: the place, and when our
        previous reply left."""
        requests, replies = self._socket.requests, self._socket.replies
        for place in asked:
            client = self._known(senders[place])
            if client is None:
                continue
            left = client.departure(origin_of(requests, place))
            keep = partial(
                _keep_departure,
                client,
                received_as_told(replies, place),
                template,
                continues=left is not None,
            )
            tell.setdefault(place, []).append(keep)
            if left is not None:
                client.interleaved += 1
                yield place, left


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
