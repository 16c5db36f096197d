"""What a service must bear: floods and nonsense; with an honest client beside them.

All of it over loopback, bounded in number and time. The flooded server is a
process of its own, so that the flood does not take its turn from it.
"""

import contextlib
import multiprocessing
import os
import random
import secrets
import socket
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from hw.linux.clock import FreeClock
from hw.net.ask import Asker
from hw.net.listen import listen
from hw.net.shared import Shared
from hw.net.udp import UdpSocket
from refclock.board.ports import BATCH
from refclock.ntp.exchange import Measurement, Question, ReplyFault, measure
from refclock.ntp.packet import Packet
from refclock.published import ClockSnapshot
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.service import NtpService
from refclock.server.settings import ServerSettings
from refclock.timebase import MICROSECOND, MILLISECOND, SECOND, Duration, Local
from tests.fakes.published import right
from tests.rig.flood import Flood

pytestmark = pytest.mark.slow

BOUND = 100 * MICROSECOND
ROOMY = ServerSettings(rate_limit=RateLimitSettings(burst=256))
"""For all that an honest client asks here, of which a flood lets through little or
much: 50 a second are twelve times what is allowed in the long run."""


def snapshot() -> ClockSnapshot:
    """What a client can be told here: its own clock, to so much."""
    return replace(right(), bound=BOUND)


class Server:
    """A service in a process of its own, on the last CPU; `nice` to all others."""

    def __init__(self, nice: int = 0) -> None:
        self.cpu = max(os.sched_getaffinity(0))
        self._nice = nice
        (bound,) = listen(["127.0.0.1"], 0)
        self.port = int(bound.getsockname()[1])
        self._counters = Shared(dict[str, int])
        with bound:
            context = multiprocessing.get_context("fork")
            self.process = context.Process(target=self._serve, args=(bound,))
            self.process.start()

    def _serve(self, bound: socket.socket) -> None:
        os.nice(self._nice)
        os.sched_setaffinity(0, {self.cpu})
        service = NtpService(
            UdpSocket(bound), snapshot, FreeClock(), ROOMY, random.random
        )
        told = 0.0
        while True:
            service.serve(50 * MILLISECOND)
            if time.monotonic() > told + 0.2:
                told = time.monotonic()
                self._counters.set(service.counters())

    def counters(self) -> dict[str, int]:
        """What it counted, half a second after the last came."""
        time.sleep(0.6)
        return dict(self._counters.get() or {})

    def resident_mb(self) -> float:
        """Memory it holds now."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.join()
        self.process.close()
        self._counters.close()


def ask(port: int, count: int = 1) -> list[Measurement]:
    """What so many questions find, one each 20 ms; those lost tell nothing."""
    found = []
    asked: list[tuple[Question, Local]] = []
    with closing(Asker(("127.0.0.1", port))) as asker:

        def listen_for(limit: Duration) -> None:
            for data, received in asker.replies(limit):
                for question, sent in asked:
                    reply = question.judge(data)
                    assert reply is ReplyFault.BOGUS or isinstance(reply, Packet)
                    if isinstance(reply, Packet):
                        one = measure(reply, sent, received)
                        assert isinstance(one, Measurement)
                        found.append(one)

        for _ in range(count):
            question = Question.ask(4, secrets.randbits(64))
            asked.append((question, asker.send(question.packet.encode())))
            listen_for(20 * MILLISECOND)
        listen_for(SECOND)
    return found


def pour(server: Server, flood: Flood) -> tuple[int, list[Measurement]]:
    """How many were sent, and what an honest client found meanwhile."""
    sent: list[int] = []

    def out() -> None:
        os.sched_setaffinity(0, {server.cpu})  # of this thread
        sent.append(flood.pour(server.port))

    pouring = threading.Thread(target=out)
    pouring.start()
    found = ask(server.port, 120)
    pouring.join()
    return sent[0], found


@pytest.mark.parametrize("source", ["127.0.0.66", None], ids=["one", "many"])
def test_in_a_flood_an_honest_client_is_told_the_time(source: str | None) -> None:
    """Ten times what it can answer; for that the server has but a part of a CPU here.

    The client may have to ask again: what the kernel has no room for is lost to all
    alike. But it is never limited, and what it hears is right.
    """
    flood = Flood(5_000_000, 2.5, source)
    with closing(Server(nice=10)) as server:
        first, found = pour(server, flood)
        filled_mb = server.resident_mb()
        second, more = pour(server, flood)
        counters = server.counters()
        asked = counters["requests"] + counters["kernel_dropped"]
        assert asked >= first + second > 10 * counters["answered"] > 50_000
        assert len(found) >= 3
        assert len(more) >= 3
        for one in found + more:
            assert abs(one.offset) <= one.error + BOUND
        assert median(abs(one.offset.ns) for one in found + more) < BOUND.ns
        assert server.process.is_alive()
        assert server.resident_mb() < filled_mb + 1
        refused = counters.get("limited", 0) + counters.get("warned", 0)
        if source is None:
            assert refused == 0
        else:
            assert refused > counters["requests"] * 0.8
        assert len(ask(server.port)) == 1


KINDS = [bytes([leap << 6 | low]) for leap in (0, 3) for low in range(64)]
TAILS = [b"", b"", bytes(4), bytes(20), b"\1\4\0\x1c" + bytes(24), b"\0\1\0\3x"]


def nonsense(draw: random.Random) -> bytes:
    """Often nearly a request, sometimes nothing of the kind."""
    if draw.random() < 0.2:
        return draw.randbytes(draw.choice([0, 1, 12, 47, 48, 52, 76, 468, 1500, 4000]))
    return draw.choice(KINDS) + draw.randbytes(47) + draw.choice(TAILS)


def test_no_reply_is_longer_than_its_request_or_to_a_control_message() -> None:
    draw = random.Random(20260501)
    pace = RateLimitSettings(enabled=False)
    (bound,) = listen(["127.0.0.1"], 0)
    place = bound.getsockname()
    service = NtpService(
        UdpSocket(bound),
        snapshot,
        FreeClock(),
        ServerSettings(rate_limit=pace),
        random.random,
    )
    answered = 0
    with (
        closing(service),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.connect(place)
        client.setblocking(False)
        for _ in range(400):
            asked = [nonsense(draw) for _ in range(BATCH)]
            for request in asked:
                client.send(request)
            service.serve(20 * MILLISECOND)
            known = {request[40:48]: request for request in asked}
            with contextlib.suppress(BlockingIOError):
                while True:
                    reply = client.recv(5_000)
                    request = known.pop(reply[24:32])
                    assert len(reply) <= len(request)
                    assert (reply[0] & 7, request[0] & 7) in {(4, 3), (2, 1), (4, 0)}
                    answered += 1
        counters = service.counters()
    assert counters["requests"] == 400 * BATCH
    assert answered == counters["answered"] > 2_000
    assert counters["malformed"] > 2_000
    assert counters["mode_or_version"] > 2_000


def test_control_and_private_messages_get_nothing() -> None:
    """What ntpq and ntpdc send, and what amplifies: mode 6 and 7 of every version."""
    (bound,) = listen(["127.0.0.1"], 0)
    place = bound.getsockname()
    service = NtpService(
        UdpSocket(bound), snapshot, FreeClock(), ServerSettings(), random.random
    )
    bodies = [bytes([0, 42]) + bytes(6), b"\0\3\x2a" + bytes(45), b"\2" + bytes(11)]
    asked = [
        bytes([version << 3 | mode]) + body
        for version in range(8)
        for mode in (6, 7)
        for body in bodies
    ]
    with (
        closing(service),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.connect(place)
        client.setblocking(False)
        for request in asked:
            client.send(request)
        service.serve(SECOND)
        with pytest.raises(BlockingIOError):
            client.recv(5_000)
        assert service.counters()["requests"] == len(asked)
