"""All receivers of a board, each with its pulse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

from refclock.engine.kept.memory import Memory
from refclock.engine.policy import EngineSettings
from refclock.engine.receivers.reference import ReceiverFact, Reference
from refclock.events import Event, InForce, SourcePair, Tick, Witness
from refclock.integrity.alarm import Alarm
from refclock.timebase import Duration, LeapTable, Mono, Tai, Utc


class References:
    """All receivers of the board with their pulses. Used by one thread."""

    def __init__(self, references: Sequence[Reference]) -> None:
        """The first one steers the clock, the others are watched."""
        self._all = tuple(references)
        self.first = self._all[0]
        self._by_source = {
            source: each for each in self._all for source in (each.receiver, each.pulse)
        }

    @property
    def watched(self) -> tuple[Reference, ...]:
        """All but the first."""
        return self._all[1:]

    @classmethod
    def of_pairs(
        cls,
        pairs: Sequence[SourcePair],
        settings: EngineSettings,
        leaps: LeapTable,
        floor: Utc,
        *,
        latency: Duration,
        memory: Memory | None,
    ) -> Self:
        """One for each pair. What `memory` has of sentences is of the first."""
        lags = memory.learned_lags() if memory else {}
        last_good = memory.last_good if memory else None
        return cls(
            [
                Reference(
                    pair,
                    settings,
                    leaps,
                    floor,
                    lags=lags if pair is pairs[0] else {},
                    last_good=last_good,
                    latency=latency,
                )
                for pair in pairs
            ]
        )

    def __iter__(self) -> Iterator[Reference]:
        return iter(self._all)

    def of(self, event: Event) -> Reference | None:
        """The one that `event` comes from; None: it is from no receiver or pulse."""
        if isinstance(event, Tick | InForce):
            return None
        return self._by_source.get(event.source)

    def note(self, event: Event) -> None:
        """Keep what people ask of a fact, with the one that it comes from."""
        if reference := self.of(event):
            reference.notes.note(event)

    def observe(self, fact: ReceiverFact, now: Tai | None) -> None:
        """Any fact of a receiver but a time, for the one that it comes from. `now`:
        the published time at it, if there is one."""
        if reference := self.of(fact):
            reference.observe(fact, now)

    def alarms(self, now: Mono) -> list[Alarm]:
        """What stands now, of all."""
        return [alarm for each in self for alarm in each.integrity.alarms(now)]

    def witness(self, witness: Witness) -> None:
        """Another's word on the time."""
        for each in self:
            each.witness(witness)

    def know(self, leaps: LeapTable) -> None:
        """Use another table of leap seconds."""
        for each in self:
            each.know(leaps)

    def stepped(self, by: Duration, now: Mono) -> None:
        """Another program set the clock by that much."""
        for each in self:
            each.integrity.stepped(by, now)

    def restart(self) -> None:
        """The clock begins afresh."""
        for each in self:
            each.restart()
