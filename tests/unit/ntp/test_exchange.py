"""What a reply is worth, and which are refused."""

from dataclasses import replace

import pytest

from refclock.ntp.exchange import (
    Measurement,
    Question,
    ReplyFault,
    kiss_code,
    measure,
    reference_name,
    root_distance,
)
from refclock.ntp.packet import Packet, PacketMode
from refclock.timebase import (
    MICROSECOND,
    MILLISECOND,
    SECOND,
    Duration,
    Local,
    NtpShort,
    NtpTimestamp,
    Utc,
)

NOW = Utc.of(2026, 5, 1)
COOKIE, OTHER = 0x1234_5678_9ABC_DEF0, 0x0FED_CBA9_8765_4321
QUESTION = Question.ask(4, COOKIE)
REPLY = Packet(
    leap=0,
    version=4,
    mode=PacketMode.SERVER,
    stratum=1,
    poll=6,
    precision=-24,
    root_delay=NtpShort(0),
    root_dispersion=NtpShort.of(MILLISECOND),
    ref_id=b"GPS\0",
    reference=NtpTimestamp.of(NOW - SECOND),
    origin=NtpTimestamp(COOKIE),
    receive=NtpTimestamp.of(NOW + 300 * MICROSECOND),
    transmit=NtpTimestamp.of(NOW + 340 * MICROSECOND),
)


def test_a_servers_distance_is_its_dispersion_and_half_its_delay() -> None:
    far = replace(REPLY, root_delay=NtpShort.of(10 * MILLISECOND))
    assert abs(root_distance(far) - 6 * MILLISECOND) < 50 * MICROSECOND


def test_a_question_tells_nothing_of_us() -> None:
    data = QUESTION.packet.encode()
    assert data[0] == 0x23
    assert data[4:40] == bytes(36)
    assert int.from_bytes(data[40:], "big") == COOKIE


def test_a_good_reply_is_good() -> None:
    assert QUESTION.judge(REPLY.encode()) == REPLY


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        ({"mode": PacketMode.CLIENT}, ReplyFault.MODE),
        ({"version": 5}, ReplyFault.VERSION),
        ({"version": 0}, ReplyFault.VERSION),
        ({"origin": NtpTimestamp(0)}, ReplyFault.BOGUS),
        ({"origin": NtpTimestamp(COOKIE + 1)}, ReplyFault.BOGUS),
        ({"stratum": 0, "ref_id": b"RATE"}, ReplyFault.KISS),
        ({"stratum": 0, "ref_id": b"INIT"}, ReplyFault.UNSYNCHRONISED),
        ({"stratum": 0, "ref_id": bytes(4)}, ReplyFault.UNSYNCHRONISED),
        ({"leap": 3}, ReplyFault.UNSYNCHRONISED),
        ({"stratum": 16}, ReplyFault.STRATUM),
        ({"root_dispersion": NtpShort.of(16 * SECOND)}, ReplyFault.FAR),
        ({"root_delay": NtpShort.of(32 * SECOND)}, ReplyFault.FAR),
        ({"receive": NtpTimestamp(0)}, ReplyFault.NO_TIME),
        ({"transmit": NtpTimestamp(0)}, ReplyFault.NO_TIME),
    ],
)
def test_a_fault_is_named(fault: dict[str, object], refusal: ReplyFault) -> None:
    reply = replace(REPLY, **fault)  # type: ignore[arg-type] # faults of many types
    assert QUESTION.judge(reply.encode()) is refusal


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_server_may_answer_in_its_own_version(version: int) -> None:
    reply = replace(REPLY, version=version)
    assert QUESTION.judge(reply.encode()) == reply


def test_a_server_that_does_not_tell_when_it_was_set() -> None:
    assert exchange(replace(REPLY, reference=NtpTimestamp(0))).reference_age is None


def test_bytes_that_are_no_packet_are_refused() -> None:
    assert QUESTION.judge(bytes(47)) is ReplyFault.MALFORMED


def test_a_forged_kiss_is_only_a_stray() -> None:
    forged = replace(REPLY, stratum=0, ref_id=b"DENY", origin=NtpTimestamp(1))
    refusal = QUESTION.judge(forged.encode())
    assert refusal is ReplyFault.BOGUS
    assert refusal.stray
    assert not ReplyFault.KISS.stray
    assert kiss_code(forged) == "DENY"


def exchange(reply: Packet = REPLY, took: Duration = 140 * MICROSECOND) -> Measurement:
    """We sent at NOW by our clock; 50 us there, 40 us in the server, 50 us back."""
    measured = measure(reply, Local(NOW.ns), Local((NOW + took).ns))
    assert isinstance(measured, Measurement)
    return measured


def test_offset_is_server_minus_us_and_delay_leaves_out_the_server() -> None:
    measured = exchange()
    assert measured.offset == 250 * MICROSECOND
    assert measured.delay == 100 * MICROSECOND
    assert measured.reference_age == SECOND + 340 * MICROSECOND
    root = Duration.from_seconds(REPLY.root_dispersion.seconds)
    assert measured.error == root + 50 * MICROSECOND


def test_across_the_turn_of_the_era() -> None:
    turn = Utc.of(2036, 2, 7, 6, 28, 16)
    reply = replace(
        REPLY,
        receive=NtpTimestamp.of(turn - MILLISECOND),
        transmit=NtpTimestamp.of(turn + MILLISECOND),
    )
    sent, received = Local(turn.ns), Local((turn + 2 * MILLISECOND).ns)
    measured = measure(reply, sent, received)
    assert isinstance(measured, Measurement)
    assert measured.offset == -MILLISECOND
    assert measured.delay == Duration(0)


def test_a_reply_sent_before_its_request_came_is_refused() -> None:
    backwards = replace(REPLY, transmit=NtpTimestamp.of(NOW))
    assert measure(backwards, Local(NOW.ns), Local(NOW.ns + 999)) is ReplyFault.ORDER
    slow = replace(REPLY, transmit=NtpTimestamp.of(NOW + 2 * SECOND))
    assert measure(slow, Local(NOW.ns), Local(NOW.ns + 999)) is ReplyFault.ORDER


def test_interleaved_the_true_transmit_stamp_comes_later() -> None:
    question = Question.ask(4, COOKIE, REPLY.receive, OTHER)
    assert question.packet.origin == REPLY.receive
    told = replace(REPLY, origin=NtpTimestamp(OTHER))
    judged = question.judge(told.encode())
    assert isinstance(judged, Packet)
    assert question.interleaved(judged)
    assert not question.interleaved(REPLY)
    assert not QUESTION.interleaved(REPLY)
    left = NtpTimestamp.of(NOW + 360 * MICROSECOND)
    measured = measure(REPLY, Local(NOW.ns), Local(NOW.ns + 140_000), left)
    assert isinstance(measured, Measurement)
    assert measured.offset == 260 * MICROSECOND


@pytest.mark.parametrize(
    ("stratum", "ref_id", "name"),
    [
        (1, b"GPS\0", "GPS"),
        (1, b"\xff\0\0\1", "255.0.0.1"),
        (2, bytes([192, 168, 1, 7]), "192.168.1.7"),
        (2, b"ABCD", "65.66.67.68"),
    ],
)
def test_the_reference_has_a_name(stratum: int, ref_id: bytes, name: str) -> None:
    assert reference_name(replace(REPLY, stratum=stratum, ref_id=ref_id)) == name
