"""Authenticated requests: their replies are sealed, and leave after the plain ones."""

from refclock.ntp.auth import Authenticator, AuthFault, Opened, Proof, SymmetricKeys
from refclock.ntp.mac import key
from refclock.ntp.packet import Packet
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.service import NtpService
from refclock.server.settings import Require, ServerSettings
from refclock.timebase import MICROSECOND, MILLISECOND, SECOND, Duration
from tests.fakes.wire import Wire
from tests.unit.server.test_service import (
    NEAR,
    REQUEST,
    SERVED,
    UTC,
    Clock,
    asked,
    wire_with,
)

KEY = key(7, "SHA1", b"0123456789")
SIGNED = REQUEST + KEY.mac(REQUEST, 4)
UNLIMITED = RateLimitSettings(enabled=False)


class Nak:
    """As NTS with a cookie it cannot open."""

    def open(self, request: bytes) -> Opened | AuthFault | None:
        if request[48:50] != b"\2\4":
            return None
        return Opened(Proof.NTS, lambda _: request[48:76], nak=True)


def service(wire: Wire, settings: ServerSettings | None = None) -> NtpService:
    given = settings or ServerSettings(rate_limit=UNLIMITED)
    ways: list[Authenticator] = [Nak(), SymmetricKeys({7: KEY})]
    return NtpService(
        wire, lambda: SERVED, Clock(), given, lambda: 0.9, authenticators=ways
    )


def test_a_signed_request_gets_a_signed_reply_and_plain_ones_leave_first() -> None:
    wire = wire_with(asked(SIGNED), asked(), asked(SIGNED), asked())
    answering = service(wire)
    answering.serve(SECOND)
    assert [place for place, _ in wire.sent] == [1, 3, 0, 2]
    for place, reply in wire.sent:
        assert len(reply) == (72 if place in {0, 2} else 48)
        packet = Packet.decode(reply)
        assert packet.origin == Packet.decode(REQUEST).transmit
        assert abs(packet.transmit.near(UTC) - UTC - 20 * MICROSECOND) <= MICROSECOND
        if len(reply) > 48:
            assert KEY.proves(reply[:48], reply[48:])
    assert answering.counters()["answered"] == 4


def test_a_wrong_mac_is_dropped_and_counted() -> None:
    wire = wire_with(asked(SIGNED[:-1] + b"x"), asked(REQUEST + bytes(20)))
    answering = service(wire)
    answering.serve(SECOND)
    assert wire.sent == []
    assert answering.counters()["bad_mac"] == 2


def test_a_kiss_to_a_signed_request_is_signed() -> None:
    pace = RateLimitSettings(burst=8, leak=0, kiss=True)
    wire = wire_with(*[asked(SIGNED)] * 9)
    service(wire, ServerSettings(rate_limit=pace)).serve(SECOND)
    (*_, (place, last)) = wire.sent
    assert (place, Packet.decode(last).ref_id) == (8, b"RATE")
    assert KEY.proves(last[:48], last[48:])


def test_a_nak_tells_no_time() -> None:
    field = b"\2\4\0\x1c" + bytes(24)
    wire = wire_with(asked(REQUEST + field))
    service(wire).serve(SECOND)
    ((_, reply),) = wire.sent
    packet = Packet.decode(reply)
    assert (packet.stratum, packet.leap, packet.ref_id) == (0, 3, b"NTSN")
    assert reply[48:] == field


def test_where_it_is_required_only_the_authenticated_are_answered() -> None:
    far = bytes([10, 9, 0, 1])
    for require, answered in (
        (Require.KEY, [0, 1, 3]),
        (Require.ANY, [0, 1, 3]),
        (Require.NTS, [1]),
        (Require.NOTHING, [0, 1, 2, 3]),
    ):
        wire = wire_with(asked(SIGNED), asked(source=far), asked(), asked(SIGNED))
        settings = ServerSettings(
            rate_limit=UNLIMITED, require=require, require_from=("10.0.0.0/24",)
        )
        answering = service(wire, settings)
        answering.serve(SECOND)
        assert sorted(place for place, _ in wire.sent) == answered
        dropped = answering.counters().get("not_authenticated", 0)
        assert dropped == 4 - len(answered)


def test_a_sealed_reply_s_stamp_is_when_it_leaves_as_learned() -> None:
    """Of groups of one size apart from other sizes, and from plain replies."""
    wire = wire_with(asked(), asked(SIGNED), asked(SIGNED))
    answering = service(wire)
    wire.leaves_after_ns = 30_000
    for _ in range(9):
        wire.clock_ns += 10 * MILLISECOND.ns
        answering.serve(SECOND)
    for _, reply in wire.sent[-2:]:
        lead = Packet.decode(reply).transmit.near(UTC) - UTC
        lead -= Duration(wire.clock_ns - UTC.ns)
        assert 29 * MICROSECOND <= lead <= 32 * MICROSECOND


def test_the_interleaved_mode_is_served_to_signed_requests() -> None:
    wire = wire_with(asked(SIGNED))
    answering = service(wire)
    answering.serve(SECOND)
    for receive in (101, 102, 103):
        told = wire.sent[-1][1][32:40]
        plain = REQUEST[:24] + told + receive.to_bytes(8, "big") + REQUEST[40:]
        wire.datagrams = [asked(plain + KEY.mac(plain, 4), NEAR, receive)]
        wire.leaves_after_ns = receive
        answering.serve(SECOND)
    *_, last = wire.sent
    assert last[1][24:32] == (103).to_bytes(8, "big")
    assert KEY.proves(last[1][:48], last[1][48:])
    left = Packet.decode(last[1]).transmit.near(UTC) - UTC
    assert abs(left - 20 * MICROSECOND - Duration(102)) <= Duration(2)
