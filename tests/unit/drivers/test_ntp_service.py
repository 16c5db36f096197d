"""The service on a socket made of lists: who gets what, and how it is counted."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from refclock.drivers.ntp import NtpService, ServerSettings
from refclock.events import Command
from refclock.packet import Mode, Packet
from refclock.ports import BATCH, Datagram
from refclock.server.admit import RateLimitSettings
from refclock.server.served import Served
from refclock.timebase import (
    MICROSECOND,
    SECOND,
    Duration,
    Local,
    Mono,
    NtpTimestamp,
    Tai,
    Utc,
)

UTC = Utc.of(2036, 2, 7, 6, 28, 16)
"""The first second of the second era."""
LOCAL, MONO = Local(UTC.ns), Mono(77 * SECOND.ns)
SERVED = Served(
    stratum=1,
    ref_id=b"GPS\0",
    at=MONO,
    local=LOCAL,
    correction=37 * SECOND,
    rate=0.0,
    updated=Tai(UTC.ns + 36 * SECOND.ns),
    bound=MICROSECOND,
    bound_rate=0.0,
    utc_behind_tai=37 * SECOND,
    leap=None,
    precision=-24,
)
NEAR, FAR = bytes([10, 0, 0, 1]), bytes([8, 8, 8, 8])
REQUEST = bytes([0x23, 0, 6, 0]) + bytes(36) + b"whatever"
TOOK = 20 * MICROSECOND


class Clock:
    """Both clocks stand at the moment of the test."""

    epoch = 0

    def read(self) -> tuple[Local, Mono]:
        return LOCAL, MONO

    def apply(self, command: Command) -> None:
        raise NotImplementedError


class Wire:
    """A socket that has received what it was made with."""

    name = "10.0.0.9:123"

    def __init__(self, *datagrams: Datagram) -> None:
        self.replies = bytearray(48 * BATCH)
        self.sent: list[tuple[int, Packet]] = []
        self.closed = False
        self._datagrams = datagrams

    def now_ns(self) -> int:
        return LOCAL.ns + TOOK.ns

    def receive(self, limit: Duration) -> Sequence[Datagram]:
        assert limit == SECOND
        return self._datagrams

    def send(self, to: Sequence[int]) -> int:
        for place, slot in enumerate(to):
            reply = self.replies[48 * place : 48 * place + 48]
            self.sent.append((slot, Packet.decode(bytes(reply))))
        return len(to)

    def dropped(self) -> int:
        return 7

    def close(self) -> None:
        self.closed = True


def asked(request: bytes = REQUEST, source: bytes = NEAR, at: int = 0) -> Datagram:
    return source, LOCAL.ns - TOOK.ns + at, request


def service(wire: Wire, settings: ServerSettings | None = None) -> NtpService:
    return NtpService(
        wire, lambda: SERVED, Clock(), settings or ServerSettings(), lambda: 0.1
    )


def test_a_sweep_answers_each_request_to_its_sender() -> None:
    other = replace(Packet.decode(REQUEST), version=3, transmit=NtpTimestamp(99))
    wire = Wire(asked(), asked(b"junk"), asked(other.encode()))
    answering = service(wire)
    answering.serve(SECOND)
    (first, one), (second, two) = wire.sent
    assert (first, second) == (0, 2)
    assert one.origin == Packet.decode(REQUEST).transmit
    assert (two.origin, two.version) == (NtpTimestamp(99), 3)
    for packet in (one, two):
        assert packet.mode is Mode.SERVER
        assert packet.receive.near(UTC) == UTC - TOOK
        assert packet.transmit.near(UTC) == UTC + TOOK
    counters = answering.counters()
    assert (counters["requests"], counters["answered"]) == (3, 2)
    assert counters["malformed"] == 1
    assert counters["kernel dropped"] == 7


REFUSED = [
    pytest.param(asked(bytes(10)), "malformed", id="short"),
    pytest.param(asked(b""), "malformed", id="empty"),
    pytest.param(asked(REQUEST + bytes(5)), "malformed", id="tail"),
    pytest.param(asked(b"\x2b" + REQUEST[1:]), "mode or version", id="version 5"),
    *(
        pytest.param(
            asked(bytes([0x20 | mode]) + REQUEST[1:]), "mode or version", id=mode.name
        )
        for mode in Mode
        if mode not in {Mode.CLIENT, Mode.SYMMETRIC_ACTIVE}
    ),
    pytest.param(asked(source=FAR), "denied", id="denied"),
    pytest.param(asked(at=SECOND.ns), "clock stepped", id="from the future"),
    pytest.param(asked(at=-11 * SECOND.ns), "clock stepped", id="from the past"),
]


@pytest.mark.parametrize(("datagram", "why"), REFUSED)
def test_a_refusal_is_silent_and_counted(datagram: Datagram, why: str) -> None:
    wire = Wire(datagram)
    answering = service(wire)
    answering.serve(SECOND)
    assert wire.sent == []
    assert answering.counters()[why] == 1


def test_a_mac_or_field_is_answered_without() -> None:
    wire = Wire(asked(REQUEST + bytes(20)), asked(REQUEST + b"\1\4\0\x1c" + bytes(24)))
    service(wire).serve(SECOND)
    assert [slot for slot, _ in wire.sent] == [0, 1]


def test_who_asks_too_often_is_told_so_now_and_then() -> None:
    wire = Wire(*[asked()] * 9)
    pace = RateLimitSettings(burst=8)
    answering = service(wire, ServerSettings(rate_limit=pace))
    answering.serve(SECOND)
    (*_, (slot, last)) = wire.sent
    assert slot == 8
    assert (last.stratum, last.ref_id, last.poll) == (0, b"RATE", 7)
    assert answering.counters()["warned"] == 1


def test_the_denied_are_told_only_if_asked_for() -> None:
    wire = Wire(asked(source=FAR))
    service(wire, ServerSettings(tell_denied=True)).serve(SECOND)
    ((_, packet),) = wire.sent
    assert (packet.stratum, packet.ref_id) == (0, b"DENY")


def test_silence_is_nothing_and_close_closes() -> None:
    wire = Wire()
    answering = service(wire)
    answering.serve(SECOND)
    assert answering.counters()["requests"] == 0
    assert answering.name == wire.name
    answering.close()
    assert wire.closed


def test_settings_refuse_a_rule_that_is_no_network() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/33"):
        ServerSettings(allow=("10.0.0.0/33",))
