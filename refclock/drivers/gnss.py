"""A receiver's bytes -> facts. It does not decide what to believe of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from refclock.board.ports import ByteStream
from refclock.drivers.line import LineTiming
from refclock.events import (
    Configured,
    Dropped,
    DropReason,
    Event,
    Fix,
    LineLoad,
    NoTime,
    TimeMessage,
)
from refclock.gnss import nmea
from refclock.gnss.casic import Casic
from refclock.gnss.clocks import Clocks, Standing
from refclock.gnss.epoch import Epoch, Epochs
from refclock.gnss.framer import Binary, Framer, Item, Sentence
from refclock.gnss.sky import Sky
from refclock.gnss.ubx import Ubx
from refclock.receiver.configurator import Configurator
from refclock.timebase import DAY, MILLISECOND, SECOND, ZERO, Duration, Mono

_SILENCE: Final = 2 * SECOND
_ANSWER: Final = 100 * MILLISECOND
"""Between two commands at the end; there is little time."""
_BYTES_PER_S: Final = 50_000
"""More are not read: a line of 460800 Bd carries 46080."""
_IN_ADVANCE: Final = 2 * _BYTES_PER_S
"""Bytes, after a time of fewer."""


def _nobody(_: str) -> None:
    """Takes a message for the operator where there is none."""


class GnssDriver:
    """One per receiver. Used by one thread."""

    def __init__(
        self,
        stream: ByteStream,
        configurator: Configurator | None = None,
        tell: Callable[[str], None] = _nobody,
        seek_after: Duration | None = None,
    ) -> None:
        """`configurator`: None leaves the receiver as it is. `tell`: is called at the
        end with what was put back. `seek_after`: without anything readable for so long
        the line is given up, to be opened anew at the speed it has now."""
        self._seek_after = seek_after
        self._unreadable = ZERO
        """For how long nothing was readable."""
        self._stream = stream
        self._configurator = configurator
        self._tell = tell
        self._now = Mono(0)
        """As of the last byte, or the end of a silence."""
        self._line = LineTiming(stream.bits_per_second)
        self._framer = Framer()
        self._ubx = Ubx()
        self._casic = Casic()
        self._clocks = Clocks()
        self._allowed = _IN_ADVANCE
        """Bytes that may be read by now."""
        self._epochs = Epochs()
        self._sky = Sky()

    def poll(self) -> Iterator[Event]:
        """The facts in the next bytes, or nothing within two seconds.

        OSError: the receiver is gone, or speaks at another speed.
        """
        chunk = self._stream.read(_SILENCE)
        if chunk is None:
            self._now += _SILENCE
            self._seek(_SILENCE)
            yield from self._completed(self._epochs.finish())
            yield from self._configure(())
            return
        passed = chunk.last - self._now
        gained = (chunk.last.ns - self._now.ns) * _BYTES_PER_S // SECOND.ns
        self._now = chunk.last
        if (load := self._line.took(chunk)) is not None:
            yield LineLoad(self._now, load)
        self._allowed = min(self._allowed + gained, _IN_ADVANCE) - len(chunk.data)
        if self._allowed < 0:
            detail = f"{-self._allowed} bytes beyond {_BYTES_PER_S} a second"
            yield Dropped(self._now, DropReason.FLOOD, detail)
            chunk = replace(chunk, data=chunk.data[: self._allowed])
            self._allowed = 0
        items = self._framer.feed(chunk)
        if any(isinstance(item, Sentence | Binary) for item in items):
            self._unreadable = ZERO
        else:
            self._seek(passed)
        for item in items:
            for event in self._read(item):
                if isinstance(event, TimeMessage) and self._line.queued(event.mono):
                    yield replace(event, queued=True)
                else:
                    yield event
        yield from self._configure(items)

    def _seek(self, passed: Duration) -> None:
        """OSError: nothing was readable for `seek_after`."""
        self._unreadable += min(passed, _SILENCE)
        after = self._seek_after
        if after is not None and self._unreadable > after:
            raise OSError(
                f"nothing readable for {after.seconds:.0f} s: its speed is sought anew"
            )

    def close(self) -> None:
        """Give the line back, the receiver set as it was found."""
        with suppress(OSError):  # gone: nothing to put back
            self._put_back()
        self._stream.close()

    def _configure(self, items: Sequence[Item]) -> Iterator[Event]:
        if self._configurator is None:
            return
        for output in self._configurator.observe(items, self._now):
            if isinstance(output, bytes):
                self._stream.write(output)
            else:
                yield Configured(self._now, output)

    def _put_back(self) -> None:
        undo = self._configurator.undo() if self._configurator else {}
        for command in undo.values():
            self._stream.write(command)
            self._stream.read(_ANSWER)
        if undo:
            self._tell(f"put back as it was found: {', '.join(undo)}")

    def _read(self, item: Item) -> Iterator[Event]:
        match item:
            case Sentence():
                self._sky.observe(item)
                for fact in nmea.facts(item):
                    if isinstance(fact, nmea.Timed):
                        yield from self._timed(fact)
                    else:
                        yield fact
            case Binary(kind="UBX"):
                for each in self._ubx.facts(item):
                    yield from self._beside("UBX", each)
            case Binary(kind="CASIC"):
                for other in self._casic.facts(item):
                    yield from self._beside("CASIC", other)
            case Binary():
                yield Dropped(item.mono, DropReason.PROTOCOL, item.kind)
            case _:
                yield item

    def _timed(self, timed: nmea.Timed) -> Iterator[Event]:
        """A sentence that may name the time."""
        standing, other = Standing.USED, ""
        if timed.tod is not None:
            standing, other = self._clocks.observe(
                timed.talker, timed.kind, timed.tod, timed.mono, self._line.burst
            )
        elif not timed.unreadable:
            yield NoTime(timed.mono, Fix.NONE)
            yield from self._sky.view()
        if standing is Standing.FOREIGN:
            detail = f"{timed.address} is another clock than {other}"
            yield Dropped(timed.mono, DropReason.FOREIGN_CLOCK, detail)
            return
        contradicted = standing is Standing.CONTRADICTED
        if contradicted:
            detail = f"{timed.address} names another second than {other}"
            yield Dropped(timed.mono, DropReason.CONTRADICTION, detail)
        yield from self._completed(
            self._epochs.observe(timed, contradicted=contradicted)
        )

    def _completed(self, found: list[TimeMessage | Epoch]) -> Iterator[Event]:
        for one in found:
            if isinstance(one, Epoch):
                if one.tod is not None and one.date is None:
                    yield NoTime(one.mono, one.fix)
                yield from self._sky.view()
            else:
                yield one

    def _beside(self, talker: str, fact: Event) -> Iterator[Event]:
        """A fact of a binary frame; the time it names is compared with the others'."""
        if isinstance(fact, TimeMessage):
            tod = Duration(fact.utc.ns % DAY.ns)
            standing, other = self._clocks.observe(
                talker, fact.kind, tod, fact.mono, self._line.burst
            )
            if standing is not Standing.USED:
                detail = f"{fact.kind} names another second than {other}"
                yield Dropped(fact.mono, DropReason.CONTRADICTION, detail)
                self._epochs.contradict()
                fact = replace(fact, fix=Fix.CONTRADICTION)
        yield fact
