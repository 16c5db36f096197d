"""When the time is told unasked, and what is said."""

from dataclasses import replace

import pytest

from refclock.ntp.packet import Packet, PacketMode
from refclock.server.broadcast import Broadcast
from refclock.server.reply import ReplyTemplate
from refclock.server.settings import ServerSettings
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Utc
from tests.unit.server.test_service_shipped import Bench


class Loud:
    """A broadcast on a clock that sleeping moves."""

    def __init__(self, every: Duration = 64 * SECOND) -> None:
        self.bench = Bench()
        self.stratum = 1
        self.said: list[tuple[int, Packet]] = []
        self.there = True
        self.closed = 0
        self.reports: list[str] = []
        self.broadcast = Broadcast(
            self.send,
            self.close,
            self.moment,
            self.bench,
            every,
            self.sleep,
            self.reports.append,
        )

    def moment(self) -> ReplyTemplate:
        snapshot = replace(self.bench.snapshot(), stratum=self.stratum)
        return ReplyTemplate(snapshot, *self.bench.read())

    def send(self, data: bytes) -> None:
        if not self.there:
            raise OSError("no such network")
        assert len(data) == 48
        self.said.append((self.bench.clock_ns, Packet.decode(data)))

    def sleep(self, length_s: float) -> None:
        assert 0 < length_s <= 1
        self.bench.clock_ns += round(length_s * 1e9)

    def close(self) -> None:
        self.closed += 1

    def serve(self, sweeps: int) -> None:
        for _ in range(sweeps):
            self.broadcast.serve(SECOND)


@pytest.mark.parametrize(("every_s", "poll"), [(8, 3), (64, 6), (100, 6), (128, 7)])
def test_the_time_is_told_every_so_often(every_s: int, poll: int) -> None:
    loud = Loud(every_s * SECOND)
    loud.serve(3 * (every_s + 1))
    moments, packets = zip(*loud.said, strict=True)
    assert [at - moments[0] for at in moments] == [
        n * every_s * SECOND.ns for n in range(3)
    ]
    for at, packet in zip(moments, packets, strict=True):
        assert (packet.version, packet.mode, packet.leap) == (
            4,
            PacketMode.BROADCAST,
            0,
        )
        assert (packet.stratum, packet.ref_id, packet.poll) == (1, b"PPS\0", poll)
        assert packet.origin.bits == packet.receive.bits == 0
        left = packet.transmit.near(Utc(at)) - Utc(at)
        assert ZERO <= left < Duration(2)
    assert loud.broadcast.counters() == {"broadcast": 3}


def test_who_does_not_know_the_time_says_nothing() -> None:
    loud = Loud()
    loud.stratum = 16
    loud.serve(200)
    assert loud.said == []
    loud.stratum = 1
    loud.serve(70)
    assert len(loud.said) == 1


def test_a_network_that_is_not_there_is_told_later() -> None:
    loud = Loud(8 * SECOND)
    loud.there = False
    loud.serve(20)
    loud.there = True
    loud.serve(9)
    assert len(loud.said) == 1
    assert loud.broadcast.counters() == {"broadcast": 1, "broadcast failed": 3}
    assert loud.reports == [
        "broadcast: no such network",
        "broadcast: all addresses are reached again",
    ]


def test_it_waits_no_longer_than_it_may_and_answers_nobody() -> None:
    loud = Loud()
    loud.serve(1)
    begun = loud.bench.clock_ns
    loud.broadcast.serve(30 * MILLISECOND)
    assert loud.bench.clock_ns - begun == 30 * MILLISECOND.ns
    loud.broadcast.reload_access(ServerSettings())
    assert loud.broadcast.clients(9) == []
    loud.broadcast.close()
    assert loud.closed == 1
