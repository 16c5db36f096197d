"""Workers on loopback: they answer, keep to their clients, and come back."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from refclock.app.serving.workers import Workers
from refclock.ntp.packet import Packet
from refclock.published import ClockSnapshot
from refclock.server.settings import LeapMode, ListenerSettings, ServerSettings
from refclock.timebase import HOUR, MILLISECOND, SECOND, LeapSecond
from tests.fakes.published import right

pytestmark = pytest.mark.slow
REQUEST = bytes([0x23]) + bytes(39) + b"asked me"


def ask(port: int, source: str = "127.0.0.1") -> Packet | None:
    """One question from an address of our own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((source, 0))
        client.settimeout(0.2)
        client.sendto(REQUEST, ("127.0.0.1", port))
        try:
            return Packet.decode(client.recv(100))
        except TimeoutError:
            return None


def until(true: Callable[[], bool], workers: Workers) -> None:
    """Let the workers work until it is true; not for ever."""
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end
        workers.serve(20 * MILLISECOND)


class Publisher:
    """What is published now."""

    def __init__(self) -> None:
        self.now = right()

    def __call__(self) -> ClockSnapshot:
        return self.now


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
def workers(publisher: Publisher) -> Iterator[tuple[Workers, int]]:
    settings = ServerSettings(workers=2)
    listeners = [ListenerSettings(("127.0.0.1",), 0)]
    with closing(Workers(listeners, publisher, settings)) as both:
        port = both._sockets[0][1][0].getsockname()[1]
        until(lambda: all(ask(port, f"127.0.0.{n}") for n in (2, 3)), both)
        yield both, port


def test_modules_of_the_current_folder_are_not_run(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service started as root must not run what anyone may leave there."""
    for name in ("refclock", "socket", "json"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
        )
    monkeypatch.chdir(tmp_path)
    listeners = [ListenerSettings(("127.0.0.1",), 0)]
    with closing(Workers(listeners, publisher, ServerSettings(workers=2))) as both:
        port = both._sockets[0][1][0].getsockname()[1]
        until(lambda: ask(port) is not None, both)
    assert not (tmp_path / "ran").exists()


def test_each_client_has_its_worker_and_hears_what_is_published(
    workers: tuple[Workers, int], publisher: Publisher
) -> None:
    both, port = workers
    for source in ("127.0.0.2", "127.0.0.3"):
        for _ in range(3):
            reply = ask(port, source)
            assert reply is not None
            assert reply.stratum == 1

    def each_has_one() -> bool:
        return [each.counters.get("clients") for each in both._reported()] == [1, 1]

    until(each_has_one, both)
    assert both.counters()["answered"] >= 8
    until(lambda: sum(client.count for client in both.clients(9)) >= 8, both)
    assert {client.address for client in both.clients(9)} == {"127.0.0.2", "127.0.0.3"}
    assert all(client.version == 4 for client in both.clients(9))
    assert len(both.clients(1)) == 1
    publisher.now = replace(right(), stratum=16)
    both.serve(50 * MILLISECOND)
    time.sleep(0.005)
    for source in ("127.0.0.2", "127.0.0.3"):
        reply = ask(port, source)
        assert reply is not None
        assert (reply.leap, reply.stratum) == (3, 0)


def test_each_listener_has_its_voice_in_every_worker(publisher: Publisher) -> None:
    leap = LeapSecond(publisher.now.updated + HOUR, 37 * SECOND, 38 * SECOND)
    publisher.now = replace(publisher.now, leap=leap)
    host = ("127.0.0.1",)
    listeners = [
        ListenerSettings(host, 0),
        ListenerSettings(host, 0, leap=LeapMode.SMEAR, stratum_least=5),
    ]
    settings = ServerSettings(workers=2)
    with closing(Workers(listeners, publisher, settings)) as both:
        plain, other = (group[0].getsockname()[1] for _, group in both._sockets)
        until(lambda: ask(plain) is not None and ask(other) is not None, both)
        publisher.now = replace(right(), leap=leap)
        both.serve(50 * MILLISECOND)
        for source in ("127.0.0.2", "127.0.0.3"):
            told, hidden = ask(plain, source), ask(other, source)
            assert told is not None
            assert hidden is not None
            assert (told.leap, told.stratum) == (1, 1)
            assert (hidden.leap, hidden.stratum) == (0, 5)
            now = publisher.now.posix(publisher.now.updated)
            apart = told.transmit.near(now) - hidden.transmit.near(now)
            assert abs(apart - 458 * MILLISECOND) < 100 * MILLISECOND


def test_a_worker_that_died_in_the_act_of_telling_is_not_heard(
    workers: tuple[Workers, int],
) -> None:
    both, port = workers
    assert all(ask(port, f"127.0.0.{n}") for n in (2, 3, 2, 3))
    until(lambda: both.counters().get("clients") == 2, both)
    os.kill(both._workers[0].pid, signal.SIGSTOP)
    memory = both._reports[0]._memory
    memory[0] |= 1  # half written
    assert both.counters()["clients"] == 1
    assert len(both.clients(9)) == 1
    os.kill(both._workers[0].pid, signal.SIGKILL)
    until(lambda: both.counters()["worker_restarts"] == 1, both)
    until(lambda: len(list(both._reported())) == 2, both)


def test_a_worker_that_died_comes_back(workers: tuple[Workers, int]) -> None:
    both, port = workers
    os.kill(both._workers[0].pid, signal.SIGKILL)
    until(lambda: both.counters()["worker_restarts"] == 1, both)
    until(lambda: all(ask(port, f"127.0.0.{n}") for n in (2, 3)), both)
    assert all(worker.poll() is None for worker in both._workers)


def test_a_worker_that_can_never_run_is_started_once_a_second(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    listeners = [ListenerSettings(("127.0.0.1",), 0)]
    with closing(Workers(listeners, publisher, ServerSettings(workers=2))) as both:
        both.serve(500 * MILLISECOND)
        assert both.counters()["worker_restarts"] == 0
        both.serve(800 * MILLISECOND)
        assert both.counters()["worker_restarts"] == 2
