"""What a value may be, written beside its type; `codec` checks it.

A room's settings are a frozen dataclass in that room:

    baud: Annotated[int, Range(4800, 921_600, "Bd")] = 9600

Several annotations on one type all hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Range:
    """Least and greatest value allowed, both included, and the unit for people.

    Of a `Duration` both are seconds.
    """

    least: float
    most: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.least:g} to {self.most:g} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Decimals:
    """A float is written rounded to so many places: no more of it means anything."""

    places: int


@dataclass(frozen=True, slots=True)
class Form:
    """A value must have a form. `check` raises ValueError where it has not."""

    check: Callable[[Any], object]
    what: str
    """With an article and an example, for people: `a network, as 192.0.2.0/24`."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A `Utc` is written as a date with its zone, and not in nanoseconds."""
