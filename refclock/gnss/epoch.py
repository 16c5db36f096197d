"""Sentences that name the same moment belong together: an epoch has one verdict.

No sentence says everything. RMC has a status and a date, GGA a quality and no
date, ZDA a date and no word on validity; order and number are each receiver's
own. So consecutive sentences with the same time of day form an epoch, and what
one of them lacks another may lend: a GGA takes its date from the ZDA beside it, a
ZDA its validity from the GGA. RMC with a good status is told at once; what only
others can vouch for waits for them, at most until the next epoch begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date as Date  # noqa: N812 - an epoch has a date
from typing import Final

from refclock.events import Fix, TimeMessage
from refclock.gnss.nmea import Timed
from refclock.timebase import DAY, SECOND, Duration, Mono, Utc

_DOUBTFUL: Final = frozenset("ESM")
"""Mode letters: estimated (dead reckoning), simulator, manual."""
_FIXED: Final = frozenset("12345")
"""GGA qualities: GPS, differential, PPS, real-time kinematic, float."""
_RECKONED: Final = frozenset("678")
"""GGA qualities: estimated, manual, simulator."""
_SYSTEM_FIXED: Final = frozenset("ADPRF")
_UNIX_DAY: Final = Date(1970, 1, 1).toordinal()
_CARRY: Final = 10 * SECOND
"""How long a date holds for sentences without one, by their clock and by ours."""
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
        self._statuses: set[str] = set()
        self._modes: set[str] = set()
        self._qualities: set[str] = set()
        self._systems: set[str] = set()

    def add(self, told: Timed) -> None:
        """One more sentence of it."""
        if len(self.order) < _ORDER:
            own = told.address.startswith("P")
            self.order.append(told.address if own else told.kind)
        self.kinds.add(told.kind)
        self.addresses[told.address] += 1
        if told.date is not None:
            self.dates.setdefault(told.date, told.kind)
        self._statuses.update(told.status)
        self._modes.update(told.mode)
        self._qualities.update(told.quality)
        self._systems.update(told.systems)

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
        """What its own sentences, taken together, say of the time."""
        if self._statuses:
            return self._fix_by_status(active="A" in self._statuses)
        if self._qualities & (_FIXED | {"9"}):
            return Fix.PRESUMED
        if self._qualities:
            return Fix.ESTIMATED if self._qualities & _RECKONED else Fix.NONE
        if self._systems:
            return Fix.PRESUMED if self._systems & _SYSTEM_FIXED else Fix.NONE
        return Fix.UNKNOWN

    def _fix_by_status(self, *, active: bool) -> Fix:
        if active and (self._modes & _DOUBTFUL or self._qualities & _RECKONED):
            return Fix.ESTIMATED
        if self._qualities & (frozenset("0") if active else _FIXED):
            return Fix.CONTRADICTION
        return Fix.VALID if active else Fix.NONE


class Epochs:
    """Sentences in, messages out, each when enough is known. Used by one thread."""

    def __init__(self) -> None:
        self._epoch: Epoch | None = None
        self._waiting: list[tuple[Duration, Timed]] = []
        self._usual: set[str] | None = None
        self._dated: tuple[Utc, Mono] | None = None

    def observe(self, told: Timed) -> list[TimeMessage | Epoch]:
        """The messages this sentence makes sure, and the epoch it ends, if any.

        Each kind is told once an epoch, for its first sentence: two receivers on
        one wire, or a second sent twice, name no more than one does.
        """
        out: list[TimeMessage | Epoch] = []
        if self._epoch is None or self._epoch.tod != told.tod:
            out = self.finish()
            self._epoch = Epoch(told)
        if told.tod is not None and told.kind not in self._epoch.kinds:
            self._waiting.append((told.tod, told))
        self._epoch.add(told)
        complete = self._usual is not None and self._epoch.kinds >= self._usual
        return [*out, *self._tell(self._epoch, complete=complete)]

    def finish(self) -> list[TimeMessage | Epoch]:
        """The epoch ends: what waits is told as it stands."""
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return []
        out: list[TimeMessage | Epoch] = [*self._tell(epoch, complete=True), epoch]
        self._waiting.clear()
        self._usual = epoch.kinds
        if epoch.utc is not None and (_fix(epoch).good or epoch.fix is Fix.UNKNOWN):
            self._dated = epoch.utc, epoch.mono
        return out

    def _tell(self, epoch: Epoch, *, complete: bool) -> Iterator[TimeMessage]:
        """What need not wait; once all the usual kinds are heard, nothing need."""
        fix = _fix(epoch)
        vague = fix is Fix.UNKNOWN or (fix is Fix.PRESUMED and epoch.date is None)
        if vague and not complete:
            return
        waiting, self._waiting = self._waiting, []
        for tod, told in waiting:
            date = told.date or epoch.date
            utc = midnight(date) + tod if date else self._carried(tod, told.mono)
            if utc is None:
                self._waiting.append((tod, told))
            else:
                yield TimeMessage(utc, told.mono, told.kind, fix, told.leap_second)

    def _carried(self, tod: Duration, seen: Mono) -> Utc | None:
        """By the date last named, and over midnight, but not for long."""
        if self._dated is None:
            return None
        last, at = self._dated
        half = DAY.ns // 2
        step = Duration((tod.ns - last.ns + half) % DAY.ns - half)
        near = abs(step) <= _CARRY and seen - at <= _CARRY
        return last + step if near else None


def _fix(epoch: Epoch) -> Fix:
    """The verdict to act on: two dates at one moment contradict each other."""
    return Fix.CONTRADICTION if len(epoch.dates) > 1 else epoch.fix
