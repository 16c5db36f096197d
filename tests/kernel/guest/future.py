"""Runs in the guest: what is stamped after 2038, when 32 bits of seconds are full."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from hw.abi.timex import Timex, clock_adjtime
from hw.linux.clock import KernelClock
from hw.linux.pulse.gpio import open_gpio
from hw.linux.pulse.kernel import KernelPps
from hw.linux.rtc import KernelRtc
from hw.net.ask import Asker
from hw.net.listen import listen
from hw.net.udp import UdpSocket
from refclock.board.ports import PpsLine
from refclock.board.wiring import WantedEdge
from refclock.events import Step
from refclock.timebase import MILLISECOND, SECOND, Utc
from tests.kernel.guest.pulse import FREE, PULSE

_REQUEST = bytes(48)


@contextmanager
def clock_at(utc: Utc) -> Iterator[None]:
    """CLOCK_REALTIME shows that; afterwards what it would have shown."""
    ahead = time.time_ns() - time.monotonic_ns()
    time.clock_settime_ns(time.CLOCK_REALTIME, utc.ns)
    try:
        yield
    finally:
        time.clock_settime_ns(time.CLOCK_REALTIME, time.monotonic_ns() + ahead)


def years(year: int) -> dict[str, Any]:
    """By each that stamps or is set, in the first minute of that year: seconds since
    the year began."""
    began = Utc.of(year, 1, 1)
    with clock_at(began):
        clock = KernelClock()
        rtc = KernelRtc("/dev/rtc0")
        told = {
            "pps": _edge(KernelPps(PULSE)),
            "gpio": _edge(open_gpio("auto", FREE, WantedEdge.ASSERT, clock)),
            **_packet(),
            "timex": _timex(),
        }
        clock.apply(Step(SECOND))
        told["stepped"] = _timex()
        clock.restore()
        before = rtc.read()
        rtc.write(began)
        kept = rtc.read()
        told["rtc"] = 0 if kept is None else kept.ns
        if before is not None:
            rtc.write(before)  # or it contradicts the receiver of the next test
    return {name: (ns - began.ns) / SECOND.ns for name, ns in told.items()}


def _edge(line: PpsLine) -> int:
    with closing(line):
        edge = line.wait(3 * SECOND)
    return 0 if edge is None else edge.at.ns


def _timex() -> int:
    timex = Timex()
    clock_adjtime(timex)
    return int(timex.time_sec) * SECOND.ns


def _packet() -> dict[str, int]:
    """One that is asked, answered, and stamped four times."""
    left: list[int] = []
    (bound,) = listen(["127.0.0.1"], 0)
    place = bound.getsockname()
    assert bound.family == socket.AF_INET
    with closing(UdpSocket(bound)) as server, closing(Asker(place)) as client:
        sent = client.send(_REQUEST)
        _, (received,) = server.receive(SECOND)
        server.watch({0: [left.append]})
        server.send([1])
        ((_, answered),) = list(client.replies(200 * MILLISECOND))
        server.receive(10 * MILLISECOND)
    return {
        "asked": sent.ns,
        "received": received,
        "left": left[0] if left else 0,
        "answered": answered.ns,
    }
