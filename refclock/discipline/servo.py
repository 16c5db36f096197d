"""From what we know of the clock to what we tell it: one rate a second, rarely a step.

With x the time still to add to the clock and y the rate of x, both as they stand
under the rate u now in force, the clock is right and stays right with

    u' = u + y + x / T,          |u'| <= max_rate

so x decays as exp(-t/T) while y is cancelled at once. The estimate is smooth
already; T only keeps its restlessness out of the rate. A step is for a clock so
wrong that slewing would take minutes, and only in the first updates: programs
trust that time does not jump under them.

What was commanded is a known input, not noise. With R the time the raw oscillator
would itself count, L the local (and monotonic) clock, and C = L - R,

    dR = dL / (1 + u)      dC = u dR      x = X - C      1 + y = (1 + Y)/(1 + u)

holds exactly between the offset and rate of the local clock and those, X and Y, of
the raw oscillator. So the filters see the raw oscillator only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from refclock.events import Command, SetRate, Step
from refclock.settings import Range
from refclock.timebase import Duration, Mono


@dataclass(frozen=True, slots=True)
class SteerSettings:
    """How the local clock may be moved."""

    time_constant_s: Annotated[float, Range(1.0, 1000.0, "s")] = 8.0
    """How softly an offset is worked off."""
    step_threshold_s: Annotated[float, Range(1e-6, 1e6, "s")] = 0.1
    """A larger offset is stepped, if a step is allowed."""
    step_updates: Annotated[int, Range(0, 1_000_000)] = 3
    """How many updates from the start may step."""
    step_always: bool = False
    """Step at any time of life."""
    max_rate_ppb: Annotated[float, Range(1_000.0, 10_000_000.0, "ppb")] = 500_000.0


class Servo:
    """Steers one clock. Used by one thread."""

    def __init__(self, settings: SteerSettings = SteerSettings()) -> None:
        self._settings = settings
        self._updates_left = settings.step_updates
        self._ppb = 0.0

    @property
    def ppb(self) -> float:
        """The rate last commanded: absolute, + is faster than the raw oscillator."""
        return self._ppb

    def steer(self, to_go_s: float, rate: float) -> tuple[Command, ...]:
        """What to do about an offset of `to_go_s` (s, reference - local as the clock
        should show it) that grows by `rate` (s/s) under the rate last commanded."""
        may_step = self._settings.step_always or self._updates_left > 0
        self._updates_left = max(self._updates_left - 1, 0)
        steps = may_step and abs(to_go_s) > self._settings.step_threshold_s
        soft = 0.0 if steps else to_go_s / self._settings.time_constant_s
        most = self._settings.max_rate_ppb
        wanted = self._ppb + (rate + soft) * 1e9
        self._ppb = min(max(wanted, -most), most)
        if not steps:
            return (SetRate(self._ppb),)
        return (Step(Duration.from_seconds(to_go_s)), SetRate(self._ppb))


class ControlInput:
    """How far our own commands moved the clock. Used by one thread."""

    def __init__(self) -> None:
        self.u = 0.0
        """The rate in force: local = (1 + u) raw."""
        self._since = Mono(0)
        self._raw_s = 0.0
        self._added_s = 0.0

    def raw(self, now: Mono) -> float:
        """Raw seconds since the last `restart`."""
        return self._raw_s + (now - self._since).seconds / (1.0 + self.u)

    def added(self, now: Mono) -> float:
        """What slewing has added to the clock since the last `restart`, s."""
        return self._added_s + (now - self._since).seconds * self.u / (1.0 + self.u)

    def set(self, now: Mono, u: float) -> None:
        """From `now` on the rate is `u`."""
        self._raw_s, self._added_s = self.raw(now), self.added(now)
        self._since, self.u = now, u

    def restart(self, now: Mono) -> None:
        """Count from `now`."""
        self._since, self._raw_s, self._added_s = now, 0.0, 0.0
