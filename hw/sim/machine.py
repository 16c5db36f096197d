"""This machine as the machine of a live world: its clock, and true time beside it.

Nothing is done to the machine. What is read of its clock is moved by an offset that
changes at instants known beforehand. Packets are stamped by the machine's own clock, so
what is published for them is moved back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hw.emu.oscillator import Oscillator
from refclock.board.ports import SystemClock
from refclock.events import Command
from refclock.published import ClockSnapshot
from refclock.timebase import Duration, Local, Mono, Tai


class SteppedClock:
    """A `SystemClock`. For any thread."""

    def __init__(
        self,
        clock: SystemClock,
        ahead: Duration,
        steps: Sequence[tuple[Mono, Duration]] = (),
    ) -> None:
        """`ahead`: what it shows less what `clock` shows; `steps`: when what is added
        to that, in their order."""
        self._clock = clock
        self._ahead = ahead
        self._steps = steps
        self._moved: tuple[ClockSnapshot, Duration, ClockSnapshot] | None = None
        """What was moved last, by how much, and what came of it."""

    @property
    def era(self) -> int:
        """How often the clock was stepped, as far as read."""
        _, now = self._clock.read()
        return self._clock.era + sum(at <= now for at, _ in self._steps)

    def read(self) -> tuple[Local, Mono]:
        """Both clocks at the same moment."""
        local, mono = self._clock.read()
        return local + self.ahead(mono), mono

    def apply(self, command: Command) -> None:
        """As the machine's clock does."""
        self._clock.apply(command)

    def ahead(self, mono: Mono) -> Duration:
        """What it showed less what the machine's clock showed, then."""
        total = self._ahead
        for at, by in self._steps:
            if at <= mono:
                total += by
        return total

    def at(self, mono: Mono) -> Local:
        """What it showed or will show then, by the rate of the machine's clock."""
        local, now = self._clock.read()
        return local + (mono - now) + self.ahead(mono)

    def of_machine(self, snapshot: ClockSnapshot) -> ClockSnapshot:
        """The same time, for readings of the machine's own clock.

        It is moved by the offset of now: a snapshot from before a step does not fit
        readings after it, as on a clock that is stepped.
        """
        _, now = self._clock.read()
        ahead = self.ahead(now)
        last = self._moved
        if last is None or last[0] is not snapshot or last[1] != ahead:
            local, correction = snapshot.local - ahead, snapshot.correction + ahead
            moved = replace(snapshot, local=local, correction=correction)
            last = self._moved = snapshot, ahead, moved
        return last[2]


class LiveTime:
    """True time, reckoned from the machine's own clock. For any thread.

    The machine's CLOCK_MONOTONIC is taken for the emulated oscillator. It stands still
    while the emulated machine sleeps: true time then goes on at once.
    """

    def __init__(
        self,
        start: Tai,
        mono: Mono,
        oscillator: Oscillator,
        sleeps: Sequence[tuple[Duration, Duration]] = (),
    ) -> None:
        """`mono` was read at `start`. `sleeps`: how long after the start each begins,
        and how long it lasts, in their order."""
        self.start = start
        self._mono = mono
        self._oscillator = oscillator
        self._sleeps = sleeps

    def truth(self, mono: Mono) -> Tai:
        """True time when the machine's CLOCK_MONOTONIC showed that."""
        elapsed = Duration(self._oscillator.elapsed((mono - self._mono).ns))
        for at, length in self._sleeps:
            if elapsed >= at:
                elapsed += length
        return self.start + elapsed

    def mono(self, true: Tai) -> Mono:
        """The inverse of `truth`; within a sleep, when it began."""
        elapsed = true - self.start
        for at, length in reversed(self._sleeps):
            if elapsed >= at:
                elapsed = max(elapsed - length, at)
        strayed = round(self._oscillator.phase(elapsed.ns))
        return self._mono + elapsed + Duration(strayed)

    def asleep(self, true: Tai) -> bool:
        """Is the machine suspended?"""
        elapsed = true - self.start
        return any(at <= elapsed < at + length for at, length in self._sleeps)

    def celsius(self, mono: Mono) -> float:
        """The crystal's temperature then."""
        return self._oscillator.celsius((self.truth(mono) - self.start).ns)
