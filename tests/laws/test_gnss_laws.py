"""Of every stream of bytes, however cut, damaged or hostile."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from itertools import pairwise
from operator import xor
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from refclock.board.ports import Chunk
from refclock.diagnose.stream import StreamReport
from refclock.drivers.gnss import GnssDriver
from refclock.events import Dropped, Event, TimeMessage
from refclock.gnss import nmea
from refclock.gnss.framer import Binary, Framer, Item, Sentence
from refclock.gnss.ubx import Ubx
from refclock.timebase import DAY, Duration, Mono
from tests.fakes.binary import ubx

GOLDEN = b"".join(
    file.read_bytes()
    for file in sorted(Path(__file__).parents[1].glob("golden/*.nmea"))
)
UBX_READ = [
    (0x01, 0x03), (0x01, 0x07), (0x01, 0x21), (0x01, 0x26), (0x01, 0x35),
    (0x0A, 0x04), (0x0A, 0x09), (0x0A, 0x38), (0x0D, 0x01), (0x27, 0x09),
]  # fmt: skip


def sealed(body: bytes) -> bytes:
    return b"$%b*%02X\r\n" % (body, reduce(xor, body, 0))


fields = st.text("0123456789.-+AVENDSMW *$:_", max_size=12).map(str.encode)
kinds = st.sampled_from(
    [
        *("GPRMC", "GNGGA", "GNZDA", "GPGLL", "GNGNS", "GPGSV", "GNGSA"),
        *("PGRMF", "PUBX,04", "GNTXT", "PMTK705"),
    ]
)
sentences = st.builds(
    lambda kind, rest: sealed(b",".join([kind.encode(), *rest]).replace(b"$", b"")),
    kinds,
    st.lists(fields, max_size=20),
)
frames = st.builds(
    lambda message, payload: ubx(message[0], message[1], payload),
    st.sampled_from([*UBX_READ, (5, 1)]),
    st.binary(max_size=100),
)
noise = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"$", b"\xb5", b"b", b"\xb5b", b"\xba\xce", b"*", b"\r\n", b"\0"]),
    st.just(b"$GPRMC," + b"1" * 1030),
)
streams = st.lists(
    st.one_of(sentences, frames, noise, sentences.map(lambda line: line[:-5])),
    max_size=12,
).map(b"".join)


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    places = sorted({0, *(place % (len(data) + 1) for place in at), len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def framed(pieces: Iterable[bytes]) -> list[Item]:
    framer = Framer()
    out: list[Item] = []
    for piece in pieces:
        out += framer.feed(Chunk(piece, Mono(0), Mono(0)))
    return out + framer.finish()


def said(stream: bytes | bytearray) -> set[tuple[int, bytes]]:
    items = framed([bytes(stream)])
    return {(i.offset, i.body) for i in items if isinstance(i, Sentence)}


class Wire:
    name = "wire"
    bits_per_second = 9600

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = list(pieces)
        self._now = Mono(0)

    def read(self, limit: Duration) -> Chunk | None:
        if not self._pieces:
            return None
        piece = self._pieces.pop(0)
        first = self._now
        self._now = first + limit
        return Chunk(piece, first, self._now)

    def write(self, data: bytes) -> None:
        raise AssertionError(data)

    def close(self) -> None:
        pass


def driven(pieces: list[bytes]) -> list[Event]:
    driver = GnssDriver(Wire(pieces))
    return [event for _ in range(len(pieces)) for event in driver.poll()]


@given(streams, st.lists(st.integers(0, 5000)))
@example(GOLDEN, list(range(0, 5000, 7)))
@example(ubx(1, 7, sealed(b"GPRMC,1")) + sealed(b"GPZDA,1"), list(range(100)))
@example(ubx(1, 7, sealed(b"GPRMC,1"))[:-1] + b"\0" + sealed(b"GPZDA"), list(range(90)))
@example(b"\xb5b\x01\x07\x10\x00" + sealed(b"GPZDA,1"), list(range(50)))
def test_what_comes_out_does_not_depend_on_the_cutting(
    data: bytes, at: list[int]
) -> None:
    assert framed(cut(data, at)) == framed([data])


@given(st.lists(sentences, max_size=8))
def test_every_good_sentence_is_found(lines: list[bytes]) -> None:
    found = [item.body for item in framed(lines) if isinstance(item, Sentence)]
    assert found == [line[1:-5] for line in lines]


@given(st.lists(st.one_of(sentences, frames), max_size=8), st.binary(max_size=30))
def test_no_frame_harms_a_sentence(parts: list[bytes], junk: bytes) -> None:
    junk = junk.translate(None, b"\xb5\xba$")
    items = framed(part for whole in parts for part in (whole, junk))
    assert sum(isinstance(item, Sentence | Binary) for item in items) == len(parts)


@given(streams, st.lists(st.integers(0, 5000)))
def test_offsets_point_into_the_stream(data: bytes, at: list[int]) -> None:
    for item in framed(cut(data, at)):
        if isinstance(item, Sentence):
            assert data[item.offset + 1 :].startswith(item.body)
        elif isinstance(item, Binary):
            assert item.payload in data[item.offset :]


@given(streams, st.lists(st.integers(0, 5000), max_size=20))
def test_a_report_does_not_depend_on_the_cutting(data: bytes, at: list[int]) -> None:
    whole, parts = StreamReport(), StreamReport()
    rows = [*whole.feed(data), *whole.finish()]
    told = [row for piece in cut(data, at) for row in parts.feed(piece)]
    assert [*told, *parts.finish()] == rows
    assert parts.bytes == len(data)
    for counted in ("types", "rejected", "unreadable", "frames", "fixes"):
        assert getattr(parts, counted) == getattr(whole, counted)


@settings(max_examples=50)
@given(st.data())
def test_damage_costs_no_sentence_but_the_damaged(data: st.DataObject) -> None:
    mutated = bytearray(GOLDEN)
    for _ in range(data.draw(st.integers(1, 40))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(
            st.integers(0, 255)
        )
    for offset, body in said(GOLDEN) - said(mutated):
        whole = slice(offset, GOLDEN.index(b"\n", offset))
        assert mutated[whole] != GOLDEN[whole], body
    driven(cut(bytes(mutated), range(0, len(mutated), 100)))


@given(sentences)
def test_a_sentence_is_read_or_refused_by_name(line: bytes) -> None:
    for fact in nmea.facts(Sentence(line[1:-5], Mono(3), 0)):
        assert fact.mono == Mono(3)
        if isinstance(fact, nmea.Timed) and fact.tod is not None:
            assert Duration(0) <= fact.tod <= DAY
            assert not fact.leap_second or fact.tod.ns % 60_000_000_000 < 1_000_000_000


@given(st.sampled_from(UBX_READ), st.binary(max_size=120))
def test_a_frame_is_read_or_refused_by_name(
    message: tuple[int, int], payload: bytes
) -> None:
    for fact in Ubx().facts(Binary("UBX", *message, payload, Mono(3), 0)):
        assert fact.mono == Mono(3)


@given(streams)
def test_a_message_is_never_told_twice(data: bytes) -> None:
    told = [event for event in driven([data]) if isinstance(event, TimeMessage)]
    assert len({(one.kind, one.mono) for one in told}) == len(told)


@given(streams)
def test_a_damaged_sentence_is_not_read(data: bytes) -> None:
    """Whatever names a time stands in the stream with a right checksum."""
    for item in framed([data]):
        if isinstance(item, Sentence):
            checksum = data[item.offset :].split(item.body, 1)[1][:3]
            assert int(checksum[1:], 16) == reduce(xor, item.body)
        elif isinstance(item, Dropped):
            assert len(item.detail) <= 100
