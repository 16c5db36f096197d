"""What the local clock is told, and how far it has obeyed.

An order is no fact: a rate holds from when the clock says so, and a step is done
when the clock is seen to have moved by it.
"""

from __future__ import annotations

from typing import Final

from refclock.discipline.servo import Servo, SteerSettings
from refclock.events import Command, SetLeap, SetRate, SetStatus, Step
from refclock.timebase import SECOND, Duration, LeapSecond, Tai

LEAP_LASTS: Final = 2 * SECOND
"""A leap second that began so recently is the kernel's to carry out, at its next tick:
to say sooner that none is due would call it off."""


class ClockControl:
    """To one clock. Used by one thread."""

    def __init__(self, settings: SteerSettings, *, steer: bool) -> None:
        """`steer`: else it is told nothing, and only corrected in what is served."""
        self._steer = steer
        self._servo = Servo(settings)
        self._in_force = 0.0
        self._leap: SetLeap | None = None
        self._vouched = False
        self._step: Duration | None = None

    @property
    def ppb(self) -> float | None:
        """The rate last ordered; None: none ever is."""
        return self._servo.ppb if self._steer else None

    @property
    def step(self) -> Duration | None:
        """What it was last ordered to be stepped by, and may not have been yet."""
        return self._step

    def first(self) -> tuple[Command, ...]:
        """Before anything is known: whatever rate it was left with ends."""
        return (SetRate(self._servo.ppb),) if self._steer else ()

    def steer(
        self, to_go: Duration, rate: float, leap: SetLeap, status: SetStatus
    ) -> tuple[Command, ...]:
        """Work off `to_go` (reference - local), which grows by `rate` (s/s); of a leap
        second it is told once, of its quality each time."""
        if not self._steer:
            return ()
        commands = self._servo.steer(to_go.seconds, rate)
        for command in commands:
            if isinstance(command, Step):
                self._step = command.by
        if leap != self._leap:
            self._leap = leap
            commands = (*commands, leap)
        self._vouched = status.synchronised
        return (*commands, status)

    def invalidate(self, bound: Duration) -> tuple[Command, ...]:
        """Nothing is known any more: the kernel must not go on saying otherwise."""
        confirmed, self._vouched = self._vouched, False
        return (SetStatus(False, bound, bound),) if confirmed else ()

    def leave(self, rate: float) -> tuple[Command, ...]:
        """In good order: on at its own rate, no more slewing. `rate`: reference - local
        under the rate in force, s/s."""
        own = (1.0 + self._in_force * 1e-9) * (1.0 + rate) - 1.0
        return (SetRate(own * 1e9),) if self._steer else ()

    def obeyed(self, ppb: float) -> float:
        """That rate is in force now; which one was until now, ppb."""
        was, self._in_force = self._in_force, ppb
        return was

    def stepped(self) -> Duration | None:
        """The clock was stepped: by how much, if that was ordered."""
        by, self._step = self._step, None
        return by


def remaining(
    offset: Duration, tai: Tai, leap: LeapSecond | None, behind: Duration
) -> Duration:
    """What is to be added to CLOCK_REALTIME to show UTC at `tai`.

    `offset`: TAI - local; `behind`: TAI - UTC before `leap`. About a leap second the
    kernel may have stepped its clock already or not: the smaller remainder counts.
    """
    to_go = offset - behind
    if leap is not None and abs(tai - leap.at) < LEAP_LASTS:
        return min(to_go, offset - leap.after, key=abs)
    return to_go
