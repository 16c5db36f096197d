"""The kernel's clocks on an emulated oscillator: they obey the same commands.

CLOCK_MONOTONIC and CLOCK_REALTIME count one oscillator and are slewed alike; only
CLOCK_REALTIME is stepped, so their difference is whole nanoseconds and changes at
steps alone. What is kept in floats is the small error; absolute time is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from hw.emu.oscillator import Oscillator
from refclock.events import Command, SetLeap, SetRate, SetStatus, Step
from refclock.timebase import MILLISECOND, Duration, LeapSecond, Local, Mono, Tai

_TICK: Final = 4 * MILLISECOND
"""Of the kernel, at CONFIG_HZ of 250."""


class VirtualClock:
    """A `SystemClock`. Used by one thread."""

    def __init__(
        self, now: Callable[[], Tai], oscillator: Oscillator, local: Local, mono: Mono
    ) -> None:
        """What both clocks read now, when the oscillator starts."""
        self._now = now
        self._oscillator = oscillator
        self._start = now()
        self._since = 0
        """When the rate changed last; ns after the start, as all here."""
        self._mono = mono
        self._ahead = Duration(local.ns - mono.ns)
        self._rate = 0.0
        self._error_ns = 0.0
        """Mono less what true time makes of it, at `_since`."""
        self._leap: LeapSecond | None = None
        self._era = 0
        self.status: SetStatus | None = None
        """What other programs were told last."""

    @property
    def era(self) -> int:
        """How often the clock was stepped, as far as read."""
        return self._era

    @property
    def rate(self) -> float:
        """How much faster it runs than its oscillator, s/s."""
        return self._rate

    def read(self) -> tuple[Local, Mono]:
        """Both clocks now."""
        return self.at(self._now())

    def at(self, true: Tai) -> tuple[Local, Mono]:
        """Both clocks then; not before the last command or reading."""
        elapsed = true.ns - self._start.ns
        mono = Mono(self._mono.ns + elapsed + round(self._error_at(elapsed)))
        local = Local(mono.ns + self._ahead.ns)
        leap = self._leap
        if leap is not None and local.ns >= _turn_ns(leap) + _TICK.ns:
            self._leap = None
            self._step(leap.before - leap.after)
            local += leap.before - leap.after
        return local, mono

    def apply(self, command: Command) -> None:
        """Carry out a command, whoever gives it."""
        match command:
            case Step(by):
                self._step(by)
            case SetRate(ppb):
                now = self._now().ns - self._start.ns
                self._error_ns = self._error_at(now)
                self._since, self._rate = now, ppb * 1e-9
            case SetLeap(leap, _):
                self._leap = leap
            case SetStatus():
                self.status = command
            case _:
                assert_never(command)

    def slept(self, length: Duration) -> None:
        """The machine was suspended for so long until now: mono stood still."""
        self._mono -= length
        self._step(length)

    def _step(self, by: Duration) -> None:
        self._ahead += by
        self._era += 1

    def _error_at(self, elapsed: int) -> float:
        if elapsed < self._since:
            raise ValueError("before the last command")
        strayed = self._oscillator.phase(elapsed) - self._oscillator.phase(self._since)
        return self._error_ns + strayed + (elapsed - self._since + strayed) * self._rate


def _turn_ns(leap: LeapSecond) -> int:
    """What CLOCK_REALTIME shows after which Linux turns it, at its next tick: at
    midnight one second back, or at 23:59:59 one second forth (kernel/time/ntp.c,
    second_overflow)."""
    deleted = min((leap.after - leap.before).ns, 0)
    return leap.midnight.ns + deleted
