"""A receiver's bytes, as facts. Whether to believe them is not its matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from refclock.board.ports import ByteStream
from refclock.drivers.line import LineTiming
from refclock.events import (
    Configured,
    Event,
    Fix,
    LineLoad,
    NoTime,
    TimeMessage,
)
from refclock.gnss import nmea
from refclock.gnss.epoch import Epoch, Epochs
from refclock.gnss.framer import Binary, Framer, Item, Sentence
from refclock.gnss.sky import Sky
from refclock.gnss.ubx import Ubx
from refclock.receiver.configurator import Configurator
from refclock.timebase import MILLISECOND, SECOND, Mono

_SILENCE: Final = 2 * SECOND
_ANSWER: Final = 100 * MILLISECOND
"""Between two commands at the end; there is little time."""


def _nobody(_: str) -> None:
    """Where nobody wants to hear."""


class GnssDriver:
    """One per receiver. Used by one thread."""

    def __init__(
        self,
        stream: ByteStream,
        configurator: Configurator | None = None,
        tell: Callable[[str], None] = _nobody,
    ) -> None:
        """`configurator`: None leaves the receiver as it is. `tell`: who hears, at
        the end, that it was put back."""
        self._stream = stream
        self._configurator = configurator
        self._tell_operator = tell
        self._now = Mono(0)
        """As of the last byte, or the end of a silence."""
        self._line = LineTiming(stream.bits_per_second)
        self._framer = Framer()
        self._ubx = Ubx()
        self._epochs = Epochs()
        self._sky = Sky()

    def poll(self) -> Iterator[Event]:
        """What the next bytes tell, or nothing within two seconds.

        OSError: the receiver is gone.
        """
        chunk = self._stream.read(_SILENCE)
        if chunk is None:
            self._now += _SILENCE
            yield from self._configure(())
            return
        self._now = chunk.last
        if (load := self._line.took(chunk)) is not None:
            yield LineLoad(self._now, load)
        items = self._framer.feed(chunk)
        for item in items:
            for event in self._tell(item):
                if isinstance(event, TimeMessage) and self._line.queued(event.mono):
                    yield replace(event, queued=True)
                else:
                    yield event
        yield from self._configure(items)

    def close(self) -> None:
        """Give the line back, the receiver set as it was found."""
        with suppress(OSError):  # gone: nothing to put back
            self._put_back()
        self._stream.close()

    def _configure(self, items: Sequence[Item]) -> Iterator[Event]:
        if self._configurator is None:
            return
        for said in self._configurator.observe(items, self._now):
            if isinstance(said, bytes):
                self._stream.write(said)
            else:
                yield Configured(self._now, said)

    def _put_back(self) -> None:
        undo = self._configurator.undo() if self._configurator else {}
        for command in undo.values():
            self._stream.write(command)
            self._stream.read(_ANSWER)
        if undo:
            self._tell_operator(f"put back as it was found: {', '.join(undo)}")

    def _tell(self, item: Item) -> Iterator[Event]:
        match item:
            case Sentence():
                self._sky.observe(item)
                for fact in nmea.facts(item):
                    if isinstance(fact, nmea.Timed):
                        yield from self._timed(fact)
                    else:
                        yield fact
            case Binary():
                yield from self._ubx.facts(item)
            case _:
                yield item

    def _timed(self, told: nmea.Timed) -> Iterator[Event]:
        if told.tod is None:
            yield NoTime(told.mono, Fix.NONE)
            yield from self._sky.view()
        for heard in self._epochs.observe(told):
            if isinstance(heard, Epoch):
                if heard.tod is not None and heard.date is None:
                    yield NoTime(heard.mono, heard.fix)
                yield from self._sky.view()
            else:
                yield heard
