"""How long after reading the clock a reply leaves, learned from those that left.

T3 is read before the packet is handed to the kernel, and is early by what lies
between: some 25 us after a long rest, when nothing is in the caches, and 3 us when
busy. The kernel tells when a packet truly left. Of the last few samples after as
long a rest one of the least is believed, not the mean, so that hardly a packet
leaves before its T3; the same for the time between two of one sweep, but of many
more: it is added up to 63 times over, and what holds a busy machine up ends as
suddenly as it began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from refclock.board.ports import Left
from refclock.timebase import MILLISECOND

_SAMPLES: Final = 8
_STEPS: Final = 256
_EVERY_NS: Final = 10 * MILLISECOND.ns
_REST_NS: Final = MILLISECOND.ns // 4
_RESTS: Final = 7
"""Rests between two sweeps are told apart by powers of two of that: to 16 ms."""
_LONGEST_NS: Final = MILLISECOND.ns // 4
"""Longer means that we were held up, or that the clock was stepped."""


class _Learned:
    """The second least of the last samples, ns; 0 until there are eight.

    The least may be the odd one out. Of too few samples all may be from moments
    when we were held up, and T3 would lie in the future.
    """

    def __init__(self, most: int = _SAMPLES) -> None:
        self._samples: deque[int] = deque(maxlen=most)
        self.ns = 0

    def learn(self, sample_ns: int) -> None:
        if 0 <= sample_ns < _LONGEST_NS:
            self._samples.append(sample_ns)
            if len(self._samples) >= _SAMPLES:
                self.ns = sorted(self._samples)[1]


class _Sweep:
    """One sweep whose first and last reply are watched."""

    def __init__(self, delay: _Learned, step: _Learned, count: int) -> None:
        self._delay = delay
        self._step = step
        self._count = count
        self.read_ns = 0
        self._first_ns = 0

    def first(self, left_ns: int) -> None:
        self._first_ns = left_ns
        self._delay.learn(left_ns - self.read_ns)

    def last(self, left_ns: int) -> None:
        if self._first_ns:
            self._step.learn((left_ns - self._first_ns) // (self._count - 1))


class TransmitDelay:
    """Learned for one socket. Used by one thread."""

    def __init__(self) -> None:
        self._by_rest = [_Learned() for _ in range(_RESTS)]
        self._step = _Learned(_STEPS)
        self._delay = self._by_rest[-1]
        self._watched = _Sweep(self._delay, self._step, 1)
        self._last_ns = 0
        self._next_ns = 0

    def watch(self, answered: Sequence[int], now_ns: int) -> dict[int, list[Left]]:
        """Who is to be told when replies of this sweep left (those not 0 are sent).

        Below 100 sweeps a second all are watched.
        """
        rest_ns, self._last_ns = now_ns - self._last_ns, now_ns
        octave = (max(rest_ns, 0) // _REST_NS).bit_length()
        self._delay = self._by_rest[min(octave, _RESTS - 1)]
        if 0 < self._next_ns - now_ns <= _EVERY_NS:
            return {}
        self._next_ns = now_ns + _EVERY_NS
        sent = [place for place, kind in enumerate(answered) if kind]
        sweep = self._watched = _Sweep(self._delay, self._step, len(sent))
        tell: dict[int, list[Left]] = {sent[0]: [sweep.first]}
        if len(sent) > 1:
            tell[sent[-1]] = [sweep.last]
        return tell

    def leave(self, read_ns: int) -> tuple[int, int]:
        """When the first reply of this sweep will leave if the clock now reads
        `read_ns`, and how long after it each of the next (ns)."""
        if not self._watched.read_ns:
            self._watched.read_ns = read_ns
        return read_ns + self._delay.ns, self._step.ns
