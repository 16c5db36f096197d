"""What a recorded stream holds, and what is irregular in it.

Bytes of any length go through the framer, the readers and the epochs that the driver
uses. Counts are kept, not sentences.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - a row has a date
from typing import Final

from refclock.board.ports import Chunk
from refclock.events import (
    Dropped,
    DropReason,
    Fix,
    Identity,
    LeapNotice,
    TimeMessage,
)
from refclock.gnss import nmea
from refclock.gnss.casic import Casic
from refclock.gnss.epoch import Epoch, Epochs
from refclock.gnss.framer import Binary, Framer, Item, Sentence
from refclock.gnss.ubx import Ubx
from refclock.timebase import DAY, Duration, Mono

_TYPE: Final = re.compile(rb"[A-Z\d]{1,10}", re.IGNORECASE)
_READ: Final = ("UBX", "CASIC")
"""Binary protocols of which messages are read."""
_NO_TIME: Final = Mono(0)
"""A recording has no arrival times."""
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
_TEXTS: Final = 100
"""Different TXT messages kept."""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """An epoch, as a person would write it down."""

    i: int
    off: int
    """Bytes of the stream before it."""
    utc: str | None
    tod: str | None
    date: str | None
    fix: str
    strict_ok: bool
    """Date and time in its own sentences, and a fix."""
    order: str


@dataclass(frozen=True, slots=True)
class Anomaly:
    """What a reader should notice."""

    epoch: int | None
    type: str
    detail: str


class StreamReport:
    """Feed it, finish it, read it. Used by one thread."""

    def __init__(self, recorded: Date | None = None) -> None:
        self._recorded = recorded
        self._framer = Framer()
        self._epochs = Epochs()
        self._ubx = Ubx()
        self._casic = Casic()
        self.history = History()
        self.bytes = 0
        self.types: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.unreadable = 0
        """Sentences of right checksum with a field that cannot be read."""
        self.frames: Counter[str] = Counter()
        """Binary messages, by protocol, and class and number where it has them."""
        self.protocols: Counter[str] = Counter()
        """Frames of protocols that are not read, by protocol."""
        self.broken = 0
        """Beginnings of frames that were none, or damaged."""
        self.texts: Counter[str] = Counter()
        self.names: list[str] = []
        self.fixes: Counter[str] = Counter()
        self.default_leaps = False
        """The receiver counted leap seconds by its firmware's default."""
        self.valid_utc: tuple[str, str] | None = None
        """First and last of the strict epochs."""
        self.ubx_utc: tuple[str, str] | None = None
        """First and last of the valid times in binary frames."""

    def feed(self, data: bytes) -> Iterator[EpochRow]:
        """The epochs these bytes complete."""
        self.bytes += len(data)
        for item in self._framer.feed(Chunk(data, _NO_TIME, _NO_TIME)):
            yield from self._read(item)

    def finish(self) -> Iterator[EpochRow]:
        """The last epoch: no more will come."""
        for item in self._framer.finish():
            yield from self._read(item)
        yield from self._close(self._epochs.finish())
        self.history.finish(self._recorded)

    def _read(self, item: Item) -> Iterator[EpochRow]:
        match item:
            case Sentence():
                self._count(item)
                for fact in nmea.facts(item):
                    if isinstance(fact, nmea.Timed):
                        yield from self._close(self._epochs.observe(fact))
                    else:
                        self._note(fact)
            case Binary() if item.kind not in _READ:
                self.frames[item.kind] += 1
                self.protocols[item.kind] += 1
            case Binary():
                self.frames[f"{item.kind}-{item.cls:02X}-{item.id:02X}"] += 1
                for each in [*self._ubx.facts(item), *self._casic.facts(item)]:
                    self._note(each)
            case Dropped() if item.reason is not DropReason.BINARY:
                self.rejected[item.reason.value] += 1
            case _:
                self.broken += 1

    def _count(self, sentence: Sentence) -> None:
        address = _TYPE.match(sentence.body)
        if address is not None:
            self.types[address[0].decode().upper()] += 1
        if sentence.body[2:6] == b"TXT,":
            text = sentence.body.decode("ascii").split(",", 4)[-1]
            if text in self.texts or len(self.texts) < _TEXTS:
                self.texts[text] += 1

    def _note(self, fact: object) -> None:
        match fact:
            case Identity(name=name) if name not in self.names and len(self.names) < 10:
                self.names.append(name)
            case LeapNotice(firmware_default=True):
                self.default_leaps = True
            case Dropped():
                self.unreadable += 1
            case TimeMessage() if fact.fix.good:
                first = self.ubx_utc[0] if self.ubx_utc else fact.utc.iso()
                self.ubx_utc = first, fact.utc.iso()
            case _:
                pass

    def _close(self, completed: list[TimeMessage | Epoch]) -> Iterator[EpochRow]:
        for epoch in completed:
            if isinstance(epoch, Epoch):
                row = _row(self.history.epochs, epoch)
                self.fixes[row.fix if row.tod else "no_time"] += 1
                if row.utc is not None and row.strict_ok:
                    first = self.valid_utc[0] if self.valid_utc else row.utc
                    self.valid_utc = first, row.utc
                self.history.observe(epoch)
                yield row


def _row(i: int, epoch: Epoch) -> EpochRow:
    date = None if epoch.date is None else epoch.date.isoformat()
    confirmed = epoch.fix is Fix.PRESUMED and "ZDA" in epoch.kinds
    strict = epoch.utc is not None and (epoch.fix is Fix.VALID or confirmed)
    return EpochRow(
        i,
        epoch.offset,
        None if epoch.utc is None else epoch.text,
        epoch.clock,
        date,
        epoch.fix.value,
        strict,
        ">".join(epoch.order),
    )


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
