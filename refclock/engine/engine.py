"""Facts to their judges; what they let through to the clock.

    PulseEdge -> Reference (label, integrity) -> Clock (bank, mode, control) -> Snapshot

A plain object: construct it, hand it facts, look at what it returns. It reads no clock
and touches no device; the same engine runs in the daemon, in a simulated day and in a
replay. The reference is reckoned in TAI, along which a leap second is nothing special;
UTC exists only in sentences and in what is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from refclock.diagnose.notes import Devices
from refclock.discipline.mode import Mode, Signal
from refclock.engine.certainty import Rate
from refclock.engine.clock import Clock
from refclock.engine.kept.memory import LastGood, Memory
from refclock.engine.policy import EngineSettings
from refclock.engine.pulses import Pulses
from refclock.engine.realtime import Stepped
from refclock.engine.receivers.reference import Reference
from refclock.engine.receivers.references import References
from refclock.engine.status import reason, status
from refclock.engine.witness import UpstreamWitness
from refclock.events import (
    ONE_PAIR,
    RTC0,
    AntennaFeed,
    Bracket,
    Command,
    Configured,
    Event,
    Found,
    Identity,
    InForce,
    Lost,
    NoReply,
    PulseEdge,
    ServerAdded,
    ServerRemoved,
    ServerReply,
    SourcePair,
    Temperature,
    Tick,
    TimeMessage,
    Witness,
)
from refclock.events.upstream import UpstreamFact
from refclock.integrity.alarm import Alarm
from refclock.observe.status import Status
from refclock.published import ClockSnapshot
from refclock.reasons import Reason
from refclock.timebase import (
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    LeapTable,
    Local,
    Mono,
    Tai,
    Utc,
)

CONCLUDED_AFTER: Final = Duration(2_500_000_000)
"""No pulse was used for so long: bound and rate are reckoned without one."""
LEARNED_BEFORE: Final = 10 * SECOND


class Engine:
    """Owns all state of the clock. Used by one thread."""

    def __init__(
        self,
        settings: EngineSettings,
        leaps: LeapTable,
        floor: Utc,
        *,
        latency: Duration = ZERO,
        latency_spread: Duration = ZERO,
        precision: int = -20,
        memory: Memory | None = None,
        pairs: Sequence[SourcePair] = ONE_PAIR,
    ) -> None:
        """`floor`: it is not earlier than this (the date of build).

        `latency`: how late a pulse is stamped (+ is late), known to ± its spread;
        until it is measured to less.
        `precision`: log2 of the seconds one reading of the clock takes.
        `pairs`: each receiver and its pulse; the first steers, the others are watched.
        """
        self._leaps = leaps
        self._last_good = LastGood(memory.last_good if memory else None)
        self._clock = Clock(
            settings,
            leaps,
            latency_spread=latency_spread,
            precision=precision,
            learned=memory.learned if memory else None,
        )
        self._references = References.of_pairs(
            pairs, settings, leaps, floor, latency=latency, memory=memory
        )
        self._first = self._references.first
        persist = settings.integrity.persist_s * SECOND
        self._upstream = UpstreamWitness(
            settings.witness, persist, leaps, lambda: Rate.of(self._clock.learned())
        )
        self._pulses = Pulses(self._clock, self._references, self._upstream)
        self._devices = Devices()
        self._began: Mono | None = None

    @property
    def snapshot(self) -> ClockSnapshot:
        """What is served: our own clock, or as long as that is not, other servers'."""
        return self._upstream.served(self._clock.snapshot)

    @property
    def mode(self) -> Mode:
        """How much the clock is worth."""
        return self._clock.certainty.mode

    def handle(self, event: Event) -> tuple[Command, ...]:
        """Take one fact in; what comes back is to be applied to the clock at once."""
        self._devices.note(event)
        self._references.note(event)
        match event:
            case PulseEdge():
                return self._edge(event)
            case TimeMessage():
                self._message(event)
            case Tick():
                return self._tick(event)
            case Bracket():
                self._pulses.measure(self._first.meter.watched(event))
            case InForce():
                self._clock.rate_in_force(event)
                self._upstream.in_force(event)
            case Witness():
                self._witness(event)
            case Temperature():
                self._clock.temperature(event)
            case ServerAdded() | ServerRemoved() | ServerReply() | NoReply():
                self._server(event)
            case AntennaFeed() | Identity() | Configured() | Lost() | Found():
                pass
            case _:
                self._references.observe(event, self._clock.tai(event.mono))
        return ()

    def shutdown(self) -> tuple[Command, ...]:
        """What leaves the clock in good order."""
        return self._clock.shutdown()

    def memory(self) -> Memory:
        """What is worth keeping over a restart."""
        good = self._last_good.at(self._clock.snapshot)
        return Memory.of(self._clock.learned(), self._first.labeller.lags(), good)

    def status(self, now: Mono) -> Status:
        """Everything an operator may ask, as it stands at `now`."""
        return status(
            self._clock,
            self._references,
            self._upstream,
            self.snapshot,
            self._pulses.stands_in,
            self._devices,
            self._leaps,
            now,
        )

    def reason(self, now: Mono) -> Reason:
        """Why the mode is what it is, and no better one."""
        return reason(self._clock, self._first, self._devices, now)

    def alarms(self, now: Mono) -> list[Alarm]:
        """What stands now, of all receivers and of other servers."""
        return [*self._references.alarms(now), *self._upstream.alarms(now)]

    # facts

    def _edge(self, edge: PulseEdge) -> tuple[Command, ...]:
        reference = self._references.of(edge)
        if reference is None or edge.era < self._clock.realtime.era:
            return ()  # of no pulse of ours, or stamped by a clock stepped since
        self._follow(edge.at, edge.mono, edge.era)
        watched = reference is not self._first
        labelled = reference.sample(edge, self._clock.predict, by_clock=watched)
        if labelled is None:
            if not self._clock.started:
                self._upstream.contradicted(reference.refusal, edge.mono)
            return ()
        sample, second = labelled
        if watched:
            used = self._pulses.watch(reference, sample, second)
            return self._conclude(sample.at, sample.mono) if used else ()
        if self._pulses.use(reference, sample, second, edge):
            return self._conclude(sample.at, sample.mono)
        return self._without_pulse(sample.at, sample.mono)

    def _message(self, message: TimeMessage) -> None:
        reference = self._references.of(message)
        accepted = reference.accept(message) if reference else None
        if reference is None or accepted is None:
            return
        ahead = reference.labeller.observe(accepted)
        if ahead is not None:
            self._hold_or_adopt(reference, ahead, message.mono)
        local = self._clock.realtime.local(message.mono)
        if reference is not self._first or ahead or local is None:
            return
        if reference.pulse_absent(
            message.mono, self._began, self._clock.pulse_lost_after
        ):
            self._pulses.stand_in(reference, accepted, local)

    def _hold_or_adopt(self, reference: Reference, ahead: Duration, now: Mono) -> None:
        """Sentences differ from our clock by whole seconds, or (zero) no longer do."""
        confirmed = reference.labeller.confirmed(ahead)
        adopted = reference.integrity.second(ahead, now, confirmed=confirmed)
        if adopted and reference is self._first:
            reference.labeller.adopt(ahead)
            self._clock.shift(ahead)

    def _witness(self, witness: Witness) -> None:
        """Another's word on the time. A battery clock that the kernel has set from ours
        is no witness any more; its reading from before is carried on."""
        echo = witness.source == RTC0 and self._clock.sets_rtc
        if witness.era == self._clock.realtime.era and not echo:
            self._references.witness(witness)

    def _server(self, fact: UpstreamFact) -> None:
        """What another server answered, or that it did not."""
        witness = self._upstream.observe(fact, self._clock.realtime.era)
        if witness is not None:
            self._references.witness(witness)
        served = self._clock.tai(fact.mono)
        self._upstream.compare(fact, self._clock.snapshot, served)

    def _tick(self, tick: Tick) -> tuple[Command, ...]:
        began, self._began = self._began, self._began or tick.mono
        if began is None and (first := self._clock.first()):
            return first
        self._follow(tick.local, tick.mono, tick.era)
        commands = self._without_pulse(tick.local, tick.mono)
        self._upstream.serve(self._clock.snapshot, tick.local, tick.mono)
        return commands

    def _without_pulse(self, at: Local, now: Mono) -> tuple[Command, ...]:
        """Publish the grown bound, if the last pulse used is too long ago."""
        last = self._pulses.used
        if last is not None and now - last <= CONCLUDED_AFTER:
            return ()  # concluded at that pulse
        if last is None or now - last > self._clock.pulse_lost_after:
            self._clock.certainty.signal(Signal.PULSE_LOST)
            self._pulses.stands_in = None
        return self._conclude(at, now)

    # the clock

    def _follow(self, local: Local, mono: Mono, era: int) -> None:
        """Notice that the local clock was stepped since it was last read."""
        stepped = self._clock.follow(local, mono, era)
        if stepped in {Stepped.SLIGHTLY, Stepped.AWAY}:
            self._references.stepped(self._clock.realtime.step, mono)
        if stepped is Stepped.AWAY:
            self._restart()
            self._upstream.slept()
            self._clock.certainty.signal(Signal.PHASE_LOST)

    def _conclude(self, at: Local, now: Mono) -> tuple[Command, ...]:
        """Judge, steer and publish, as things stand at `now`."""
        commands = self._clock.conclude(at, now, self._next_leap)
        if commands is None:
            self._restart()
            return self._clock.invalidate()
        return commands

    def _restart(self) -> None:
        self._references.restart()
        self._upstream.restart()

    def _next_leap(self, at: Tai) -> LeapSecond | None:
        """The next leap second after `at`. One that no table has enters ours only when
        it comes, so that an announcement withdrawn before leaves nothing."""
        leap = self._first.integrity.leap(at)
        leap = self._upstream.announce(leap, at, self._clock.snapshot.at)
        comes = leap is not None and leap.at - at < LEARNED_BEFORE
        if leap is not None and comes and leap not in self._leaps.leaps:
            self._leaps = self._leaps.with_leap(leap)
            self._clock.know(self._leaps)
            self._references.know(self._leaps)
            self._upstream.know(self._leaps)
        return leap
