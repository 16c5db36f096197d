"""The engine's state as an operator reads it: made when somebody asks."""

from __future__ import annotations

from refclock.diagnose.notes import Devices
from refclock.diagnose.why import why
from refclock.diagnose.words import sentence
from refclock.discipline.bank import Estimate
from refclock.engine.certainty import Rate
from refclock.engine.clock import Clock
from refclock.engine.receivers.reference import Reference
from refclock.engine.receivers.references import References
from refclock.engine.witness import UpstreamWitness
from refclock.events import UPSTREAM, SourceId
from refclock.integrity.alarm import Alarm
from refclock.observe.status import (
    AlarmStatus,
    LagStatus,
    ServerStatus,
    SourceStatus,
    Status,
    WitnessStatus,
)
from refclock.published import ClockSnapshot
from refclock.reasons import Reason
from refclock.timebase import LeapSecond, LeapTable, Mono, Utc
from refclock.upstream.filter import Interval
from refclock.upstream.servers import Row

_LEAP = ("none", "insert", "delete", "unsynchronised")


def reason(clock: Clock, first: Reference, devices: Devices, now: Mono) -> Reason:
    """Why the mode is what it is."""
    return why(
        clock.certainty.mode,
        first.notes,
        devices.lost,
        (first.receiver, first.pulse),
        first.refusal,
        clock.certainty.budget,
        clock.certainty.limit,
        now,
    )


def status(
    clock: Clock,
    references: References,
    upstream: UpstreamWitness,
    served: ClockSnapshot,
    stands_in: Reference | None,
    devices: Devices,
    leaps: LeapTable,
    now: Mono,
) -> Status:
    """Everything an operator may ask, as it stands at `now`. `served`: what clients
    are told, by our own clock or by other servers. `stands_in`: whose pulse steers in
    place of the first one's."""
    first, snapshot = references.first, clock.snapshot
    mode, budget = clock.certainty.mode, clock.certainty.budget
    notes, estimate = first.notes, clock.estimate(now)
    tai = snapshot.tai(snapshot.local, snapshot.realtime_offset)
    offset = None if estimate is None else estimate.offset - snapshot.utc_behind_tai
    steering_ppb, load = clock.steering_ppb, notes.load
    message, leap = notes.message, snapshot.leap
    because = reason(clock, first, devices, now)
    return Status(
        mode=mode.name,
        reason=sentence(because),
        reason_codes=because.codes,
        reason_parameters=because.parameters,
        stratum=served.stratum,
        refid=_refid(served),
        leap=_LEAP[served.indicator(tai, now)],
        utc=snapshot.posix(tai).iso() if estimate else None,
        offset_s=offset.seconds if offset is not None else None,
        frequency_ppm=clock.learned().rate * -1e6 if estimate else None,
        steering_ppm=None if steering_ppb is None else steering_ppb * 1e-3,
        bound_s=budget.total.seconds if estimate else None,
        bound_parts=budget.lines() if estimate else {},
        good_for_s=_time_left_s(clock, estimate) if estimate else None,
        last_pulse_age_s=_age(first.last_used, now),
        last_sentence_age_s=_age(message.mono if message else None, now),
        pulses=first.used,
        fix=message.fix.name.lower() if message else None,
        receiver=notes.receiver,
        line_load=load.share if load else None,
        satellites_used=notes.used,
        satellites_seen=notes.in_view(now) or None,
        lag=_lags(first),
        temperature_c=devices.celsius,
        leap_table_expires=leaps.expires.iso(),
        next_leap=None if leap is None else _leap(leap),
        alarms=tuple(
            _alarm(alarm, each.receiver, now)
            for each in references
            for alarm in each.integrity.alarms(now)
        )
        + tuple(_alarm(alarm, UPSTREAM, now) for alarm in upstream.alarms(now)),
        devices=dict(devices.shown),
        dropped=dict(notes.dropped),
        sources=tuple(
            _source(each, first, stands_in, devices, now) for each in references
        ),
        servers=_servers(clock, upstream, now),
        witness=_witness(clock, upstream, now),
    )


def _refid(served: ClockSnapshot) -> str:
    """The name of a reference clock, or as an address of IPv4 who is followed."""
    if served.stratum >= 16:
        return ""
    if served.stratum > 1:
        return ".".join(map(str, served.ref_id))
    return served.ref_id.rstrip(b"\0").decode()


def _servers(
    clock: Clock, upstream: UpstreamWitness, now: Mono
) -> tuple[ServerStatus, ...]:
    rate = Rate.of(clock.learned())
    return tuple(
        ServerStatus(
            name=row.server.name,
            address=row.server.address,
            mark=row.standing.value,
            stratum=row.server.stratum,
            offset_s=_from_ours(clock, row.interval, now),
            error_s=row.interval.half.seconds if row.interval else None,
            delay_s=_delay(row, upstream.raw(now), rate),
            jitter_s=row.jitter.seconds,
            reach=row.server.reach,
            last_age_s=_age(row.server.samples.heard, upstream.raw(now)),
            trust=row.server.trust.value,
            why=sentence(row.why) if row.why else "",
            code=row.why.code if row.why else "",
        )
        for row in upstream.rows(now)
    )


def _delay(row: Row, now: Mono, rate: Rate) -> float | None:
    best = row.server.samples.best(now, rate.drift)
    return None if best is None else best.delay.seconds


def _from_ours(clock: Clock, interval: Interval | None, now: Mono) -> float | None:
    """Their time less ours; None: one of the two is not known."""
    ours = _utc(clock, now)
    if interval is None or ours is None:
        return None
    return (interval.utc - ours).seconds


def _time_left_s(clock: Clock, estimate: Estimate) -> float | None:
    """How long the bound stays within the holdover limit; None: it does not."""
    return clock.certainty.time_left(clock.sigma_ahead(estimate)).seconds or None


def _utc(clock: Clock, now: Mono) -> Utc | None:
    """The published time if it is known, else what CLOCK_REALTIME shows: UTC either
    way."""
    if (tai := clock.tai(now)) is not None:
        return clock.snapshot.posix(tai)
    at = clock.realtime.local(now)
    return None if at is None else Utc(at.ns)


def _witness(
    clock: Clock, upstream: UpstreamWitness, now: Mono
) -> WitnessStatus | None:
    selected = upstream.selected(now)
    if selected is None:
        return None
    return WitnessStatus(
        offset_s=_from_ours(clock, selected.interval, now),
        error_s=selected.interval.half.seconds,
        agree=selected.agree,
        of=selected.of,
        nts=selected.nts,
        proven=selected.proven,
        server=selected.peer,
    )


def _source(
    reference: Reference,
    first: Reference,
    stands_in: Reference | None,
    devices: Devices,
    now: Mono,
) -> SourceStatus:
    message, refusal = reference.notes.message, reference.refusal
    lost = [
        each for each in (reference.receiver, reference.pulse) if each in devices.lost
    ]
    return SourceStatus(
        receiver=reference.receiver,
        pulse=reference.pulse,
        steers=reference is first,
        offset_s=reference.offset.seconds if reference.offset is not None else None,
        last_pulse_age_s=_age(reference.last_used, now),
        pulses=reference.used,
        fix=message.fix.name.lower() if message else None,
        lag=_lags(reference),
        bias_s=reference.bias.mean.seconds if reference.bias.known else None,
        stands_in=reference is stands_in,
        refusal=f"{lost[0]} is gone" if lost else sentence(refusal) if refusal else "",
    )


def _lags(reference: Reference) -> dict[str, LagStatus]:
    return {
        kind: LagStatus(lag.mean.seconds, lag.spread.seconds, lag.count)
        for kind, lag in reference.labeller.lags().items()
    }


def _alarm(alarm: Alarm, source: SourceId, now: Mono) -> AlarmStatus:
    return AlarmStatus(
        kind=alarm.kind.value,
        text=sentence(alarm.reason),
        age_s=(now - alarm.since).seconds,
        code=alarm.reason.code,
        parameters=alarm.reason.parameters,
        source=source,
        severity=alarm.kind.severity.value,
    )


def _leap(leap: LeapSecond) -> str:
    what = "inserted" if leap.inserts else "deleted"
    return f"a second is {what} before {leap.midnight.iso()}"


def _age(then: Mono | None, now: Mono) -> float | None:
    return None if then is None else (now - then).seconds
