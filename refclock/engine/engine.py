"""One fact in, commands and a `Served` out: the engine owns all state.

    PulseEdge -> label -> integrity -> bank -> mode -> orders -> Served

A plain object: construct it, hand it events, look at what it returns. It reads no
clock and touches no device; the same engine runs in the daemon, in a simulated
day and in a replay. The reference is reckoned in TAI, along which a leap second
is nothing special; UTC exists only in sentences and in what is served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, assert_never

from refclock.diagnose.why import Seen, describe, why
from refclock.discipline.bank import Bank, Estimate, Sample, SampleSource
from refclock.discipline.bound import UNKNOWN, Budget, growth, time_left
from refclock.discipline.control import ClockControl
from refclock.discipline.latency import LatencyMeter, Measured
from refclock.discipline.mode import Mode, Signal, next_mode
from refclock.engine.memory import Memory
from refclock.engine.policy import EngineSettings
from refclock.events import (
    AntennaFeed,
    Bracket,
    Command,
    Configured,
    Dropped,
    Event,
    Found,
    Identity,
    InForce,
    Interference,
    LeapNotice,
    LineLoad,
    Lost,
    NoTime,
    Position,
    PulseEdge,
    Sawtooth,
    SetLeap,
    SetStatus,
    SkyView,
    Temperature,
    Tick,
    TimeMessage,
    Witness,
)
from refclock.integrity.monitor import Integrity, MessageRefused, PulseVerdict
from refclock.label.labeller import OTHER_FLANK, Labeller, Predicted, Unlabelled
from refclock.observe.status import Status, seconds
from refclock.published import FOREIGN, STALE_AFTER, ClockSnapshot
from refclock.timebase import (
    MILLISECOND,
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

_NEVER: Final = Mono(0)
PPS: Final = b"PPS\0"
GPS: Final = b"GPS\0"
PULSE_LOST_AFTER: Final = Duration(2_500_000_000)
"""No usable pulse for this long: two were missed, the pulse is gone."""
PULSE_ABSENT_AFTER: Final = 10 * SECOND
"""No pulse at all for this long: sentences alone must do."""
_TURNING: Final = 2 * SECOND
"""So long from its beginning on a leap second is the kernel's to carry out, at its
next tick: to say sooner that none is due would call it off."""
_READING: Final = Duration(2_000)
"""How well a foreign step is known: two readings of a pair of clocks."""


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
    ) -> None:
        """`floor`: it is not earlier than this (build date, last good time).

        `latency`: how late a pulse is stamped (+ is late), known to ± its spread;
        until it is measured to less.
        `precision`: log2 of the seconds one reading of the clock takes.
        """
        self._settings = settings
        self._leaps = leaps
        self._latency = latency
        self._meter = LatencyMeter()
        self._budget = Budget(
            latency=latency_spread,
            cable=Duration.from_seconds(settings.bound.cable_ns * 1e-9),
            receiver=Duration.from_seconds(settings.bound.receiver_ns * 1e-9),
            reading=Duration.from_seconds(2.0**precision),
            filter=UNKNOWN,
        )
        self._precision = precision
        self._bank = Bank(memory.learned if memory else None)
        self._orders = ClockControl(settings.steer, steer=settings.clock.steer)
        self._floor = floor
        self._integrity = Integrity(settings.integrity, leaps, floor)
        self._labeller = Labeller(settings.label, leaps, memory.lags if memory else {})
        self._mode = Mode.COLD
        self._pair: tuple[Local, Mono] | None = None
        self._era = 0
        self._began: Mono | None = None
        self._updated: Tai | None = None
        self._pulse: Mono | None = None
        self._pulses = 0
        self._sawtooth: Sawtooth | None = None
        self._why = ""
        self._seen = Seen()
        self.snapshot = _unknown(precision)

    def handle(  # noqa: PLR0912 - a case for every fact
        self, event: Event
    ) -> tuple[Command, ...]:
        """Take one fact in; what comes back is to be applied to the clock at once."""
        self._seen.note(event)
        match event:
            case PulseEdge():
                return self._edge(event)
            case Bracket():
                self._measure(self._meter.watched(event))
            case TimeMessage():
                return self._message(event)
            case Tick():
                return self._tick(event)
            case InForce():
                self._in_force(event)
            case Witness():
                self._witness(event)
            case LeapNotice():
                self._integrity.leap_notice(event, self._tai(event.mono))
            case Position():
                self._integrity.position(event)
            case SkyView():
                self._integrity.sky(event, fixed=self._seen.fixed)
            case Interference():
                self._integrity.interference(event)
            case LineLoad():
                self._integrity.line(event)
            case Sawtooth():
                self._sawtooth = event
            case Temperature():
                self._bank.temperature(event)
            case (
                NoTime()
                | AntennaFeed()
                | Identity()
                | Configured()
                | Dropped()
                | Lost()
                | Found()
            ):
                pass
            case _:
                assert_never(event)
        return ()

    def shutdown(self) -> tuple[Command, ...]:
        """What leaves the clock in good order."""
        return self._orders.leave(self.snapshot.rate) if self._bank.started else ()

    # facts

    def _edge(self, edge: PulseEdge) -> tuple[Command, ...]:
        if edge.era < self._era:
            return ()  # stamped by a clock that was stepped since
        self._follow(edge.at, edge.mono, edge.era)
        if self._seen.no_fix(edge.mono):
            self._why = "pulses come, but without a fix they are not believed"
            return ()
        at, seen = edge.at - self._latency, edge.mono - self._latency
        label = self._labeller.label(
            replace(edge, at=at, mono=seen), self._predicted(at, seen)
        )
        if isinstance(label, Unlabelled):
            if label is not OTHER_FLANK:
                self._why = label.reason
            return ()
        true = label.tai + self._sawtooth_of(label.tai, seen)
        sample = Sample(at, seen, Duration(true.ns - at.ns))
        if self._bank.started and not self._accepted(sample):
            return ()
        innovation = Duration.from_seconds(self._bank.add(sample).residual_s)
        self._budget = replace(self._budget, lag=ZERO)
        self._measure(self._meter.stamped(edge.at + innovation, edge.era))
        self._pulse, self._updated, self._why = seen, label.tai, ""
        self._pulses += 1
        self._signal(Signal.SAMPLE)
        return self._conclude(at, seen)

    def _measure(self, measured: Measured | None) -> None:
        """The pulse's latency is measured: believed if that is surer than the prior."""
        if measured is None or (
            not self._budget.measured and measured.spread >= self._budget.latency
        ):
            return
        later, self._latency = measured.latency - self._latency, measured.latency
        self._budget = replace(self._budget, latency=measured.spread, measured=True)
        self._bank.stepped(-later)
        right = self.snapshot.correction + later
        self.snapshot = replace(self.snapshot, correction=right)

    def _accepted(self, sample: Sample) -> bool:
        """May the pulse be used? One after a jump that was followed starts afresh."""
        residual = Duration.from_seconds(self._bank.innovation(sample).residual_s)
        bound = self.snapshot.bound_at(sample.mono)
        match self._integrity.pulse(residual, bound, sample.mono):
            case PulseVerdict.USE:
                return True
            case PulseVerdict.REJECT:
                self._why = (
                    f"the pulse is {seconds(residual.seconds)} off what our clock "
                    "can be; it is not believed"
                )
                return False
            case PulseVerdict.RESTART:
                self._bank.reset_phase()
                self._signal(Signal.PHASE_LOST)
                return True

    def _message(self, message: TimeMessage) -> tuple[Command, ...]:
        accepted = self._integrity.accept(message)
        if isinstance(accepted, MessageRefused):
            self._why = accepted.reason
            return ()
        ahead = self._labeller.observe(accepted)
        if ahead is not None:
            self._hold_or_adopt(ahead, message.mono)
        if not ahead and self._pair is not None and self._pulse_absent(message.mono):
            self._alone(accepted, self._pair)
        return ()

    def _hold_or_adopt(self, ahead: Duration, now: Mono) -> None:
        """Sentences differ from our clock by whole seconds, or (zero) no longer do."""
        confirmed = self._labeller.confirmed(ahead)
        if self._integrity.second(ahead, now, confirmed=confirmed):
            self._labeller.adopt(ahead)
            self._bank.stepped(-ahead)
            right = self.snapshot.correction + ahead
            self.snapshot = replace(self.snapshot, correction=right)

    def _alone(self, message: TimeMessage, pair: tuple[Local, Mono]) -> None:
        """Without pulses a sentence is a sample too, of a much larger spread."""
        alone = self._labeller.sample_from(message)
        if alone is None:
            return
        if not self._knows_better(alone.mono, alone.spread):
            at = pair[0] + (alone.mono - pair[1])
            offset = Duration(alone.tai.ns - at.ns)
            sample = Sample(at, alone.mono, offset, SampleSource.SENTENCE, alone.spread)
            self._bank.add(sample)
            self._budget = replace(self._budget, lag=alone.doubt)
            self._updated = alone.tai
        if self._budget.lag and self._budget.total <= self._limit:
            self._signal(Signal.SENTENCE)

    def _witness(self, witness: Witness) -> None:
        if witness.era == self._era:
            self._labeller.witness(witness)

    def _tick(self, tick: Tick) -> tuple[Command, ...]:
        began, self._began = self._began, self._began or tick.mono
        first = self._orders.first() if began is None else ()
        if first:
            return first
        self._follow(tick.local, tick.mono, tick.era)
        if not self._pulse_lost(tick.mono):
            return ()  # the last pulse said all there is to say
        self._signal(Signal.PULSE_LOST)
        return self._conclude(tick.local, tick.mono)

    def _follow(self, local: Local, seen: Mono, era: int) -> None:
        """Notice that the local clock was stepped since it was last read."""
        pair, self._pair = self._pair, (local, seen)
        was, self._era = self._era, era
        if pair is None or era == was or not self._bank.started:
            return
        by = (local - pair[0]) - (seen - pair[1])
        for known in (self._orders.stepped(), self._leap_step(pair[0])):
            if known is not None and abs(by - known) < MILLISECOND:
                self._bank.stepped(known, ZERO)
                return
        self._integrity.stepped(by, seen)
        if abs(by) < FOREIGN:
            self._bank.stepped(by, _READING)
        else:
            self._start_afresh()
            self._signal(Signal.PHASE_LOST)

    def _start_afresh(self) -> None:
        """The phase is lost; what the oscillator and the sentences are like is not."""
        self._bank.reset_phase()
        self._labeller.forget()
        self._integrity.restarted()
        self._budget = replace(self._budget, filter=UNKNOWN)
        self.snapshot = _unknown(self._precision)

    def _know(self, leaps: LeapTable) -> None:
        """A leap second was announced that the table did not have."""
        self._leaps = leaps
        self._labeller.know(leaps)
        self._integrity.know(leaps)

    # conclusions

    def _conclude(self, at: Local, now: Mono) -> tuple[Command, ...]:
        """Judge, steer and publish, as things stand at `now`."""
        if not self._bank.started:
            return self._orders.invalidate(self.snapshot.bound)
        estimate = self._bank.estimate(now)
        self._budget = self._budget.with_sigma(estimate.sigma_s)
        if self.snapshot.updated == self._updated:  # nothing was heard that betters it
            self._budget = self._budget.at_least(self.snapshot.bound_at(now))
        spent = self._budget.total > self._limit
        held = self._mode
        self._signal(Signal.LIMIT_EXCEEDED if spent else Signal.SETTLED)
        if held is Mode.HOLDOVER and self._mode is Mode.COLD:
            self._start_afresh()
            return self._orders.invalidate(self.snapshot.bound)
        tai = Tai(at.ns + estimate.offset.ns)
        leap = self._integrity.leap(tai - _TURNING)
        if leap is not None and leap not in self._leaps.leaps:
            self._know(self._leaps.with_leap(leap))
        commands = self._steer(tai, estimate, leap)
        self._publish(at, tai, estimate, leap)
        return commands

    def _steer(
        self, tai: Tai, estimate: Estimate, leap: LeapSecond | None
    ) -> tuple[Command, ...]:
        """What to tell the clock; the bank hears of it when the clock has obeyed."""
        behind = leap.before if leap is not None else self._leaps.offset(tai)
        to_go = estimate.offset - behind
        if leap is not None and abs(tai - leap.at) < _TURNING:  # done already?
            to_go = min(to_go, estimate.offset - leap.after, key=abs)
        sigma = Duration.from_seconds(estimate.sigma_s)
        status = SetStatus(self._mode.serves, self._budget.total, sigma)
        return self._orders.steer(to_go, estimate.rate, SetLeap(leap, behind), status)

    def _in_force(self, told: InForce) -> None:
        """The clock runs at another rate, by command: a pulse may be told late, so
        that is not since the estimate the command was made of."""
        was = self._orders.obeyed(told.ppb)
        self._bank.rate_changed(told.mono, told.ppb - was)
        before, after = 1.0 + was * 1e-9, 1.0 + told.ppb * 1e-9
        if self.snapshot.at != _NEVER:
            self.snapshot = self.snapshot.with_rate(told.mono, before / after)

    def _publish(
        self, at: Local, tai: Tai, estimate: Estimate, leap: LeapSecond | None
    ) -> None:
        self.snapshot = ClockSnapshot(
            stratum=1 if self._mode.serves else 16,
            ref_id=PPS if self._mode is Mode.TRACK else GPS,
            at=estimate.at,
            local=at,
            correction=estimate.offset,
            rate=estimate.rate,
            updated=self._updated or tai,
            bound=self._budget.total,
            bound_rate=growth(self._sigma_ahead(estimate), STALE_AFTER),
            utc_behind_tai=self._leaps.offset(tai),
            leap=leap,
            precision=self._precision,
            step=self._orders.step,
        )

    # what follows from the state

    @property
    def mode(self) -> Mode:
        """How much the clock is worth."""
        return self._mode

    @property
    def _limit(self) -> Duration:
        """What the bound may reach in this mode."""
        settings = self._settings
        holding = self._mode is Mode.HOLDOVER
        limit_s = settings.holdover.limit_s if holding else settings.acquire.limit_s
        return Duration.from_seconds(limit_s)

    def _signal(self, signal: Signal) -> None:
        self._mode = next_mode(self._mode, signal)

    def _pulse_lost(self, now: Mono) -> bool:
        """Has no pulse been used for so long that it must be called gone?"""
        return self._pulse is None or now - self._pulse > PULSE_LOST_AFTER

    def _pulse_absent(self, now: Mono) -> bool:
        """Has no pulse come for so long that sentences are all there is?"""
        last = self._seen.pulse.mono if self._seen.pulse else self._began
        return last is not None and now - last > PULSE_ABSENT_AFTER

    def _knows_better(self, seen: Mono, spread: Duration) -> bool:
        """Are we surer than that? A learned lag errs alike each time: what it adds to
        many sentences no average takes away."""
        if not self._bank.started:
            return False
        return self._bank.estimate(seen).sigma_s < spread.seconds

    def _sigma_ahead(self, estimate: Estimate) -> Callable[[Duration], float]:
        """The sigma so long after `estimate` if nothing more is heard."""

        def sigma(after: Duration) -> float:
            if not after:
                return estimate.sigma_s
            return self._bank.estimate(estimate.at + after).sigma_s

        return sigma

    def _predicted(self, at: Local, seen: Mono) -> Predicted | None:
        """What was published says that the instant was."""
        if not self._bank.started or self.snapshot.at == _NEVER:
            return None
        tai = self.snapshot.tai(at, Duration(at.ns - seen.ns))
        return Predicted(tai, self.snapshot.bound_at(seen))

    def _tai(self, seen: Mono) -> Tai | None:
        """What time it was, if anybody knows."""
        if self._pair is None or not self._bank.started:
            return None
        local, mono = self._pair
        return self.snapshot.tai(local + (seen - mono), Duration(local.ns - mono.ns))

    def _sawtooth_of(self, pulse: Tai, seen: Mono) -> Duration:
        """How late the receiver says that pulse came; told in the second before it."""
        told, self._sawtooth = self._sawtooth, None
        if told is None or not ZERO < seen - told.mono < SECOND:
            return ZERO
        named = pulse if told.pulse is None else self._leaps.tai(told.pulse)
        return told.error if abs(named - pulse) < MILLISECOND else ZERO

    def _leap_step(self, at: Local) -> Duration | None:
        """By how much the kernel steps its clock if a leap second begins about `at`."""
        leap = self.snapshot.leap
        if leap is None:
            return None
        near = abs(Duration(leap.midnight.ns - at.ns)) < 3 * SECOND
        return leap.before - leap.after if near else None

    def memory(self) -> Memory:
        """What is worth keeping over a restart."""
        snapshot = self.snapshot
        good = snapshot.posix(snapshot.updated) if self._updated else self._floor
        return Memory(self._bank.learned(), self._labeller.lags(), good)

    def status(self, now: Mono) -> Status:
        """Everything an operator may ask, as it stands at `now`."""
        estimate = self._bank.estimate(now) if self._bank.started else None
        limit = Duration.from_seconds(self._settings.holdover.limit_s)
        return describe(
            self._mode,
            self.snapshot,
            self._seen,
            now,
            why=why(self._mode, self._seen, self._why, self._budget, self._limit, now),
            estimate=estimate,
            rate=self._bank.learned().rate if estimate else None,
            budget=self._budget,
            good_for=time_left(self._budget, self._sigma_ahead(estimate), limit)
            if estimate
            else None,
            steering_ppb=self._orders.ppb,
            pulse=self._pulse,
            pulses=self._pulses,
            lags=self._labeller.lags(),
            leaps=self._leaps,
            alarms=self._integrity.alarms(now),
        )


def _unknown(precision: int) -> ClockSnapshot:
    """What is served before anything is known: nothing."""
    return ClockSnapshot(
        stratum=16,
        ref_id=bytes(4),
        at=_NEVER,
        local=Local(0),
        correction=ZERO,
        rate=0.0,
        updated=Tai(0),
        bound=UNKNOWN,
        bound_rate=0.0,
        utc_behind_tai=ZERO,
        leap=None,
        precision=precision,
    )
