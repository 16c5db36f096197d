"""The pulse's pin, watched about the second: between which readings the edge came.

A stamp is late by the way from the pin to the kernel; whoever looks at the pin
itself is not. Only a few pulses are watched, since watching costs and also keeps
awake what would else sleep: a watched pulse may be stamped sooner than others.

Cost: for each pulse watched the time from waking to the edge, `EARLY` and half the
window: 0.4 ms at first, 0.22 ms when the window is at its least. That is 50
millionths of a core while learning, 4 millionths then; a pulse that stays away
costs up to 1.2 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from refclock.board.ports import Pin, SystemClock
from refclock.events import Bracket
from refclock.published import ClockSnapshot
from refclock.timebase import MICROSECOND, SECOND, ZERO, Duration, Local, Mono

PAUSE_S: Final = 7.0
"""Between two polls: with the wait for the second, one pulse in eight is watched."""
_REST: Final = 52 * SECOND
"""So much longer once enough is known: about one pulse a minute."""
_LEARNT: Final = 32
"""Brackets after which it rests."""
EARLY: Final = 200 * MICROSECOND
"""How late a sleeper may wake."""
FIRST: Final = 200 * MICROSECOND
"""Half the window at first: the prior may be off, and the estimate."""
LEAST: Final = 20 * MICROSECOND
MOST: Final = 500 * MICROSECOND
_PATIENCE: Final = 64
"""Pulses watched in vain, in a row, until that is told."""


class LatencyDriver:
    """One per pin. Used by one thread."""

    def __init__(
        self,
        pin: Pin,
        clock: SystemClock,
        snapshot: Callable[[], ClockSnapshot],
        sleep: Callable[[float], None],
    ) -> None:
        """`served`: what tells when the next second begins; `sleep`: in seconds."""
        self._pin = pin
        self._clock = clock
        self._snapshot = snapshot
        self._sleep = sleep
        self._half = FIRST
        self._found = self._missed = 0
        self._rests: Mono | None = None

    def poll(self) -> Iterator[Bracket]:
        """The bracket about the next edge, within a second; nothing while resting,
        or when the time is not known well enough, or no edge came.

        OSError: the pin cannot be read, or never changed about the second.
        """
        era = self._clock.era
        local, now = self._clock.read()
        if self._rests is not None and now < self._rests:
            return
        due = next_second(self._snapshot(), local, now)
        if due is None:
            return
        self._sleep(max((due - self._half - EARLY - local).seconds, 0.0))
        seen = self._pin.change(due + self._half)
        _, now = self._clock.read()
        if self._clock.era != era:
            return
        if seen is None:
            self._miss()
            return
        self._hit(max(abs(seen[0] - due), abs(seen[1] - due)), now)
        yield Bracket(*seen, now, era)

    def close(self) -> None:
        """Let go of the pin."""
        self._pin.close()

    def _hit(self, off: Duration, now: Mono) -> None:
        """The window narrows to what the edge is off, and by half at most."""
        self._half = min(max(LEAST, Duration(self._half.ns // 2), 4 * off), MOST)
        self._missed = 0
        self._found += 1
        if self._found >= _LEARNT:
            self._rests = now + _REST

    def _miss(self) -> None:
        self._half = min(2 * self._half, MOST)
        self._missed += 1
        if self._missed >= _PATIENCE:
            raise OSError(
                f"{self._pin.name} did not change about {_PATIENCE} seconds: is it the"
                " pulse's (pulse.line, pulse.measure_line)? The latency is not measured"
            )


class Unseen:
    """In place of a pin that cannot be looked at: nothing is measured."""

    def poll(self) -> Iterator[Bracket]:
        """Nothing."""
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


def next_second(snapshot: ClockSnapshot, local: Local, now: Mono) -> Local | None:
    """What the local clock will show when the next true second begins.

    None: that is not known to within the first window.
    """
    realtime_offset = Duration(local.ns - now.ns)
    if (
        not snapshot.synchronised(now, realtime_offset)
        or snapshot.bound_at(now) > FIRST
    ):
        return None
    left = -snapshot.tai(local, realtime_offset).ns % SECOND.ns
    ahead = Duration(round(left / (1.0 + snapshot.rate)))
    return local + (ahead if ahead > ZERO else SECOND)
