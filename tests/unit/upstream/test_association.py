from __future__ import annotations

import pytest

from refclock.events import NoReply, ServerReply
from refclock.ntp.mac import key
from refclock.ntp.packet import Packet, PacketMode
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    Duration,
    Local,
    Mono,
    NtpShort,
    NtpTimestamp,
    Utc,
)
from refclock.upstream.association import LOOP, NAK, NO_ANSWER, UNPROVEN, Association
from refclock.upstream.poll import Poll
from refclock.upstream.sealing import Keyed, Plain, Sealing

NOON = Utc.of(2026, 12, 1, 12)
LOCAL = Local(NOON.ns)
NOW = Mono(1000 * SECOND.ns)
OURS = bytes([192, 0, 2, 100])
WAY = 10 * MILLISECOND
KEY = key(7, "SHA256", b"a secret of both")


class Two:
    """We and a server that is a second ahead."""

    def __init__(
        self, sealing: Sealing | None = None, *, interleaved: bool = False
    ) -> None:
        self.us = Association(
            "a",
            sealing or Plain(),
            Poll(16, 64, burst=False),
            server_id=bytes([192, 0, 2, 1]),
            our_id=OURS,
            interleaved=interleaved,
        )
        self.cookie = 0
        self.at = NOW

    def ask(self) -> Packet:
        """The question, as it is on the wire."""
        data = self.us.ask(self.at, self.draw)
        self.us.sent(LOCAL + (self.at - NOW), era=0)
        return Packet.decode(data)

    def draw(self) -> int:
        self.cookie += 1
        return self.cookie

    def reply(
        self,
        asked: Packet,
        *,
        stratum: int = 1,
        ref_id: bytes = b"GPS\0",
        origin: NtpTimestamp | None = None,
        transmit: Utc | None = None,
    ) -> bytes:
        """The server's answer, of a server 10 ms away."""
        received = NOON + (self.at - NOW) + SECOND + WAY
        return Packet(
            leap=0 if stratum else 3,
            version=asked.version,
            mode=PacketMode.SERVER,
            stratum=stratum,
            poll=6,
            precision=-20,
            root_delay=NtpShort(0),
            root_dispersion=NtpShort.of(MILLISECOND),
            ref_id=ref_id,
            reference=NtpTimestamp(0),
            origin=origin or asked.transmit,
            receive=NtpTimestamp.of(received),
            transmit=NtpTimestamp.of(transmit or received),
        ).encode()

    def take(self, data: bytes, era: int = 0) -> ServerReply | NoReply | None:
        """It comes 20 ms after the question left."""
        after = (self.at - NOW) + 2 * WAY
        return self.us.take(data, LOCAL + after, NOW + after, era)


def test_an_exchange_is_the_servers_time_and_the_delay() -> None:
    two = Two()
    found = two.take(two.reply(two.ask()))
    assert isinstance(found, ServerReply)
    assert found.mono == NOW + 2 * WAY
    assert abs(found.utc - (NOON + SECOND + 2 * WAY)) <= Duration(1)
    assert abs(found.delay - 2 * WAY) <= Duration(1)
    assert (found.stratum, found.server_id) == (1, bytes([192, 0, 2, 1]))
    assert abs(found.root_dispersion - MILLISECOND) < Duration(20_000)


def test_a_question_is_answered_once() -> None:
    two = Two()
    data = two.reply(two.ask())
    assert two.take(data) is not None
    assert two.take(data) is None


def test_what_answers_no_question_of_ours_changes_nothing() -> None:
    two = Two()
    asked = two.ask()
    forged = NtpTimestamp(0xDEAD)
    assert two.take(two.reply(asked, origin=forged)) is None
    kiss = two.reply(asked, stratum=0, ref_id=b"RATE", origin=forged)
    assert two.take(kiss) is None
    assert two.take(b"") is None
    assert two.us.poll.interval_s == 16
    assert two.take(two.reply(asked)) is not None


def test_a_kiss_in_answer_to_our_question_is_obeyed() -> None:
    two = Two()
    found = two.take(two.reply(two.ask(), stratum=0, ref_id=b"RATE"))
    assert isinstance(found, NoReply)
    assert found.why == "it refuses to serve us: RATE"
    assert two.us.poll.interval_s == 32


def test_another_kiss_is_no_answer_and_no_order() -> None:
    two = Two()
    found = two.take(two.reply(two.ask(), stratum=0, ref_id=b"DENY"))
    assert isinstance(found, NoReply)
    assert two.us.poll.interval_s == 16


def test_a_server_that_follows_us_is_refused() -> None:
    two = Two()
    found = two.take(two.reply(two.ask(), stratum=2, ref_id=OURS))
    assert found == NoReply(NOW + 2 * WAY, "a", LOOP)


def test_after_a_step_of_our_clock_nothing_is_measured() -> None:
    two = Two()
    assert two.take(two.reply(two.ask()), era=1) is None
    assert two.us.expired(NOW + 10 * SECOND) is None


def test_silence_is_told_once_and_counted() -> None:
    two = Two()
    two.ask()
    assert two.us.expired(NOW + SECOND) is None
    assert two.us.expired(NOW + 5 * SECOND) == NoReply(NOW + 5 * SECOND, "a", NO_ANSWER)
    assert two.us.expired(NOW + 6 * SECOND) is None
    assert two.us.bad_rounds == 1
    two.ask()
    assert two.us.expired(NOW + SECOND, due=True) is not None
    assert two.us.unsent(NOW, "no route").why == "no route"
    assert two.us.bad_rounds == 3


def test_a_keyed_question_wants_a_keyed_answer() -> None:
    two = Two(Keyed(KEY))
    data = two.us.ask(NOW, two.draw)
    two.us.sent(LOCAL, 0)
    assert KEY.proves(data[:48], data[48:])
    plain = two.reply(Packet.decode(data))
    assert two.take(plain) is None
    assert two.take(plain + key(7, "SHA256", b"another").mac(plain, 3)) is None
    assert two.us.expired(NOW + 5 * SECOND) == NoReply(NOW + 5 * SECOND, "a", UNPROVEN)
    data = two.us.ask(NOW, two.draw)
    two.us.sent(LOCAL, 0)
    plain = two.reply(Packet.decode(data))
    assert isinstance(two.take(plain + KEY.mac(plain, data[0] >> 3 & 7)), ServerReply)


def test_a_nak_alone_is_only_remembered() -> None:
    two = Two(Keyed(KEY))
    asked = two.ask()
    assert two.take(two.reply(asked) + bytes(4)) is None
    assert two.us.nak
    assert two.us.expired(NOW + 5 * SECOND) == NoReply(NOW + 5 * SECOND, "a", NAK)


@pytest.mark.parametrize(("kind", "version"), [("MD5", 4), ("SHA1", 4), ("SHA256", 3)])
def test_a_long_digest_is_asked_for_in_version_3(kind: str, version: int) -> None:
    two = Two(Keyed(key(1, kind, b"0123456789")))
    assert two.ask().version == version


def test_interleaved_the_exchange_before_is_measured() -> None:
    two = Two(interleaved=True)
    first = two.ask()
    assert isinstance(two.take(two.reply(first)), ServerReply)
    two.at = NOW + 16 * SECOND
    second = two.ask()
    assert second.origin == NtpTimestamp.of(NOON + SECOND + WAY)
    truly_left = NOON + SECOND + WAY + MILLISECOND
    data = two.reply(second, origin=second.receive, transmit=truly_left)
    found = two.take(data)
    assert isinstance(found, ServerReply)
    assert found.mono == NOW + 2 * WAY
    assert abs(found.delay - (2 * WAY - MILLISECOND)) <= Duration(1)


def test_a_storm_of_naks_beside_a_true_answer_changes_nothing() -> None:
    two = Two(Keyed(KEY))
    data = two.us.ask(NOW, two.draw)
    two.us.sent(LOCAL, 0)
    asked = Packet.decode(data)
    for _ in range(100):
        assert two.take(two.reply(asked) + bytes(4)) is None
    plain = two.reply(asked)
    true = plain + KEY.mac(plain, data[0] >> 3 & 7)
    assert isinstance(two.take(true), ServerReply)
    assert two.us.expired(NOW + 20 * SECOND) is None
    assert not two.us.renewal
