"""One receiver and its pulse: which second a pulse begins, and whether to believe it.

All that is learned and believed of a receiver is kept here, under its source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from refclock.diagnose.notes import Notes
from refclock.discipline.latency import LatencyMeter, Measured
from refclock.discipline.sample import Sample, SampleSource
from refclock.engine.policy import EngineSettings
from refclock.engine.receivers.bias import Bias
from refclock.events import (
    Dropped,
    Interference,
    LeapNotice,
    LineLoad,
    NoTime,
    Position,
    PulseEdge,
    Sawtooth,
    SkyView,
    SourcePair,
    TimeMessage,
    Witness,
)
from refclock.integrity.monitor import Integrity, MessageRefused, PulseVerdict
from refclock.label.labeller import (
    OTHER_EDGE,
    Labeller,
    Predicted,
    Unlabelled,
)
from refclock.label.lag import Lag
from refclock.label.sentences import SentenceSample
from refclock.reasons import Code, Reason
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapTable,
    Local,
    Mono,
    Tai,
    Utc,
)

Predict = Callable[[Local, Mono], Predicted | None]
ReceiverFact = (
    NoTime
    | LeapNotice
    | Position
    | SkyView
    | Interference
    | LineLoad
    | Sawtooth
    | Dropped
)


_AGREES_FOR: Final = 3 * SECOND
PULSE_ABSENT_AFTER: Final = 10 * SECOND
"""No pulse came at all for so long, and twice the silence after which it is lost:
sentences alone must do."""
_DOUBT_AFTER: Final = 60 * SECOND


class Reference:
    """A receiver, its pulse, and what is known of both. Used by one thread."""

    def __init__(
        self,
        pair: SourcePair,
        settings: EngineSettings,
        leaps: LeapTable,
        floor: Utc,
        *,
        lags: Mapping[str, Lag],
        last_good: Utc | None,
        latency: Duration,
    ) -> None:
        """`floor`: it is not earlier than this. `lags`, `last_good`: learned and served
        by an earlier run.

        `latency`: how late a pulse is stamped (+ is late).
        """
        self.receiver, self.pulse = pair.receiver, pair.pulse
        self._leaps = leaps
        self.integrity = Integrity(settings.integrity, leaps, floor, last_good)
        self.labeller = Labeller(settings.label, leaps, lags)
        self._remembers = bool(lags)
        self._since: Mono | None = None
        """When the first pulse came that had no second."""
        self.meter = LatencyMeter()
        self.latency = latency
        self.notes = Notes()
        self._sawtooth: Sawtooth | None = None
        self.refusal: Reason | None = None
        """Why the last pulse or message was not used."""
        self.last_used: Mono | None = None
        """When the last pulse was used."""
        self.used = 0
        """Pulses used."""
        self.offset: Duration | None = None
        """Its last pulse less the published clock, where it does not steer."""
        self.bias = Bias()
        """The same on average, as long as another pulse steers."""

    def sample(
        self, edge: PulseEdge, predict: Predict, *, by_clock: bool
    ) -> tuple[Sample, Tai] | None:
        """The sample that `edge` is and the second it begins; None: see `refusal`.

        `by_clock`: the clock, disciplined by another receiver, names its second.
        """
        if self.integrity.no_fix(edge.mono):
            self.refusal = Reason.of(Code.NO_FIX_FOR_PULSE)
            return None
        if not self.integrity.vouches(edge.mono):
            self.refusal = Reason.of(Code.RECEIVER_SILENT_FOR_PULSE)
            return None
        at, mono = edge.at - self.latency, edge.mono - self.latency
        predicted = predict(at, mono)
        if by_clock:
            if predicted is None:
                return None
            self.labeller.carry(predicted.tai, mono)
        label = self.labeller.label(replace(edge, at=at, mono=mono), predicted)
        if isinstance(label, Unlabelled):
            self._doubt_lags(edge.mono)
            if label is not OTHER_EDGE:
                self.refusal = label.reason
            return None
        true = label.tai + self._sawtooth_of(label.tai, mono)
        return Sample(at, mono, Duration(true.ns - at.ns)), label.tai

    def _doubt_lags(self, now: Mono) -> None:
        """No second for a pulse, so long after the first one: what is remembered of the
        sentences may be wrong, and is forgotten once."""
        if self._remembers and self.used == 0:
            self._since = self._since or now
            if now - self._since > _DOUBT_AFTER:
                self.labeller.forget_lags()
                self._remembers = False

    def judge(
        self, residual: Duration, bound: Duration, now: Mono, confirmed: bool | None
    ) -> PulseVerdict:
        """May a pulse be used whose innovation is `residual`, while the clock is known
        to `bound`? `confirmed`: witnesses exclude our clock, or (False) the pulse."""
        verdict = self.integrity.pulse(residual, bound, now, confirmed=confirmed)
        if verdict is PulseVerdict.REJECT:
            offset_s = residual.seconds
            self.refusal = Reason.of(Code.PULSE_REJECTED, offset_s=offset_s)
        return verdict

    def used_at(self, mono: Mono) -> None:
        """Its pulse was used."""
        self.last_used, self.refusal = mono, None
        self.used += 1

    def agrees(self, now: Mono) -> bool:
        """Was its last pulse where the clock has it, but for a bias that is known?"""
        last = self.last_used
        fresh = last is not None and now - last < _AGREES_FOR
        return fresh and self.bias.known and self.refusal is None

    def pulse_absent(self, now: Mono, began: Mono | None, lost_after: Duration) -> bool:
        """Has no pulse come, used or not, for so long that sentences must do? `began`:
        when the engine did; `lost_after`: the silence after which a pulse is lost."""
        pulse = self.notes.pulse
        last = pulse.mono if pulse else began
        absent = max(PULSE_ABSENT_AFTER, 2 * lost_after)
        return last is not None and now - last > absent

    def accept(self, message: TimeMessage) -> TimeMessage | None:
        """The message with its date made right; None: see `refusal`."""
        accepted = self.integrity.accept(message)
        if isinstance(accepted, MessageRefused):
            self.refusal = accepted.reason
            return None
        return accepted

    def sentence_sample(
        self, message: TimeMessage, local: Local
    ) -> tuple[Sample, SentenceSample] | None:
        """What a sentence is worth without a pulse; `local`: when it came."""
        alone = self.labeller.sample_from(message)
        if alone is None:
            return None
        at = local + (alone.mono - message.mono)
        offset = Duration(alone.tai.ns - at.ns)
        source = SampleSource.SENTENCE
        return Sample(at, alone.mono, offset, source, alone.spread), alone

    def observe(self, fact: ReceiverFact, now: Tai | None) -> None:
        """Any fact but a time. `now`: the published time at it, if there is one."""
        match fact:
            case NoTime():
                self.integrity.no_time(fact)
            case LeapNotice():
                self.integrity.leap_notice(fact, now)
            case Position():
                self.integrity.position(fact)
            case SkyView():
                self.integrity.sky(fact)
            case Interference():
                self.integrity.interference(fact)
            case LineLoad():
                self.integrity.line(fact)
            case Sawtooth():
                self._sawtooth = fact
            case Dropped():
                self.integrity.dropped(fact)

    def witness(self, witness: Witness) -> None:
        """Another's word on the time."""
        if self.integrity.witness(witness):
            self.labeller.witness(witness)

    def measured(self, measured: Measured) -> Duration:
        """Take this latency off from now on; how much more than before it is."""
        later = measured.latency - self.latency
        self.latency = measured.latency
        return later

    def know(self, leaps: LeapTable) -> None:
        """Use another table of leap seconds."""
        self._leaps = leaps
        self.labeller.know(leaps)
        self.integrity.know(leaps)

    def restart(self) -> None:
        """The clock begins afresh: no second is carried any more."""
        self.labeller.forget()
        self.integrity.restarted()

    def _sawtooth_of(self, pulse: Tai, mono: Mono) -> Duration:
        """How late the receiver says that pulse came, in the second before it."""
        said, self._sawtooth = self._sawtooth, None
        if said is None or not ZERO < mono - said.mono < SECOND:
            return ZERO
        named = pulse if said.pulse is None else self._leaps.tai(said.pulse)
        return said.error if abs(named - pulse) < MILLISECOND else ZERO
