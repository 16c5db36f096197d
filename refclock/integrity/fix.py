"""Does the receiver have a fix, by its own messages?"""

from __future__ import annotations

from typing import Final

from refclock.events import Fix, NoTime, TimeMessage
from refclock.timebase import SECOND, Duration, Mono

_LASTS: Final = 5 * SECOND
"""A message with a fix, or one that denies it, counts for so long."""
_SELDOM: Final = 10 * SECOND
"""The longest interval between messages that is allowed for."""


class FixState:
    """The last messages with a fix and without. Used by one thread."""

    def __init__(self) -> None:
        self.present = False
        """Whether the last message had a fix."""
        self._good: Mono | None = None
        """The last message with a fix."""
        self._denied: Mono | None = None
        """The last message that denies a fix."""
        self._vouched: tuple[Mono, Duration] | None = None
        """The last message that vouches for the pulse, and how long after the one
        before it came."""

    def observe(self, message: TimeMessage) -> None:
        """A message that names the time. One that has no word on the fix vouches for
        the pulse as long as no other had a fix."""
        fix, mono = message.fix, message.mono
        self.present = fix.good
        if fix.good:
            self._good = mono
        elif fix.denied:
            self._denied = mono
        if fix.good or (fix is Fix.UNKNOWN and self._good is None):
            before = mono if self._vouched is None else self._vouched[0]
            self._vouched = mono, min(mono - before, _SELDOM)

    def no_time(self, fact: NoTime) -> None:
        """A message that names no time."""
        if fact.fix.denied:
            self._denied = fact.mono

    def vouches(self, now: Mono) -> bool:
        """Did a message vouch for the pulse within 5 s and two of their intervals? A
        silent or unreadable receiver vouches for none."""
        if self._vouched is None:
            return False
        last, gap = self._vouched
        return now - last <= _LASTS + 2 * gap

    def denied(self, now: Mono) -> bool:
        """Did a message deny a fix within 5 s, and none have one?"""
        if self._denied is None or now - self._denied > _LASTS:
            return False
        return self._good is None or now - self._good > _LASTS
