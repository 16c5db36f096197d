"""The samples of one server, and the interval that true time lies in by them.

Eight samples are kept. Each says, aged by a to now,

    its time + (1 + rate) a ± (root distance + delay / 2 + drift a)

and the least of delay / 2 + drift a is the best. The jitter is the root mean square of
what the others' times are from it, and widens the interval:

    best + (1 + rate) a ± (root distance + delay / 2 + jitter + drift a)
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

from refclock.events.upstream import ServerReply
from refclock.timebase import Duration, Mono, Utc

DRIFT: Final = 15e-6
"""How fast the monotonic clock of a disciplined machine may be off, s/s: RFC 5905's
PHI."""
SAMPLES: Final = 8


@dataclass(frozen=True, slots=True)
class Interval:
    """True time lies within `utc` ± `half`, if the server is right."""

    utc: Utc
    half: Duration

    @property
    def low(self) -> Utc:
        """The earliest."""
        return self.utc - self.half

    @property
    def high(self) -> Utc:
        """The latest."""
        return self.utc + self.half

    def touches(self, other: Interval) -> bool:
        """Is there a time that lies in both?"""
        return abs(self.utc - other.utc) <= self.half + other.half


class SampleFilter:
    """The last exchanges with one server. Used by one thread."""

    def __init__(self) -> None:
        self._samples: deque[ServerReply] = deque(maxlen=SAMPLES)

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, reply: ServerReply) -> None:
        """Another exchange."""
        self._samples.append(reply)

    @property
    def last(self) -> ServerReply | None:
        """The newest."""
        return self._samples[-1] if self._samples else None

    @property
    def heard(self) -> Mono | None:
        """When the newest came."""
        return self._samples[-1].mono if self._samples else None

    def best(self, now: Mono, drift: float = DRIFT) -> ServerReply | None:
        """The exchange that has most to say of `now`."""
        if not self._samples:
            return None
        return min(
            self._samples,
            key=lambda each: each.delay.ns / 2 + drift * (now - each.mono).ns,
        )

    def jitter(self, now: Mono, rate: float = 0.0, drift: float = DRIFT) -> Duration:
        """The root mean square of the other times' distances from the best one."""
        best = self.best(now, drift)
        if best is None or len(self._samples) < 2:
            return Duration(0)
        apart = [
            (each.utc - best.utc).ns - (1.0 + rate) * (each.mono - best.mono).ns
            for each in self._samples
            if each is not best
        ]
        return Duration(round(math.sqrt(sum(a * a for a in apart) / len(apart))))

    def interval(
        self, now: Mono, rate: float = 0.0, drift: float = DRIFT
    ) -> Interval | None:
        """Where true time lies at `now` if the server is right; None: no sample.

        `rate`: how fast true time gains on our monotonic clock, s/s, to ± `drift`.
        """
        best = self.best(now, drift)
        if best is None:
            return None
        age = now - best.mono
        half = (
            (best.root_delay.ns + best.delay.ns + 1) // 2
            + best.root_dispersion.ns
            + self.jitter(now, rate, drift).ns
            + math.ceil(drift * abs(age.ns))
        )
        passed = age.ns + round(rate * age.ns)
        return Interval(best.utc + Duration(passed), Duration(half))
