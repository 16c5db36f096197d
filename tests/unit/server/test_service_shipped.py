"""The service as shipped, no setting touched: who is limited, and what it costs."""

import random
from collections import Counter
from dataclasses import replace
from ipaddress import ip_address

import pytest

from refclock.board.ports import BATCH
from refclock.events import Command
from refclock.ntp.packet import Packet
from refclock.published import ClockSnapshot
from refclock.server.admission.access import Access
from refclock.server.admission.admit import Admission, Decision
from refclock.server.service import NtpService
from refclock.server.settings import ServerSettings
from refclock.timebase import SECOND, Duration, Local, Mono, Utc
from tests.fakes.published import right_at
from tests.fakes.wire import Wire

BEGIN = Utc.of(2026, 11, 23, 6).ns
REQUEST = bytes([0x23, 0, 6, 0]) + bytes(36) + b"asked me"
SHIPPED = ServerSettings()
CLIENTS = ["192.168.1.20", "fd00:1:2:3::4", "fe80::7"]


class Bench(Wire):
    """A service and its clients on one clock that the test moves."""

    era = 0

    def __init__(
        self, draw: random.Random | None = None, settings: ServerSettings = SHIPPED
    ) -> None:
        super().__init__(now_ns=BEGIN)
        self.draws = 0
        self.draw = draw
        self.service = NtpService(self, self.snapshot, self, settings, self.drawn)

    def drawn(self) -> float:
        self.draws += 1
        assert self.draw, "an honest client was in doubt"
        return self.draw.random()

    def read(self) -> tuple[Local, Mono]:
        return Local(self.clock_ns), Mono(self.clock_ns - BEGIN)

    def apply(self, command: Command) -> None:
        raise NotImplementedError

    def snapshot(self) -> ClockSnapshot:
        return right_at(*self.read())

    def ask(self, after: Duration, *asked: tuple[str, bytes]) -> list[Packet]:
        """What is answered in a sweep of these."""
        self.clock_ns += after.ns
        self.sent.clear()
        self.datagrams = [
            (ip_address(source).packed, self.clock_ns, request)
            for source, request in asked
        ]
        self.service.serve(SECOND)
        return [Packet.decode(reply) for _, reply in self.sent]


@pytest.mark.parametrize("source", CLIENTS)
@pytest.mark.parametrize("spacing", [0, 1, 10**6, 2 * 10**9 // 7], ids=str)
@pytest.mark.parametrize("every_s", [3, 16, 64])
def test_a_burst_of_8_within_2_s_is_never_punished(
    source: str, spacing: int, every_s: int
) -> None:
    bench = Bench()
    for _ in range(100):
        for _ in range(8):
            (packet,) = bench.ask(Duration(spacing), (source, REQUEST))
            assert packet.stratum == 1
        bench.ask(Duration(every_s * SECOND.ns - 8 * spacing))
    assert bench.draws == 0


@pytest.mark.parametrize("source", CLIENTS)
def test_nor_is_a_burst_that_comes_in_one_sweep(source: str) -> None:
    bench = Bench()
    for _ in range(100):
        for packet in bench.ask(4 * SECOND, *[(source, REQUEST)] * 8):
            assert packet.stratum == 1
        assert len(bench.sent) == 8
    assert bench.draws == 0


def test_hosts_of_one_ipv6_network_starting_together_are_not_punished() -> None:
    bench = Bench()
    for _ in range(50):
        for host in range(4):
            for _ in range(8):
                (packet,) = bench.ask(Duration(1), (f"fd00::{host}", REQUEST))
                assert packet.stratum == 1
        bench.ask(16 * SECOND)
    assert bench.draws == 0


def test_of_what_is_too_much_a_quarter_is_answered_and_a_few_are_warned() -> None:
    kissing = replace(SHIPPED, rate_limit=replace(SHIPPED.rate_limit, kiss=True))
    bench = Bench(random.Random(5905), settings=kissing)
    asked = 200 * BATCH
    kinds = Counter[str]()
    gaps = Counter[int]()
    last = 0
    for sweep in range(200):
        pause = Duration(SECOND.ns // 10)
        for packet in bench.ask(pause, *[(CLIENTS[0], REQUEST)] * BATCH):
            assert packet.origin.bits.to_bytes(8, "big") == b"asked me"
            if packet.stratum:
                kinds["served"] += 1
                continue
            assert (packet.leap, packet.ref_id, packet.poll) == (3, b"RATE", 7)
            assert packet.reference.bits == packet.root_dispersion.bits == 0
            kinds["warned"] += 1
        for place, reply in bench.sent:
            if reply[1]:
                at = sweep * BATCH + place
                gaps[at - last] += 1
                last = at
    assert kinds["warned"] == 5  # in 20 s
    within = 32 + 20 * 32
    assert 0.2 < (kinds["served"] - within) / (asked - within) < 0.3
    assert len(gaps) > 10  # nobody can tell which will be


def test_a_kiss_answers_the_request_even_if_that_was_interleaved() -> None:
    """Else one who guesses when a reply left could have a client silenced."""
    kissing = replace(SHIPPED, rate_limit=replace(SHIPPED.rate_limit, kiss=True))
    bench = Bench(random.Random(1), settings=kissing)
    (packet,) = bench.ask(SECOND, (CLIENTS[0], REQUEST))
    warned = 0
    for _ in range(20_000):
        request = (
            REQUEST[:24]
            + packet.receive.bits.to_bytes(8, "big")
            + b"received"
            + REQUEST[40:]
        )
        for reply in bench.ask(Duration(1_000_000), (CLIENTS[0], request)):
            if reply.ref_id == b"RATE":
                warned += 1
                assert reply.origin.bits.to_bytes(8, "big") == b"asked me"
            else:
                packet = reply
    assert warned >= 4
    (client,) = bench.service.clients(9)
    assert client.interleaved > 10


@pytest.mark.parametrize("tell_denied", [False, True])
def test_the_denied_hear_nothing_unless_it_is_asked_for(*, tell_denied: bool) -> None:
    bench = Bench(settings=ServerSettings(tell_denied=tell_denied))
    told = 0
    for _ in range(50):
        replies = bench.ask(SECOND, ("8.8.8.8", REQUEST), ("2001:db8::1", REQUEST))
        told += len(replies)
        for packet in replies:
            assert (packet.stratum, packet.ref_id) == (0, b"DENY")
            assert packet.origin.bits.to_bytes(8, "big") == b"asked me"
    assert told == (2 * 13 if tell_denied else 0)  # each 4 s
    assert bench.service.counters()["denied"] == 100
    assert bench.service.clients(9) == []


@pytest.mark.slow
def test_made_up_addresses_cost_no_honest_client_its_state() -> None:
    everyone = Access(["0.0.0.0/0", "::/0"], [])
    draw = random.Random(4)
    table = Admission(everyone, SHIPPED.rate_limit, draw.random)
    honest = [bytes([192, 168, 1, host]) for host in range(1, 200)]
    for source in honest:
        for _ in range(2):
            assert table.admit(source, 4, 0) is Decision.SERVE
    before = {source: table.known(source) for source in honest}
    for at in range(200_000):
        source = draw.randbytes(4 if at % 2 else 16)
        for _ in range(1 + at % 3):
            assert table.admit(source, 4, at * 1_000) is Decision.SERVE
    for source in honest:
        assert table.known(source) is before[source] is not None
        assert table.admit_run(source, 4, SECOND.ns, 8)
    assert len(table.clients()) == SHIPPED.rate_limit.clients
    assert table.newcomers() <= SHIPPED.rate_limit.clients
