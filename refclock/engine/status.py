"""The engine's state as an operator reads it: made when somebody asks."""

from __future__ import annotations

from refclock.diagnose.notes import Devices
from refclock.diagnose.why import why
from refclock.diagnose.words import sentence
from refclock.engine.clock import Clock
from refclock.engine.reference import Reference, References
from refclock.integrity.alarm import Alarm
from refclock.observe.status import AlarmStatus, LagStatus, SourceStatus, Status
from refclock.reasons import Reason
from refclock.timebase import LeapSecond, LeapTable, Mono

_LEAP = ("none", "insert", "delete", "unsynchronised")


def reason(clock: Clock, first: Reference, devices: Devices, now: Mono) -> Reason:
    """Why the mode is what it is."""
    return why(
        clock.mode,
        first.notes,
        devices.lost,
        (first.receiver, first.pulse),
        first.refusal,
        clock.budget,
        clock.limit,
        now,
    )


def status(
    clock: Clock,
    references: References,
    devices: Devices,
    leaps: LeapTable,
    now: Mono,
) -> Status:
    """Everything an operator may ask, as it stands at `now`."""
    first, snapshot, budget = references.first, clock.snapshot, clock.budget
    notes, estimate = first.notes, clock.estimate(now)
    tai = snapshot.tai(snapshot.local, snapshot.realtime_offset)
    offset = None if estimate is None else estimate.offset - snapshot.utc_behind_tai
    steering_ppb, load = clock.steering_ppb, notes.load
    message, leap = notes.message, snapshot.leap
    because = reason(clock, first, devices, now)
    return Status(
        mode=clock.mode.name,
        reason=sentence(because),
        reason_codes=because.codes,
        reason_parameters=because.parameters,
        stratum=snapshot.stratum,
        refid=snapshot.ref_id.rstrip(b"\0").decode() if clock.mode.serves else "",
        leap=_LEAP[snapshot.indicator(tai, now)],
        utc=snapshot.posix(tai).iso() if estimate else None,
        offset_s=offset.seconds if offset is not None else None,
        frequency_ppm=clock.learned().rate * -1e6 if estimate else None,
        steering_ppm=None if steering_ppb is None else steering_ppb * 1e-3,
        bound_s=budget.total.seconds if estimate else None,
        bound_parts=budget.lines() if estimate else {},
        good_for_s=clock.time_left(estimate).seconds or None if estimate else None,
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
            _alarm(alarm, each, now)
            for each in references
            for alarm in each.integrity.alarms(now)
        ),
        devices=dict(devices.shown),
        dropped=dict(notes.dropped),
        sources=tuple(_source(each, first, devices, now) for each in references),
    )


def _source(
    reference: Reference, first: Reference, devices: Devices, now: Mono
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
        refusal=f"{lost[0]} is gone" if lost else sentence(refusal) if refusal else "",
    )


def _lags(reference: Reference) -> dict[str, LagStatus]:
    return {
        kind: LagStatus(lag.mean.seconds, lag.spread.seconds, lag.count)
        for kind, lag in reference.labeller.lags().items()
    }


def _alarm(alarm: Alarm, reference: Reference, now: Mono) -> AlarmStatus:
    return AlarmStatus(
        kind=alarm.kind.value,
        text=sentence(alarm.reason),
        age_s=(now - alarm.since).seconds,
        code=alarm.reason.code,
        parameters=alarm.reason.parameters,
        source=reference.receiver,
    )


def _leap(leap: LeapSecond) -> str:
    what = "inserted" if leap.inserts else "deleted"
    return f"a second is {what} before {leap.midnight.iso()}"


def _age(then: Mono | None, now: Mono) -> float | None:
    return None if then is None else (now - then).seconds
