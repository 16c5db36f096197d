"""The disciplined clock: bank, control, era and what is published.

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
from refclock.discipline.bound import growth
from refclock.discipline.control import LEAP_LASTS, ClockControl, remaining
from refclock.discipline.latency import Measured
from refclock.discipline.mode import Mode, Signal
from refclock.discipline.sample import SampleSource
from refclock.engine.certainty import Certainty
from refclock.engine.policy import EngineSettings
from refclock.engine.realtime import RealtimeClock, Stepped
from refclock.events import Command, InForce, SetLeap, SetStatus, Temperature
from refclock.integrity.phase import RUN
from refclock.label.labeller import Predicted
from refclock.label.sentences import SentenceSample
from refclock.published import GPS, NEVER, PPS, ClockSnapshot
from refclock.timebase import (
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    LeapTable,
    Local,
    Mono,
    Tai,
)

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
        self._steers = settings.clock.steer
        self._leaps = leaps
        self._precision = precision
        self._bank = Bank(learned)
        self._control = ClockControl(settings.steer, steer=settings.clock.steer)
        self.certainty = Certainty(settings, latency_spread, precision)
        self.realtime = RealtimeClock()
        self._updated: Tai | None = None
        self._rejected: deque[Sample] = deque(maxlen=RUN)
        """Pulses that contradict the clock, since the last one used."""
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
    def sets_rtc(self) -> bool:
        """Has the kernel had reason to set the battery clock from ours?"""
        return self._was_served and self._steers

    @property
    def steering_ppb(self) -> float | None:
        """The rate last commanded; None where the clock is left alone."""
        return self._control.ppb

    def estimate(self, now: Mono) -> Estimate | None:
        """The bank's mixture at `now`; None before it has one."""
        return self._bank.estimate(now) if self._bank.started else None

    def learned(self) -> Learned:
        """What is worth keeping of the oscillator over a restart."""
        return self._bank.learned()

    def predict(self, at: Local, mono: Mono) -> Predicted | None:
        """What the published clock says of that instant of both clocks."""
        if not self._bank.started or self.snapshot.at == NEVER:
            return None
        tai = self.snapshot.tai(at, Duration(at.ns - mono.ns))
        return Predicted(tai, self.snapshot.bound_at(mono))

    def tai(self, mono: Mono) -> Tai | None:
        """The published time at `mono`; None before there is one."""
        at, pair = self.realtime.local(mono), self.realtime.pair
        if at is None or pair is None or not self._bank.started:
            return None
        return self.snapshot.tai(at, Duration(pair[0].ns - pair[1].ns))

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
        pulse = sample.source is SampleSource.PULSE
        if pulse:
            self._rejected.clear()
        self.certainty.accepted(lag, bias, doubt if pulse else None)
        self._updated = tai
        return innovation

    def reject(self, sample: Sample, doubt: Duration) -> None:
        """A pulse contradicts the clock, and is not used. `doubt`: the error may be
        as much, for neither is known to be right."""
        self._rejected.append(sample)
        self.certainty.rejected(doubt)

    def accept_sentence(self, sample: Sample, alone: SentenceSample) -> None:
        """A sentence is a sample too where no pulse is, if it is surer than we are."""
        if not self.surer_than(alone.spread, alone.mono):
            self.accept(sample, alone.tai, lag=alone.doubt)
        if self.certainty.budget.lag and self.certainty.within_limit:
            self.certainty.signal(Signal.SENTENCE)

    def shift(self, by: Duration) -> None:
        """The reference is `by` later than was believed, and always was."""
        self._bank.stepped(-by)
        correction = self.snapshot.correction + by
        self.snapshot = replace(self.snapshot, correction=correction)

    def latency_measured(self, measured: Measured, later: Duration) -> None:
        """The pulse's latency is known by measurement; `later` than was taken off."""
        self.certainty.latency_measured(measured)
        self.shift(later)

    def temperature(self, reading: Temperature) -> None:
        """The thermometer nearest to the oscillator was read."""
        self._bank.temperature(reading)

    # the local clock

    def first(self) -> tuple[Command, ...]:
        """Before anything is known: end whatever rate the clock was left with."""
        return self._control.first()

    def follow(self, local: Local, mono: Mono, era: int) -> Stepped:
        """Both clocks were read: was CLOCK_REALTIME stepped since the last time?"""
        before = self.realtime.pair
        step = self.realtime.follow(local, mono, era)
        if before is None or step is None or not self._bank.started:
            return Stepped.NOT
        self._rejected.clear()
        known = self._control.stepped(), self.snapshot.leap_step(before[0])
        stepped = self.realtime.judge(step, known)
        if stepped is Stepped.AWAY:
            self.reset()
        else:
            exact = stepped is Stepped.KNOWN
            self._bank.stepped(self.realtime.step, ZERO if exact else _READING)
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

    def reset_phase(self) -> None:
        """The rejected pulses begin a new phase; what was learned stays."""
        self._bank.reset_phase()
        for sample in self._rejected:
            self._bank.add(sample)

    def reset(self) -> None:
        """The phase is unknown; what the oscillator is like is not."""
        self._bank.reset_phase()
        self._rejected.clear()
        self.certainty.reset()
        self.snapshot = ClockSnapshot.unknown(self._precision)

    def invalidate(self) -> tuple[Command, ...]:
        """Tell the kernel that its clock is not synchronised."""
        return self._control.invalidate(self.snapshot.bound)

    def conclude(
        self, at: Local, now: Mono, next_leap: Callable[[Tai], LeapSecond | None]
    ) -> tuple[Command, ...] | None:
        """Reckon bound and mode at `now`, publish, and say what to command.

        None: the bound exceeded its limit in holdover, and nothing is known any more.
        """
        if not self._bank.started:
            return self.invalidate()
        estimate = self._bank.estimate(now)
        published = self.snapshot.bound_at(now)
        fresh = self.snapshot.updated != self._updated
        if not self.certainty.conclude(estimate.sigma_s, published, fresh=fresh):
            self.reset()
            return None
        tai = Tai(at.ns + estimate.offset.ns)
        leap = next_leap(tai - LEAP_LASTS)
        self._was_served = self._was_served or self.certainty.mode.serves
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
        serves, bound = self.certainty.mode.serves, self.certainty.budget.total
        status = SetStatus(serves, bound, sigma)
        return self._control.steer(to_go, estimate.rate, SetLeap(leap, behind), status)

    def _publish(
        self, at: Local, tai: Tai, estimate: Estimate, leap: LeapSecond | None
    ) -> None:
        self.snapshot = ClockSnapshot(
            stratum=1 if self.certainty.mode.serves else 16,
            ref_id=PPS if self.certainty.mode is Mode.TRACK else GPS,
            at=estimate.at,
            local=at,
            correction=estimate.offset,
            rate=estimate.rate,
            updated=self._updated or tai,
            bound=self.certainty.budget.total,
            bound_rate=growth(self.sigma_ahead(estimate), RESUMED),
            utc_behind_tai=self._leaps.offset(tai),
            leap=leap,
            precision=self._precision,
            step=self._control.step,
        )

    def sigma_ahead(self, estimate: Estimate) -> Callable[[Duration], float]:
        """The sigma so long after `estimate` without further samples."""

        def sigma(after: Duration) -> float:
            if not after:
                return estimate.sigma_s
            return self._bank.estimate(estimate.at + after).sigma_s

        return sigma
