"""Laws of the NTP service: true for every request and every published clock."""

from dataclasses import dataclass

from hypothesis import assume, given
from hypothesis import strategies as st

from refclock.board.ports import BATCH
from refclock.events import Command
from refclock.ntp import extension
from refclock.ntp.exchange import Question, ReplyFault, measure
from refclock.ntp.packet import Packet, PacketError
from refclock.published import ClockSnapshot
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.reply import ReplyTemplate
from refclock.server.service import NtpService
from refclock.server.settings import ServerSettings
from refclock.timebase import (
    SECOND,
    Duration,
    LeapSecond,
    Local,
    Mono,
    NtpTimestamp,
    Tai,
    Utc,
)
from tests.fakes.wire import Wire

START = Utc.of(1990, 1, 1).ns
END = Utc.of(2150, 1, 1).ns
NEIGHBOUR = bytes([127, 0, 0, 1])

packets = st.binary(min_size=48, max_size=48)
anything = st.binary(max_size=200)
requests = st.one_of(
    anything,
    st.builds(
        lambda first, rest, tail: bytes([first]) + rest + tail,
        st.integers(0, 255),
        st.binary(min_size=47, max_size=47),
        st.sampled_from([b"", bytes(4), bytes(20), b"\1\4\0\x1c" + bytes(24)]),
    ),
)
small = st.integers(0, 10**7).map(Duration)


@st.composite
def clocks(draw: st.DrawFn) -> ClockSnapshot:
    """Any published clock: any year, any correction, with a leap second or without."""
    local = draw(st.integers(START, END))
    correction = draw(st.integers(-(10**12), 10**12))
    tai = local + correction
    behind = draw(st.integers(10, 60)) * SECOND
    leap = None
    if draw(st.booleans()):
        by = draw(st.sampled_from([-SECOND, SECOND]))
        leap = LeapSecond(
            Tai(tai + draw(st.integers(-(10**14), 10**14))), behind, behind + by
        )
    return ClockSnapshot(
        stratum=draw(st.sampled_from([1, 16])),
        ref_id=draw(st.binary(min_size=4, max_size=4)),
        at=Mono(draw(st.integers(0, 10**16))),
        local=Local(local),
        correction=Duration(correction),
        rate=draw(st.floats(-5e-4, 5e-4)),
        updated=Tai(tai - draw(st.integers(0, 10**13))),
        bound=Duration(draw(st.integers(0, 10**12))),
        bound_rate=draw(st.floats(0, 1e-3)),
        utc_behind_tai=behind,
        leap=leap,
        precision=draw(st.integers(-30, -6)),
    )


@dataclass
class Clocks:
    """They stand `age` after publication."""

    snapshot: ClockSnapshot
    age: Duration
    era: int = 0

    def read(self) -> tuple[Local, Mono]:
        return self.snapshot.local + self.age, self.snapshot.at + self.age

    def apply(self, command: Command) -> None:
        raise NotImplementedError


ages = st.integers(0, 40 * 10**9).map(Duration)


@given(clocks(), ages, small, small, st.lists(requests, max_size=BATCH), st.booleans())
def test_every_reply(
    snapshot: ClockSnapshot,
    age: Duration,
    waited: Duration,
    took: Duration,
    asked: list[bytes],
    limited: bool,
) -> None:
    received = (snapshot.local + age - waited).ns
    bench = Wire(
        *((NEIGHBOUR, received, request) for request in asked),
        now_ns=(snapshot.local + age + took).ns,
    )
    pace = RateLimitSettings(enabled=limited, burst=8)
    settings = ServerSettings(rate_limit=pace)
    clocks = Clocks(snapshot, age)
    NtpService(bench, lambda: snapshot, clocks, settings, lambda: 0.1).serve(SECOND)
    realtime_offset = Duration(snapshot.local.ns - snapshot.at.ns)
    sent = snapshot.posix(snapshot.tai(Local(bench.now_ns()), realtime_offset))
    now = snapshot.tai(snapshot.local + age, realtime_offset)
    leaps = snapshot.leap is not None and abs(snapshot.leap.at - now) < 2 * took
    slots = [slot for slot, _ in bench.sent]
    assert slots == sorted(set(slots))
    for slot, data in bench.sent:
        request, reply = asked[slot], Packet.decode(data)
        assert len(data) <= len(request)
        assert data[24:32] == request[40:48]
        assert (reply.mode, request[0] & 7) in {(4, 3), (2, 1), (4, 0)}
        assert reply.version == request[0] >> 3 & 7
        assert reply.receive.near(sent) <= reply.transmit.near(sent)
        assert leaps or abs(reply.transmit.near(sent) - sent) <= Duration(1)
        if not snapshot.synchronised(snapshot.at + age):
            assert (reply.leap, reply.stratum) == (3, 0)
        elif reply.stratum:
            assert reply.root_dispersion.seconds * 1e9 >= snapshot.bound.ns


@given(clocks(), ages, st.integers(-(10**10), 0))
def test_the_straight_line_is_the_served_time(
    snapshot: ClockSnapshot, age: Duration, away: int
) -> None:
    local, mono = snapshot.local + age, snapshot.at + age
    stamp = local + Duration(away)
    tai = snapshot.tai(stamp, Duration(local.ns - mono.ns))
    assume(snapshot.leap is None or abs(snapshot.leap.at - tai) > Duration(2))
    exact = snapshot.posix(tai)
    moment = ReplyTemplate(snapshot, local, mono)
    assume(stamp.ns >= moment.oldest_ns)
    wire = NtpTimestamp(moment.wire(stamp.ns))
    assert abs(wire.near(exact) - exact) <= Duration(2)


@given(packets)
def test_any_48_bytes_are_a_packet(data: bytes) -> None:
    assert Packet.decode(data).encode() == data


@given(anything)
def test_any_bytes_decode_or_raise_the_one_error(data: bytes) -> None:
    for read in (Packet.decode, extension.read):
        try:
            read(data)
        except PacketError:
            assert len(data) != 48


@given(
    anything, st.integers(1, 4), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)
)
def test_any_reply_is_judged(
    data: bytes, version: int, cookie: int, other: int
) -> None:
    question = Question.ask(version, cookie, NtpTimestamp(1), other)
    forged = data[:24] + question.packet.encode()[40:] + data[32:]
    for reply in (data, forged):
        judged = question.judge(reply)
        if isinstance(judged, Packet):
            assert judged.stratum in range(1, 16)
            assert judged.origin.bits in {cookie, other}
            worth = measure(judged, Local(START), Local(START))
            assert isinstance(worth, ReplyFault) or worth.delay >= Duration(0)


@given(st.integers(START, END), st.integers(-(10**17), 10**17), small, small, small)
def test_measuring_finds_the_offset(
    sent: int, offset: int, there: Duration, held: Duration, back: Duration
) -> None:
    came = Utc(sent + offset) + there
    reply = Packet.decode(bytes([0x24, 1]) + bytes(46))
    reply = Packet.decode(
        reply.encode()[:32]
        + NtpTimestamp.of(came).bits.to_bytes(8, "big")
        + NtpTimestamp.of(came + held).bits.to_bytes(8, "big")
    )
    received = Local(sent) + there + held + back
    measured = measure(reply, Local(sent), received)
    assert not isinstance(measured, ReplyFault)
    assert abs(measured.offset - Duration(offset)) <= measured.error + Duration(1)
    assert measured.delay == there + back
