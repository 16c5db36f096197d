"""No bytes from a receiver end anything between the line and what people read.

Runs of a few seconds: a receiver names moments, ordinary and extreme, in every dialect
that is read, with fields, lengths and letters replaced, mixed with noise and frames of
foreign protocols; its pulses come beside them. All goes through the shipping driver and
engine, and status, reason, alarms, memory and journal are made of the outcome.

REFCLOCK_FUZZ is the number of inputs; by default there are as many as take seconds.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor
from random import Random
from struct import pack
from typing import Final

import pytest

from refclock.board.ports import Chunk
from refclock.daemon.journal import Journal
from refclock.drivers.gnss import GnssDriver
from refclock.engine.engine import Engine
from refclock.engine.kept.memory import Memory
from refclock.engine.policy import EngineSettings
from refclock.events import Event, PulseEdge, Tick
from refclock.timebase import (
    DAY,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    LeapTable,
    Local,
    Mono,
    Utc,
)
from tests.fakes.binary import casic, ubx

INPUTS: Final = int(os.environ.get("REFCLOCK_FUZZ", "20000"))
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
RUN: Final = 40
"""Inputs to one driver and engine: they keep what came before."""
TABLE: Final = LeapTable(
    (LeapSecond.ending(Utc.of(2017, 1, 1), 36 * SECOND, 37 * SECOND),),
    36 * SECOND,
    Utc.of(2026, 1, 1),
    Utc.of(2027, 6, 28),
)
MOMENTS: Final = [
    *(Utc.of(year, 1, 1) for year in (1, 1980, 1999, 2026, 2038, 2107, 9999)),
    Utc.of(2026, 12, 31, 23, 59, 55),
    Utc.of(9999, 12, 31, 23, 59, 55),
    Utc.of(2036, 2, 7, 6, 28, 10),
    Utc.of(2026, 11, 29),
    Utc.of(2026, 11, 29, 12),
]
FIELDS: Final = [
    *("", "0", "9" * 40, "-1", "1e5", "nan", "inf", " ", "A", "V", "D", "N", "?", "60"),
    *("235960", "235959.999999999999", "240000", "1.", "311299", "310299", "000000"),
    *(
        "9999",
        "10000",
        "0000",
        "00",
        "_1",
        "+1",
        "E",
        "999999999.9",
        "0x1",
        "18D",
        "-18",
    ),
]
EDGES: Final = [0, 1, 0x7F, 0x80, 0xFF]
UBX: Final = {
    (0x01, 0x03): 16, (0x01, 0x06): 52, (0x01, 0x07): 92, (0x01, 0x20): 16,
    (0x01, 0x21): 20, (0x01, 0x26): 24, (0x01, 0x35): 32, (0x0A, 0x04): 100,
    (0x0A, 0x09): 60, (0x0A, 0x38): 28, (0x0D, 0x01): 16, (0x27, 0x09): 12,
}  # fmt: skip
CASIC: Final = {(1, 2): 72, (1, 3): 80, (1, 0x10): 24}
NOISE: Final = [
    b"$", b"\xb5b", b"\xba\xce", b"\xa0\xa2", b"\xd3\x00", b"\x10\x41", b"$@",
    b"\xaa\x44", b'{"class":"', b"@@Ha", b"*", b"\r\n", b"\xb5b\x01\x07\xff\x1f",
    b"$GPRMC,",
]  # fmt: skip


def sealed(body: str) -> bytes:
    raw = body.encode("ascii", "replace")
    return b"$%b*%02X\r\n" % (raw, reduce(xor, raw, 0))


class Writer:
    """Writes what a receiver might send at a moment. Used by one thread."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice

    def write(self, utc: Utc) -> bytes:
        """Something of it."""
        kinds: list[Callable[[Utc], bytes]] = [
            self._sentence,
            self._sentence,
            self._frame,
            self._noise,
        ]
        return self._dice.choice(kinds)(utc)

    def fix(self, utc: Utc) -> bytes:
        """A healthy burst."""
        year, month, day, *clock = self._civil(utc)
        time, place = "{:02}{:02}{:02}.00".format(*clock), "4807.038,N,01131.000,E"
        return sealed(
            f"GNRMC,{time},A,{place},0.0,0.0,{day:02}{month:02}{year % 100:02},,,A,V"
        ) + sealed(f"GNZDA,{time},{day:02},{month:02},{year:04},00,00")

    def _civil(self, utc: Utc) -> tuple[int, ...]:
        """Year to second, of the years that have four digits."""
        first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
        days = max(min(utc.ns // DAY.ns, (last - EPOCH).days), (first - EPOCH).days)
        at = EPOCH + timedelta(days, seconds=utc.ns % DAY.ns // SECOND.ns)
        return at.year, at.month, at.day, at.hour, at.minute, at.second

    def _sentence(self, utc: Utc) -> bytes:
        dice = self._dice
        year, month, day, hour, minute, second = self._civil(utc)
        clock = f"{hour:02}{minute:02}{second:02}.00"
        date = f"{day:02}{month:02}{year % 100:02}"
        place = "4807.038,N,01131.000,E"
        bodies = [
            f"RMC,{clock},A,{place},0.0,0.0,{date},,,A,V",
            f"GGA,{clock},{place},1,08,1.0,500.0,M,47.0,M,,",
            f"ZDA,{clock},{day:02},{month:02},{year:04},00,00",
            f"GLL,{place},{clock},A,A",
            f"GNS,{clock},{place},AN,08,1.0,500.0,47.0,,",
            "GSV,1,1,02,05,40,083,46,07,10,200,33",
            "GSA,A,3,05,07,,,,,,,,,,,1.0,1.0,1.0",
            "TXT,01,01,02,ANTSTATUS=OPEN",
        ]
        body = dice.choice(["GP", "GN", "GL", "AI", "GN", "gn"]) + dice.choice(bodies)
        if dice.random() < 0.15:
            body = dice.choice(
                [
                    f"PUBX,04,{clock},{date},120.0,2416,18,0,0,0",
                    f"PGRMF,100,120,{date},{clock},18,{place},A,2",
                    "PMTK705,AXN,\x1b[2J",
                ]
            )
        if dice.random() < 0.4:
            fields = body.split(",")
            for _ in range(dice.randint(1, 3)):
                fields[dice.randrange(len(fields))] = dice.choice(FIELDS)
            body = ",".join(fields[: dice.choice([len(fields), 1, 3])])
        line = sealed(body.replace("$", "").replace("*", ""))
        return self._damaged(line) if dice.random() < 0.1 else line

    def _frame(self, utc: Utc) -> bytes:
        dice = self._dice
        civil = self._civil(utc)
        gps_ns = utc.ns - Utc.of(1980, 1, 6).ns + 18 * SECOND.ns
        week, tow_ns = divmod(gps_ns, 7 * DAY.ns)
        gps = pack("<Iih", tow_ns // 10**6, 0, max(min(week, 32767), -32768))
        good = [
            ubx(1, 7, pack("<IHBBBBBBIiBB", 0, *civil, 7, 20, 0, 3, 1) + bytes(70)),
            ubx(1, 0x21, pack("<IIiHBBBBBB", 0, 20, 0, *civil, 7)),
            ubx(1, 0x20, gps + pack("<bBI", 18, 7, 20)),
            ubx(1, 0x06, gps + pack("<BB", 3, 0x0D) + bytes(40)),
            casic(1, 0x10, pack("<IffHHBBBBBBBB", 0, 0, 0, 0, *civil, 7, 0, 3)),
        ]
        if dice.random() < 0.5:
            return dice.choice(good)
        size: int
        make, known = dice.choice([(ubx, UBX), (casic, CASIC)])
        (cls, number), size = dice.choice(list(known.items()))
        payload = bytearray(
            dice.choice([dice.randbytes(size), bytes(size), b"\xff" * size])
        )
        for _ in range(dice.randint(0, 6)):
            payload[dice.randrange(size)] = dice.choice(EDGES)
        if dice.random() < 0.1:
            del payload[dice.randrange(size) :]
        frame: bytes = make(cls, number, bytes(payload))
        return self._damaged(frame) if dice.random() < 0.1 else frame

    def _noise(self, _: Utc) -> bytes:
        dice = self._dice
        return dice.choice(NOISE) + dice.randbytes(dice.choice([0, 1, 5, 60]))

    def _damaged(self, data: bytes) -> bytes:
        at = self._dice.randrange(len(data))
        return data[:at] + bytes((self._dice.choice(EDGES),)) + data[at + 1 :]


class Wire:
    name = "wire"

    def __init__(self, chunks: Iterator[Chunk], speed: int | None) -> None:
        self._chunks = chunks
        self.bits_per_second = speed

    def read(self, limit: Duration) -> Chunk | None:
        assert limit > ZERO
        return next(self._chunks)

    def write(self, data: bytes) -> None:
        raise AssertionError(data)

    def close(self) -> None:
        pass


def run(seed: int, count: int) -> int:
    """One receiver and one engine, `count` inputs long; returns the facts."""
    dice = Random(seed)
    writer = Writer(dice)
    base = dice.choice(MOMENTS)
    mono = Mono(1000 * SECOND.ns)
    local = Local(Utc.of(2026, 11, 29).ns)
    settings = EngineSettings()
    engine = Engine(settings, TABLE, Utc.of(2026, 11, 1))
    journal = Journal()
    now, steady = mono, dice.random() < 0.7

    def chunks() -> Iterator[Chunk]:
        for k in range(count):
            at = now + (100 + 5 * (k % 4)) * MILLISECOND
            leap = Duration(dice.choice([0, 0, 0, 0, 1, -1, 3600]) * SECOND.ns)
            data = b"".join(
                writer.write(base + (k // 4) * SECOND + leap)
                for _ in range(dice.randint(1, 3))
            )
            if steady and k % 4 == 0:
                data = writer.fix(base + (k // 4) * SECOND) + data
            yield Chunk(data, at, at + dice.choice([0, 5, 60]) * MILLISECOND)

    driver = GnssDriver(Wire(chunks(), dice.choice([None, 9600, 115_200])))
    facts = 0

    def handle(event: Event) -> None:
        nonlocal facts
        facts += 1
        journal.event(event)
        engine.handle(event)

    for k in range(count):
        if k % 4 == 0:
            now = mono + (k // 4) * SECOND
            at = local + (now - mono)
            handle(PulseEdge(at, now, k // 4, 0))
            handle(Tick(now + MILLISECOND, at + MILLISECOND, 0))
        for event in driver.poll():
            handle(event)
    status = engine.status(now)
    json.dumps(asdict(status))
    journal.state(engine.mode, engine.reason(now), engine.alarms(now), now)
    Memory.parse(engine.memory().text())
    return facts


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The journal's lines are made, and not kept."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.timeout(max(600, INPUTS // 100))
def test_no_bytes_end_the_engine() -> None:
    facts = sum(run(seed, RUN) for seed in range(INPUTS // RUN))
    assert facts > INPUTS
