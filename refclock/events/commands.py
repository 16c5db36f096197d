"""Commands to the clock. None has an effect until the daemon applies it."""

from __future__ import annotations

from dataclasses import dataclass

from refclock.timebase import Duration, LeapSecond


@dataclass(frozen=True, slots=True)
class Step:
    """Add this to the local clock at once (+ sets it forward)."""

    by: Duration


@dataclass(frozen=True, slots=True)
class SetRate:
    """Run the clock this much faster than its raw oscillator (ppb, + is faster)."""

    ppb: float


@dataclass(frozen=True, slots=True)
class SetLeap:
    """Tell the kernel of the next leap second, or (None) that none is due."""

    leap: LeapSecond | None
    utc_behind_tai: Duration


@dataclass(frozen=True, slots=True)
class SetStatus:
    """What the kernel may tell other programs of its clock's quality."""

    synchronised: bool
    bound: Duration
    """Largest error (maxerror)."""
    sigma: Duration
    """Estimated error (esterror)."""


Command = Step | SetRate | SetLeap | SetStatus
