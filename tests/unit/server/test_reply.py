"""What a reply says, field by field."""

from dataclasses import replace

import pytest

from refclock.ntp.packet import Packet, PacketMode
from refclock.published import STALE_AFTER, ClockSnapshot
from refclock.server.reply import (
    RATE,
    ReplyTemplate,
    answers,
    asks_interleaved,
    interleave,
    origin_of,
    received_as_told,
)
from refclock.timebase import (
    MICROSECOND,
    MILLISECOND,
    SECOND,
    Duration,
    LeapSecond,
    Local,
    Mono,
    NtpShort,
    NtpTimestamp,
    Tai,
    Utc,
)

UTC = Utc.of(2026, 5, 1, 12)
TAI = Tai((UTC + 37 * SECOND).ns)
LOCAL = Local((UTC + 3 * SECOND).ns)
"""Our clock is three seconds ahead, uncorrected."""
MONO = Mono(5_000 * SECOND.ns)
SERVED = ClockSnapshot(
    stratum=1,
    ref_id=b"PPS\0",
    at=MONO,
    local=LOCAL,
    correction=34 * SECOND,
    rate=0.0,
    updated=TAI - SECOND,
    bound=3 * MICROSECOND,
    bound_rate=1e-6,
    utc_behind_tai=37 * SECOND,
    leap=None,
    precision=-23,
)
REQUEST = bytes([0x23, 0, 10, 0xEC]) + bytes(36) + b"cookies!"
KIND = answers(symmetric=True)


@pytest.fixture(autouse=True, params=[1, 64], ids=["by column", "one by one"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many replies are called few: all is written either way."""
    monkeypatch.setattr("refclock.server.reply._FEW", request.param)


def reply(
    snapshot: ClockSnapshot = SERVED,
    request: bytes = REQUEST,
    after: Duration = 10 * MILLISECOND,
    took: Duration = 40 * MICROSECOND,
) -> Packet:
    """The reply to a request that came `after` publication and waited `took`."""
    moment = ReplyTemplate(snapshot, LOCAL + after, MONO + after)
    out = bytearray(48)
    received = (LOCAL + after).ns - took.ns
    moment.begin(bytearray(request), out, KIND[request[0] : request[0] + 1], [received])
    moment.finish(out, [1], (LOCAL + after).ns, 0)
    return Packet.decode(bytes(out))


def test_a_reply_tells_our_time_and_how_good_it_is() -> None:
    packet = reply()
    assert (packet.leap, packet.version, packet.mode) == (0, 4, PacketMode.SERVER)
    assert (packet.stratum, packet.ref_id, packet.precision) == (1, b"PPS\0", -23)
    assert packet.root_delay.bits == 0
    assert packet.root_dispersion == NtpShort.of(SERVED.bound_at(MONO + MILLISECOND))
    assert packet.reference == NtpTimestamp.of(UTC - SECOND)
    assert packet.origin.bits.to_bytes(8, "big") == b"cookies!"
    assert packet.poll == 10
    assert packet.transmit.near(UTC) == UTC + 10 * MILLISECOND
    waited = packet.transmit.near(UTC) - packet.receive.near(UTC)
    assert abs(waited - 40 * MICROSECOND) <= Duration(1)


def test_the_time_of_another_server_is_told_with_its_stratum_and_delay() -> None:
    snapshot = replace(
        SERVED, stratum=2, ref_id=bytes([10, 0, 0, 7]), root_delay=7 * MILLISECOND
    )
    packet = reply(snapshot)
    assert (packet.stratum, packet.ref_id) == (2, bytes([10, 0, 0, 7]))
    assert packet.root_delay == NtpShort.of(7 * MILLISECOND)
    assert reply(snapshot, after=STALE_AFTER).root_delay.bits == 0


def test_the_bound_grows_between_updates() -> None:
    late = reply(after=20 * SECOND)
    assert late.root_dispersion == NtpShort.of(23 * MICROSECOND)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_each_version_is_answered_in_kind(version: int) -> None:
    packet = reply(request=bytes([version << 3 | 3]) + REQUEST[1:])
    assert (packet.version, packet.mode) == (version, PacketMode.SERVER)


def test_a_symmetric_peer_is_answered_or_not() -> None:
    assert KIND[4 << 3 | 1] == 4 << 3 | 2
    assert answers(symmetric=False)[4 << 3 | 1] == 0


def test_all_else_gets_no_answer() -> None:
    asked = {first & 63 for first, kind in enumerate(KIND) if kind}
    clients_and_peers = {v << 3 | m for v in (1, 2, 3, 4) for m in (1, 3)}
    assert asked == clients_and_peers | {1 << 3}


UNSYNCHRONISED = [
    pytest.param(replace(SERVED, stratum=16), MILLISECOND, id="never set"),
    pytest.param(SERVED, STALE_AFTER, id="stale"),
]


@pytest.mark.parametrize(("snapshot", "after"), UNSYNCHRONISED)
def test_without_synchronisation_we_say_so(
    snapshot: ClockSnapshot, after: Duration
) -> None:
    packet = reply(snapshot, after=after)
    assert (packet.leap, packet.stratum, packet.ref_id) == (3, 0, bytes(4))
    assert packet.root_dispersion.seconds == 16
    assert packet.reference.bits == 0


LEAP = LeapSecond.ending(Utc.of(2026, 5, 2), 37 * SECOND, 38 * SECOND)


def test_a_leap_second_is_announced_on_its_last_day() -> None:
    assert reply(replace(SERVED, leap=LEAP)).leap == 1
    earlier = replace(SERVED, leap=replace(LEAP, at=LEAP.at + 86_400 * SECOND))
    assert reply(earlier).leap == 0


def test_what_came_before_a_leap_second_is_not_answered_after_it() -> None:
    leap = replace(LEAP, at=TAI)
    before = ReplyTemplate(
        replace(SERVED, leap=leap), LOCAL - MILLISECOND, MONO - MILLISECOND
    )
    after = ReplyTemplate(
        replace(SERVED, leap=leap), LOCAL + MILLISECOND, MONO + MILLISECOND
    )
    assert before.oldest_ns == LOCAL.ns - 10_001_000_000
    assert after.oldest_ns == LOCAL.ns
    told = NtpTimestamp(after.wire((LOCAL + MILLISECOND).ns)).near(UTC)
    assert told == UTC - SECOND + MILLISECOND


def test_our_own_step_is_not_served() -> None:
    stepped = ReplyTemplate(SERVED, LOCAL + SECOND + MILLISECOND, MONO + MILLISECOND)
    bits = stepped.wire((LOCAL + SECOND + MILLISECOND).ns)
    assert NtpTimestamp(bits).near(UTC) == UTC + MILLISECOND


def test_a_kiss_tells_no_more_than_to_slow_down() -> None:
    moment = ReplyTemplate(SERVED, LOCAL, MONO)
    for asked, told in ((0, 6), (6, 7), (17, 17), (127, 17), (254, 6), (128, 6)):
        out = bytearray(96)
        request = bytearray(48) + REQUEST[:2] + bytes([asked]) + REQUEST[3:]
        moment.begin(request, out, KIND[0x23:0x24] * 2, [LOCAL.ns] * 2)
        moment.kiss(request, out, 1, RATE)
        packet = Packet.decode(bytes(out[48:]))
        assert (packet.leap, packet.stratum, packet.ref_id) == (3, 0, b"RATE")
        assert packet.poll == told
        assert (packet.precision, packet.reference.bits) == (0, 0)
        assert packet.origin.bits.to_bytes(8, "big") == b"cookies!"
        assert Packet.decode(bytes(out[:48])).stratum == 1


def test_the_stamps_of_a_sweep_follow_one_another() -> None:
    moment = ReplyTemplate(SERVED, LOCAL, MONO)
    out = bytearray(48 * 64)
    moment.finish(out, [1, 1, 1], LOCAL.ns, 2_000)
    sent = [Packet.decode(bytes(out[48 * i :])).transmit.near(UTC) for i in range(3)]
    gaps = [stamp - UTC for stamp in sent]
    assert all(
        abs(gap - i * 2_000 * Duration(1)) <= Duration(1) for i, gap in enumerate(gaps)
    )
    assert out[144:] == bytes(48 * 61)


def test_who_is_not_answered_takes_no_time() -> None:
    moment = ReplyTemplate(SERVED, LOCAL, MONO)
    out = bytearray(48 * 5)
    answered = [0, 36, 0, 0, 36]
    moment.finish(out, answered, LOCAL.ns, 2_000)
    first, second = (
        Packet.decode(bytes(out[48 * place :])).transmit.near(UTC) for place in (1, 4)
    )
    assert abs(first - UTC) <= Duration(1)
    assert abs(second - first - 2 * MICROSECOND) <= Duration(1)


def test_each_reply_of_a_sweep_is_to_its_own_request() -> None:
    asked = [
        bytes([version << 3 | 3, 0, poll]) + bytes(37) + bytes([poll] * 8)
        for version, poll in ((4, 6), (3, 10), (1, 3))
    ]
    out = bytearray(48 * 4)
    requests = bytearray(b"".join(asked)) + bytes(48)
    kinds = bytes(KIND[request[0]] for request in asked)
    stamps = [LOCAL.ns - 1_000, LOCAL.ns, LOCAL.ns - 2_000]
    ReplyTemplate(SERVED, LOCAL, MONO).begin(requests, out, kinds, stamps)
    for place, request in enumerate(asked):
        packet = Packet.decode(bytes(out[48 * place :]))
        assert packet.version == request[0] >> 3
        assert packet.poll == request[2]
        assert packet.origin.bits.to_bytes(8, "big") == request[40:]
        waited = UTC + Duration(stamps[place] - LOCAL.ns) - packet.receive.near(UTC)
        assert abs(waited) <= Duration(1)
    assert out[144:] == bytes(48)


def test_interleaved_asks_who_has_an_origin_and_two_cookies() -> None:
    def asks(origin: bytes, receive: bytes, transmit: bytes) -> bytes:
        return bytes(24) + origin.ljust(8) + receive.ljust(8) + transmit.ljust(8)

    requests = bytearray(
        bytes(24)
        + bytes(8)
        + b"receive?transmit"
        + asks(b"told", b"same", b"same")
        + asks(b"told", b"receive", b"transmit")
    )
    assert list(asks_interleaved(requests, 3)) == [2]
    assert list(asks_interleaved(requests, 2)) == []
    assert origin_of(requests, 2) == b"told    "


def test_an_interleaved_reply_tells_when_the_previous_one_left() -> None:
    requests, out = bytearray(96), bytearray(range(96))
    requests[80:88] = b"receive!"
    interleave(requests, out, 1, b"left at ")
    packet = Packet.decode(bytes(out[48:]))
    assert packet.origin.bits.to_bytes(8, "big") == b"receive!"
    assert packet.transmit.bits.to_bytes(8, "big") == b"left at "
    assert received_as_told(out, 1) == bytes(range(80, 88))


def test_a_sweep_across_the_turn_of_the_era() -> None:
    turn = Utc.of(2036, 2, 7, 6, 28, 16)
    tai = Tai((turn + 37 * SECOND).ns)
    snapshot = replace(
        SERVED, local=Local(turn.ns), correction=37 * SECOND, updated=tai
    )
    moment = ReplyTemplate(snapshot, Local(turn.ns - 10), MONO - Duration(10))
    out = bytearray(96)
    moment.finish(out, [1, 1], turn.ns - 10, 20)
    before, after = (Packet.decode(bytes(out[at:])).transmit for at in (0, 48))
    assert before.bits > after.bits
    assert before.near(turn) == turn - Duration(10)
    assert abs(after.near(turn) - (turn + Duration(10))) <= Duration(1)
