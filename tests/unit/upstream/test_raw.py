from __future__ import annotations

from refclock.timebase import SECOND, Mono
from refclock.upstream.raw import RawTime


def test_a_commanded_rate_is_taken_out() -> None:
    raw = RawTime()
    begin = Mono(100 * SECOND.ns)
    raw.in_force(begin, 500e-6)
    began = raw.at(begin)
    raw.in_force(begin + 1000 * SECOND, 0.0)
    counted = raw.at(begin + 2000 * SECOND) - began
    assert abs(counted.seconds - (1000 / 1.0005 + 1000)) < 1e-6
