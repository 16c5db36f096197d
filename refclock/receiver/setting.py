"""One setting of a receiver: how it is read, written and acknowledged.

The value found is kept as the command that sets it, so that it can be put back without
being understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from refclock.gnss.framer import Item


class Setting(Protocol):
    """A frozen value. Commands are whole, as they go down the line."""

    @property
    def name(self) -> str:
        """Of the setting, for people."""
        ...

    @property
    def query(self) -> bytes:
        """Asks for the value; empty: the protocol has no such question."""
        ...

    @property
    def acknowledged(self) -> bool:
        """Does the protocol answer a command?"""
        ...

    @property
    def inferred(self) -> bytes:
        """The command that sets the value inferred from its output; empty: none is."""
        ...

    def current(self, item: Item) -> bytes | None:
        """The command that sets the value in this answer; None: it is no answer."""
        ...

    def answered(self, item: Item) -> bool:
        """Does this end the answer to the question, once `current` was found?"""
        ...

    def wanted(self, current: bytes) -> bytes:
        """The command that sets the wanted value, of one set by `current` (empty: not
        known)."""
        ...

    def verdict(self, item: Item) -> bool | None:
        """Was the command carried out (True) or refused (False)? None: not about it."""
        ...

    def unknown(self, item: Item) -> bool:
        """Is the question refused?"""
        ...

    def describe(self, command: bytes) -> str:
        """The value that a command sets, for people: equal for equal values."""
        ...


@dataclass(frozen=True, slots=True)
class Vendor:
    """A receiver whose vendor is known, and its settings."""

    name: str
    settings: tuple[Setting, ...]


def listed(rates: Mapping[str, int | str]) -> str:
    """`RMC 1, GSV 5`: of each that is not 0, every how many fixes."""
    shown = [f"{kind} {rate}" for kind, rate in rates.items() if str(rate) != "0"]
    return ", ".join(shown) or "none"
