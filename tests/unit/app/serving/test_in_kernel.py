"""The responder as a service: what it is told, and when."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from hw.linux.clock import FreeClock
from refclock.app.serving.in_kernel import InKernel, kernel_responder, standing_at
from refclock.board.responder import AnsweredHost, Pace, Place, Statement
from refclock.config import parse
from refclock.published import ClockSnapshot
from refclock.server.plain import Standing
from refclock.server.settings import LeapMode, ListenerSettings, ServerSettings
from refclock.timebase import MILLISECOND, SECOND, Mono
from tests.fakes.published import right

PLAIN = Standing("0.0.0.0", None, ListenerSettings(leap=LeapMode.ANNOUNCE))  # noqa: S104


class Fake:
    """A responder that keeps what it is told."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.admitted: list[tuple[Sequence[Place], Pace]] = []
        self.where = ["lo"]
        self.fault: OSError | None = None

    def state(self, statement: Statement) -> None:
        self.statements.append(statement)

    def admit(self, places: Sequence[Place], pace: Pace) -> None:
        self.admitted.append((places, pace))

    def look(self) -> list[str]:
        if self.fault is not None:
            raise self.fault
        return self.where

    def counters(self) -> tuple[int, int]:
        return 5, 2

    def hosts(self) -> list[AnsweredHost]:
        now = Mono(time.monotonic_ns())
        return [
            AnsweredHost(ip_address(f"10.0.0.{count}"), now, count, 0, 4)
            for count in range(1, 4)
        ]

    def close(self) -> None:
        self.where = []


@pytest.fixture
def fake() -> Fake:
    return Fake()


def service(fake: Fake, published: list[ClockSnapshot]) -> InKernel:
    return InKernel(fake, [PLAIN], lambda: published[0], FreeClock(), ServerSettings())


def test_it_is_told_the_time_at_once_each_second_and_at_every_change(
    fake: Fake,
) -> None:
    published = [right()]
    running = service(fake, published)
    running.serve(30 * MILLISECOND)
    assert len(fake.statements) == 1
    running.serve(100 * MILLISECOND)
    assert len(fake.statements) == 1
    published[0] = replace(right(), stratum=16)
    running.serve(30 * MILLISECOND)
    assert [each.lasts > 0 * SECOND for each in fake.statements] == [True, False]
    running.serve(1100 * MILLISECOND)
    assert len(fake.statements) == 3


def test_new_settings_are_passed_on(fake: Fake) -> None:
    running = service(fake, [right()])
    assert len(fake.admitted) == 1
    fresh = ServerSettings(allow=("192.0.2.0/24",))
    threading.Thread(target=running.reload_access, args=(fresh,)).start()
    running.serve(50 * MILLISECOND)
    running.serve(50 * MILLISECOND)
    assert len(fake.admitted) == 2
    (place,), _ = fake.admitted[-1]
    allowed = [str(rule.network) for rule in place.rules if rule.allowed]
    assert allowed == ["192.0.2.0/24"]


def test_what_the_kernel_refuses_is_logged_once_and_ends_nothing(
    fake: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    running = service(fake, [right()])
    fake.fault = OSError(28, "no room")
    with caplog.at_level(logging.INFO):
        running.serve(1100 * MILLISECOND)
        assert [record.message for record in caplog.records] == [
            "answers from the kernel: [Errno 28] no room"
        ]
        fake.fault = None
        running.serve(1100 * MILLISECOND)
    assert caplog.messages[1:] == ["answering in the kernel at lo"]
    assert len(fake.statements) >= 2


def test_counters_and_hosts_are_told_as_a_service_tells_them(fake: Fake) -> None:
    running = service(fake, [right()])
    assert running.counters() == {
        "requests": 7,
        "answered": 5,
        "limited": 2,
        "answered_in_kernel": 5,
    }
    assert [each.address for each in running.clients(2)] == ["10.0.0.3", "10.0.0.2"]
    assert running.denied(9) == []
    running.close()
    assert fake.where == []


def test_only_sockets_of_the_port_stand_before_it() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        sockets = [(each, PLAIN.listener) for each in (one, two)]
        found = list(standing_at(sockets, two.getsockname()[1]))
    assert found == [Standing("127.0.0.1", None, PLAIN.listener)]


@pytest.mark.parametrize(
    ("wanted", "level"), [("auto", logging.INFO), (True, logging.WARNING)]
)
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (PermissionError(1, "no"), "takes the capabilities CAP_BPF and CAP_NET_ADMIN"),
        (OSError(22, "what"), "takes Linux 6.1 with BPF"),
        (OSError(12, "no memory"), "no memory"),
    ],
)
def test_what_is_missing_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wanted: str | bool,
    level: int,
    error: OSError,
    why: str,
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("refclock.app.serving.in_kernel.KernelResponder", refuse)
    settings = parse(f"server.in_kernel = {json.dumps(wanted)}".encode()).server
    with caplog.at_level(logging.INFO):
        assert kernel_responder(settings) is None
    (record,) = caplog.records
    assert record.levelno == level
    assert why in record.message
    assert record.message.startswith("no answers from the kernel: ")
    assert record.message.endswith("; the sockets serve")


def test_it_is_off_by_default_and_takes_a_port() -> None:
    assert kernel_responder(ServerSettings()) is None
    assert kernel_responder(ServerSettings(in_kernel=True, port=0)) is None


def test_the_drop_in_grants_what_loading_takes_and_nothing_else() -> None:
    systemd = Path(__file__).parents[4] / "config" / "systemd"
    lines = (systemd / "in-kernel.conf").read_text().splitlines()
    granted = [line for line in lines if line and not line.startswith("#")]
    assert granted == [
        "[Service]",
        "AmbientCapabilities=CAP_BPF CAP_NET_ADMIN",
        "CapabilityBoundingSet=CAP_BPF CAP_NET_ADMIN",
        "SystemCallFilter=bpf",
    ]
