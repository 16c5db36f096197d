"""Several clocks on one line, and one clock that contradicts itself.

A sentence that names t and comes at m reads r = t - m. Sentences of one receiver and
one fix name the same t; from one fix to the next r keeps to within the time a burst
takes. So two sentences whose names differ, and whose r differ by more than the line can
explain, come from two clocks, or from a receiver that contradicts itself:

- of one kind by two talkers, at any time: r differs by 0.7 s or more;
- of any kinds within one burst (bytes without a pause): r differs by 0.5 s or more.
  Without a pause before it the end of one second's burst and the beginning of the next
  cannot be told apart, and nothing is concluded.

Of two talkers the one is used that is a satellite receiver's and runs evenly; the other
is foreign, until the first has been silent for ten seconds, or it has named the same
time as the first eight times in a row: two bursts that came at once look like two
clocks, and only for a moment. Where both are, or where it is one talker, neither is
believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from refclock.timebase import DAY, MILLISECOND, SECOND, Duration, Mono

_SATELLITES: Final = frozenset(
    {"GP", "GN", "GL", "GA", "GB", "BD", "GQ", "QZ", "PQ", "GI", "UBX", "CASIC"}
)
"""Talkers that are satellite receivers: NMEA 0183 4.11, table 4; and two protocols."""
_RECKONED: Final = "GLL"
"""Some receivers reckon its time ahead, to the second after the burst it comes in."""
_NAMES: Final = 500 * MILLISECOND
_BURST: Final = 500 * MILLISECOND
_KIND: Final = 700 * MILLISECOND
_UNEVEN: Final = 300 * MILLISECOND
_RECENT: Final = 2 * SECOND
_HALF_DAY_NS: Final = DAY.ns // 2
_GONE: Final = 10 * SECOND
_AGREED: Final = 8
"""Names in a row that agree with the clock used make a foreign one its equal."""
_MOST: Final = 16
"""Addresses remembered."""
_ODD: Final = 4
"""Added to an address's account for an uneven step; an even one takes 1 off."""
_TWICE: Final = 6
"""More is on the account after a second step back, with one step on between them."""


class Standing(Enum):
    """What a name of the time is worth beside the others on the line."""

    USED = "used"
    FOREIGN = "foreign"
    CONTRADICTED = "contradicted"


@dataclass(slots=True)
class _Address:
    talker: str
    kind: str
    tod: Duration
    mono: Mono
    odd: int = 0
    """Account of uneven steps."""
    back: int = 0
    """Account of steps back."""
    contradicted: Mono | None = None
    """When it last named another second than one that is no better."""
    other: str = ""
    """What that was."""
    agreed: int = 0
    """While it is foreign: names in a row that agree with the clock used."""

    @property
    def name(self) -> str:
        """For people."""
        return (
            self.talker
            if self.kind.startswith(self.talker)
            else self.talker + self.kind
        )

    @property
    def rank(self) -> tuple[bool, bool]:
        """Higher is better."""
        return self.talker in _SATELLITES, self.odd < _ODD


class Clocks:
    """Compares names of the time on one line. Used by one thread."""

    def __init__(self) -> None:
        self._addresses: dict[tuple[str, str], _Address] = {}
        self._foreign: dict[str, str] = {}
        """Talkers not used, each with the one used in its place."""
        self._used: dict[str, Mono] = {}
        """When each talker was last heard."""

    def observe(
        self, talker: str, kind: str, tod: Duration, mono: Mono, burst: Mono | None
    ) -> tuple[Standing, str]:
        """A name: its standing, and against what (empty: nothing).

        `tod`: since midnight UTC. `burst`: when the bytes without a pause that it is
        part of began; None: not known.
        """
        me = self._addresses.get((talker, kind))
        if me is None:
            if len(self._addresses) >= _MOST:
                self._addresses.clear()
            me = self._addresses[talker, kind] = _Address(talker, kind, tod, mono)
        else:
            step_ns, passed_ns = _apart_ns(tod, me.tod), mono.ns - me.mono.ns
            uneven = abs(step_ns - passed_ns) > _UNEVEN.ns
            if step_ns < -_NAMES.ns:
                me.back = min(me.back + _ODD, 2 * _ODD)
            elif me.back:
                me.back -= 1
            me.odd = min(me.odd + _ODD, 2 * _ODD) if uneven else max(me.odd - 1, 0)
            me.tod, me.mono = tod, mono
        self._used[talker] = mono
        if instead := self._foreign.get(talker):
            me.agreed = me.agreed + 1 if self._agrees(me, instead) else 0
            if mono - self._used[instead] <= _GONE and me.agreed < _AGREED:
                return Standing.FOREIGN, instead
            del self._foreign[talker]
            me.agreed = 0
        if kind == _RECKONED:
            return Standing.USED, ""
        if me.back > _TWICE:
            return Standing.CONTRADICTED, "it did a moment before"
        standing, what = self._compare(me, burst)
        if standing is Standing.USED and me.contradicted is not None:
            if mono - me.contradicted <= _RECENT:
                return Standing.CONTRADICTED, me.other
            me.contradicted = None
        return standing, what

    def _agrees(self, me: _Address, talker: str) -> bool:
        """Does the last name of an address of `talker` run on to that of `me`?"""
        return any(
            abs(_apart_ns(me.tod, other.tod) - (me.mono.ns - other.mono.ns)) < _NAMES.ns
            for other in self._addresses.values()
            if other.talker == talker
        )

    def _compare(self, me: _Address, burst: Mono | None) -> tuple[Standing, str]:
        for other in self._addresses.values():
            if (
                other.tod.ns == me.tod.ns
                or other is me
                or other.kind == _RECKONED
                or other.talker in self._foreign
                or not _clash(me, other, burst)
            ):
                continue
            if me.talker == other.talker or me.rank == other.rank:
                me.contradicted = other.contradicted = me.mono
                me.other, other.other = other.name, me.name
                return Standing.CONTRADICTED, me.other
            if me.rank < other.rank:
                self._foreign[me.talker] = other.talker
                return Standing.FOREIGN, other.talker
            self._foreign[other.talker] = me.talker
        return Standing.USED, ""


def _clash(me: _Address, other: _Address, burst: Mono | None) -> bool:
    names_ns = _apart_ns(me.tod, other.tod)
    if abs(names_ns) < _NAMES.ns:
        return False
    passed_ns = me.mono.ns - other.mono.ns
    if passed_ns > _RECENT.ns:
        return False
    differ_ns = abs(names_ns - passed_ns)
    if me.kind == other.kind:
        return differ_ns >= _KIND.ns
    beside = burst is not None and other.mono.ns >= burst.ns
    return beside and differ_ns >= _BURST.ns


def _apart_ns(tod: Duration, other: Duration) -> int:
    """From `other` to `tod`, over midnight."""
    return (tod.ns - other.ns + _HALF_DAY_NS) % DAY.ns - _HALF_DAY_NS
