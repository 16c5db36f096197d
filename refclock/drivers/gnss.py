"""A receiver's bytes, as facts. Whether to believe them is not its matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from refclock.drivers.line import Line
from refclock.events import Event, TimeMessage
from refclock.gnss import nmea
from refclock.gnss.epoch import Epoch, Epochs
from refclock.gnss.framer import Binary, Framer, Item, Sentence
from refclock.gnss.sky import Sky
from refclock.gnss.ubx import Ubx
from refclock.ports import ByteStream
from refclock.timebase import SECOND


class GnssDriver:
    """One per receiver. Used by one thread."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._line = Line(stream.bits_per_second)
        self._framer = Framer()
        self._ubx = Ubx()
        self._epochs = Epochs()
        self._sky = Sky()

    @property
    def load(self) -> float | None:
        """Share of the line's capacity in use; None: not known."""
        return self._line.load

    def poll(self) -> Iterator[Event]:
        """What the next bytes tell, or nothing within two seconds.

        OSError: the receiver is gone.
        """
        chunk = self._stream.read(2 * SECOND)
        if chunk is None:
            return
        self._line.took(chunk)
        for item in self._framer.feed(chunk):
            for event in self._tell(item):
                if isinstance(event, TimeMessage) and self._line.queued(event.seen):
                    yield replace(event, queued=True)
                else:
                    yield event

    def close(self) -> None:
        """Give the line back."""
        self._stream.close()

    def _tell(self, item: Item) -> Iterator[Event]:
        match item:
            case Sentence():
                self._sky.hear(item)
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
        for heard in self._epochs.hear(told):
            if isinstance(heard, Epoch):
                yield from self._sky.view()
            else:
                yield heard
