"""Receivers as the field reports them, through the shipping driver and engine.

Each writes a burst a second, 100 ms after it, beside an exact pulse. What is served is
the true second, or nothing, and what is wrong is said.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor
from struct import pack
from typing import Final

import pytest

from refclock.board.ports import Chunk
from refclock.drivers.gnss import GnssDriver
from refclock.engine.engine import Engine
from refclock.engine.policy import EngineSettings
from refclock.events import PulseEdge, Tick
from refclock.reasons import Code
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    Duration,
    LeapTable,
    Local,
    Mono,
    Utc,
)
from tests.fakes.binary import casic, ubx

BEGAN: Final = Utc.of(2026, 12, 1, 8, 15)
GPS_BEGAN: Final = datetime(1980, 1, 6, tzinfo=UTC)
LEAPS: Final = 18
TABLE: Final = LeapTable((), 37 * SECOND, Utc.of(2026, 7, 1), Utc.of(2027, 6, 28))
PLACE: Final = "4807.038,N,01131.000,E"

Burst = Callable[[datetime], bytes]


def sealed(body: str, form: str = "{:02X}") -> bytes:
    return f"${body}*{form.format(reduce(xor, body.encode()))}\r\n".encode()


def one_digit(body: str) -> bytes:
    """With two letters behind it, so that the checksum is below 16, and not padded."""
    for first in "0AP":
        for second in "09AP":
            line = sealed(f"{body},{first}{second}", "{:X}")
            if line[-4:-3] == b"*":
                return line
    raise AssertionError(body)


def rmc(
    at: datetime,
    *,
    talker: str = "GN",
    status: str = "A",
    mode: str = "A",
    clock: str = "%H%M%S.00",
) -> str:
    return (
        f"{talker}RMC,{at.strftime(clock)},{status},{PLACE},0.0,0.0,"
        f"{at:%d%m%y},,,{mode}"
    )


def gga(at: datetime, quality: int) -> str:
    return f"GNGGA,{at:%H%M%S}.00,{PLACE},{quality},08,1.0,500.0,M,47.0,M,,"


def zda(at: datetime, talker: str = "GN") -> str:
    return f"{talker}ZDA,{at:%H%M%S}.00,{at:%d,%m,%Y},00,00"


def civil(at: datetime) -> tuple[int, ...]:
    return at.year, at.month, at.day, at.hour, at.minute, at.second


def gps(at: datetime) -> bytes:
    week, tow = divmod(at + timedelta(seconds=LEAPS) - GPS_BEGAN, timedelta(7))
    return pack("<Iih", tow // timedelta(milliseconds=1), 0, week)


def pvt(at: datetime, fix: int = 3) -> bytes:
    head = pack("<IHBBBBBBIiBB", 0, *civil(at), 7, 20, 0, fix, int(fix > 1))
    return ubx(0x01, 0x07, head.ljust(92, b"\0"))


def timeutc(at: datetime) -> bytes:
    return ubx(0x01, 0x21, pack("<IIiHBBBBBB", 0, 20, 0, *civil(at), 7))


def timegps(at: datetime, valid: int = 7) -> bytes:
    return ubx(0x01, 0x20, gps(at) + pack("<bBI", LEAPS, valid, 20))


def sol(at: datetime, fix: int = 3) -> bytes:
    return ubx(0x01, 0x06, (gps(at) + pack("<BB", fix, 0x0D)).ljust(52, b"\0"))


def casic_time(at: datetime, fix: int = 7) -> bytes:
    time = pack("<IffHHBBBBBBBB", 0, 0, 0, 0, *civil(at), 7, 0, 3)
    return casic(1, 2, pack("<IB", 0, fix).ljust(72, b"\0")) + casic(1, 0x10, time)


def sawtooth(at: datetime, error_ps: int) -> bytes:
    tow, _, week = (int.from_bytes(gps(at)[a:b], "little") for a, b in _GPS_FIELDS)
    return ubx(0x0D, 0x01, pack("<IIiHBx", tow, 0, error_ps, week, 0))


_GPS_FIELDS: Final = ((0, 4), (4, 8), (8, 10))


class Wire:
    name = "wire"
    bits_per_second = 9600

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    def read(self, limit: Duration) -> Chunk | None:
        assert limit.ns > 0
        return self.chunks.pop(0)

    def write(self, data: bytes) -> None:
        raise AssertionError(data)

    def close(self) -> None:
        pass


class Run:
    """Forty seconds of it."""

    def __init__(self, burst: Burst, seconds: int = 40) -> None:
        wire = Wire()
        driver = GnssDriver(wire)
        self.engine = Engine(EngineSettings(), TABLE, Utc.of(2026, 11, 1))
        self.served: list[Duration] = []
        self.codes: set[Code] = set()
        for k in range(seconds):
            self.now = Mono((1000 + k) * SECOND.ns)
            local = Local(BEGAN.ns + k * SECOND.ns)
            self.engine.handle(PulseEdge(local, self.now, k, 0))
            tick = self.now + MILLISECOND
            self.engine.handle(Tick(tick, local + MILLISECOND, 0))
            at = datetime.fromtimestamp(BEGAN.ns // SECOND.ns + k, UTC)
            data, came = burst(at), self.now + 100 * MILLISECOND
            took = Duration(len(data) * SECOND.ns // 960)
            wire.chunks.append(Chunk(data, came, came + took))
            for event in driver.poll():
                self.engine.handle(event)
            self.codes |= {a.reason.code for a in self.engine.alarms(self.now)}
            snapshot = self.engine.snapshot
            if snapshot.synchronised(self.now):
                self.served.append(snapshot.correction - 37 * SECOND)
        self.reason = self.engine.reason(self.now)


def text(*bodies: str) -> bytes:
    return b"".join(map(sealed, bodies))


SERVES: Final[dict[str, Burst]] = {
    "status D": lambda at: text(rmc(at, status="D", mode="D"), gga(at, 4)),
    "status R": lambda at: text(rmc(at, status="R", mode="R"), gga(at, 4)),
    "lower case": lambda at: sealed(rmc(at).lower(), "{:02x}"),
    "no leading zero": lambda at: sealed(rmc(at, clock="%-H%M%S.00")),
    "one-digit checksum": lambda at: one_digit(rmc(at)),
    "an echo on the line": lambda at: text(
        rmc(at), rmc(at - timedelta(seconds=1), talker="AI")
    ),
    "an echo that comes first": lambda at: text(
        rmc(at - timedelta(seconds=1), talker="II"), rmc(at)
    ),
    "a ZDA of the ship's clock": lambda at: text(
        rmc(at), zda(at + timedelta(seconds=7), talker="ZQ")
    ),
    "NAV-PVT alone": pvt,
    "NAV-TIMEUTC alone": timeutc,
    "NAV-TIMEGPS alone": timegps,
    "NAV-SOL and NAV-TIMEGPS": lambda at: sol(at) + timegps(at),
    "NAV-TIMEGPS and NAV-SOL": lambda at: timegps(at) + sol(at),
    "CASIC": casic_time,
    "a sawtooth of 2 ms": lambda at: text(rmc(at)) + sawtooth(at, 2 * 10**9),
}
NEVER: Final[dict[str, tuple[Burst, Code]]] = {
    "estimated": (lambda at: text(rmc(at, mode=""), gga(at, 6)), Code.NO_FIX),
    "estimated first": (lambda at: text(gga(at, 6), rmc(at, mode="")), Code.NO_FIX),
    "simulated": (lambda at: text(rmc(at, mode=""), gga(at, 8)), Code.NO_FIX),
    "no quality": (lambda at: text(rmc(at, mode=""), gga(at, 0)), Code.NO_FIX),
    "ZDA ahead": (
        lambda at: text(rmc(at), zda(at + timedelta(seconds=1))),
        Code.NO_FIX,
    ),
    "ZDA ahead and first": (
        lambda at: text(zda(at + timedelta(seconds=1)), rmc(at)),
        Code.NO_FIX,
    ),
    "NAV-PVT ahead": (
        lambda at: text(rmc(at)) + pvt(at + timedelta(seconds=1)),
        Code.NO_FIX,
    ),
    "status Q": (lambda at: text(rmc(at, status="Q")), Code.NO_FIX),
    "dead reckoning": (lambda at: pvt(at, fix=1), Code.NO_FIX),
    "NAV-SOL alone": (sol, Code.NO_DATE),
    "NAV-TIMEGPS without a fix": (lambda at: sol(at, 0) + timegps(at), Code.NO_FIX),
    "NAV-TIMEGPS without leap seconds": (lambda at: timegps(at, 3), Code.NO_TIME),
    "CASIC reckoned": (lambda at: casic_time(at, 4), Code.NO_FIX),
    "SiRF": (lambda _: bytes.fromhex("a0a2000284000084b0b3"), Code.FOREIGN_PROTOCOL),
    "gpsd": (lambda _: b'{"class":"TPV","mode":3}\r\n', Code.FOREIGN_PROTOCOL),
}


@pytest.mark.parametrize("name", SERVES)
def test_the_true_second_is_served(name: str) -> None:
    run = Run(SERVES[name])
    assert len(run.served) >= 30
    assert all(abs(error) < MILLISECOND for error in run.served)
    foreign = "echo" in name or "clock" in name
    assert (Code.FOREIGN_CLOCK in run.codes) is foreign


@pytest.mark.parametrize("name", NEVER)
def test_nothing_is_served_and_the_cause_is_said(name: str) -> None:
    burst, code = NEVER[name]
    run = Run(burst)
    assert not run.served
    assert run.reason.code is code
    assert (Code.SENTENCES_CONTRADICT in run.codes) is ("ahead" in name)


@pytest.mark.parametrize("year", [1, 1979, 9999])
def test_a_date_that_cannot_be_ends_nothing(year: int) -> None:
    run = Run(lambda at: pvt(at.replace(year=year)) + text(zda(at.replace(year=year))))
    assert not [error for error in run.served if abs(error) > MILLISECOND]
    healthy = Run(lambda at: text(rmc(at)))
    assert healthy.served
