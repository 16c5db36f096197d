"""What a recorded stream holds, and what is irregular in it.

Bytes of any length go through the framer, the readers and the epochs that the driver
uses. Counts are kept, not sentences.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - a row has a date
from typing import Final

from refclock.board.ports import Chunk
from refclock.diagnose.history import History
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
from refclock.timebase import Mono

_TYPE: Final = re.compile(rb"[A-Z\d]{1,10}", re.IGNORECASE)
_READ: Final = ("UBX", "CASIC")
"""Binary protocols of which messages are read."""
_NO_TIME: Final = Mono(0)
"""A recording has no arrival times."""
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
