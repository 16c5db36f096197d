"""Which pulse the clock is given: the first receiver's, or another one in its place.

A pulse of the first is judged against the clock by its own receiver and by all who can
take a side: other pulses that agree with the clock, and other servers. The others are
watched.
"""

from __future__ import annotations

from dataclasses import replace

from refclock.discipline.latency import Measured
from refclock.discipline.mode import Signal
from refclock.discipline.sample import Sample
from refclock.engine.clock import Clock
from refclock.engine.receivers.reference import Reference
from refclock.engine.receivers.references import References
from refclock.engine.witness import UpstreamWitness
from refclock.events import PulseEdge, TimeMessage
from refclock.integrity.monitor import PulseVerdict
from refclock.integrity.phase import SMALL
from refclock.timebase import ZERO, Duration, Local, Mono, Tai


class Pulses:
    """Gives pulses to the clock. Used by one thread."""

    def __init__(
        self, clock: Clock, references: References, upstream: UpstreamWitness
    ) -> None:
        self._clock = clock
        self._references = references
        self._upstream = upstream
        self.used: Mono | None = None
        """When a pulse was last given to the clock."""
        self.stands_in: Reference | None = None
        """Whose pulse steers in place of the first one's."""

    def use(
        self, reference: Reference, sample: Sample, second: Tai, edge: PulseEdge
    ) -> bool:
        """Give a pulse of the first receiver to the clock, if it is believed."""
        if self._stopped(reference, second, sample.mono):
            return False
        innovation = None
        if self._clock.started:
            innovation = self._clock.innovation(sample)
            residual = Duration.from_seconds(innovation.residual_s)
            own = self._clock.snapshot
            bound = own.bound_at(sample.mono) - self._clock.certainty.budget.doubt
            sided = self._sides(second, residual, sample.mono)
            verdict = reference.judge(residual, bound, sample.mono, sided)
            if verdict is PulseVerdict.REJECT:
                self._clock.reject(sample, reference.integrity.doubt())
                return False
            if verdict is PulseVerdict.RESTART:
                self._clock.reset_phase()
                self._clock.certainty.signal(Signal.PHASE_LOST)
                innovation = None
        innovation = self._clock.accept(
            sample, second, innovation, doubt=reference.integrity.doubt()
        )
        residual = Duration.from_seconds(innovation.residual_s)
        self.measure(reference.meter.stamped(edge.at + residual, edge.era))
        reference.used_at(sample.mono)
        self.used, self.stands_in = sample.mono, None
        self._clock.certainty.signal(Signal.SAMPLE)
        return True

    def watch(self, reference: Reference, sample: Sample, second: Tai) -> bool:
        """Another pulse than the first tells how far it is from the clock, and, once
        its bias is known, steers while the first one is not used: does it now?"""
        if not self._clock.started:
            return False
        residual = Duration.from_seconds(self._clock.innovation(sample).residual_s)
        reference.offset, bias = residual, reference.bias
        own = self._clock.snapshot
        bound = own.bound_at(sample.mono) - self._clock.certainty.budget.doubt
        if bias.known:
            away = residual - bias.mean
            verdict = reference.judge(away, bound, sample.mono, None)
            if verdict is PulseVerdict.RESTART:
                bias.restart()
            if verdict is not PulseVerdict.USE:
                return False
        reference.used_at(sample.mono)
        if not self._vacant(reference, sample.mono):
            bias.add(residual)
        elif bias.known:
            offset = sample.offset - bias.mean
            self._clock.accept(replace(sample, offset=offset), second, bias=bias.line)
            self.stands_in, self.used = reference, sample.mono
            self._clock.certainty.signal(Signal.SAMPLE)
            return True
        return False

    def stand_in(
        self, reference: Reference, message: TimeMessage, local: Local
    ) -> None:
        """Without pulses a sentence is a sample too, of a much larger spread. `local`:
        when it came."""
        found = reference.sentence_sample(message, local)
        if found is None:
            return
        alone, within = found[1], found[1].doubt + 4 * found[1].spread
        if not self._stopped(reference, alone.tai, alone.mono, within):
            self._clock.accept_sentence(*found)

    def _stopped(
        self, reference: Reference, at: Tai, mono: Mono, within: Duration = ZERO
    ) -> bool:
        """Do other servers exclude that a clock that has no second yet begins so?"""
        if self._clock.started:
            return False
        why = self._upstream.stops(at, mono, within)
        reference.refusal = why or reference.refusal
        return why is not None

    def measure(self, measured: Measured | None) -> None:
        """The pulse's latency is measured: used if that is surer than the prior."""
        if measured is not None and self._clock.certainty.prefers(measured):
            self._clock.latency_measured(
                measured, self._references.first.measured(measured)
            )

    def _sides(self, second: Tai, residual: Duration, mono: Mono) -> bool | None:
        """Do others exclude our clock, or (False) a pulse so far off it? Another pulse
        that agrees with our clock is one of them, as servers are."""
        if abs(residual) <= SMALL:
            return None
        if any(each.agrees(mono) for each in self._references.watched):
            return False
        return self._upstream.sides(second, second - residual, mono)

    def _vacant(self, reference: Reference, now: Mono) -> bool:
        """May `reference` steer: is no pulse before it used any more?"""
        first = self._references.first.last_used
        lost = first is not None and now - first > self._clock.pulse_lost_after
        other = self.stands_in
        return lost and (other in {None, reference} or not other.agrees(now))
