"""A socket made of lists, as the port `Datagrams`."""

from collections.abc import Mapping, Sequence

from refclock.board.ports import BATCH, Left
from refclock.timebase import SECOND, Duration

Received = tuple[bytes, int, bytes]
"""Who sent it, when it came (ns), and all of it."""


class Wire:
    """Each sweep it has received `datagrams`; what is sent is kept, by place."""

    def __init__(self, *datagrams: Received, now_ns: int = 0) -> None:
        self.name = "10.0.0.9:123"
        self.datagrams: Sequence[Received] = datagrams
        self.requests = bytearray(48 * BATCH)
        self.replies = bytearray(48 * BATCH)
        self.clock_ns = now_ns
        self.leaves_after_ns = 0
        self.each_ns = 1_000
        self.sent: list[tuple[int, bytes]] = []
        self.closed = False
        self._tell: Mapping[int, Sequence[Left]] = {}

    @property
    def odd(self) -> Mapping[int, bytes]:
        requests = [request for *_, request in self.datagrams]
        return {i: r for i, r in enumerate(requests) if len(r) != 48}

    def now_ns(self) -> int:
        return self.clock_ns

    def receive(self, limit: Duration) -> tuple[Sequence[bytes], Sequence[int]]:
        assert limit == SECOND
        for place, (_, _, request) in enumerate(self.datagrams):
            self.requests[48 * place : 48 * place + len(request[:48])] = request[:48]
        return [who for who, *_ in self.datagrams], [at for _, at, _ in self.datagrams]

    def watch(self, tell: Mapping[int, Sequence[Left]]) -> None:
        self._tell = tell

    def send(self, answered: Sequence[int]) -> int:
        assert len(answered) == len(self.datagrams)
        places = [place for place, kind in enumerate(answered) if kind]
        assert set(self._tell) <= set(places)
        for earlier, place in enumerate(places):
            at = 48 * place
            self.sent.append((place, bytes(self.replies[at : at + 48])))
            for left in self._tell.get(place, ()):
                left(self.clock_ns + self.leaves_after_ns + self.each_ns * earlier)
        self._tell = {}
        return len(places)

    def send_sealed(self, trailers: Mapping[int, bytes]) -> int:
        for earlier, (place, trailer) in enumerate(trailers.items()):
            assert 48 + len(trailer) <= len(self.datagrams[place][2])
            at = 48 * place
            self.sent.append((place, bytes(self.replies[at : at + 48]) + trailer))
            for left in self._tell.get(place, ()):
                left(self.clock_ns + self.leaves_after_ns + self.each_ns * earlier)
        self._tell = {}
        return len(trailers)

    def dropped(self) -> int:
        return 7

    def close(self) -> None:
        self.closed = True
