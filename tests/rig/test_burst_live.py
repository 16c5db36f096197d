"""A bridge writes whole bursts into a pseudo terminal: the line's speed is not real.

Real time, the shipping serial port, driver and engine; the pulse is our own clock's
second, so that the error of what would be served is known.
"""

from __future__ import annotations

import os
import pty
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import reduce
from operator import xor

import pytest

from hw.linux.line.uart import hunt
from refclock.drivers.gnss import GnssDriver
from refclock.engine.engine import Engine
from refclock.engine.policy import EngineSettings
from refclock.events import LineLoad, PulseEdge, Tick
from refclock.gnss.framer import proves
from refclock.timebase import MILLISECOND, SECOND, LeapTable, Local, Mono, Utc

pytestmark = pytest.mark.slow
TABLE = LeapTable((), 37 * SECOND, Utc.of(2026, 1, 1), Utc.of(2099, 1, 1))
SECONDS = 9


def sealed(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode()):02X}\r\n".encode()


def burst(second: int, filler: int) -> bytes:
    at = datetime.fromtimestamp(second, UTC)
    clock, place = f"{at:%H%M%S}.00", "4807.038,N,01131.000,E"
    return b"".join(
        [
            sealed(f"GNRMC,{clock},A,{place},0.0,0.0,{at:%d%m%y},,,A"),
            sealed(f"GNGGA,{clock},{place},1,08,1.0,500.0,M,47.0,M,,"),
            *[sealed("GPGSV,1,1,01,05,40,083,46,1" + ",1" * 15)] * filler,
            sealed(f"GNZDA,{clock},{at:%d,%m,%Y},00,00"),
        ]
    )


class Bridge:
    """Writes a burst a second, whole, at `lag_s` after the second."""

    def __init__(self, lag_s: float, filler: int) -> None:
        self.far, self._near = pty.openpty()
        self.path = os.ttyname(self._near)
        self._lag_s, self._filler = lag_s, filler
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(1.0 - (time.time() - self._lag_s) % 1.0):
            os.write(self.far, burst(int(time.time()), self._filler))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self.far)
        os.close(self._near)


@pytest.fixture(params=[(0.15, 0), (0.05, 0), (0.15, 20)], ids=str)
def bridge(request: pytest.FixtureRequest) -> Iterator[Bridge]:
    made = Bridge(*request.param)
    yield made
    made.close()


def test_the_second_is_the_one_it_names(bridge: Bridge) -> None:
    """222 bytes are 231 ms of a line of 9600 Bd: by its speed they came before the
    second they name. 1.4 kB a second are more than it can carry."""
    driver = GnssDriver(hunt(bridge.path, proves))
    engine = Engine(EngineSettings(), TABLE, Utc.of(2020, 1, 1))
    edge, begun = int(time.time()), time.monotonic()
    loads: list[LineLoad] = []
    while time.monotonic() - begun < SECONDS:
        for event in driver.poll():
            if isinstance(event, LineLoad):
                loads.append(event)
            engine.handle(event)
        while edge + 1 <= time.time():
            edge += 1
            offset = time.monotonic_ns() - time.time_ns()
            at, mono = Local(edge * SECOND.ns), Mono(edge * SECOND.ns + offset)
            engine.handle(PulseEdge(at, mono, edge, 0))
            engine.handle(Tick(mono + MILLISECOND, at + MILLISECOND, 0))
    driver.close()
    assert engine.snapshot.stratum == 1
    assert abs(engine.snapshot.correction - 37 * SECOND) < MILLISECOND
    assert not [load for load in loads if load.share > 0.7]
