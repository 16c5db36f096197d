"""Hundreds of thousands of packets at random, in the process, sweep by sweep."""

import random
from collections.abc import Sequence

import pytest

from refclock.drivers.ntp import NtpService, ServerSettings
from refclock.events import Command
from refclock.ports import BATCH
from refclock.server.admit import RateLimitSettings
from refclock.server.served import Served
from refclock.timebase import (
    MICROSECOND,
    MILLISECOND,
    SECOND,
    Duration,
    Local,
    Mono,
    Tai,
    Utc,
)
from tests.fakes.wire import Received, Wire

pytestmark = pytest.mark.slow

SWEEPS = 8_000
BEGIN = Utc.of(2036, 2, 7, 6, 28, 15).ns
"""The era turns within the run."""
PAIRS = {(4, 3), (2, 1), (4, 0)}


class Machine(Wire):
    """A clock, and a socket that takes in what it is given and checks what goes out."""

    epoch = 0

    def __init__(self, draw: random.Random) -> None:
        super().__init__()
        self.draw = draw
        self.now = BEGIN
        self.asked: list[bytes] = []
        self.stratum = 1
        self.answered = 0
        self.interleaved = 0
        self.published = BEGIN

    def read(self) -> tuple[Local, Mono]:
        return Local(self.now), Mono(self.now - BEGIN)

    def apply(self, command: Command) -> None:
        raise NotImplementedError

    def now_ns(self) -> int:
        return self.now

    def served(self) -> Served:
        """Right, but published now and then only, and not always synchronised."""
        return Served(
            stratum=self.stratum,
            ref_id=b"GPS\0",
            at=Mono(self.published - BEGIN),
            local=Local(self.published),
            correction=37 * SECOND,
            rate=0.0,
            updated=Tai(self.published + 37 * SECOND.ns),
            bound=MICROSECOND,
            bound_rate=0.0,
            utc_behind_tai=37 * SECOND,
            leap=None,
            precision=-24,
        )

    def receive(self, limit: Duration) -> tuple[Sequence[bytes], Sequence[int]]:
        draw = self.draw
        datagrams: list[Received] = []
        for request in self.asked:
            came = self.now - draw.choice([0, 1_000, 10**6, 10**10, -1])
            source = bytes([10, 0, 0, draw.randrange(24)])
            if draw.random() < 0.1:
                source = draw.randbytes(draw.choice([4, 16]))
            datagrams.append((source, came, request))
        self.datagrams, self.clock_ns, self.sent = datagrams, self.now, []
        return super().receive(limit)

    def send(self, answered: Sequence[int]) -> int:
        count = super().send(answered)
        for place, reply in self.sent:
            request = self.asked[place]
            assert len(request) >= 48
            assert (reply[0] & 7, request[0] & 7) in PAIRS
            assert reply[0] >> 3 & 7 == request[0] >> 3 & 7 <= 4
            self.interleaved += reply[24:32] != request[40:48]
            assert reply[24:32] in {request[40:48], request[32:40]}
            if reply[1] and reply[24:32] == request[40:48]:
                received, left = (
                    int.from_bytes(reply[at : at + 8], "big") for at in (32, 40)
                )
                assert left - received & 1 << 63 == 0  # in no era before it
                assert reply[0] >> 6 == 0
                assert self.stratum == 1
        self.answered += count
        return count


def request(draw: random.Random, told: bytes) -> bytes:
    """Anything; `told`: what our last reply says it was received."""
    kind = draw.random()
    if kind < 0.1:
        return draw.randbytes(draw.randrange(100))
    first = bytes([draw.choice([0x23, 0x1B, draw.randrange(256)])])
    origin = told if kind < 0.4 else draw.choice([bytes(8), draw.randbytes(8)])
    receive = draw.choice([bytes(8), draw.randbytes(8)])
    header = first + draw.randbytes(23) + origin + receive + draw.randbytes(8)
    if kind < 0.8:
        return header
    field = draw.randrange(1, 80)
    said = draw.choice([field, field & ~3, 0, 0xFFFF]).to_bytes(2, "big")
    return header + draw.randbytes(2) + said + draw.randbytes(field)


def test_whatever_comes_the_laws_hold_and_nothing_grows() -> None:
    draw = random.Random(5905)
    machine = Machine(draw)
    pace = RateLimitSettings(burst=8, clients=64)
    settings = ServerSettings(rate_limit=pace, tell_denied=True)
    service = NtpService(machine, machine.served, machine, settings, draw.random)
    for sweep in range(SWEEPS):
        told = bytes(machine.replies[32:40])
        count = draw.randint(1, BATCH)
        machine.asked = [request(draw, told) for _ in range(count)]
        service.serve(SECOND)
        machine.now += draw.choice([1_000, MILLISECOND.ns, SECOND.ns // 20])
        if sweep % 100 == 0:
            machine.stratum = draw.choice([1, 1, 16])
            machine.now += MILLISECOND.ns
        if draw.random() < 0.2:
            machine.published = machine.now
    counters = service.counters()
    reasons = {"malformed", "mode or version", "clock stepped", "denied", "limited"}
    assert reasons | {"warned"} < set(counters)
    assert counters["requests"] > 30 * SWEEPS
    assert counters["answered"] == machine.answered > counters["requests"] * 0.1
    assert machine.interleaved > 100
    clients = service._admission.clients()
    assert len(clients) <= 64
    assert all(len(client.departures) <= 8 for client in clients)
