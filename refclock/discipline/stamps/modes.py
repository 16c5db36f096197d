"""A processor that sleeps stamps later than one that wakes, and may do so for minutes.

When RUN pulses in a row are off by the same amount, at once and by no more than an
interrupt may wait, the clock has not jumped (no oscillator moves so far in a second):
the stamps are in another mode. Its distance mu from the reference mode is taken off
while it lasts, and learned at every change of mode from the first RUN residuals after.

    reference    the earliest mode that holds at least PERSISTENT of the last MEMORY
                 pulses: interrupts are late, hardly ever early
    doubt        an earlier mode may turn out to be the reference: its distance; and
                 in any other mode how well mu is known
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

RUN: Final = 6
FURTHEST: Final = 15e-6
"""Further apart are no modes of one processor, s."""
TIGHT: Final = 4.5
"""The range of a run of one mode, in sigmas."""
YOUNG: Final = 60.0
"""In so many first pulses the phase itself may be wrong."""
APART: Final = 6.0
"""Least distance of two modes, in sigmas: what is nearer is one."""
NEAREST: Final = 2.5e-6
"""Nearer together they are the sawtooth or a step of the stamps, s."""
MOST: Final = 3
"""More modes are none: the stamps jump about, and for MEMORY pulses none is sought."""
PERSISTENT: Final = 0.3
RARE: Final = 0.1
"""The share below which a mode stops being the reference."""
MEMORY: Final = 1800.0
FORGOTTEN: Final = 0.01
POSSIBLE: Final = 0.02
"""An early mode with a greater share may be the reference."""


@dataclass(slots=True)
class _Mode:
    mu: float
    """Residual of its pulses about the reference, s; + is early."""
    share: float
    changes: float = 1.0


class Modes:
    """What modes the stamps have. Used by one thread."""

    def __init__(self) -> None:
        self._modes = [_Mode(0.0, 1.0)]
        self._now = self._modes[0]
        self._pulses = 0.0
        self._first: list[float] = []
        """Residuals since the last change, up to RUN."""
        self._anchor = 0.0
        self._before = 0.0
        """Distance of the last residual from its mode."""
        self._run: list[float] = []

    def place(self, e: float, sigma: float) -> float | None:
        """The distance to take off the residual `e` (s) of deviation `sigma`; None: it
        may be of a new mode, and is not to be used yet."""
        self._pulses = min(self._pulses + 1.0, MEMORY)
        away, self._before = self._before, abs(e - self._now.mu)
        if len(self._modes) > 1:
            self._follow(e, sigma)
        if self._run:
            if abs(e - self._run[0]) < TIGHT * sigma:
                self._run.append(e)
                if len(self._run) < RUN:
                    return None
                self._begin(sigma)
            self._run = []
        elif (
            self._pulses > YOUNG
            and away < 0.5 * APART * sigma
            and max(APART * sigma, NEAREST) < abs(e - self._now.mu)
            and abs(e) < FURTHEST
        ):
            self._run = [e]
            return None
        return self._now.mu

    def _follow(self, e: float, sigma: float) -> None:
        """Modes nearer together than APART deviations cannot be told apart: while a
        burst of noise lasts all pulses are of the reference."""
        near = 0.5 * APART * sigma
        if abs(self._now.mu) < 2.0 * near:
            self._now = min(self._modes, key=lambda mode: abs(mode.mu))
        if abs(e - self._now.mu) > near:
            nearest = min(self._modes, key=lambda mode: abs(e - mode.mu))
            apart = abs(nearest.mu - self._now.mu)
            if apart > 2.0 * near and abs(e - nearest.mu) < near:
                self._change(nearest, sigma)
        for mode in self._modes:
            mode.share += ((mode is self._now) - mode.share) / max(self._pulses, 1.0)
        if abs(e - self._now.mu) < near:
            self._learn(e)

    def _begin(self, sigma: float) -> None:
        if len(self._modes) == MOST:
            self.clear()
            self._pulses = YOUNG - MEMORY
            return
        mode = _Mode(sum(self._run) / len(self._run), len(self._run) / self._pulses)
        self._modes.append(mode)
        self._change(mode, sigma)

    def reference(self) -> float:
        """By how much the reference moves (s), as another mode becomes it."""
        if len(self._modes) == 1:
            return 0.0
        persistent = [m for m in self._modes if m.share >= PERSISTENT]
        persistent += [m for m in self._modes if not m.mu and m.share >= RARE]
        best = max(persistent, key=lambda mode: mode.mu, default=self._now)
        by = best.mu
        for mode in self._modes:
            mode.mu -= by
        self._modes = [
            m for m in self._modes if m.share > FORGOTTEN or m is self._now or m is best
        ]
        return by

    @property
    def doubt(self) -> float:
        """Deviation of the reference that the modes leave open, s."""
        if len(self._modes) == 1:
            return 0.0
        early = max(m.mu for m in self._modes if m.share > POSSIBLE or m is self._now)
        anchor = self._anchor if self._now.mu else 0.0
        return max(0.25 * early, anchor)

    def clear(self) -> None:
        """The phase begins anew."""
        self._modes = [_Mode(0.0, 1.0)]
        self._now = self._modes[0]
        self._run = []

    def _change(self, to: _Mode, sigma: float) -> None:
        self._now, self._first, self._before = to, [], 0.0
        to.changes += 1.0
        self._anchor = sigma / sqrt(RUN)

    def _learn(self, e: float) -> None:
        if len(self._first) >= RUN:
            return
        self._first.append(e - self._now.mu)
        if len(self._first) == RUN:
            off = sum(self._first) / RUN
            if self._now.mu:
                self._now.mu += off / self._now.changes
