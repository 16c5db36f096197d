"""The other time servers of a world in fast time, asked by the real client."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hw.emu.clock import VirtualClock
from hw.emu.server import EmulatedServer
from hw.emu.world import World, dice
from hw.sim.scenarios import Scenario
from refclock.events import Event, NoReply, ServerAdded, ServerReply, Trust
from refclock.published import ClockSnapshot
from refclock.timebase import MILLISECOND, Duration
from refclock.upstream.association import PATIENCE, Association
from refclock.upstream.poll import Poll
from refclock.upstream.sealing import Plain


class Servers:
    """All of one world. Used by one thread."""

    def __init__(
        self,
        scenario: Scenario,
        world: World,
        clock: VirtualClock,
        snapshot: Callable[[], ClockSnapshot],
        tell: Callable[[Event], None],
        seed: int,
    ) -> None:
        """`tell` is called with each fact. `snapshot`: what is published."""
        self._world, self._clock = world, clock
        self._snapshot, self._tell = snapshot, tell
        self._dice = dice(seed, "upstream client")
        self._asked = [
            (
                Association(
                    model.name,
                    Plain(),
                    Poll(model.least_s, model.most_s, burst=True),
                    server_id=bytes([192, 0, 2, number + 1]),
                    our_id=bytes([192, 0, 2, 100]),
                ),
                EmulatedServer(model, scenario.begins, scenario.leaps, seed),
            )
            for number, model in enumerate(scenario.upstreams)
        ]

    def added(self) -> None:
        """Tell an engine that begins which servers there are."""
        now = self._clock.read()[1]
        for association, server in self._asked:
            trust = Trust(server.model.auth)
            self._tell(ServerAdded(now, association.server, "192.0.2.1", trust))

    def begin(self) -> None:
        """Tell which servers there are, and ask each for the first time soon."""
        self.added()
        for association, server in self._asked:
            soon = Duration(round(self._dice.random() * MILLISECOND.ns * 100))
            ask = partial(self._ask, association, server)
            self._world.at(self._world.now() + soon, ask)

    def _ask(self, association: Association, server: EmulatedServer) -> None:
        local, mono = self._clock.read()
        self._put(association.expired(mono, due=True))
        request = association.ask(mono, lambda: self._dice.getrandbits(64))
        association.sent(local, self._clock.era)
        answer = server.answer(request, self._world.now())
        if answer is not None:
            take = partial(self._take, association, answer.data)
            self._world.at(answer.comes, take)
        expires = self._world.now() + PATIENCE + MILLISECOND
        self._world.at(expires, partial(self._expire, association))
        eager = self._snapshot().stratum != 1
        pause = association.poll.next(self._dice.random(), eager=eager)
        again = self._world.now() + max(pause, Duration(0))
        self._world.at(again, partial(self._ask, association, server))

    def _take(self, association: Association, data: bytes) -> None:
        local, mono = self._clock.read()
        self._put(association.take(data, local, mono, self._clock.era))

    def _expire(self, association: Association) -> None:
        self._put(association.expired(self._clock.read()[1]))

    def _put(self, fact: ServerReply | NoReply | None) -> None:
        if fact is not None:
            self._tell(fact)
