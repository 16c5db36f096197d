"""Commands to CLOCK_REALTIME, and which of them are in force.

A command has no effect until the clock reports it: a rate is in force from then on,
and a step is done when both clocks were read and their difference has moved by it.
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
    """Commands to one clock. Used by one thread."""

    def __init__(self, settings: SteerSettings, *, steer: bool) -> None:
        """`steer`: False sends no command; only what is served is corrected."""
        self._steer = steer
        self._servo = Servo(settings)
        self._in_force = 0.0
        self._leap: SetLeap | None = None
        self._vouched = False
        self._step: Duration | None = None

    @property
    def ppb(self) -> float | None:
        """The rate last commanded, ppb; None where the clock is not steered."""
        return self._servo.ppb if self._steer else None

    @property
    def step(self) -> Duration | None:
        """The step last commanded, done or not; None: none is pending."""
        return self._step

    def first(self) -> tuple[Command, ...]:
        """The first command: end the rate that an earlier program left in force."""
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
        """Tell the kernel, once, that its clock is not synchronised any more."""
        confirmed, self._vouched = self._vouched, False
        return (SetStatus(False, bound, bound),) if confirmed else ()

    def release(self, rate: float) -> tuple[Command, ...]:
        """Leave the clock at the oscillator's true rate, without slewing. `rate`:
        reference - local under the rate in force, s/s."""
        own = (1.0 + self._in_force * 1e-9) * (1.0 + rate) - 1.0
        return (SetRate(own * 1e9),) if self._steer else ()

    def in_force(self, ppb: float) -> float:
        """`ppb` is in force now; returns the rate in force until now, ppb."""
        was, self._in_force = self._in_force, ppb
        return was

    def stepped(self) -> Duration | None:
        """The clock was stepped; returns the step commanded, if any."""
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
