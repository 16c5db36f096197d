"""Why this mode and no better one: what was seen, put into plain words.

`Seen` only takes notes; `why` and `describe` read them. None decides anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from refclock.discipline.bank import Estimate
from refclock.discipline.bound import UNKNOWN, Budget
from refclock.discipline.mode import Mode
from refclock.events import (
    GPS0,
    PPS0,
    AntennaFeed,
    Configured,
    Dropped,
    Event,
    Feed,
    Fix,
    Found,
    Identity,
    LineLoad,
    Lost,
    NoTime,
    PulseEdge,
    SkyView,
    Temperature,
    TimeMessage,
)
from refclock.integrity.monitor import Alarm
from refclock.label.lag import Lag
from refclock.observe.status import AlarmStatus, LagStatus, Status, seconds
from refclock.published import ClockSnapshot
from refclock.timebase import SECOND, Duration, LeapSecond, LeapTable, Mono

_NAME = {GPS0: "receiver", PPS0: "pulse"}
_RECENT = 5 * SECOND
_LOOKED = 15 * SECOND
"""Some tell the sky every ten, or a system at a time."""
_LOADED = 15 * SECOND
"""A line on which anything comes tells its load every ten."""


@dataclass(slots=True)
class Seen:
    """The last word of every device. Used by one thread."""

    pulse: PulseEdge | None = None
    message: TimeMessage | None = None
    good: TimeMessage | None = None
    """The last message with a fix."""
    void: Mono | None = None
    """When it last said that it has none."""
    timeless: NoTime | None = None
    receiver: str | None = None
    used: int | None = None
    tracked: dict[str, int] = field(default_factory=dict)
    """Satellites in view, by system."""
    looked: Mono | None = None
    """When any were."""
    feed: Feed = Feed.WELL
    celsius: float | None = None
    load: LineLoad | None = None
    devices: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    """Devices gone, and what was said when they went."""
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def fixed(self) -> bool:
        """Does the receiver say that it has a fix?"""
        return self.message is not None and self.message.fix.good

    def no_fix(self, now: Mono) -> bool:
        """Does the receiver speak, and say that it has no fix?"""
        if self.void is None or now - self.void > _RECENT:
            return False
        return self.good is None or now - self.good.mono > _RECENT

    def in_view(self, now: Mono) -> int:
        """How many satellites are, in all."""
        if self.looked is None or now - self.looked > _LOOKED:
            return 0
        return sum(self.tracked.values())

    def note(self, event: Event) -> None:  # noqa: PLR0912 - a case for every fact
        """Remember what matters of it."""
        match event:
            case PulseEdge():
                self.pulse = event
            case TimeMessage():
                self.message = event
                if event.fix.good:
                    self.good = event
                elif event.fix.denied:
                    self.void = event.mono
            case NoTime():
                self.timeless = event
                if event.fix.denied:
                    self.void = event.mono
            case Identity(name=name):
                self.receiver = name
            case Configured(text=text):
                self.devices["configured"] = text
            case SkyView():
                self._look(event)
            case AntennaFeed(feed=feed):
                self.feed = feed
            case LineLoad():
                self.load = event
            case Temperature(celsius=celsius):
                self.celsius = celsius
            case Found(source=source, detail=detail):
                self.devices[source] = detail
                self.lost.pop(source, None)
            case Lost(source=source, why=why):
                self.lost[source] = why
                self.devices[source] = f"gone: {why}"
            case Dropped(reason=reason):
                self.dropped[reason.value] += 1
            case _:
                pass

    def _look(self, sky: SkyView) -> None:
        if sky.used is not None:
            self.used = sky.used
        if sky.satellites:
            if not self.in_view(sky.mono):
                self.tracked.clear()
            self.looked = sky.mono
        for system in {each.system for each in sky.satellites}:
            self.tracked[system] = sum(each.system == system for each in sky.satellites)


def why(
    mode: Mode, seen: Seen, refusal: str, budget: Budget, limit: Duration, now: Mono
) -> str:
    """The reason for `mode`. `refusal`: why the last pulse or message was not used."""
    bound = seconds(budget.total.seconds)
    match mode:
        case Mode.TRACK:
            return f"the pulse is followed, the time is good to {bound}"
        case Mode.HOLDOVER:
            by = "kept by sentences alone" if budget.lag else "holding over"
            return f"{by}: {_missing(seen, refusal, now)}"
        case Mode.ACQUIRE if budget.filter >= UNKNOWN:
            return "one pulse has its second; the next will tell the rate"
        case Mode.ACQUIRE:
            return (
                f"the bound of {bound} is still above "
                f"{seconds(limit.seconds)}; more pulses will shrink it"
            )
        case Mode.COLD:
            return _missing(seen, refusal, now)


def describe(
    mode: Mode,
    snapshot: ClockSnapshot,
    seen: Seen,
    now: Mono,
    *,
    why: str,
    estimate: Estimate | None,
    rate: float | None,
    budget: Budget,
    good_for: Duration | None,
    steering_ppb: float | None,
    pulse: Mono | None,
    pulses: int,
    lags: Mapping[str, Lag],
    leaps: LeapTable,
    alarms: Sequence[Alarm],
) -> Status:
    """The engine's state as an operator reads it. `rate`: reference - raw clock."""
    tai = snapshot.tai(snapshot.local, snapshot.realtime_offset)
    message, leap = seen.message, snapshot.leap
    offset = None if estimate is None else estimate.offset - snapshot.utc_behind_tai
    return Status(
        mode=mode.name,
        reason=why,
        stratum=snapshot.stratum,
        refid=snapshot.ref_id.rstrip(b"\0").decode() if mode.serves else "",
        leap=_LEAP[snapshot.indicator(tai, now)],
        utc=snapshot.posix(tai).iso() if estimate else None,
        offset_s=offset.seconds if offset is not None else None,
        frequency_ppm=rate * -1e6 if rate is not None else None,
        steering_ppm=steering_ppb * 1e-3 if steering_ppb is not None else None,
        bound_s=budget.total.seconds if estimate else None,
        bound_parts=budget.lines() if estimate else {},
        good_for_s=good_for.seconds if good_for else None,
        last_pulse_age_s=_since(pulse, now),
        last_sentence_age_s=_since(message.mono if message else None, now),
        pulses=pulses,
        fix=message.fix.name.lower() if message else None,
        receiver=seen.receiver,
        line_load=seen.load.share if seen.load else None,
        satellites_used=seen.used,
        satellites_seen=seen.in_view(now) or None,
        lag={
            kind: LagStatus(lag.mean.seconds, lag.spread.seconds, lag.count)
            for kind, lag in lags.items()
        },
        temperature_c=seen.celsius,
        leap_table_expires=leaps.expires.iso(),
        next_leap=None if leap is None else _leap(leap),
        alarms=tuple(
            AlarmStatus(alarm.kind.value, alarm.text, (now - alarm.since).seconds)
            for alarm in alarms
        ),
        devices=dict(seen.devices),
        dropped=dict(seen.dropped),
    )


_LEAP = ("none", "insert", "delete", "unsynchronised")


def _leap(leap: LeapSecond) -> str:
    what = "inserted" if leap.inserts else "deleted"
    return f"a second is {what} before {leap.midnight.iso()}"


def _since(then: Mono | None, now: Mono) -> float | None:
    return None if then is None else (now - then).seconds


def _missing(seen: Seen, refusal: str, now: Mono) -> str:
    """The first thing that is wrong, on the way from the antenna to the second."""
    gone = [source for source in _NAME if source in seen.lost]
    if gone:
        return "; ".join(
            f"{_NAME[source]} is gone: {seen.lost[source]}" for source in gone
        )
    if seen.message is None or now - seen.message.mono > _RECENT:
        return _unheard(seen, now)
    still = seen.pulse is None or now - seen.pulse.mono > _RECENT
    if seen.good is None or now - seen.good.mono > _RECENT:
        return f"the receiver has no fix{_sky(seen, now)}: {_REMEDY[seen.feed]}"
    if still:
        since = "" if seen.pulse is None else f" for {_age(now - seen.pulse.mono)}"
        return f"no pulse{since} though the receiver has a fix: check the pulse's wire"
    return refusal or "waiting for the next pulse"


def _unheard(seen: Seen, now: Mono) -> str:
    """What comes of a receiver that names no time."""
    told = seen.timeless
    if told is not None and now - told.mono <= _RECENT:
        if told.fix.good:
            return "the receiver has a fix but names no date: have it send RMC or ZDA"
        view = f", with {seen.in_view(now)} satellites in view"
        return f"the receiver speaks but knows no time{view}: {_REMEDY[seen.feed]}"
    noisy = seen.load is not None and now - seen.load.mono < _LOADED
    if seen.message is None and (noisy or seen.dropped.total()):
        return (
            "bytes arrive from the receiver but do not decode: wrong speed, "
            "or no NMEA that names the time"
        )
    since = "" if seen.message is None else f" for {_age(now - seen.message.mono)}"
    return f"no sentence from the receiver{since}: check wiring and speed"


def _sky(seen: Seen, now: Mono) -> str:
    if seen.message is None:
        return ""
    tracked = seen.in_view(now)
    view = f", {tracked} satellites in view" if tracked else ""
    return f" (it says {_FIX[seen.message.fix]}{view})"


_REMEDY = {
    Feed.WELL: "give the antenna a view of the sky",
    Feed.OPEN: (
        "it finds no antenna (open): check the plug, or if the antenna has no "
        "amplifier, give it a view of the sky"
    ),
    Feed.SHORT: "it finds its antenna shorted: check plug and cable",
}
_FIX = {
    Fix.VALID: "valid",
    Fix.PRESUMED: "valid",
    Fix.NONE: "void",
    Fix.ESTIMATED: "estimated, not from satellites",
    Fix.CONTRADICTION: "both valid and void",
    Fix.UNKNOWN: "nothing of its fix",
}


def _age(length: Duration) -> str:
    return seconds(length.seconds)
