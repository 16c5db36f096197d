"""Stamps that come in steps: equal readings are not certain ones.

A stamp counted in whole microseconds differs from the one before by whole microseconds:
on the local clock or, where that is steered, on the raw oscillator. If RUN differences
in a row do so, some of them not zero, that is the quantum. No pulse is then known to
less than its variance quantum^2/12, and as a clock drifts slowly through a step no
average does better than a share of it.
"""

from __future__ import annotations

from typing import Final

QUANTA_NS: Final = (10_000, 1_000, 100)
EXACTLY_NS: Final = 3
RUN: Final = 24
"""So many differences in a row fit, no matter how small they are,"""
STEPS: Final = 3
"""and so many of them are not zero."""


class Quantum:
    """Looks for the step of the stamps. Used by one thread."""

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None
        self._runs = [[(0, 0)] * len(QUANTA_NS) for _ in range(2)]
        self.ns = 0
        """The step; 0: none was found."""

    def observe(self, local_ns: int, raw_ns: int) -> None:
        """An offset by the local clock, and by the raw oscillator."""
        before, self._before = self._before, (local_ns, raw_ns)
        if before is None:
            return
        pairs = zip(self._runs, self._before, before, strict=True)
        for runs, now, was in pairs:
            for k, quantum in enumerate(QUANTA_NS):
                off = (now - was) % quantum
                fit, steps = runs[k]
                steps += abs(now - was) > quantum // 2
                exact = min(off, quantum - off) <= EXACTLY_NS
                runs[k] = (fit + 1, steps) if exact else (0, 0)
        self.ns = next(
            (
                quantum
                for k, quantum in enumerate(QUANTA_NS)
                if any(
                    fit >= RUN and steps >= STEPS
                    for fit, steps in (runs[k] for runs in self._runs)
                )
            ),
            0,
        )
