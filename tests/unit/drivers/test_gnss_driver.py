from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import reduce
from itertools import permutations
from operator import xor
from pathlib import Path

import pytest

from refclock.board.ports import Chunk
from refclock.drivers.gnss import GnssDriver
from refclock.events import (
    Dropped,
    DropReason,
    Event,
    Fix,
    LeapNotice,
    LineLoad,
    NoTime,
    Position,
    SkyView,
    TimeMessage,
)
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Mono, Utc

GOLDEN = Path(__file__).parents[2] / "golden"
BYTE = Duration(SECOND.ns * 10 // 9600)


class Wire:
    """A stream that was recorded: pauses and bytes."""

    name = "wire"

    def __init__(
        self, chunks: Iterable[Chunk | None], speed: int | None = 9600
    ) -> None:
        self._chunks = list(chunks)
        self.bits_per_second = speed
        self.limits: list[Duration] = []
        self.closed = False

    def read(self, limit: Duration) -> Chunk | None:
        self.limits.append(limit)
        if not self._chunks:
            raise BrokenPipeError
        return self._chunks.pop(0)

    def write(self, data: bytes) -> None:
        raise AssertionError(data)

    def close(self) -> None:
        self.closed = True


def sealed(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode()):02X}\r\n".encode()


def events(driver: GnssDriver) -> list[Event]:
    """All there is until the wire is pulled."""
    told: list[Event] = []
    with contextlib.suppress(BrokenPipeError):
        while True:
            told += driver.poll()
    return told


def on_line(data: bytes, start: Duration) -> list[Chunk]:
    """Chunks of 20 bytes, as a line of 9600 Bd carries them."""
    return [
        Chunk(
            data[k : k + 20],
            Mono(0) + start + k * BYTE,
            Mono(0) + start + (k + len(data[k : k + 20]) - 1) * BYTE,
        )
        for k in range(0, len(data), 20)
    ]


def test_facts_of_a_healthy_receiver() -> None:
    data = (GOLDEN / "healthy.nmea").read_bytes()
    told = events(GnssDriver(Wire(on_line(data, ZERO))))
    messages = [one for one in told if isinstance(one, TimeMessage)]
    assert [m.kind for m in messages[:4]] == ["RMC", "GGA", "GLL", "ZDA"]
    assert all(m.fix is Fix.VALID for m in messages)
    assert [m.utc for m in messages if m.kind == "RMC"] == [
        Utc.of(2026, 6, 30, 23, 59, 57) + k * SECOND for k in range(5)
    ]
    views = [one for one in told if isinstance(one, SkyView)]
    assert [(view.used, len(view.satellites)) for view in views] == [(11, 12)] * 4
    assert sum(isinstance(one, Position) for one in told) == 10
    assert not [one for one in told if isinstance(one, NoTime)]


@pytest.mark.parametrize(
    ("burst", "fix"),
    [
        (["GNRMC,,V,,,,,,,,,,N", "GNZDA,,,,,,", "GPGSV,1,1,01,05,40,083,46"], Fix.NONE),
        (["GNGGA,120000.00,4807.038,N,01131.000,E,1,08,0.9,5,M,0,M,,"], Fix.PRESUMED),
        (["GNRMC,120000.00,V,,,,,,,,,,N", "GNGSV,1,1,00"], Fix.NONE),
    ],
)
def test_a_receiver_that_names_no_time_is_heard(burst: list[str], fix: Fix) -> None:
    """And what it sees of the sky, though no epoch of it ever ends."""
    chunks = [
        Chunk(
            b"".join(sealed(body.replace("0000.", f"00{k}.")) for body in burst), at, at
        )
        for k, at in (("00", Mono(10)), ("01", Mono(20)))
    ]
    told = events(GnssDriver(Wire(chunks, None)))
    assert NoTime(Mono(10), fix) in told
    assert not [event for event in told if isinstance(event, TimeMessage)]
    views = [event for event in told if isinstance(event, SkyView)]
    assert len(views) == ("GSV" in burst[-1])


def test_a_message_came_when_its_first_byte_did() -> None:
    rmc = sealed("GPRMC,111106,A,,,,,,,010526")
    after = sealed("GPRMC,111107,A,,,,,,,010526")
    wire = Wire(on_line(b"xy" + rmc + after, SECOND))
    message, *_ = events(GnssDriver(wire))
    assert isinstance(message, TimeMessage)
    assert abs((message.mono - Mono(0)) - (SECOND + 2 * BYTE)) <= Duration(1)


def test_every_read_is_bounded_and_silence_says_nothing() -> None:
    wire = Wire([None, None])
    assert events(GnssDriver(wire)) == []
    assert wire.limits == [2 * SECOND] * 3


def test_refusals_and_notices_pass() -> None:
    data = b"$GPRMC,1*00\r\n" + sealed("PUBX,04,111106,010526,1.0,2416,18,0,0,0")
    refusal, notice = events(GnssDriver(Wire([Chunk(data, Mono(0), Mono(0))])))
    assert refusal == Dropped(Mono(0), DropReason.CHECKSUM_MISMATCH, "GPRMC,1*00")
    assert isinstance(notice, LeapNotice)


def test_binary_frames_are_read_too() -> None:
    frame = bytes.fromhex("b56201211400") + bytes(12)
    frame += bytes.fromhex("ea070501150005074ed0")
    (message,) = events(GnssDriver(Wire([Chunk(frame, Mono(0), Mono(0))])))
    assert isinstance(message, TimeMessage)
    assert message.kind == "UBX-NAV-TIMEUTC"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_estimated_time_is_not_good_whatever_comes_first(
    order: tuple[int, ...],
) -> None:
    bodies = (
        "GNRMC,0815{:02d}.00,A,4807.038,N,01131.000,E,0.0,0.0,011226,,",
        "GNGGA,0815{:02d}.00,4807.038,N,01131.000,E,6,08,1.0,500.0,M,47.0,M,,",
        "GNZDA,0815{:02d}.00,01,12,2026,00,00",
    )
    wire = Wire(
        chunk
        for k in range(4)
        for chunk in on_line(
            b"".join(sealed(bodies[i].format(k)) for i in order), k * SECOND
        )
    )
    fixes = [
        one.fix for one in events(GnssDriver(wire)) if isinstance(one, TimeMessage)
    ]
    assert fixes == [Fix.ESTIMATED] * len(fixes)
    assert len(fixes) >= 9


def test_a_second_contradicted_within_a_burst_is_good_for_nothing() -> None:
    wire = Wire(
        chunk
        for k in range(5)
        for chunk in on_line(
            sealed(f"GNRMC,0815{k:02d}.00,A,,,,,,,011226,,,A")
            + sealed(f"GNZDA,0815{k + 1:02d}.00,01,12,2026,00,00"),
            k * SECOND,
        )
    )
    told = events(GnssDriver(wire))
    late = [m for m in told if isinstance(m, TimeMessage) and m.mono > Mono(0) + SECOND]
    assert {m.fix for m in late} == {Fix.CONTRADICTION}
    named = [one for one in told if isinstance(one, Dropped)]
    assert {one.reason for one in named} == {DropReason.CONTRADICTION}
    assert named[0].detail == "GNZDA names another second than GNRMC"


def test_binary_and_text_that_contradict_each_other_are_good_for_nothing() -> None:
    frame = bytes.fromhex("b56201211400") + bytes(12)
    frame += bytes.fromhex("ea070501150005074ed0")  # 2026-05-01 21:00:05
    chunks = [Chunk(frame, Mono(0) + k * SECOND, Mono(0) + k * SECOND) for k in (0, 2)]
    rmc = sealed("GNRMC,210006.00,A,,,,,,,010526,,,A")
    rmc += sealed("GNRMC,210007.00,A,,,,,,,010526,,,A")
    chunks[1:] = on_line(rmc + frame, 2 * SECOND)
    told = events(GnssDriver(Wire(chunks)))
    assert [m.fix for m in told if isinstance(m, TimeMessage)][-1] is Fix.CONTRADICTION


def test_another_clock_on_the_line_is_named_and_left_out() -> None:
    """An AIS transponder that repeats the fix of the second before."""
    wire = Wire(
        chunk
        for k in range(1, 9)
        for chunk in on_line(
            sealed(f"GNRMC,0815{k:02d}.00,A,,,,,,,011226,,,A")
            + sealed(f"AIRMC,0815{k - 1:02d}.00,A,,,,,,,011226,,,A"),
            k * SECOND,
        )
    )
    told = events(GnssDriver(wire))
    assert [m.utc.ns // SECOND.ns % 60 for m in told if isinstance(m, TimeMessage)] == [
        *range(1, 9)
    ]
    named = [one for one in told if isinstance(one, Dropped)]
    assert {one.detail for one in named} == {"AIRMC is another clock than GN"}
    assert len(named) == 8


def test_an_unreadable_time_is_not_no_time() -> None:
    data = sealed("GPRMC,1.2,A,,,,,,,011226") * 3
    told = events(GnssDriver(Wire([Chunk(data, Mono(0), Mono(0))])))
    assert [type(one) for one in told] == [Dropped] * 3


@pytest.mark.parametrize(
    ("frame", "name"),
    [("a0a200028400" + "0084b0b3", "SiRF"), ("a0a10003090100080d0a", "SkyTraq")],
)
def test_a_foreign_protocol_is_named(frame: str, name: str) -> None:
    wire = Wire([Chunk(bytes.fromhex(frame), Mono(3), Mono(3))])
    assert events(GnssDriver(wire)) == [Dropped(Mono(3), DropReason.PROTOCOL, name)]


def test_a_flood_is_read_in_part_and_said() -> None:
    line = sealed("GPRMC,111106,A,,,,,,,010526")
    chunks = [
        Chunk(
            line * 500, Mono(0) + k * 10 * MILLISECOND, Mono(0) + k * 10 * MILLISECOND
        )
        for k in range(100)
    ]
    told = events(GnssDriver(Wire(chunks, None)))
    floods = [one for one in told if isinstance(one, Dropped)]
    assert floods[0].reason is DropReason.FLOOD
    assert "beyond 50000 a second" in floods[0].detail
    surplus = sum(
        int(one.detail.split()[0]) for one in floods if "beyond" in one.detail
    )
    assert surplus == pytest.approx(100 * 500 * len(line) - 150_000, abs=2 * 50_000)


def test_silence_ends_an_epoch() -> None:
    rmc = sealed("GPRMC,111106,A,,,,,,,010526")
    (message,) = events(GnssDriver(Wire([Chunk(rmc, Mono(5), Mono(9)), None])))
    assert isinstance(message, TimeMessage)


def test_on_a_saturated_line_messages_are_marked() -> None:
    filler = sealed("GPGSV," + "0" * 60) * 30
    stream = b"".join(
        sealed(f"GPRMC,1111{k:02d},A,,,,,,,010526") + filler for k in range(4)
    )
    told = events(GnssDriver(Wire(on_line(stream, ZERO))))
    queued = [one.queued for one in told if isinstance(one, TimeMessage)]
    assert queued == [False, True, True, True]


def test_a_line_that_rests_has_no_queue() -> None:
    chunks: list[Chunk] = []
    for k in range(12):
        burst = (
            sealed(f"GPRMC,1111{k:02d},A,,,,,,,010526")
            + sealed("GPGSV," + "0" * 60) * 10
        )
        chunks += on_line(burst, k * SECOND)
    told = events(GnssDriver(Wire(chunks)))
    assert not any(one.queued for one in told if isinstance(one, TimeMessage))
    (load,) = (one for one in told if isinstance(one, LineLoad))
    assert load.mono >= Mono(0) + 10 * SECOND
    assert load.share == pytest.approx(753 / 960)


def test_a_lost_line_is_an_os_error() -> None:
    with pytest.raises(OSError):  # noqa: PT011 - of whatever kind
        list(GnssDriver(Wire([])).poll())


def test_the_line_is_given_back() -> None:
    wire = Wire([])
    GnssDriver(wire).close()
    assert wire.closed


def test_a_line_without_a_speed_has_neither_load_nor_queue() -> None:
    rmc = sealed("GPRMC,111106,A,,,,,,,010526")
    chunks = [
        Chunk(rmc, Mono(0) + k * 10 * MILLISECOND, Mono(0) + (k * 10 + 9) * MILLISECOND)
        for k in range(1200)
    ]
    told = events(GnssDriver(Wire(chunks, speed=None)))
    assert not any(one.queued for one in told if isinstance(one, TimeMessage))
    assert not any(isinstance(one, LineLoad) for one in told)


NOISE = on_line(b"\x00\xe6\x98" * 6000, 1000 * SECOND)
SEEK = 15 * SECOND


@pytest.mark.parametrize("wire", [[None] * 9, NOISE])
def test_a_line_unreadable_for_long_is_given_up(wire: list[Chunk | None]) -> None:
    """The receiver may have come back at another speed."""
    driver = GnssDriver(Wire(wire), seek_after=SEEK)
    with pytest.raises(OSError, match="its speed is sought anew"):
        events(driver)


def test_where_its_speed_is_set_it_is_not() -> None:
    driver = GnssDriver(Wire([None] * 9))
    assert [event for _ in range(9) for event in driver.poll()] == []


def test_a_line_that_says_something_now_and_then_is_kept() -> None:
    text = sealed("GPTXT,01,01,02,hello")
    wire: list[Chunk | None] = []
    for k in range(10):
        wire += [*[None] * 6, *on_line(text, (1000 + 20 * k) * SECOND)]
    kept = Wire(wire)
    driver = GnssDriver(kept, seek_after=SEEK)
    for _ in wire:
        list(driver.poll())
    assert len(kept.limits) == len(wire)
