"""One thing a receiver can be told: how it is read, written and acknowledged.

What a receiver had is kept as the command that would set it again, so that putting
it back needs no knowledge of what it means.
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
        """For people."""
        ...

    @property
    def query(self) -> bytes:
        """Asks what is set; empty: the protocol has no word for it."""
        ...

    @property
    def acknowledged(self) -> bool:
        """Does the protocol answer a command?"""
        ...

    @property
    def seen(self) -> bytes:
        """The command that would set what was seen at work; empty: not known so."""
        ...

    def current(self, item: Item) -> bytes | None:
        """The command that would set what it says is set; None: it says nothing."""
        ...

    def answered(self, item: Item) -> bool:
        """Is that the last word to our question, if what it had was told?"""
        ...

    def wanted(self, current: bytes) -> bytes:
        """The command for what we want of one set like that (empty: unknown)."""
        ...

    def verdict(self, item: Item) -> bool | None:
        """Did it do (True) or refuse (False) the command; None: not about it."""
        ...

    def unknown(self, item: Item) -> bool:
        """Does it refuse to say what is set?"""
        ...

    def describe(self, command: bytes) -> str:
        """What such a command sets: alike for two that come to the same."""
        ...


@dataclass(frozen=True, slots=True)
class Vendor:
    """A receiver that said who it is, and what to set."""

    name: str
    settings: tuple[Setting, ...]


def listed(rates: Mapping[str, int | str]) -> str:
    """`RMC 1, GSV 5`: of each that is not 0, every how many fixes."""
    told = [f"{kind} {rate}" for kind, rate in rates.items() if str(rate) != "0"]
    return ", ".join(told) or "none"
