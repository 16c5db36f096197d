"""Other time servers asked over UDP: what is due is sent, what comes is read.

Each question has a socket of its own, and so a port nobody can guess. Names and keys
come from elsewhere: nothing here waits but for answers, a second at most.
"""

from __future__ import annotations

import secrets
import select
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from refclock.board.ports import SystemClock
from refclock.drivers.servers.associations import Entry, Slot
from refclock.drivers.servers.network import Place, Socket
from refclock.events import Event
from refclock.published import ClockSnapshot
from refclock.timebase import MILLISECOND, SECOND, Duration, Mono
from refclock.upstream.association import reference_id

_SOON: Final = 100 * MILLISECOND
"""While a name is looked up or keys are exchanged, it looks so often."""
_MOST: Final = 8
"""Packets read at a time from one socket."""


class UpstreamDriver:
    """All servers of the settings. Used by one thread."""

    def __init__(
        self,
        entries: Sequence[Entry],
        open_socket: Callable[[Place], Socket],
        clock: SystemClock,
        snapshot: Callable[[], ClockSnapshot],
        chance: Random,
    ) -> None:
        """`snapshot`: what is published; while that is no time of our own, servers
        are asked as often as they may be."""
        self._entries = entries
        self._open = open_socket
        self._clock = clock
        self._snapshot = snapshot
        self._chance = chance
        self._added = False

    def poll(self) -> Iterator[Event]:
        """Ask whom it is time to ask, and wait for answers."""
        _, now = self._clock.read()
        if not self._added:
            self._added = True
            yield from (each.added(now) for each in self._entries)
        for entry in self._entries:
            yield from entry.step(now)
        for slot in self._slots():
            due = now >= slot.due
            if (silent := slot.association.expired(now, due=due)) is not None:
                slot.close()
                yield silent
            if due:
                yield from self._ask(slot, now)
        yield from self._answers(self._until_due(now))

    def close(self) -> None:
        """Ask no more."""
        for entry in self._entries:
            entry.close()

    def _slots(self) -> list[Slot]:
        return [slot for entry in self._entries for slot in entry.slots]

    def _until_due(self, now: Mono) -> Duration:
        busy = any(entry.busy for entry in self._entries)
        most = _SOON if busy else SECOND
        due = [slot.due - now for slot in self._slots()]
        return max(min([most, *due]), MILLISECOND)

    def _ask(self, slot: Slot, now: Mono) -> Iterator[Event]:
        association = slot.association
        slot.close()
        eager = self._snapshot().stratum != 1
        pause = association.poll.next(self._chance.random(), eager=eager)
        slot.due = now + pause
        try:
            data = association.ask(now, lambda: secrets.randbits(64))
        except IndexError:
            yield association.unsent(now, "no cookie is left")
            return
        try:
            slot.socket = self._open(slot.place)
            association.our_id = reference_id(slot.socket.ours)
            sent = slot.socket.send(data)
        except OSError as error:
            slot.close()
            yield association.unsent(now, f"cannot be reached: {error.strerror}")
            return
        association.sent(sent, self._clock.era)

    def _answers(self, limit: Duration) -> Iterator[Event]:
        waiting = select.poll()
        slots: dict[int, Slot] = {}
        for slot in self._slots():
            if slot.socket is not None:
                slots[slot.socket.fileno()] = slot
                waiting.register(slot.socket.fileno(), select.POLLIN)
        for number, _ in waiting.poll(limit.seconds * 1e3):
            yield from self._read(slots[number])

    def _read(self, slot: Slot) -> Iterator[Event]:
        for _ in range(_MOST):
            if slot.socket is None:
                return
            try:
                data, received = slot.socket.read()
            except BlockingIOError:
                return
            except OSError:
                slot.close()
                _, now = self._clock.read()
                yield slot.association.unsent(now, "nothing answers on that port")
                return
            local, mono = self._clock.read()
            at = mono - (local - received)
            taken = slot.association.take(data, received, at, self._clock.era)
            if slot.association.answered:
                slot.close()
            if taken is not None:
                yield taken
