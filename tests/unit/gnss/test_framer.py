from __future__ import annotations

from functools import reduce
from operator import xor

import pytest

from refclock.board.ports import Chunk
from refclock.events import Dropped, DropReason
from refclock.gnss.framer import LONGEST, Binary, Framer, Item, Sentence
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Mono
from tests.fakes.binary import casic, ubx

RMC = b"GNRMC,111106.00,A,4807.0380,N,01131.0000,E,0.0,,010526,,,A,V"


def sealed(body: bytes, end: bytes = b"\r\n") -> bytes:
    return b"$%b*%02X%b" % (body, reduce(xor, body), end)


def chunk(data: bytes, first: Duration = ZERO, last: Duration | None = None) -> Chunk:
    return Chunk(data, Mono(0) + first, Mono(0) + (first if last is None else last))


def cut(data: bytes) -> list[Item]:
    framer = Framer()
    return framer.feed(chunk(data)) + framer.finish()


def bodies(items: list[Item]) -> list[bytes]:
    return [item.body for item in items if isinstance(item, Sentence)]


def reasons(items: list[Item]) -> list[DropReason]:
    return [item.reason for item in items if isinstance(item, Dropped)]


def test_a_sentence_is_what_stands_between_dollar_and_star() -> None:
    assert cut(sealed(RMC)) == [Sentence(RMC, Mono(0), 0)]


@pytest.mark.parametrize(
    ("line", "body"),
    [
        pytest.param(sealed(RMC).lower().replace(RMC.lower(), RMC), RMC, id="hex-case"),
        pytest.param(sealed(RMC, b"  \r\n"), RMC, id="blanks-after"),
        pytest.param(sealed(RMC, b"\n"), RMC, id="lf-alone"),
        pytest.param(sealed(RMC, b"\r"), RMC, id="cr-alone"),
        pytest.param(b"\xff\x00$" + sealed(RMC), RMC, id="dollar-before"),
        pytest.param(sealed(b"PSRFTXTVersion 1"), b"PSRFTXTVersion 1", id="no-comma"),
        pytest.param(sealed(b"GP*,1"), b"GP*,1", id="a-star-inside"),
        pytest.param(sealed(b"G" * (LONGEST - 3)), b"G" * (LONGEST - 3), id="longest"),
    ],
)
def test_forgiven(line: bytes, body: bytes) -> None:
    items = cut(line)
    assert bodies(items) == [body]
    assert not reasons(items)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"$GPRMC,1*00\r\n", DropReason.CHECKSUM_MISMATCH),
        (b"$GPRMC,1\r\n", DropReason.CHECKSUM_MISSING),
        (b"$GPRMC,1*7\r\n", DropReason.CHECKSUM_MALFORMED),
        (b"$GPRMC,1*7G\r\n", DropReason.CHECKSUM_MALFORMED),
        (b"$GPRMC,1\x00,2\r\n", DropReason.CONTROL_BYTE),
        (b"$GPRMC,\xb0\r\n", DropReason.CONTROL_BYTE),
        (b"$GPRMC,1$\r\n", DropReason.INTERRUPTED),
        (sealed(RMC, b"") + b"$\r\n", DropReason.GLUED),
        (b"$GPRMC," + b"1" * LONGEST + b"\r\n", DropReason.OVERLONG),
        (b"$GPRMC,11", DropReason.TRUNCATED),
    ],
)
def test_refused(line: bytes, why: DropReason) -> None:
    items = cut(line)
    assert reasons(items) == [why]
    assert not bodies(items)


@pytest.mark.parametrize(
    "noise",
    [b"$\r\n", b"$ab,1\r\n", b"$GP\r\n", b"$ABCDEFGHIJK*00\r\n", b"!AIVDM*00\r\n"],
)
def test_a_dollar_without_an_address_is_only_noise(noise: bytes) -> None:
    assert cut(noise) == []


def test_a_sealed_text_that_begins_with_a_comma_is_no_sentence() -> None:
    assert cut(sealed(b",GPRMC")) == []


def test_a_sentence_inside_another_survives_it() -> None:
    items = cut(b"$GPGGA,1,2" + sealed(RMC))
    assert bodies(items) == [RMC]
    assert reasons(items) == [DropReason.INTERRUPTED]


def test_the_last_line_needs_no_end_once_nothing_more_can_come() -> None:
    framer = Framer()
    assert framer.feed(chunk(sealed(RMC, b""))) == []
    assert bodies(framer.finish()) == [RMC]
    assert framer.finish() == []


def test_a_frame_is_lifted_out_with_the_dollars_in_it() -> None:
    inside = sealed(b"GPZDA,1")
    items = cut(sealed(RMC) + ubx(1, 7, inside) + casic(2, 3, b"$GPX") + sealed(RMC))
    assert bodies(items) == [RMC, RMC]
    assert [item for item in items if isinstance(item, Binary)] == [
        Binary("UBX", 1, 7, inside, Mono(0), len(sealed(RMC))),
        Binary("CASIC", 2, 3, b"$GPX", Mono(0), len(sealed(RMC) + ubx(1, 7, inside))),
    ]


@pytest.mark.parametrize(
    "frame", [ubx(1, 7, sealed(RMC)), casic(1, 7, sealed(RMC)[:-2])]
)
def test_a_frame_with_a_wrong_checksum_is_read_again(frame: bytes) -> None:
    broken = frame[:-1] + bytes((frame[-1] ^ 1,))
    items = cut(broken + b"\r\n")
    assert reasons(items)[0] is DropReason.BINARY
    assert sealed(RMC)[1:-5] in {*bodies(items), RMC}


def test_what_a_broken_frame_swallowed_is_found() -> None:
    broken = bytearray(ubx(1, 7, sealed(RMC)))
    broken[-1] ^= 1
    items = cut(bytes(broken))
    assert (reasons(items), bodies(items)) == ([DropReason.BINARY], [RMC])


@pytest.mark.parametrize("empty", [ubx(5, 1, b""), casic(5, 1, b"")])
def test_a_frame_may_be_empty(empty: bytes) -> None:
    (item,) = cut(empty)
    assert isinstance(item, Binary)
    assert item.payload == b""


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"\xb5b\x01\x07\xff\xff", id="ubx-64kB"),
        pytest.param(b"\xba\xce\xfd\xff\x01\x07", id="casic-64kB"),
        pytest.param(b"\xba\xce\x05\x00\x01\x07", id="casic-no-whole-words"),
    ],
)
def test_no_impossible_frame_is_waited_for(header: bytes) -> None:
    assert bodies(Framer().feed(chunk(header + sealed(RMC)))) == [RMC]


def test_a_header_made_of_noise_holds_sentences_up_for_a_second() -> None:
    framer = Framer()
    header = b"\xb5b\x01\x07\x00\x10"
    assert framer.feed(chunk(header + sealed(RMC), first=ZERO)) == []
    assert framer.feed(chunk(sealed(RMC), first=SECOND)) == []
    items = framer.feed(chunk(sealed(RMC), first=SECOND + MILLISECOND))
    assert [item.mono for item in items] == [
        Mono(0),
        Mono(0) + SECOND,
        Mono(0) + SECOND + MILLISECOND,
    ]


def test_a_sync_byte_at_the_end_of_a_chunk_may_begin_a_frame() -> None:
    framer = Framer()
    frame = ubx(1, 7, b"$")
    items = framer.feed(chunk(frame[:1])) + framer.feed(chunk(frame[1:]))
    assert [type(item) for item in items] == [Binary]
    assert cut(b"\xb5") == cut(b"\xba") == cut(b"\xb5b") == []


def test_each_sentence_has_the_arrival_of_its_first_byte() -> None:
    line = sealed(RMC)
    span = 2 * len(line) - 1
    framer = Framer()
    evenly = chunk(line + line, first=SECOND, last=SECOND + span * MILLISECOND)
    first, second = framer.feed(evenly)
    assert first.mono == Mono(0) + SECOND
    assert second.mono == Mono(0) + SECOND + len(line) * MILLISECOND


def test_a_sentence_in_two_chunks_came_with_the_first() -> None:
    line = sealed(RMC)
    framer = Framer()
    framer.feed(chunk(b"xx" + line[:9], first=ZERO, last=10 * MILLISECOND))
    (item,) = framer.feed(chunk(line[9:], first=SECOND))
    assert item == Sentence(RMC, Mono(0) + 2 * MILLISECOND, 2)


@pytest.mark.parametrize(
    "garbage",
    [
        b"x",
        b"$",
        b"\xb5",
        b"\xb5b",
        b"\xba\xce",
        b"$GPRMC",
        b"\xb5b\x01\x07\x00\x20",
        b"\x00",
    ],
)
def test_endless_garbage_takes_little_memory(garbage: bytes) -> None:
    framer = Framer()
    for k in range(100):
        framer.feed(chunk(garbage * (1000 // len(garbage)), first=k * MILLISECOND))
        assert len(framer._held) < 10_000
        assert len(framer._marks) < 20


def test_after_the_end_a_new_stream_may_begin() -> None:
    framer = Framer()
    framer.feed(chunk(b"$GPRMC,1"))
    framer.finish()
    assert bodies(framer.feed(chunk(sealed(RMC)))) == [RMC]


@pytest.mark.parametrize("padded", [True, False])
def test_a_checksum_below_16_may_have_one_digit(*, padded: bool) -> None:
    body = b"GPRMC,081500,A,4807.038,N,01131.000,E,0.0,341.5,011226,5,E,A"
    assert cut(b"$%b*%bB\r\n" % (body, b"0" * padded)) == [Sentence(body, Mono(0), 0)]


@pytest.mark.parametrize("checksum", [b"A", b"BB", b"5", b"", b"00B"])
def test_another_checksum_is_wrong(checksum: bytes) -> None:
    body = b"GPRMC,081500,A,4807.038,N,01131.000,E,0.0,341.5,011226,5,E,A"
    assert not bodies(cut(b"$%b*%b\r\n" % (body, checksum)))
