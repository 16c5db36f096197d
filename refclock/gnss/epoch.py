"""Sentences that name the same moment form an epoch, and an epoch has one verdict.

No sentence has everything. RMC has a status and a date, GGA a quality and no date,
ZDA a date and nothing on validity; order and number are each receiver's own. So
consecutive sentences with the same time of day form an epoch, and each takes from the
others what it lacks: a GGA its date from a ZDA, a ZDA its validity from a GGA. Nothing
is passed on before all kinds of sentence came that were part of recent epochs, or the
next epoch begins: the verdict does not depend on the order of the sentences.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from datetime import date as Date  # noqa: N812 - an epoch has a date
from typing import Final

from refclock.events import Fix, TimeMessage
from refclock.gnss.nmea import Timed
from refclock.timebase import DAY, SECOND, Duration, Mono, Utc

_ACTIVE: Final = frozenset("ADFPR")
"""Status letters: A valid; some receivers put the mode there, differential, float,
precise or real-time kinematic."""
_DOUBTFUL: Final = frozenset("ESM")
"""Mode letters: estimated (dead reckoning), simulator, manual."""
_FIXED: Final = frozenset("12345")
"""GGA qualities: GPS, differential, PPS, real-time kinematic, float."""
_RECKONED: Final = frozenset("678")
"""GGA qualities: estimated, manual, simulator."""
_UNIX_DAY: Final = Date(1970, 1, 1).toordinal()
_CARRY: Final = 10 * SECOND
"""How long a date holds for sentences without one, by their clock and by ours."""
_RECENT: Final = 8
"""Epochs whose kinds of sentence are waited for."""
_ORDER: Final = 40
"""Sentences of an epoch whose order is kept; a receiver without time sends one
endless epoch."""


def midnight(day: Date) -> Utc:
    """When that day begins."""
    return Utc((day.toordinal() - _UNIX_DAY) * DAY.ns)


class Epoch:
    """Sentences in a row with the same time of day; grows until another is named."""

    def __init__(self, first: Timed) -> None:
        self.tod = first.tod
        self.leap_second = first.leap_second
        self.mono = first.mono
        self.offset = first.offset
        self.order: list[str] = []
        self.kinds: set[str] = set()
        self.addresses: Counter[str] = Counter()
        self.dates: dict[Date, str] = {}
        """Each date named, and the kind of sentence that named it first."""
        self.contradicted = False
        """A sentence beside it names another second."""
        self._statuses: set[str] = set()
        self._modes: set[str] = set()
        self._qualities: set[str] = set()
        self._systems: set[str] = set()

    def add(self, timed: Timed) -> None:
        """One more sentence of it."""
        if len(self.order) < _ORDER:
            own = timed.address.startswith("P")
            self.order.append(timed.address if own else timed.kind)
        self.kinds.add(timed.kind)
        self.addresses[timed.address] += 1
        if timed.date is not None:
            self.dates.setdefault(timed.date, timed.kind)
        self._statuses.update(timed.status)
        self._modes.update(timed.mode)
        self._qualities.update(timed.quality)
        self._systems.update(timed.systems)

    @property
    def date(self) -> Date | None:
        """The first date it named."""
        return next(iter(self.dates), None)

    @property
    def utc(self) -> Utc | None:
        """Date and time, when it named both."""
        if self.date is None or self.tod is None:
            return None
        return midnight(self.date) + self.tod

    @property
    def clock(self) -> str | None:
        """The time as written: `23:59:60`, the fraction as short as it is exact."""
        if self.tod is None:
            return None
        at = self.tod - SECOND if self.leap_second else self.tod
        whole, fraction = divmod(at.ns, SECOND.ns)
        minutes, second = divmod(whole, 60)
        digits = f".{fraction:09d}".rstrip("0") if fraction else ""
        second += self.leap_second
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}{digits}"

    @property
    def text(self) -> str:
        """Date and time as written, as far as it named them."""
        if self.date and self.clock:
            return f"{self.date}T{self.clock}Z"
        return self.clock or f"{self.date or 'no time'}"

    @property
    def fix(self) -> Fix:
        """What its own sentences, taken together, state about the time's validity."""
        if self._statuses:
            active = bool(self._statuses & (_ACTIVE | _DOUBTFUL))
            return self._fix_by_status(active=active)
        if self._qualities & (_FIXED | {"9"}):
            return Fix.PRESUMED
        if self._qualities:
            return Fix.ESTIMATED if self._qualities & _RECKONED else Fix.NONE
        if self._systems & _ACTIVE:
            return Fix.PRESUMED
        if self._systems:
            return Fix.ESTIMATED if self._systems & _DOUBTFUL else Fix.NONE
        return Fix.UNKNOWN

    def _fix_by_status(self, *, active: bool) -> Fix:
        doubtful = (self._modes | self._statuses) & _DOUBTFUL
        if active and (doubtful or self._qualities & _RECKONED):
            return Fix.ESTIMATED
        if self._qualities & (frozenset("0") if active else _FIXED):
            return Fix.CONTRADICTION
        return Fix.VALID if active else Fix.NONE

    @property
    def verdict(self) -> Fix:
        """The fix to act on: `fix`, and CONTRADICTION where two dates, status and mode,
        status and systems, or the names of the second contradict each other."""
        fix = self.fix
        if not fix.good:
            void = bool(self._systems & _ACTIVE) and fix is Fix.NONE
            return Fix.CONTRADICTION if void or self.contradicted else fix
        denied = "N" in self._modes or self._systems == {"N"}
        if denied or self.contradicted or len(self.dates) > 1:
            return Fix.CONTRADICTION
        return fix


class Epochs:
    """Sentences in, messages out, each when enough is known. Used by one thread."""

    def __init__(self) -> None:
        self._epoch: Epoch | None = None
        self._waiting: list[tuple[Duration, Timed]] = []
        self._kinds: deque[frozenset[str]] = deque(maxlen=_RECENT)
        self._usual: frozenset[str] = frozenset()
        """Kinds of sentence in any of the recent epochs."""
        self._dated: tuple[Utc, Mono] | None = None

    def observe(
        self, timed: Timed, *, contradicted: bool = False
    ) -> list[TimeMessage | Epoch]:
        """The messages this sentence completes, and the epoch it ends, if any.

        `contradicted`: it names another second than a sentence beside it.
        A kind makes one message an epoch, by its first sentence: a second sent twice
        names no more than one does.
        """
        out: list[TimeMessage | Epoch] = []
        if contradicted:
            self.contradict()
        if self._epoch is None or self._epoch.tod != timed.tod:
            out = self.finish()
            self._epoch = Epoch(timed)
            self._epoch.contradicted = contradicted
        if timed.tod is not None and timed.kind not in self._epoch.kinds:
            self._waiting.append((timed.tod, timed))
        self._epoch.add(timed)
        if self._usual and self._epoch.kinds >= self._usual:
            out += self._messages(self._epoch)
        return out

    def contradict(self) -> None:
        """What the present epoch names is contradicted by what came beside it."""
        if self._epoch is not None:
            self._epoch.contradicted = True

    def finish(self) -> list[TimeMessage | Epoch]:
        """The epoch ends: what waits becomes messages as it stands."""
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return []
        out: list[TimeMessage | Epoch] = [*self._messages(epoch), epoch]
        self._waiting.clear()
        if epoch.tod is not None:
            self._kinds.append(frozenset(epoch.kinds))
            self._usual = frozenset().union(*self._kinds)
        fix = epoch.verdict
        if epoch.utc is not None and (fix.good or fix is Fix.UNKNOWN):
            self._dated = epoch.utc, epoch.mono
        return out

    def _messages(self, epoch: Epoch) -> Iterator[TimeMessage]:
        """The messages of it whose date is known; the others go on waiting."""
        fix = epoch.verdict
        waiting, self._waiting = self._waiting, []
        for tod, timed in waiting:
            date = timed.date or epoch.date
            utc = midnight(date) + tod if date else self._carried(tod, timed.mono)
            if utc is None:
                self._waiting.append((tod, timed))
            else:
                yield TimeMessage(utc, timed.mono, timed.kind, fix, timed.leap_second)

    def _carried(self, tod: Duration, mono: Mono) -> Utc | None:
        """By the date last named, and over midnight, but not for long."""
        if self._dated is None:
            return None
        last, at = self._dated
        half = DAY.ns // 2
        step = Duration((tod.ns - last.ns + half) % DAY.ns - half)
        near = abs(step) <= _CARRY and mono - at <= _CARRY
        return last + step if near else None
