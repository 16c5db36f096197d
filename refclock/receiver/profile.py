"""The settings wanted of a receiver of time, of any vendor.

A sentence of each kind that the labeller and the sky view need, once a second, the long
ones every fifth; one fix a second; a pulse on the UTC second, only while locked; the
stationary model. The speed of the line is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_ROOMY_BD: Final = 9600
"""On a slower line sky and binary messages leave no room for the time."""
_SELDOM: Final = 5


@dataclass(frozen=True, slots=True)
class Profile:
    """The settings wanted. Of sentences and messages: every how many fixes; 0 is
    never."""

    sentences: Mapping[str, int]
    messages: Mapping[str, int]
    """u-blox: what no sentence carries."""
    bits_per_second: int | None = None
    """The speed of the line; None: it is on USB or I2C, which of them is unknown."""
    period_ms: int = 1000
    """Between two fixes."""
    pulse_ms: int = 100
    """Length of a pulse."""
    survey_s: int = 3600
    """Survey-in of a timing receiver lasts so long at least …"""
    survey_mm: int = 5000
    """… and until its position is known to so much."""

    @property
    def uart(self) -> bool:
        """Is it on its UART?"""
        return self.bits_per_second is not None


def profile(bits_per_second: int | None) -> Profile:
    """What fits on a line of that speed; None: on USB or I2C."""
    roomy = bits_per_second is None or bits_per_second >= _ROOMY_BD
    seldom = _SELDOM if roomy else 0
    often = 1 if roomy else 0
    return Profile(
        {
            "RMC": 1,
            "GGA": 1,
            "ZDA": 1,
            "GSA": seldom,
            "GSV": seldom,
            "GLL": 0,
            "VTG": 0,
        },
        {
            "NAV-TIMEUTC": often,
            "NAV-TIMELS": often,
            "TIM-TP": often,
            "NAV-STATUS": seldom,
            "MON-HW": seldom,
            "MON-RF": seldom,
            "SEC-SIG": seldom,
        },
        bits_per_second,
    )
