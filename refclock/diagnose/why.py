"""Why this mode and no better one: the first thing that is wrong, from the antenna on.

Only the reason is found here; `words` makes the sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refclock.diagnose.notes import Notes
from refclock.discipline.bound import Budget
from refclock.discipline.mode import Mode
from refclock.events import PulseEdge, SourceId, TimeMessage
from refclock.published import UNKNOWN
from refclock.reasons import Code, Reason
from refclock.timebase import SECOND, Duration, Mono

_RECENT = 5 * SECOND
_LOAD_LASTS = 15 * SECOND
"""A line on which anything comes tells its load every ten seconds."""


def why(
    mode: Mode,
    notes: Notes,
    lost: Mapping[SourceId, str],
    sources: Sequence[SourceId],
    refusal: Reason | None,
    budget: Budget,
    limit: Duration,
    now: Mono,
) -> Reason:
    """The reason for `mode` at `now`.

    `lost`: devices that are gone, and why. `sources`: the receiver and its pulse.
    `refusal`: why the last pulse or message was not used.
    """
    bound_s = budget.total.seconds
    match mode:
        case Mode.TRACK:
            return Reason.of(Code.FOLLOWING, bound_s=bound_s)
        case Mode.HOLDOVER:
            code = Code.SENTENCES_ALONE if budget.lag else Code.HOLDING_OVER
            return Reason.of(code, _missing(notes, lost, sources, refusal, now))
        case Mode.ACQUIRE if budget.filter >= UNKNOWN:
            return Reason.of(Code.FIRST_PULSE)
        case Mode.ACQUIRE:
            return Reason.of(
                Code.BOUND_ABOVE_LIMIT, bound_s=bound_s, limit_s=limit.seconds
            )
        case Mode.COLD:
            return _missing(notes, lost, sources, refusal, now)


def _missing(
    notes: Notes,
    lost: Mapping[SourceId, str],
    sources: Sequence[SourceId],
    refusal: Reason | None,
    now: Mono,
) -> Reason:
    """The first thing that is wrong, on the way from the antenna to the second."""
    for source in sources:
        if source in lost:
            return Reason.of(Code.DEVICE_LOST, source=source, why=lost[source])
    if notes.message is None or now - notes.message.mono > _RECENT:
        return _without_time(notes, now)
    if notes.good is None or now - notes.good.mono > _RECENT:
        return Reason.of(
            Code.NO_FIX,
            fix=notes.message.fix.name.lower(),
            satellites=notes.in_view(now),
            feed=notes.feed.value,
        )
    if notes.pulse is None or now - notes.pulse.mono > _RECENT:
        return Reason.of(Code.NO_PULSE, **_since(notes.pulse, now))
    return refusal or Reason.of(Code.WAITING_FOR_PULSE)


def _without_time(notes: Notes, now: Mono) -> Reason:
    """What is wrong with a receiver that names no time."""
    said = notes.no_time
    if said is not None and now - said.mono <= _RECENT:
        if said.fix.good:
            return Reason.of(Code.NO_DATE)
        return Reason.of(
            Code.NO_TIME, satellites=notes.in_view(now), feed=notes.feed.value
        )
    foreign = notes.protocol
    if foreign is not None and now - foreign.mono <= _RECENT:
        return Reason.of(Code.FOREIGN_PROTOCOL, protocol=foreign.detail)
    noisy = notes.load is not None and now - notes.load.mono < _LOAD_LASTS
    if notes.message is None and (noisy or notes.dropped.total()):
        return Reason.of(Code.UNDECODABLE)
    return Reason.of(Code.NO_SENTENCE, **_since(notes.message, now))


def _since(last: PulseEdge | TimeMessage | None, now: Mono) -> dict[str, float]:
    return {} if last is None else {"for_s": (now - last.mono).seconds}
