"""Which device a fact comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NewType

SourceId = NewType("SourceId", str)
"""A kind of device and its number on the board: gps0, pps0, rtc0."""

GPS0: Final = SourceId("gps0")
"""The first receiver, and the only one on most boards."""
PPS0: Final = SourceId("pps0")
"""The first pulse."""
PIN0: Final = SourceId("pin0")
"""The pulse's own pin, watched to measure the latency."""
TEMP0: Final = SourceId("temp0")
"""The thermometer nearest to the oscillator."""
RTC0: Final = SourceId("rtc0")
"""The battery clock."""


@dataclass(frozen=True, slots=True)
class SourcePair:
    """A receiver and the pulse it vouches for."""

    receiver: SourceId
    pulse: SourceId


ONE_PAIR: Final = (SourcePair(GPS0, PPS0),)
"""One receiver with one pulse, the plain case."""
