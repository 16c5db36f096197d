"""What a setting may be: the range or the choices, written beside its type.

A room's settings are a frozen dataclass in that room:

    baud: Annotated[int, Range(4800, 921_600, "Bd")] = 9600

`config.py` reads these annotations to refuse a value and to say why.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """Least and greatest value allowed, both included, and the unit for people."""

    least: float
    most: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.least:g} to {self.most:g} {self.unit}".rstrip()
