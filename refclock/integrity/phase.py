"""Has the pulse jumped, or our clock? Two claims on the phase, and their strength.

A pulse off by more than `limit` = max(4 bound, 100 us) contradicts our clock. One
alone is an outlier. A run of pulses off that agree with each other to within `limit`
is the receiver's claim against ours, and ours is worth what stands behind it:

    a gap of g before the run    the crystal may have moved the phase by DRIFT g
                                 unnoticed: within that the run is followed at once,
                                 beyond it after `persist`
    steady for P                 held off for P^2/SCALE, at most LONGEST: a clock some
                                 minutes old may itself have begun with a wrong phase
    a witness that nobody    against the pulse: held off for as long; for it: `persist`
    can forge
    signs of a false sky         (antenna moved, no satellites, jamming) held off for
                                 an hour

    younger than a minute        follows at once: it is worth no more than the run

A pulse off by 0.3 s or more has been given another second than the one before, which
only sentences do while a clock is young: it begins anew at once.

Until it is decided the error may be the whole disagreement: that is `doubt`, and part
of the published bound; of a young clock that followed, until the new phase has lasted
longer than the old one. To follow a run is an alarm, unless the gap explains it.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from refclock.integrity.alarm import AlarmKind, Alarms
from refclock.reasons import Code, Reason
from refclock.timebase import (
    HOUR,
    MICROSECOND,
    MILLISECOND,
    MINUTE,
    SECOND,
    ZERO,
    Duration,
    Mono,
)

SMALL: Final = 100 * MICROSECOND
"""The filter itself copes with a pulse off by less: its weight becomes small."""
BOUNDS: Final = 4
RUN: Final = 8
"""So many agreeing pulses off are no outliers."""
FEW: Final = 3
"""The same while a clock is young; and so many make a disagreement."""
YOUNG: Final = 59 * SECOND
GAP: Final = 10 * SECOND
"""No crystal moves its phase by 100 us in less. Where pulses come seldom, twice as long
as between two of them."""
DRIFT: Final = 3e-6
"""What a change of temperature may do to the rate of a crystal, s/s."""
SCALE: Final = 2 * HOUR
LONGEST: Final = 20 * MINUTE
HALVED: Final = MINUTE
"""A gap so long halves what a clock's steadiness is worth."""
FURTHEST: Final = 300 * MILLISECOND
"""After a larger jump nobody knows which second it is: better begin cold."""
FALSE_SKY: Final = {AlarmKind.ANTENNA, AlarmKind.SATELLITES, AlarmKind.INTERFERENCE}


class PulseVerdict(Enum):
    """What to do with a pulse."""

    USE = "use"
    REJECT = "reject"
    RESTART = "restart"
    """The phase is another one: begin anew with this pulse and those just rejected."""


class PhaseJudge:
    """Judges the pulses of one receiver. Used by one thread."""

    def __init__(self, alarms: Alarms, persist: Duration, *, follow: bool) -> None:
        """`follow`: a jump that lasts for `persist` is always believed."""
        self._alarms = alarms
        self._persist = persist
        self._follow = follow
        self.restarted()

    def restarted(self) -> None:
        """The clock began afresh: what was held off is forgotten."""
        self._steady = ZERO
        """For how long pulses have agreed with our clock."""
        self._last: Mono | None = None
        """The last pulse used."""
        self._gaps: deque[Duration] = deque(maxlen=4)
        """Between the last pulses used."""
        self._off: deque[Duration] = deque(maxlen=RUN)
        self._off_since: Mono | None = None
        self._limit = SMALL
        """Of residuals, as it was before the run: to reject makes no claim weaker."""
        self._doubt = ZERO
        self._rival, self._outlived = ZERO, ZERO
        """How far off a phase left while young is; the steadiness that outlives it."""

    def pulse(
        self,
        residual: Duration,
        bound: Duration,
        now: Mono,
        *,
        confirmed: bool | None = None,
    ) -> PulseVerdict:
        """May a pulse be used that is off by `residual` while we know to `bound`?

        `confirmed`: a witness excludes our clock and not the pulse, or (False) the
        pulse and not our clock.
        """
        young = self._steady < YOUNG and confirmed is not False
        if young and abs(residual) >= FURTHEST:
            return self._restart(now, abs(residual))
        return self._judged(residual, bound, now, confirmed)

    def _judged(
        self, residual: Duration, bound: Duration, now: Mono, confirmed: bool | None
    ) -> PulseVerdict:
        """The same of a pulse of the second that our clock carries."""
        excluded = confirmed is False
        if not self._off:
            self._limit = max(BOUNDS * bound, SMALL)
        if abs(residual) <= self._limit:
            self._agreed(now)
            return PulseVerdict.USE
        since = self._off_since = self._off_since or now
        self._off.append(residual)
        gap = ZERO if self._last is None else since - self._last
        if gap <= self._most():
            gap = ZERO
        weak = self._steady < YOUNG or gap > ZERO or len(self._off) >= FEW
        disputed = weak and not self._false_sky(now)
        self._doubt = max(map(abs, self._off)) if disputed else ZERO
        if len(self._off) < (FEW if self._steady < YOUNG else RUN):
            return PulseVerdict.REJECT
        if max(self._off) - min(self._off) > self._limit:
            return PulseVerdict.USE  # no jump: the noise is another one
        explained = gap > ZERO and abs(residual) <= SMALL + _times(gap, DRIFT)
        if (self._steady < YOUNG or explained) and not excluded:
            return self._restart(now, ZERO if explained else max(map(abs, self._off)))
        jumped = Reason.of(Code.PULSE_JUMPED, offset_s=residual.seconds)
        self._alarms.raise_(AlarmKind.PHASE, jumped, now)
        vouched = self._follow or confirmed
        held_off = self._persist if vouched else self._claim(gap, now)
        if excluded or now - since < held_off or abs(residual) >= FURTHEST:
            return PulseVerdict.REJECT
        self._alarms.tell(AlarmKind.PHASE, Reason.of(Code.PULSE_JUMP_FOLLOWED), now)
        return self._restart(now, ZERO)

    def doubt(self) -> Duration:
        """By how much pulses contradict our clock while neither is known to be right:
        the served time may be wrong by all of it."""
        return max(self._doubt, self._rival)

    def _claim(self, gap: Duration, now: Mono) -> Duration:
        """How long our clock may contradict pulses that agree with each other."""
        if self._false_sky(now):
            return HOUR
        if gap > ZERO:
            return self._persist
        steady_s = self._steady.seconds
        return min(Duration.from_seconds(steady_s**2 / SCALE.seconds), LONGEST)

    def _false_sky(self, now: Mono) -> bool:
        return any(alarm.kind in FALSE_SKY for alarm in self._alarms.standing(now))

    def _most(self) -> Duration:
        """Between two pulses, if none is missing."""
        return max(GAP, 2 * min(self._gaps, default=ZERO))

    def _agreed(self, now: Mono) -> None:
        gap = ZERO if self._last is None else now - self._last
        if gap <= self._most():
            self._steady += gap
        else:
            self._steady = _times(self._steady, HALVED.ns / (HALVED.ns + gap.ns))
        if self._steady > self._outlived:
            self._rival = ZERO
        self._gaps.append(gap)
        self._last = now
        self._settled()
        self._alarms.clear(AlarmKind.PHASE)

    def _restart(self, now: Mono, rival: Duration) -> PulseVerdict:
        """Follow the run. `rival`: how far off a phase is that may be right as well."""
        self._settled()
        self._rival = self._rival + rival if rival else ZERO
        self._outlived = self._steady
        self._steady, self._last = ZERO, now
        return PulseVerdict.RESTART

    def _settled(self) -> None:
        self._off.clear()
        self._off_since = None
        self._doubt = ZERO


def _times(duration: Duration, factor: float) -> Duration:
    return Duration(round(duration.ns * factor))
