"""One network card's stamps, for as long as they can be believed.

A card stamps by a clock of its own. That is read against ours eight times a second
while packets come, and a stamp carried over along the line of those readings.
What comes out must agree with the kernel's own stamp of the same packet:

    it came to the card, and then to the kernel
    it left the kernel, and then the card

each less than a millisecond after the other, and the least of every second always
about the same. Both ways must agree before either is used: with one way alone, half
of what the other way's stamp is astray would no longer cancel, but move the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from hw.abi.ptp import Cross, PtpClock, carried, rate
from refclock.timebase import MICROSECOND, MILLISECOND, SECOND

_READ_EVERY_NS: Final = SECOND.ns // 8
_READINGS: Final = 8
_JUMP_NS: Final = 20 * MICROSECOND.ns
"""So far off the line so far: ours was stepped, or its rate was changed."""
_MOST_DOUBT_NS: Final = 50 * MICROSECOND.ns
"""A clock that is read more vaguely than this is no better than the kernel."""
_SLACK_NS: Final = 2 * MICROSECOND.ns
_LONGEST_NS: Final = MILLISECOND.ns
_STEADY_NS: Final = 100 * MICROSECOND.ns
_WINDOW_NS: Final = SECOND.ns
_WINDOW: Final = 16
_GOOD_WINDOWS: Final = 4
_BAD_WINDOWS: Final = 10

Tell = Callable[[str], None]


class Trust:
    """Whether stamps of one way are believed, by how long after each the other came.

    Judged by the least in a window of a second or more, since what is held up is
    late: believed after four good windows on end, never again after ten bad ones.
    The least of all is what the others are measured by: stamps that drift away are
    found out.
    """

    def __init__(self) -> None:
        self._usual = _LONGEST_NS
        self._least = self._count = self._since = 0
        self._good = self._bad = 0

    @property
    def accepted(self) -> bool:
        """For now."""
        return self._good >= _GOOD_WINDOWS

    @property
    def lost(self) -> bool:
        """For good."""
        return self._bad >= _BAD_WINDOWS

    def observe(self, gaps: Sequence[int], doubt: int, now: int) -> bool:
        """Whether these stamps can be used; all in ns, `now` of the local clock."""
        least = min(gaps)
        if not self._count:
            self._since, self._least = now, least
        self._least = min(self._least, least)
        self._count += len(gaps)
        if self._count >= _WINDOW and not 0 <= now - self._since < _WINDOW_NS:
            self._judge(doubt)
        return self.accepted and max(gaps) <= _LONGEST_NS

    def _judge(self, doubt: int) -> None:
        self._count = 0
        if -doubt <= self._least <= self._usual + _STEADY_NS:
            self._usual = min(self._usual, self._least)
            self._good += 1
            self._bad = 0
        else:
            self._good = 0
            self._bad += 1


class Card:
    """One card whose stamps are on trial, used or lost. Used by one thread."""

    def __init__(
        self, name: str, clock: PtpClock, tell: Tell, frame_ns: int = 0
    ) -> None:
        """`frame_ns`: how long a packet takes on the wire. OSError: its clock cannot be
        read."""
        self._name = name
        self._clock: PtpClock | None = clock
        self._frame_ns = frame_ns
        self._tell = tell
        self._used = False
        self._came, self._went = Trust(), Trust()
        self._readings = deque([clock.cross()], _READINGS)

    def received(self, card: Sequence[int], kernel: Sequence[int]) -> Sequence[int]:
        """When packets came, by the card where it is believed.

        It stamps the first bit. They have come with the last one: so say other
        programs that use such stamps, and so it is with the kernel's.
        """
        ends = [ns + self._frame_ns for ns in card]
        return self._agreed(self._came, ends, kernel, 1)

    def left(self, card: int, kernel: int) -> int:
        """When a packet left, likewise."""
        return self._agreed(self._went, (card,), (kernel,), -1)[0]

    def close(self) -> None:
        """Let go of its clock."""
        if self._clock is not None:
            self._clock.close()
            self._clock = None

    def _agreed(
        self, trust: Trust, card: Sequence[int], kernel: Sequence[int], sign: int
    ) -> Sequence[int]:
        now = kernel[-1]
        if not self._is_read(now):
            return kernel
        last = self._readings[-1]
        ours, theirs = rate(self._readings[0], last)
        local = [last.local - (last.card - ns) * ours // theirs for ns in card]
        gaps = [sign * (k - c) for k, c in zip(kernel, local, strict=True)]
        good = trust.observe(gaps, last.doubt + _SLACK_NS, now)
        if trust.lost:
            self._lose("its stamps do not agree with the kernel's")
        accepted = self._came.accepted and self._went.accepted
        if accepted and not self._used:
            self._tell(f"{self._name}: stamps of the card are used")
            self._used = True
        if not (accepted and good):
            return kernel
        # which of the two is first is sure, however vaguely the card's clock is read
        first = min if sign > 0 else max
        return [first(k, c) for k, c in zip(kernel, local, strict=True)]

    def _is_read(self, now: int) -> bool:
        """Whether there is a fresh reading of its clock, or one could be had."""
        if self._clock is None:
            return False
        if abs(now - self._readings[-1].local) < _READ_EVERY_NS:
            return True
        try:
            cross = self._clock.cross()
        except OSError as error:
            self._lose(f"its clock cannot be read: {error}")
            return False
        if cross.doubt > _MOST_DOUBT_NS:
            self._lose(f"reading its clock is uncertain by {cross.doubt} ns")
            return False
        self._keep(cross)
        return True

    def _keep(self, cross: Cross) -> None:
        ahead = carried(cross.card, self._readings[0], self._readings[-1])
        if abs(ahead.ns - cross.local) > _JUMP_NS + cross.doubt:
            self._readings.clear()
        self._readings.append(cross)

    def _lose(self, why: str) -> None:
        self._tell(f"{self._name}: {why}; the kernel's stamps are used from now on")
        self.close()
