from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import reduce
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
    wire = Wire(on_line(b"xy" + rmc, SECOND))
    (message,) = events(GnssDriver(wire))
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
