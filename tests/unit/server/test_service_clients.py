"""Requests as all kinds of clients send them: every version, mode and length.

The first bytes are those that the programs named are known to send; what stands
in the fields that a server does not need is as odd as it comes.
"""

import random

import pytest

from refclock.ntp.packet import Packet, PacketMode
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.settings import ServerSettings
from refclock.timebase import MICROSECOND, SECOND, NtpTimestamp, Utc
from tests.unit.server.test_service_shipped import BEGIN, Bench

UNLIMITED = ServerSettings(rate_limit=RateLimitSettings(enabled=False))
NEAR = "192.168.1.20"
ZEROS = bytes(47)


def stamped(first: int, poll: int, utc: Utc, tail: bytes = b"") -> bytes:
    """With a transmit stamp of that time."""
    stamp = NtpTimestamp.of(utc).bits.to_bytes(8, "big")
    return bytes([first, 0, poll, 0xFA]) + bytes(36) + stamp + tail


NOW = Utc(BEGIN)
CLIENTS = {
    "plain SNTP, zeros": bytes([0x1B]) + ZEROS,
    "plain SNTP v4, zeros": bytes([0x23]) + ZEROS,
    "leap says unsynchronised, zeros": bytes([0xE3]) + ZEROS,
    "Arduino NTPClient": b"\xe3\0\6\xec" + bytes(8) + b"1N14" + bytes(32),
    "lwIP in 1970": stamped(0x23, 0, Utc(0)),
    "in 1900": stamped(0x23, 0, Utc.of(1900, 1, 1)),
    "before its first fix, 2036": stamped(0x23, 0, Utc.of(2036, 2, 7, 6, 28, 16)),
    "random cookie": b"\x23\0\0\x20" + bytes(36) + b"\xfe\xed\xfa\xce" * 2,
    "all ones": b"\x23" + b"\xff" * 47,
    "Windows, client": stamped(0xDB, 0x11, NOW),
    "Windows in a domain, signed by nobody": stamped(0xDB, 0x11, NOW, bytes(20)),
    "w32tm /stripchart": stamped(0x1B, 0, NOW),
    "poll -6": stamped(0x23, 0xFA, NOW),
    "poll 17": stamped(0x23, 17, NOW),
    "poll 255": stamped(0x23, 255, NOW),
    "version 2": stamped(0x13, 6, NOW),
    "version 1, RFC 1059": stamped(0x08, 6, NOW),
    "version 1, with a mode": stamped(0x0B, 6, NOW),
    "ntpd's peer": stamped(0x21, 6, NOW),
    "ntpd's peer, version 3": stamped(0x19, 6, NOW),
    "Windows as a peer": stamped(0xD9, 0x11, NOW),
}


@pytest.mark.parametrize("request_", CLIENTS.values(), ids=CLIENTS)
def test_every_client_is_told_the_time_in_its_own_version(request_: bytes) -> None:
    bench = Bench(settings=UNLIMITED)
    (packet,) = bench.ask(SECOND, (NEAR, request_))
    asked = Packet.decode(request_)
    peer = asked.mode is PacketMode.SYMMETRIC_ACTIVE and asked.version > 0
    assert packet.mode is (PacketMode.SYMMETRIC_PASSIVE if peer else PacketMode.SERVER)
    assert (packet.version, packet.leap, packet.stratum) == (asked.version, 0, 1)
    assert (packet.poll, packet.origin) == (asked.poll, asked.transmit)
    now = Utc(bench.clock_ns)
    for stamp in (packet.receive, packet.transmit):
        assert abs(stamp.near(now) - now) < MICROSECOND
    assert packet.ref_id == b"PPS\0"
    ((_, reply),) = bench.sent
    assert len(reply) == 48


def test_a_client_with_odd_stamps_gets_none_of_them_back_but_its_cookie() -> None:
    bench = Bench(settings=UNLIMITED)
    plain = b"\x23" + bytes(39) + b"asked me"
    (want,) = bench.ask(SECOND, (NEAR, plain))
    draw = random.Random(7)
    for _ in range(200):
        odd = b"\x23" + draw.randbytes(1) + b"\0" + draw.randbytes(37) + plain[40:]
        (packet,) = bench.ask(0 * SECOND, (NEAR, odd))
        assert packet == want


def field(length: int, kind: int, fill: bytes = b"\xa5") -> bytes:
    body = fill * (length - 4)
    return kind.to_bytes(2, "big") + length.to_bytes(2, "big") + body


NTS_COOKIE, CHECKSUM_COMPLEMENT, UNKNOWN, ZERO = 0x0204, 0x2005, 0xF123, 0
SKIPPED = {
    "MD5": bytes([0, 0, 0, 1]) + b"\xa5" * 16,
    "SHA-1": bytes([0, 0, 0, 1]) + b"\xa5" * 20,
    "crypto-NAK": bytes(4),
    "NTS": field(36, 0x0104) + field(104, NTS_COOKIE) + field(40, 0x0404),
    "RFC 7821": field(28, CHECKSUM_COMPLEMENT),
    "unknown": field(28, UNKNOWN),
    "unknown and SHA-1": field(16, UNKNOWN) + bytes([0, 0, 0, 1]) + b"\xa5" * 20,
    "long": field(1400, UNKNOWN),
    "of type 0": field(32, ZERO),
}
MALFORMED = {
    "a byte": b"\xa5",
    "12 bytes": b"\xa5" * 12,
    "no length": field(28, UNKNOWN)[:2] + bytes(26),
    "shorter than a header": field(28, UNKNOWN)[:2] + b"\0\2" + bytes(24),
    "not of words": field(28, UNKNOWN)[:2] + b"\0\x1e" + bytes(26),
    "longer than there is": field(400, UNKNOWN)[:28],
    "longer than anything": field(28, UNKNOWN)[:2] + b"\xff\xfc" + bytes(1000),
    "a short last one": field(28, UNKNOWN) + field(16, UNKNOWN),
    "a good one, then bytes": field(28, UNKNOWN) + b"\xa5" * 7,
}


@pytest.mark.parametrize("tail", SKIPPED.values(), ids=SKIPPED)
def test_macs_and_fields_are_skipped_and_never_copied_back(tail: bytes) -> None:
    """No keys, no proof: the reply bears no MAC and is no crypto-NAK."""
    bench = Bench(settings=UNLIMITED)
    request = b"\x23" + bytes(39) + b"asked me"
    (plain,) = bench.ask(SECOND, (NEAR, request))
    (packet,) = bench.ask(0 * SECOND, (NEAR, request + tail))
    assert packet == plain
    ((_, reply),) = bench.sent
    assert len(reply) == 48
    assert b"\xa5\xa5" not in reply


@pytest.mark.parametrize("tail", MALFORMED.values(), ids=MALFORMED)
def test_malformed_fields_are_refused(tail: bytes) -> None:
    bench = Bench(settings=UNLIMITED)
    assert bench.ask(SECOND, (NEAR, b"\x23" + ZEROS + tail)) == []
    assert bench.service.counters()["malformed"] == 1


def test_of_all_first_bytes_and_lengths_only_questions_are_answered() -> None:
    """And nobody gets more than he sent, or two packets for one."""
    bench = Bench(settings=UNLIMITED)
    questions = {v << 3 | m for v in (1, 2, 3, 4) for m in (1, 3)} | {1 << 3}
    lengths = [*range(130), 192, 468, 1400, 1488, 1536]
    for first in range(256):
        answered = set()
        for length in lengths:
            request = bytes([first]).ljust(length, b"\0")[:length]
            replies = bench.ask(0 * SECOND, (NEAR, request))
            assert len(replies) <= 1
            for _, reply in bench.sent:
                assert len(reply) <= length
                answered.add(length)
        want = set()
        if first & 0x3F in questions:
            want = {48, 52, 68, 72} | (
                {60, 84, 100, 116} if first & 0x38 < 32 else set()
            )
        assert answered == want, first


def test_peers_are_refused_by_choice() -> None:
    bench = Bench(settings=ServerSettings(symmetric=False))
    assert bench.ask(SECOND, (NEAR, CLIENTS["ntpd's peer"])) == []
    assert bench.service.counters()["mode_or_version"] == 1
