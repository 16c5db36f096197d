"""What the agreement of other time servers does to the clock, and what it cannot do.

    cold        names the second together with sentences, if nobody can forge it; stops
                a label that it excludes: of forgeable ones for `persist` at most
    any time    vouches for or against a change of the second, if nobody can forge it;
                an alarm, when for three rounds running it excludes the published time
    no pulse    is served as one stratum more than theirs (`fallback`)

No command to the clock comes from here, no sample, and no line of the bound: with and
without other servers a clock that has its second is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from refclock.engine.certainty import Rate
from refclock.events import UPSTREAM, InForce, ServerReply, UpstreamFact, Witness
from refclock.integrity.alarm import Alarm, AlarmKind, Alarms
from refclock.integrity.leapcount import SEASONS
from refclock.published import ClockSnapshot
from refclock.reasons import Code, Parameter, Reason
from refclock.timebase import (
    DAY,
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
from refclock.upstream.raw import RawTime
from refclock.upstream.servers import Row, Selected, Upstreams
from refclock.upstream.settings import Fallback, WitnessSettings

ROUNDS: Final = 3
"""Of all servers, in which the published time is excluded, before it is an alarm."""
_LEAP_AHEAD: Final = DAY
"""A server announces a leap second so long ahead, RFC 5905."""


class UpstreamWitness:
    """Judges and uses what other servers agree on. Used by one thread."""

    def __init__(
        self,
        settings: WitnessSettings,
        persist: Duration,
        leaps: LeapTable,
        rate: Callable[[], Rate],
    ) -> None:
        """`persist`: the longest that servers nobody vouches for may stop a label.
        `rate`: how the oscillator runs, as far as is known now."""
        self._leaps = leaps
        self._rate = rate
        self._fallback = settings.fallback
        self._persist = persist
        self._upstreams = Upstreams()
        self._raw = RawTime()
        self._last: Selected | None = None
        """What servers agreed on at the last fact."""
        self._served: ClockSnapshot | None = None
        self._alarms = Alarms()
        self._against = 0
        """Replies in a row at which the agreement excluded the published time."""
        self._stopped: Mono | None = None
        """When the first label of this cold start was stopped by forgeable servers."""
        self._doubted = False
        """Forgeable servers exclude what sentences name."""

    def __len__(self) -> int:
        """How many servers there are."""
        return len(self._upstreams)

    def restart(self) -> None:
        """The clock begins afresh."""
        self._stopped = None
        self._doubted = False

    def slept(self) -> None:
        """The monotonic clock may have stood still."""
        self._last = None
        self._upstreams.forget()

    def in_force(self, command: InForce) -> None:
        """The clock runs at another rate since then, by command."""
        self._raw.in_force(command.mono, command.ppb * 1e-9)

    def raw(self, now: Mono) -> Mono:
        """What the oscillator has counted at `now`."""
        return self._raw.at(now)

    def alarms(self, now: Mono) -> tuple[Alarm, ...]:
        """What stands now."""
        return self._alarms.standing(now)

    def know(self, leaps: LeapTable) -> None:
        """A leap second more is known."""
        self._leaps = leaps

    def rows(self, now: Mono) -> list[Row]:
        """Every server, for people."""
        rate = self._rate()
        return self._upstreams.rows(self._raw.at(now), rate.gain, rate.drift)

    def selected(self, now: Mono) -> Selected | None:
        """What the servers agree on at `now`."""
        if not len(self._upstreams):
            return None
        rate = self._rate()
        return self._upstreams.select(self._raw.at(now), rate.gain, rate.drift)

    def observe(self, fact: UpstreamFact, era: int) -> Witness | None:
        """Another fact; what comes back may name and vouch for a second: it is what
        servers agree on that nobody can forge."""
        if isinstance(fact, ServerReply):
            raw = self._raw.at(fact.mono)
            self._upstreams.observe(replace(fact, mono=raw))
        else:
            self._upstreams.observe(fact)
        selected = self._last = self.selected(fact.mono)
        answered = isinstance(fact, ServerReply)
        if not answered or selected is None or not selected.proven:
            return None
        interval = selected.interval
        at = Local(fact.mono.ns)
        offset = Duration(interval.utc.ns - at.ns)
        return Witness(UPSTREAM, offset, at, fact.mono, era, interval.half)

    def compare(
        self, fact: UpstreamFact, snapshot: ClockSnapshot, served: Tai | None
    ) -> None:
        """Do servers exclude our own clock's time, which was `served` at `fact`?"""
        if not isinstance(fact, ServerReply) or snapshot.stratum >= 16:
            return
        selected = self._last
        if selected is None or served is None:
            return
        interval = selected.interval
        offset = snapshot.posix(served) - interval.utc
        if abs(offset) <= interval.half + snapshot.bound_at(fact.mono):
            self._against = 0
            self._alarms.clear(AlarmKind.UPSTREAM)
            return
        self._against += 1
        if self._against >= ROUNDS * selected.of:
            reason = _contradiction("pulse", offset, selected)
            self._alarms.raise_(AlarmKind.UPSTREAM, reason, fact.mono)

    def contradicted(self, refusal: Reason | None, now: Mono) -> None:
        """A pulse got no second, by `refusal`: was it us who stopped that?"""
        if refusal is None or refusal.code is not Code.WITNESS_CONTRADICTS:
            return
        selected, parameters = self.selected(now), refusal.parameters
        if selected is not None and parameters["witness"] == UPSTREAM:
            offset = Duration.from_seconds(float(parameters["offset_s"]))
            reason = _contradiction("receiver", offset, selected)
            self._alarms.raise_(AlarmKind.UPSTREAM, reason, now)

    def stops(self, second: Tai, at: Mono, within: Duration) -> Reason | None:
        """Why a cold clock may not begin with `second` ± `within` at `at`; None: it
        may."""
        selected = self.selected(at)
        if selected is None:
            return None
        offset = second - self._leaps.tai(selected.interval.utc)
        if abs(offset) <= selected.interval.half + within:
            self._doubted = False
            self._alarms.clear(AlarmKind.UPSTREAM)
            return None
        reason = _contradiction("receiver", offset, selected)
        self._alarms.raise_(AlarmKind.UPSTREAM, reason, at)
        if not selected.proven:
            self._doubted = True
            self._stopped = self._stopped or at
            if at - self._stopped >= self._persist:
                return None
        return reason

    def sides(self, theirs: Tai, ours: Tai, at: Mono) -> bool | None:
        """Of two times at `at`, is ours excluded alone, or (False) theirs? By servers
        that nobody can forge."""
        selected = self.selected(at)
        if selected is None or not selected.proven:
            return None
        interval = selected.interval
        true = self._leaps.tai(interval.utc)
        theirs_out = abs(theirs - true) > interval.half
        ours_out = abs(ours - true) > interval.half
        return None if theirs_out == ours_out else ours_out

    def announce(
        self, ours: LeapSecond | None, now: Tai, mono: Mono
    ) -> LeapSecond | None:
        """The leap second at the end of this day that servers announce which nobody can
        forge. `ours`: the next one known; another one is an alarm, and is believed only
        beyond the table's expiry."""
        selected = self._last
        if selected is None or not selected.proven:
            return ours
        due = ours is not None and ZERO < ours.at - now <= _LEAP_AHEAD
        known = (1 if ours.inserts else 2) if ours is not None and due else 0
        if selected.leap == known or (known and not selected.leap):
            self._alarms.clear(AlarmKind.LEAP)
            return ours
        if ours is None and now >= self._leaps.tai(self._leaps.expires):
            return _at_end_of_day(self._leaps, now, inserts=selected.leap == 1)
        reason = Reason.of(
            Code.UPSTREAM_LEAP,
            theirs=selected.leap,
            agree=selected.agree,
            of=selected.of,
        )
        self._alarms.raise_(AlarmKind.LEAP, reason, mono)
        return ours

    def served(self, own: ClockSnapshot) -> ClockSnapshot:
        """What is served: `own`, or as long as that is nothing, other servers' time."""
        return own if self._served is None or own.stratum < 16 else self._served

    def serve(self, own: ClockSnapshot, local: Local, now: Mono) -> None:
        """Time passed: carry on what is served from other servers."""
        self._served = self.fallback(own, local, now)

    def fallback(
        self, own: ClockSnapshot, local: Local, now: Mono
    ) -> ClockSnapshot | None:
        """What is served at `now` from other servers; None: nothing. `own`: what we
        know ourselves, which has to be nothing."""
        if self._fallback is Fallback.OFF or own.stratum < 16:
            return None
        selected = self.selected(now)
        if selected is None or selected.last.stratum >= 15:
            return None
        if not selected.proven and (
            self._doubted or self._fallback is Fallback.AUTHENTICATED
        ):
            return None
        leaps, rate = self._leaps, self._rate()
        tai = leaps.tai(selected.interval.utc)
        return ClockSnapshot(
            stratum=selected.last.stratum + 1,
            ref_id=selected.last.server_id,
            at=now,
            local=local,
            correction=Duration(tai.ns - local.ns),
            rate=(1.0 + rate.gain) / (1.0 + self._raw.rate) - 1.0,
            updated=tai - (self._raw.at(now) - selected.last.mono),
            bound=selected.interval.half,
            bound_rate=rate.drift,
            utc_behind_tai=leaps.offset(tai),
            leap=leaps.next_after(tai),
            precision=own.precision,
            root_delay=selected.last.root_delay + selected.last.delay,
        )


def _at_end_of_day(leaps: LeapTable, now: Tai, *, inserts: bool) -> LeapSecond | None:
    """A leap second at the next midnight; None: it is none of January or July."""
    utc = leaps.posix(now)
    midnight = Utc((utc.ns // DAY.ns + 1) * DAY.ns)
    if midnight.iso()[5:10] not in SEASONS:
        return None
    before = leaps.offset(now)
    return LeapSecond.ending(
        midnight, before, before + (SECOND if inserts else -SECOND)
    )


def _contradiction(what: str, offset: Duration, selected: Selected) -> Reason:
    parameters: dict[str, Parameter] = {
        "what": what,
        "offset_s": offset.seconds,
        "agree": selected.agree,
        "of": selected.of,
        "nts": selected.nts,
        "proven": selected.proven,
    }
    return Reason.of(Code.UPSTREAM_CONTRADICTS, **parameters)
