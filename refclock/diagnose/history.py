"""Does the time go on as it should in a recorded stream, epoch after epoch?"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - an epoch has a date
from typing import Final

from refclock.events import Fix
from refclock.gnss.epoch import Epoch
from refclock.timebase import DAY, Duration

_WEEK_EPOCHS: Final = {
    Date(1980, 1, 6): "GPS week 0",
    Date(1999, 8, 22): "the first week rollover",
    Date(2019, 4, 7): "the second week rollover",
}
_SERVICE: Final = Date(1993, 1, 1)
"""No receiver gave time from a full constellation before."""
_ROLLOVER_DAYS: Final = 1024 * 7
_NEAR_ROLLOVER_DAYS: Final = 800
_FAR_DAYS: Final = 400
_SENT_ONCE: Final = ("RMC", "ZDA", "GGA")
_KEPT: Final = 10_000
"""Anomalies kept one by one, and the first of every type; all are counted."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """What a reader should notice."""

    epoch: int | None
    type: str
    detail: str


class History:
    """Epoch after epoch: does time go on as it should? Used by one thread."""

    def __init__(self) -> None:
        self.epochs = 0
        self.anomalies: list[Anomaly] = []
        self.counts: Counter[str] = Counter()
        self.nominal: Duration | None = None
        self._tod: Duration | None = None
        self._date: Date | None = None
        self._date_before: Date | None = None
        self._dates: set[Date] = set()
        self._steps = array("q")
        """Nanoseconds to the epoch before; 0: it has none."""

    def observe(self, epoch: Epoch) -> None:
        """The next one."""
        self._look_at(epoch)
        step = None if epoch.tod is None else self._go_on(epoch, epoch.tod)
        self._steps.append(step.ns if step else 0)
        if epoch.date is not None and epoch.date != self._date_before:
            self._look_at_date(epoch.date)
        self._date_before = epoch.date
        self.epochs += 1

    def finish(self, recorded: Date | None) -> None:
        """What needs the whole recording: gaps, and dates far from the true one."""
        forward = Counter(step for step in self._steps if step > 0)
        if forward:
            ns = forward.most_common(1)[0][0]
            self.nominal = Duration(ns)
            for i, step in enumerate(self._steps):
                if 3 * ns < 2 * step < 2 * DAY.ns:
                    seconds = Duration(step).seconds
                    self._add(i, "gap", f"{seconds:g} s without an epoch before it")
        if recorded is not None:
            for date in sorted(self._dates):
                self._compare(date, recorded)

    def _look_at(self, epoch: Epoch) -> None:
        i = self.epochs
        if len(epoch.dates) > 1:
            detail = ", ".join(f"{kind} {date}" for date, kind in epoch.dates.items())
            self._add(i, "two_dates_in_epoch", detail)
        if epoch.fix is Fix.CONTRADICTION:
            self._add(i, "status_contradicts_quality", ">".join(epoch.order))
        if epoch.tod is None:
            return
        twice = [
            f"{address} x{count}"
            for address, count in epoch.addresses.items()
            if count > 1 and address.endswith(_SENT_ONCE)
        ]
        if twice:
            self._add(i, "same_second_sent_twice", f"{twice[0]} at {epoch.clock}")
        if epoch.leap_second:
            self._add(i, "second_60", f"{epoch.clock}")

    def _go_on(self, epoch: Epoch, tod: Duration) -> Duration | None:
        """The step from the last epoch with a time, judged."""
        date = epoch.date
        before, self._tod = self._tod, tod
        day_before, self._date = self._date, date or self._date
        if before is None:
            return None
        days = (date - day_before).days if date and day_before else None
        passed = tod - before
        turned = 2 * passed.ns < -DAY.ns
        step = passed + (days if days is not None else int(turned)) * DAY
        kind, detail = "", epoch.text
        if days is None and turned:
            kind = "midnight_without_date"
        elif not step:
            kind = "epoch_repeated"
        elif step.ns < 0:
            kind, detail = "time_went_back", f"{step.seconds:g} s to {epoch.text}"
        elif days and not (days == 1 and turned):
            kind, detail = "date_jump", f"{days:+d} days, {day_before} to {date}"
        elif turned:
            kind = "midnight_ok"
        if kind:
            self._add(self.epochs, kind, detail)
        return step

    def _look_at_date(self, date: Date) -> None:
        self._dates.add(date)
        if date in _WEEK_EPOCHS:
            detail = f"{date} is {_WEEK_EPOCHS[date]}"
            self._add(self.epochs, "date_is_week_epoch", detail)
        if date < _SERVICE:
            self._add(self.epochs, "date_before_gps_service", f"{date}")

    def _compare(self, date: Date, recorded: Date) -> None:
        behind = (recorded - date).days
        turns = round(behind / _ROLLOVER_DAYS)
        if turns and abs(behind - turns * _ROLLOVER_DAYS) < _NEAR_ROLLOVER_DAYS:
            detail = f"{date} is {turns} x 1024 weeks before the true {recorded}"
            self._add(None, "week_number_rollover", detail)
        elif abs(behind) > _FAR_DAYS:
            detail = f"{date}, but it was recorded on {recorded}"
            self._add(None, "date_far_from_declared", detail)

    def _add(self, epoch: int | None, kind: str, detail: str) -> None:
        self.counts[kind] += 1
        if len(self.anomalies) < _KEPT or self.counts[kind] == 1:
            self.anomalies.append(Anomaly(epoch, kind, detail))
