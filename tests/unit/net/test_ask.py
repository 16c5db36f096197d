"""A question's stamps are the kernel's, there and back, and not when we looked."""

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from hw.abi.sockets import SO_TIMESTAMPING
from hw.net.ask import Asker
from refclock.timebase import MILLISECOND


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as made:
            made.bind((request.param, 0))
            made.settimeout(1)
            yield made
    except OSError as error:
        if error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
            raise
        pytest.skip(str(error))


def asked(asker: Asker, server: socket.socket) -> tuple[bytes, bytes, list[int]]:
    """Question, reply, and in order when it was sent and when it came; 0: unstamped."""
    before = time.clock_gettime_ns(time.CLOCK_REALTIME)
    sent = asker.send(b"what time is it?")
    question, client = server.recvfrom(100)
    server.sendto(b"late", client)
    answered = time.clock_gettime_ns(time.CLOCK_REALTIME)
    time.sleep(0.02)  # not looked at when it came
    ((reply, received),) = asker.replies(20 * MILLISECOND)
    return question, reply, [before, sent.ns, received.ns, answered + 10_000_000]


def test_both_stamps_are_the_kernels(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Asker(server.getsockname())) as asker, monkeypatch.context() as ours:
        ours.setattr(time, "time_ns", lambda: 0)
        # the kernel begins to stamp what comes when it has time
        told = (asked(asker, server) for _ in range(50))
        question, reply, times = next(each for each in told if 0 not in each[2])
    assert (question, reply) == (b"what time is it?", b"late")
    assert times == sorted(times)


def test_where_the_kernel_does_not_stamp_it_is_when_we_looked(
    server: socket.socket,
) -> None:
    with closing(Asker(server.getsockname())) as asker:
        asker._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, 0)
        before = time.time_ns()
        sent = asker.send(b"?")
        _, client = server.recvfrom(100)
        server.sendto(b"!", client)
        ((_, received),) = asker.replies(5 * MILLISECOND)
        assert before <= sent.ns <= received.ns <= time.time_ns()


def test_silence_ends_and_a_closed_port_is_told(server: socket.socket) -> None:
    with closing(Asker(server.getsockname())) as asker:

        def answers() -> list[bytes]:
            asker.send(b"?")
            return [reply for reply, _ in asker.replies(5 * MILLISECOND)]

        assert answers() == []
        server.close()
        with pytest.raises(ConnectionRefusedError):
            answers()
