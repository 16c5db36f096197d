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
from refclock.discipline.bank import Bank, Estimate, Sample, Source
from refclock.discipline.bound import UNKNOWN, Budget, growth, time_left
from refclock.discipline.control import Orders
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
    Position,
    PulseEdge,
    Sawtooth,
    SetLeap,
    SetStatus,
    SkyView,
    Temperature,
    Tick,
    Timeless,
    TimeMessage,
    Witness,
)
from refclock.integrity.monitor import Integrity, Refusal, Verdict
from refclock.label.labeller import OTHER_FLANK, Labeller, Predicted, Unlabelled
from refclock.observe.status import Status, seconds
from refclock.published import FOREIGN, STALE_AFTER, Served
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
SILENT: Final = Duration(2_500_000_000)
"""No usable pulse for this long: two were missed, the pulse is gone."""
LONELY: Final = 10 * SECOND
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
        self._orders = Orders(settings.steer, steer=settings.clock.steer)
        self._floor = floor
        self._integrity = Integrity(settings.integrity, leaps, floor)
        self._labeller = Labeller(settings.label, leaps, memory.lags if memory else {})
        self._mode = Mode.COLD
        self._pair: tuple[Local, Mono] | None = None
        self._epoch = 0
        self._began: Mono | None = None
        self._updated: Tai | None = None
        self._pulse: Mono | None = None
        self._pulses = 0
        self._sawtooth: Sawtooth | None = None
        self._why = ""
        self._seen = Seen()
        self.served = _unknown(precision)

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
                self._integrity.leap_notice(event, self._tai(event.seen))
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
                Timeless()
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

    def farewell(self) -> tuple[Command, ...]:
        """What leaves the clock in good order."""
        return self._orders.leave(self.served.rate) if self._bank.started else ()

    # facts

    def _edge(self, edge: PulseEdge) -> tuple[Command, ...]:
        if edge.epoch < self._epoch:
            return ()  # stamped by a clock that was stepped since
        self._follow(edge.at, edge.seen, edge.epoch)
        if self._seen.unvouched(edge.seen):
            self._why = "pulses come, but without a fix they are not believed"
            return ()
        at, seen = edge.at - self._latency, edge.seen - self._latency
        label = self._labeller.label(
            replace(edge, at=at, seen=seen), self._predicted(at, seen)
        )
        if isinstance(label, Unlabelled):
            if label is not OTHER_FLANK:
                self._why = label.reason
            return ()
        true = label.tai + self._sawtooth_of(label.tai, seen)
        sample = Sample(at, seen, Duration(true.ns - at.ns))
        if self._bank.started and not self._believed(sample):
            return ()
        surprise = Duration.from_seconds(self._bank.add(sample).residual_s)
        self._budget = replace(self._budget, lag=ZERO)
        self._measure(self._meter.stamped(edge.at + surprise, edge.epoch))
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
        right = self.served.correction + later
        self.served = replace(self.served, correction=right)

    def _believed(self, sample: Sample) -> bool:
        """May the pulse be used? One after a jump that was followed starts afresh."""
        residual = Duration.from_seconds(self._bank.surprise(sample).residual_s)
        bound = self.served.bound_at(sample.seen)
        match self._integrity.pulse(residual, bound, sample.seen):
            case Verdict.USE:
                return True
            case Verdict.REJECT:
                self._why = (
                    f"the pulse is {seconds(residual.seconds)} off what our clock "
                    "can be; it is not believed"
                )
                return False
            case Verdict.RESTART:
                self._bank.upset()
                self._signal(Signal.UPSET)
                return True

    def _message(self, message: TimeMessage) -> tuple[Command, ...]:
        believed = self._integrity.believable(message)
        if isinstance(believed, Refusal):
            self._why = believed.reason
            return ()
        ahead = self._labeller.hear(believed)
        if ahead is not None:
            self._hold_or_adopt(ahead, message.seen)
        if not ahead and self._pair is not None and self._lonely(message.seen):
            self._alone(believed, self._pair)
        return ()

    def _hold_or_adopt(self, ahead: Duration, now: Mono) -> None:
        """Sentences differ from our clock by whole seconds, or (zero) no longer do."""
        vouched = self._labeller.vouched(ahead)
        if self._integrity.second(ahead, now, vouched=vouched):
            self._labeller.adopt(ahead)
            self._bank.stepped(-ahead)
            right = self.served.correction + ahead
            self.served = replace(self.served, correction=right)

    def _alone(self, message: TimeMessage, pair: tuple[Local, Mono]) -> None:
        """Without pulses a sentence is a sample too, of a much larger spread."""
        alone = self._labeller.sample_from(message)
        if alone is None:
            return
        if not self._knows_better(alone.seen, alone.spread):
            at = pair[0] + (alone.seen - pair[1])
            offset = Duration(alone.tai.ns - at.ns)
            sample = Sample(at, alone.seen, offset, Source.SENTENCE, alone.spread)
            self._bank.add(sample)
            self._budget = replace(self._budget, lag=alone.doubt)
            self._updated = alone.tai
        if self._budget.lag and self._budget.total <= self._limit:
            self._signal(Signal.SENTENCE)

    def _witness(self, witness: Witness) -> None:
        if witness.epoch == self._epoch:
            self._labeller.witness(witness)

    def _tick(self, tick: Tick) -> tuple[Command, ...]:
        began, self._began = self._began, self._began or tick.seen
        first = self._orders.first() if began is None else ()
        if first:
            return first
        self._follow(tick.local, tick.seen, tick.epoch)
        if not self._silent(tick.seen):
            return ()  # the last pulse said all there is to say
        self._signal(Signal.SILENCE)
        return self._conclude(tick.local, tick.seen)

    def _follow(self, local: Local, seen: Mono, epoch: int) -> None:
        """Notice that the local clock was stepped since it was last read."""
        pair, self._pair = self._pair, (local, seen)
        was, self._epoch = self._epoch, epoch
        if pair is None or epoch == was or not self._bank.started:
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
            self._signal(Signal.UPSET)

    def _start_afresh(self) -> None:
        """The phase is lost; what the oscillator and the sentences are like is not."""
        self._bank.upset()
        self._labeller.forget()
        self._integrity.restarted()
        self._budget = replace(self._budget, filter=UNKNOWN)
        self.served = _unknown(self._precision)

    def _know(self, leaps: LeapTable) -> None:
        """A leap second was announced that the table did not have."""
        self._leaps = leaps
        self._labeller.know(leaps)
        self._integrity.know(leaps)

    # conclusions

    def _conclude(self, at: Local, now: Mono) -> tuple[Command, ...]:
        """Judge, steer and publish, as things stand at `now`."""
        if not self._bank.started:
            return self._orders.disown(self.served.bound)
        estimate = self._bank.estimate(now)
        self._budget = self._budget.with_sigma(estimate.sigma_s)
        if self.served.updated == self._updated:  # nothing was heard that betters it
            self._budget = self._budget.at_least(self.served.bound_at(now))
        spent = self._budget.total > self._limit
        held = self._mode
        self._signal(Signal.BUDGET_SPENT if spent else Signal.SETTLED)
        if held is Mode.HOLDOVER and self._mode is Mode.COLD:
            self._start_afresh()
            return self._orders.disown(self.served.bound)
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
        self._bank.rate_changed(told.seen, told.ppb - was)
        before, after = 1.0 + was * 1e-9, 1.0 + told.ppb * 1e-9
        if self.served.at != _NEVER:
            self.served = self.served.rerated(told.seen, before / after)

    def _publish(
        self, at: Local, tai: Tai, estimate: Estimate, leap: LeapSecond | None
    ) -> None:
        self.served = Served(
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

    def _silent(self, now: Mono) -> bool:
        """Has no pulse been used for so long that it must be called gone?"""
        return self._pulse is None or now - self._pulse > SILENT

    def _lonely(self, now: Mono) -> bool:
        """Has no pulse come for so long that sentences are all there is?"""
        last = self._seen.pulse.seen if self._seen.pulse else self._began
        return last is not None and now - last > LONELY

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
        if not self._bank.started or self.served.at == _NEVER:
            return None
        tai = self.served.tai(at, Duration(at.ns - seen.ns))
        return Predicted(tai, self.served.bound_at(seen))

    def _tai(self, seen: Mono) -> Tai | None:
        """What time it was, if anybody knows."""
        if self._pair is None or not self._bank.started:
            return None
        local, mono = self._pair
        return self.served.tai(local + (seen - mono), Duration(local.ns - mono.ns))

    def _sawtooth_of(self, pulse: Tai, seen: Mono) -> Duration:
        """How late the receiver says that pulse came; told in the second before it."""
        told, self._sawtooth = self._sawtooth, None
        if told is None or not ZERO < seen - told.seen < SECOND:
            return ZERO
        named = pulse if told.pulse is None else self._leaps.tai(told.pulse)
        return told.error if abs(named - pulse) < MILLISECOND else ZERO

    def _leap_step(self, at: Local) -> Duration | None:
        """By how much the kernel steps its clock if a leap second begins about `at`."""
        leap = self.served.leap
        if leap is None:
            return None
        near = abs(Duration(leap.midnight.ns - at.ns)) < 3 * SECOND
        return leap.before - leap.after if near else None

    def memory(self) -> Memory:
        """What is worth keeping over a restart."""
        served = self.served
        good = served.posix(served.updated) if self._updated else self._floor
        return Memory(self._bank.learned(), self._labeller.lags(), good)

    def status(self, now: Mono) -> Status:
        """Everything an operator may ask, as it stands at `now`."""
        estimate = self._bank.estimate(now) if self._bank.started else None
        limit = Duration.from_seconds(self._settings.holdover.limit_s)
        return describe(
            self._mode,
            self.served,
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


def _unknown(precision: int) -> Served:
    """What is served before anything is known: nothing."""
    return Served(
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
