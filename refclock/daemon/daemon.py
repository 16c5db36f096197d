"""Threads around one engine.

    pumps (receiver, pulse, thermometer, rtc) -> inbox -> engine -> clock
                                  engine -> Published -> NTP threads, control socket

One inbox, one writer, frozen values across every boundary. Every wait is
bounded, so stopping is one flag. A lost device is reopened with back-off; any
other exception, in any thread, ends the process, and the service manager starts
it anew: a half-alive time server is worse than none.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final

from refclock.board.ports import SystemClock
from refclock.daemon.control import Answers
from refclock.daemon.drive import Driven
from refclock.daemon.journal import Journal
from refclock.daemon.parts import Control, Published, Recorder, Service
from refclock.daemon.supervise import Device, supervise
from refclock.engine.engine import Engine
from refclock.engine.kept.recording import Counted, Outcome
from refclock.events import Command, Event, Tick
from refclock.observe.status import Status, clients_json, error_json, to_json
from refclock.published import ClockSnapshot
from refclock.server.admission.clients import ClientStatus, busiest
from refclock.server.settings import ServerSettings
from refclock.timebase import SECOND, Duration, Mono

_TICK: Final = SECOND
_JOIN_S: Final = 4.0
"""A receiver takes up to 2 s to be put back as it was."""
_SHOWN: Final = 10
_ALL: Final = 10_000
"""Clients told on the status page, and if one asks for all."""

_ANSWERS_S: Final = 2.0
"""Within which the engine's thread answers; it is never busy for longer."""


@dataclass(frozen=True, slots=True)
class Call:
    """Something for the engine's thread to do between two facts."""

    do: Callable[[], None]


class Daemon:
    """The engine and its threads. `run` returns when `stop` was called."""

    def __init__(
        self,
        engine: Engine,
        clock: SystemClock,
        sources: Sequence[Device],
        save: Callable[[Engine], None],
        save_every: Duration,
        recorder: Recorder | None = None,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        """`save` keeps what was learned and must not wait for a disk; `finish` is
        called last of all, and may wait for it."""
        self._engine = engine
        self._clock = clock
        self._sources = sources
        self._save = save
        self._save_every = save_every
        self._recorder = recorder
        self._finish = finish
        self._services: list[Service] = []
        self._controls: list[Control] = []
        self._reloads: list[Callable[[], None]] = []
        self._inbox: queue.SimpleQueue[Event | Call] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thinking = threading.Event()
        """While the engine's thread takes calls."""
        self._failure: BaseException | None = None
        self._counted: dict[str, int] | None = None
        """What was counted when the doors closed."""
        self._journal = Journal()
        self._driven = Driven(engine, clock, self._record)
        self._snapshot = Published(engine.snapshot)

    # what other threads may call

    def snapshot(self) -> ClockSnapshot:
        """What the NTP service serves from."""
        return self._snapshot.get()

    def status(self) -> Status:
        """As it stands now: made by the engine's thread, between two facts.

        TimeoutError: the engine does not answer within `_ANSWERS_S`.
        """
        made: queue.SimpleQueue[Status] = queue.SimpleQueue()
        if self._thinking.is_set():
            self.call_soon(lambda: made.put(self._engine.status(self._now())))
            with contextlib.suppress(queue.Empty):
                return made.get(timeout=_ANSWERS_S)
        if self._thinking.is_set():
            raise TimeoutError("the engine does not answer")
        return self._engine.status(self._now())

    def counters(self) -> dict[str, int]:
        """What all services counted, summed."""
        if self._counted is not None:
            return self._counted
        total: Counter[str] = Counter()
        for service in self._services:
            total.update(service.counters())
        return dict(total)

    def clients(self, most: int) -> list[ClientStatus]:
        """The `most` that asked most, of all services together."""
        if self._counted is not None:
            return []
        services = self._services
        return busiest(chain.from_iterable(s.clients(most) for s in services), most)

    def denied(self, most: int) -> list[ClientStatus]:
        """Hosts that the access rules of any service excluded, `most` at most."""
        if self._counted is not None:
            return []
        services = self._services
        return busiest(chain.from_iterable(s.denied(most) for s in services), most)

    def answers(self) -> Answers:
        """What the control socket can be asked."""
        return {
            "status": self._status_json,
            "clients": self._clients_json,
        }

    def _clients_json(self, trusted: bool) -> str:
        if not trusted:
            return error_json("the clients are told to root and the socket's group")
        return clients_json(self.clients(_ALL), self.denied(_ALL))

    def _status_json(self, trusted: bool) -> str:
        try:
            status = self.status()
        except TimeoutError as error:
            return error_json(str(error))
        shown = _SHOWN if trusted else 0
        return to_json(status, self.counters(), self.clients(shown), self.denied(shown))

    def attach(
        self,
        *,
        service: Service | None = None,
        control: Control | None = None,
        reload: Callable[[], None] | None = None,
    ) -> None:
        """Give it another door to the outside; before `run`. `reload` is called when
        the settings were read anew."""
        if reload is not None:
            self._reloads.append(reload)
        if service is not None:
            self._services.append(service)
        if control is not None:
            self._controls.append(control)

    def reload_access(self, settings: ServerSettings) -> None:
        """From now on, whom to answer and how often is as `settings` say."""
        for each in self._reloads:
            each()
        for service in self._services:
            service.reload_access(settings)

    def call_soon(self, do: Callable[[], None]) -> None:
        """Have `do` done by the engine's own thread, between two events."""
        self._inbox.put(Call(do))

    def stop(self) -> None:
        """End `run`, from a signal handler or another thread."""
        self._stop.set()

    # the threads

    def run(self) -> None:
        """Pump, think and serve until stopped; raises what any thread raised."""
        put, now, stop = self._inbox.put, self._now, self._stop
        jobs: list[tuple[str, Callable[[], None]]] = [
            (each.source, partial(supervise, each, put, now, stop))
            for each in self._sources
        ]
        jobs += [
            ("serve", partial(self._each, partial(service.serve, SECOND)))
            for service in self._services
        ]
        jobs += [
            ("control", partial(self._each, partial(control.serve, 1.0)))
            for control in self._controls
        ]
        threads = [
            threading.Thread(target=self._guarded, args=(job,), name=name, daemon=True)
            for name, job in jobs
        ]
        for thread in threads:
            thread.start()
        try:
            self._guarded(self._think)
        finally:
            self._stop.set()
            self._journal.notify("STOPPING=1")
            for command in self._engine.shutdown():
                self._clock.apply(command)
            until = time.monotonic() + _JOIN_S
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
            self._counted = self.counters()
            for service in self._services:
                service.close()
            for control in self._controls:
                control.close()
            self._save(self._engine)
            if self._recorder is not None:
                self._recorder.write(Counted(self._counted))
                self._recorder.close()
            self._finish()
        if self._failure is not None:
            raise self._failure

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # raised again by `run`
            if self._failure is None:
                self._failure = error
        finally:
            self._stop.set()

    def _each(self, sweep: Callable[[], None]) -> None:
        while not self._stop.is_set():
            sweep()

    def _think(self) -> None:
        self._thinking.set()
        try:
            self._take_facts()
        finally:
            self._thinking.clear()

    def _take_facts(self) -> None:
        self._journal.notify("READY=1")
        tick_at = self._now()
        save_at = tick_at + self._save_every
        while not self._stop.is_set():
            local, now = self._clock.read()
            if now >= tick_at:
                self._handle(Tick(now, local, self._clock.era))
                engine = self._engine
                reason, alarms = engine.reason(now), engine.alarms(now)
                self._journal.state(engine.mode, reason, alarms, now)
                tick_at = now + _TICK
                if now >= save_at:
                    save_at = now + self._save_every
                    self._save(self._engine)
            with contextlib.suppress(queue.Empty):
                item = self._inbox.get(timeout=(tick_at - now).seconds)
                if isinstance(item, Call):
                    item.do()
                else:
                    self._handle(item)

    def _handle(self, event: Event) -> None:
        self._journal.event(event)
        self._driven.handle(event)
        self._snapshot.set(self._engine.snapshot)

    def _record(self, event: Event, commands: tuple[Command, ...]) -> None:
        if self._recorder is not None:
            self._recorder.write(event)
            if commands or isinstance(event, Tick):
                self._recorder.write(Outcome(commands, self._engine.snapshot))

    def _now(self) -> Mono:
        return self._clock.read()[1]
