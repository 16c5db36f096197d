"""The kernel's clocks: read together, and CLOCK_REALTIME steered by clock_adjtime(2).

CLOCK_MONOTONIC is slewed together with CLOCK_REALTIME, so their difference is
constant to the nanosecond and changes by nothing but a step: ours, another
program's, the kernel's own leap second, or a suspended machine. That tells
every step, without a watcher, as closely as the two can be read together.

What the kernel does with what it is told: kernel/time/ntp.c.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from typing import Final, assert_never

from hw.abi.timex import (
    ADJ_ESTERROR,
    ADJ_FREQUENCY,
    ADJ_MAXERROR,
    ADJ_MICRO,
    ADJ_NANO,
    ADJ_OFFSET,
    ADJ_SETOFFSET,
    ADJ_STATUS,
    ADJ_TAI,
    ADJ_TICK,
    STA_DEL,
    STA_INS,
    STA_NANO,
    STA_PLL,
    STA_UNSYNC,
    Timex,
    clock_adjtime,
)
from refclock.events import Command, SetLeap, SetRate, SetStatus, Step
from refclock.timebase import HOUR, SECOND, Duration, Local, Mono

_CLOSE_NS: Final = 5_000
"""Readings this close together are together."""
_TRIES: Final = 5
_NOISE_NS: Final = 1_000
"""A smaller step than this is none."""

_FREQUENCY_PPB: Final = 500_000
"""How far the kernel's frequency reaches (MAXFREQ); beyond it the tick helps."""
_TICK_US: Final = 10_000
_TICK_PPB: Final = 100_000
"""One microsecond more a tick, at 100 ticks a second."""
_FREQUENCY_PER_PPB: Final = 65.536
"""The kernel counts frequency in 2^-16 ppm."""
_MOST_ERROR_US: Final = 16_000_000
"""Where the kernel calls its clock unsynchronised (NTP_PHASE_LIMIT)."""
_FORBIDDEN: Final = {errno.EPERM, errno.EACCES, errno.ENOSYS}
"""By rights, by a security module, by a filter of system calls."""
_LEAP_DAY: Final = 12 * HOUR
"""The kernel inserts at the next midnight, so it is told on that day only."""


class FreeClock:
    """The machine's clock, read but left alone. For any thread."""

    def __init__(self, now: Callable[[int], int] = time.clock_gettime_ns) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._era = 0
        low, high, _, _ = self._together()
        self._low, self._high = low, high
        """Between them lies local - monotonic, in ns."""

    @property
    def era(self) -> int:
        """How often the clock was stepped, as far as read."""
        return self._era

    def read(self) -> tuple[Local, Mono]:
        """Both clocks at the same moment."""
        with self._lock:
            low, high, local, mono = self._together()
            if low > self._high or high < self._low:
                apart = max(low - self._high, self._low - high)
                self._era += apart > _NOISE_NS
                self._low, self._high = low, high
            else:
                self._low, self._high = max(low, self._low), min(high, self._high)
        return Local(local), Mono(mono)

    def apply(self, command: Command) -> None:
        """Never: PermissionError."""
        raise PermissionError(f"clock.steer is false: {command} is not carried out")

    def _together(self) -> tuple[int, int, int, int]:
        """Least and greatest local - monotonic, local, monotonic; ns."""
        best: tuple[int, int, int] | None = None
        for _ in range(_TRIES):
            before = self._now(time.CLOCK_MONOTONIC)
            local = self._now(time.CLOCK_REALTIME)
            after = self._now(time.CLOCK_MONOTONIC)
            if best is None or after - before < best[2] - best[0]:
                best = before, local, after
            if after - before <= _CLOSE_NS:
                break
        assert best is not None  # noqa: S101 - _TRIES is not zero
        before, local, after = best
        return local - after, local - before, local, (before + after) // 2


class KernelClock:
    """The machine's clock, steered. `read` by any thread, `apply` by one."""

    def __init__(
        self,
        adjtime: Callable[[Timex], int] = clock_adjtime,
        clock: FreeClock | None = None,
    ) -> None:
        """PermissionError: not allowed to steer, nor to look."""
        self._adjtime = adjtime
        self._clock = clock or FreeClock()
        self._synchronised = False
        self._leap: SetLeap | None = None
        self._ours = False
        nano = self._tell(0).status & STA_NANO
        self._unit = ADJ_NANO if nano else ADJ_MICRO

    @property
    def era(self) -> int:
        """How often the clock was stepped, by us or by others, as far as read."""
        return self._clock.era

    def read(self) -> tuple[Local, Mono]:
        """Both clocks at the same moment."""
        return self._clock.read()

    def apply(self, command: Command) -> None:
        """Carry out a command. PermissionError: not allowed to steer."""
        if not self._ours:
            self._quieten()
            self._ours = True
        match command:
            case Step(by):
                self._step(by)
            case SetRate(ppb):
                self._rate(ppb)
            case SetLeap(_, utc_behind_tai):
                self._leap = command
                self._tell(ADJ_TAI, constant=utc_behind_tai.ns // SECOND.ns)
            case SetStatus(synchronised, bound, sigma):
                self._synchronised = synchronised
                self._tell(
                    ADJ_MAXERROR | ADJ_ESTERROR,
                    maxerror=_microseconds(bound),
                    esterror=_microseconds(sigma),
                )
            case _:
                assert_never(command)
        self._tell(ADJ_STATUS, status=self._status())

    def restore(self) -> None:
        """Give the clock back: nobody steers it now, and no leap second is due.

        The rate stays as last set, so that should be the oscillator's own, with
        no slew in it.
        """
        if self._ours:
            self._leap, self._synchronised = None, False
            self._quieten()
            self._tell(ADJ_STATUS | self._unit, status=self._status())
            self._ours = False

    def _step(self, by: Duration) -> None:
        seconds, nanoseconds = divmod(by.ns, SECOND.ns)
        self._tell(ADJ_SETOFFSET | ADJ_NANO, time_sec=seconds, time_usec=nanoseconds)
        self._synchronised = False
        self._quieten()
        self.read()

    def _rate(self, ppb: float) -> None:
        ticks = round(ppb / _TICK_PPB) if abs(ppb) > _FREQUENCY_PPB else 0
        self._tell(
            ADJ_FREQUENCY | ADJ_TICK,
            freq=round((ppb - ticks * _TICK_PPB) * _FREQUENCY_PER_PPB),
            tick=_TICK_US + ticks,
        )

    def _quieten(self) -> None:
        """The kernel's own loop on with nothing to do, and (by `_status`) off again.

        This alone makes the kernel forget the slew another program left, and a
        leap second it had armed: after a step it would never come.
        """
        self._tell(ADJ_STATUS | ADJ_OFFSET, status=STA_PLL, offset=0)

    def _status(self) -> int:
        return (0 if self._synchronised else STA_UNSYNC) | self._leap_due()

    def _leap_due(self) -> int:
        if self._leap is None or self._leap.leap is None:
            return 0
        leap = self._leap.leap
        local, _ = self.read()
        if not -SECOND < Duration(leap.midnight.ns - local.ns) <= _LEAP_DAY:
            return 0  # past midnight it is done at the next tick, if still due
        return STA_INS if leap.inserts else STA_DEL

    def _tell(self, modes: int, **fields: int) -> Timex:
        """What the kernel has then. PermissionError: it refuses even to be read where
        a container forbids the call."""
        timex = Timex(modes=modes, **fields)
        try:
            self._adjtime(timex)
        except OSError as error:
            if error.errno in _FORBIDDEN:
                raise PermissionError(
                    "steering the clock needs CAP_SYS_TIME: run as root or by the"
                    " service file, in a container with --cap-add SYS_TIME, or set"
                    " clock.steer = false"
                ) from error
            raise OSError(
                error.errno,
                f"clock_adjtime(2): {error.strerror}: is this clock the kernel's own?"
                " Else set clock.steer = false",
            ) from error
        return timex


def _microseconds(length: Duration) -> int:
    return min(-(-length.ns // 1_000), _MOST_ERROR_US)
