"""The disciplined clock: bank, budget, control, era, mode and what is published.

Few verbs: `follow` a reading of both clocks, `predict` the time of one, `innovation`
and `accept` of a sample, `shift` the reference, `conclude` at an instant. A pulse costs
one mixture for its innovation, and those of `conclude`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from refclock.discipline.bank import Bank, Estimate, Innovation, Learned, Sample
from refclock.discipline.bound import SIGMAS, Budget, growth, time_left
from refclock.discipline.control import LEAP_LASTS, ClockControl, remaining
from refclock.discipline.latency import Measured
from refclock.discipline.mode import Mode, Signal, next_mode
from refclock.discipline.sample import SampleSource
from refclock.engine.policy import EngineSettings
from refclock.engine.realtime import RealtimeClock, Stepped
from refclock.engine.witness import Rate
from refclock.events import (
    MONO_DRIFT,
    Command,
    InForce,
    SetLeap,
    SetStatus,
    Temperature,
)
from refclock.integrity.phase import RUN
from refclock.label.labeller import Predicted
from refclock.label.sentences import SentenceSample
from refclock.published import (
    NEVER,
    UNKNOWN,
    ClockSnapshot,
)
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
from refclock.upstream.filter import DRIFT

PPS: Final = b"PPS\0"
GPS: Final = b"GPS\0"
RESUMED: Final = 4 * SECOND
"""After so long without a pulse the bound is published anew each second."""
_READING: Final = Duration(2_000)
"""Uncertainty of a step found by reading a pair of clocks twice."""


class Clock:
    """What is known of the local clock. Used by one thread."""

    def __init__(
        self,
        settings: EngineSettings,
        leaps: LeapTable,
        *,
        latency_spread: Duration,
        precision: int,
        learned: Learned | None,
    ) -> None:
        """`latency_spread`: how far the pulse's latency may be from what is taken off.

        `precision`: log2 of the seconds one reading of the clock takes.
        """
        self._settings = settings
        self._leaps = leaps
        self._precision = precision
        self._bank = Bank(learned)
        self._control = ClockControl(settings.steer, steer=settings.clock.steer)
        self._budget = Budget(
            latency=latency_spread,
            cable=Duration.from_seconds(settings.bound.cable_ns * 1e-9),
            receiver=Duration.from_seconds(settings.bound.receiver_ns * 1e-9),
            reading=Duration.from_seconds(2.0**precision),
            filter=UNKNOWN,
        )
        self._realtime = RealtimeClock()
        self._updated: Tai | None = None
        self._rejected: deque[Sample] = deque(maxlen=RUN)
        """Pulses that contradict the clock, since the last one used."""
        self._doubt = ZERO
        self.mode = Mode.COLD
        self._was_served = False
        self.snapshot = ClockSnapshot.unknown(precision)

    # what is known

    @property
    def started(self) -> bool:
        """Is there an estimate?"""
        return self._bank.started

    @property
    def pulse_lost_after(self) -> Duration:
        """No pulse for so long, by the rhythm they come in: the pulse is lost."""
        return Duration.from_seconds(self._bank.rhythm.silence_s)

    @property
    def era(self) -> int:
        """How often CLOCK_REALTIME was stepped."""
        return self._realtime.era

    @property
    def step(self) -> Duration:
        """The last step of CLOCK_REALTIME that `follow` found, + is forward."""
        return self._realtime.step

    @property
    def budget(self) -> Budget:
        """The error bound by cause, as last concluded."""
        return self._budget

    @property
    def sets_rtc(self) -> bool:
        """Has the kernel had reason to set the battery clock from ours?"""
        return self._was_served and self._settings.clock.steer

    @property
    def steering_ppb(self) -> float | None:
        """The rate last commanded; None where the clock is left alone."""
        return self._control.ppb

    @property
    def limit(self) -> Duration:
        """What the bound may reach in this mode."""
        settings = self._settings
        holding = self.mode is Mode.HOLDOVER
        return Duration.from_seconds(
            settings.holdover.limit_s if holding else settings.acquire.limit_s
        )

    def estimate(self, now: Mono) -> Estimate | None:
        """The bank's mixture at `now`; None before it has one."""
        return self._bank.estimate(now) if self._bank.started else None

    def learned(self) -> Learned:
        """What is worth keeping of the oscillator over a restart."""
        return self._bank.learned()

    def oscillator(self) -> Rate:
        """How fast true time gains on the oscillator, as far as is learned."""
        learned = self._bank.learned()
        drift = min(max(DRIFT, SIGMAS * learned.rate_sigma), MONO_DRIFT)
        return Rate(learned.rate, drift)

    def time_left(self, estimate: Estimate) -> Duration:
        """How long until the bound reaches the holdover limit without samples."""
        limit = Duration.from_seconds(self._settings.holdover.limit_s)
        return time_left(self._budget, self._sigma_ahead(estimate), limit)

    def predict(self, at: Local, mono: Mono) -> Predicted | None:
        """What the published clock says of that instant of both clocks."""
        if not self._bank.started or self.snapshot.at == NEVER:
            return None
        tai = self.snapshot.tai(at, Duration(at.ns - mono.ns))
        return Predicted(tai, self.snapshot.bound_at(mono))

    def tai(self, mono: Mono) -> Tai | None:
        """The published time at `mono`; None before there is one."""
        at, pair = self.local(mono), self._realtime.pair
        if at is None or pair is None or not self._bank.started:
            return None
        return self.snapshot.tai(at, Duration(pair[0].ns - pair[1].ns))

    def utc(self, mono: Mono) -> Utc | None:
        """The published time at `mono` if it is known, else what CLOCK_REALTIME shows:
        UTC either way."""
        if (tai := self.tai(mono)) is not None:
            return self.snapshot.posix(tai)
        at = self.local(mono)
        return None if at is None else Utc(at.ns)

    def local(self, mono: Mono) -> Local | None:
        """What CLOCK_REALTIME showed at `mono`, if it was not stepped meanwhile."""
        return self._realtime.local(mono)

    def surer_than(self, spread: Duration, now: Mono) -> bool:
        """Is the estimate's sigma at `now` below `spread`?"""
        estimate = self.estimate(now)
        return estimate is not None and estimate.sigma_s < spread.seconds

    # samples

    def innovation(self, sample: Sample) -> Innovation:
        """Measured minus predicted offset, without taking the sample in."""
        return self._bank.innovation(sample)

    def accept(
        self,
        sample: Sample,
        tai: Tai,
        innovation: Innovation | None = None,
        *,
        lag: Duration = ZERO,
        bias: Duration = ZERO,
        doubt: Duration = ZERO,
    ) -> Innovation:
        """Take a sample in. `tai`: the reference time it is of; `innovation`: its own,
        if reckoned before; `lag`: uncertainty of a sentence's lag, alike each time;
        `bias`: how far the time by another pulse may be from that by the first one;
        `doubt`: by how much another phase, no worse, contradicts a pulse."""
        innovation = self._bank.add(sample, innovation)
        if sample.source is SampleSource.PULSE:
            self._rejected.clear()
            self._doubt = doubt
        self._budget = replace(self._budget, lag=lag, bias=bias)
        self._updated = tai
        return innovation

    def reject(self, sample: Sample, doubt: Duration) -> None:
        """A pulse contradicts the clock, and is not used. `doubt`: the error may be
        as much, for neither is known to be right."""
        self._rejected.append(sample)
        self._doubt = doubt

    def accept_sentence(self, sample: Sample, alone: SentenceSample) -> None:
        """A sentence is a sample too where no pulse is, if it is surer than we are."""
        if not self.surer_than(alone.spread, alone.mono):
            self.accept(sample, alone.tai, lag=alone.doubt)
        if self._budget.lag and self.within_limit():
            self.signal(Signal.SENTENCE)

    def shift(self, by: Duration) -> None:
        """The reference is `by` later than was believed, and always was."""
        self._bank.stepped(-by)
        correction = self.snapshot.correction + by
        self.snapshot = replace(self.snapshot, correction=correction)

    def latency_measured(self, measured: Measured, later: Duration) -> None:
        """The pulse's latency is known by measurement; `later` than was taken off."""
        self._budget = replace(self._budget, latency=measured.spread, measured=True)
        self.shift(later)

    def prefers(self, measured: Measured) -> bool:
        """Is that measurement surer than the prior? Once one was, the next is too."""
        return self._budget.measured or measured.spread < self._budget.latency

    def temperature(self, reading: Temperature) -> None:
        """The thermometer nearest to the oscillator was read."""
        self._bank.temperature(reading)

    # the local clock

    def first(self) -> tuple[Command, ...]:
        """Before anything is known: end whatever rate the clock was left with."""
        return self._control.first()

    def follow(self, local: Local, mono: Mono, era: int) -> Stepped:
        """Both clocks were read: was CLOCK_REALTIME stepped since the last time?"""
        before = self._realtime.pair
        step = self._realtime.follow(local, mono, era)
        if before is None or step is None or not self._bank.started:
            return Stepped.NOT
        self._rejected.clear()
        known = self._control.stepped(), self.snapshot.leap_step(before[0])
        stepped = self._realtime.judge(step, known)
        if stepped is Stepped.AWAY:
            self.reset()
        else:
            exact = stepped is Stepped.KNOWN
            self._bank.stepped(self._realtime.step, ZERO if exact else _READING)
        return stepped

    def rate_in_force(self, command: InForce) -> None:
        """The clock runs at another rate since then, by command. A pulse may arrive
        late, so that is not since the estimate the command was made of."""
        was = self._control.in_force(command.ppb)
        self._bank.rate_changed(command.mono, command.ppb - was)
        before, after = 1.0 + was * 1e-9, 1.0 + command.ppb * 1e-9
        if self.snapshot.at != NEVER:
            self.snapshot = self.snapshot.with_rate(command.mono, before / after)

    def shutdown(self) -> tuple[Command, ...]:
        """Leave the clock at its own rate, without slewing."""
        rate = self.snapshot.rate
        return self._control.release(rate) if self._bank.started else ()

    # conclusions

    def know(self, leaps: LeapTable) -> None:
        """Use another table of leap seconds."""
        self._leaps = leaps

    def signal(self, signal: Signal) -> None:
        """Change the mode as the table has it."""
        self.mode = next_mode(self.mode, signal)

    def reset_phase(self) -> None:
        """The rejected pulses begin a new phase; what was learned stays."""
        self._bank.reset_phase()
        for sample in self._rejected:
            self._bank.add(sample)

    def reset(self) -> None:
        """The phase is unknown; what the oscillator is like is not."""
        self._bank.reset_phase()
        self._rejected.clear()
        self._doubt = ZERO
        self._budget = replace(self._budget, filter=UNKNOWN)
        self.snapshot = ClockSnapshot.unknown(self._precision)

    def invalidate(self) -> tuple[Command, ...]:
        """Tell the kernel that its clock is not synchronised."""
        return self._control.invalidate(self.snapshot.bound)

    def within_limit(self) -> bool:
        """Is the bound, as last reckoned, within the limit of this mode?"""
        return self._budget.total <= self.limit

    def conclude(
        self, at: Local, now: Mono, next_leap: Callable[[Tai], LeapSecond | None]
    ) -> tuple[Command, ...] | None:
        """Reckon bound and mode at `now`, publish, and say what to command.

        None: the bound exceeded its limit in holdover, and nothing is known any more.
        """
        if not self._bank.started:
            return self.invalidate()
        estimate = self._bank.estimate(now)
        undisputed = self.snapshot.bound_at(now) - self._budget.doubt
        self._budget = replace(self._budget.with_sigma(estimate.sigma_s), doubt=ZERO)
        if self.snapshot.updated == self._updated:  # no sample since
            self._budget = self._budget.at_least(undisputed)
        self._budget = replace(self._budget, doubt=self._doubt)
        settled = self.within_limit()
        held = self.mode
        self.signal(Signal.SETTLED if settled else Signal.LIMIT_EXCEEDED)
        if held is Mode.HOLDOVER and self.mode is Mode.COLD:
            self.reset()
            return None
        tai = Tai(at.ns + estimate.offset.ns)
        leap = next_leap(tai - LEAP_LASTS)
        self._was_served = self._was_served or self.mode.serves
        commands = self._steer(tai, estimate, leap)
        self._publish(at, tai, estimate, leap)
        return commands

    def _steer(
        self, tai: Tai, estimate: Estimate, leap: LeapSecond | None
    ) -> tuple[Command, ...]:
        """The bank learns of a command when the clock has obeyed it."""
        behind = leap.before if leap is not None else self._leaps.offset(tai)
        to_go = remaining(estimate.offset, tai, leap, behind)
        sigma = Duration.from_seconds(estimate.sigma_s)
        status = SetStatus(self.mode.serves, self._budget.total, sigma)
        return self._control.steer(to_go, estimate.rate, SetLeap(leap, behind), status)

    def _publish(
        self, at: Local, tai: Tai, estimate: Estimate, leap: LeapSecond | None
    ) -> None:
        self.snapshot = ClockSnapshot(
            stratum=1 if self.mode.serves else 16,
            ref_id=PPS if self.mode is Mode.TRACK else GPS,
            at=estimate.at,
            local=at,
            correction=estimate.offset,
            rate=estimate.rate,
            updated=self._updated or tai,
            bound=self._budget.total,
            bound_rate=growth(self._sigma_ahead(estimate), RESUMED),
            utc_behind_tai=self._leaps.offset(tai),
            leap=leap,
            precision=self._precision,
            step=self._control.step,
        )

    def _sigma_ahead(self, estimate: Estimate) -> Callable[[Duration], float]:
        """The sigma so long after `estimate` without further samples."""

        def sigma(after: Duration) -> float:
            if not after:
                return estimate.sigma_s
            return self._bank.estimate(estimate.at + after).sigma_s

        return sigma
