"""The sentence of every reason: the only place where one is made.

A sentence says what is the matter and, after a colon, the one thing to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from refclock.diagnose.protocols import way_back
from refclock.observe.text import seconds
from refclock.reasons import Code, Reason


def sentence(reason: Reason) -> str:
    """`reason` in plain words, without a full stop."""
    said = _SENTENCES[reason.code]
    text = said(reason.parameters) if callable(said) else said
    return text if reason.cause is None else f"{text}: {sentence(reason.cause)}"


def _device_lost(p: Mapping[str, Any]) -> str:
    return f"{_DEVICES.get(p['source'], p['source'])} is gone: {p['why']}"


def _no_sentence(p: Mapping[str, Any]) -> str:
    return f"no sentence from the receiver{_since(p)}: check wiring and speed"


def _no_time(p: Mapping[str, Any]) -> str:
    return (
        f"the receiver speaks but knows no time, with {p['satellites']} satellites in "
        f"view: {_REMEDIES[p['feed']]}"
    )


def _no_fix(p: Mapping[str, Any]) -> str:
    view = f", {p['satellites']} satellites in view" if p.get("satellites") else ""
    fix = f" (it says {_FIXES[p['fix']]}{view})" if "fix" in p else ""
    return f"the receiver has no fix{fix}: {_REMEDIES[p.get('feed', 'well')]}"


def _no_pulse(p: Mapping[str, Any]) -> str:
    return f"no pulse{_since(p)} though the receiver has a fix: check the pulse's wire"


def _witness_contradicts(p: Mapping[str, Any]) -> str:
    return (
        f"the receiver is {_signed(p['offset_s'])} from what "
        f"{_DEVICES.get(p['witness'], p['witness'])} says: one of them is wrong, and "
        f"which cannot be known{_WITNESS_REMEDIES.get(p['witness'], '')}"
    )


def _upstream_contradicts(p: Mapping[str, Any]) -> str:
    nts = f", {p['nts']} with NTS" if p["nts"] else ""
    rest = (
        "one of them is wrong"
        if p["proven"]
        else "nobody vouches for those servers, so the receiver is believed in the end"
    )
    return (
        f"the {p['what']} is {_signed(p['offset_s'])} from {p['agree']} of {p['of']} "
        f"servers{nts}: {rest}"
    )


def _upstream_leap(p: Mapping[str, Any]) -> str:
    theirs = ("none", "a second inserted", "a second deleted")[p["theirs"]]
    return (
        f"{p['agree']} of {p['of']} servers announce {theirs} at the end of this day, "
        "which neither the table nor the receiver has: update the table (leap.file)"
    )


def _signed(offset_s: float) -> str:
    """Seconds, to milliseconds if they are not whole."""
    whole = abs(offset_s - round(offset_s)) < 5e-4 or abs(offset_s) > 1e6
    return f"{offset_s:+.0f} s" if whole else f"{offset_s:+.3f} s"


def _before_last_good(p: Mapping[str, Any]) -> str:
    return (
        f"the receiver says it is {p['day']}, before {p['last_good']}, which was "
        f"served last: one of them is wrong. It is believed if it stays so for "
        f"{seconds(p['wait_s'])}; a battery clock that is right would decide at once"
    )


def _rollover(p: Mapping[str, Any]) -> str:
    return (
        f"the receiver says it is {p['day']}: its week count has rolled over; "
        f"{p['weeks']} weeks are added. Newer firmware would know"
    )


def _leap_count(p: Mapping[str, Any]) -> str:
    count = f"TAI-UTC = {p['count_s']:.0f} s" if "count_s" in p else "no count"
    origin = "firmware" if p["firmware_default"] else "receiver"
    return (
        f"the {origin} has {count} for the leap seconds, the table "
        f"{p['table_s']:.0f} s: its time is not believed until they agree (from the "
        "sky that takes up to 12.5 minutes)"
    )


def _leap_not_in_table(p: Mapping[str, Any]) -> str:
    return (
        f"the receiver announces a leap second before {p['day']}, which the table "
        f"(good until {p['expires']}) does not have; it is not believed"
    )


def _second_off(p: Mapping[str, Any]) -> str:
    gps = " (that is GPS time, not UTC)" if p["gps_time"] else ""
    return (
        f"the receiver is {p['offset_s']:+.0f} s from the second our clock carries"
        f"{gps}, with no change of the pulse; {_SIDES[p['witness']]}"
    )


def _second_corrected(p: Mapping[str, Any]) -> str:
    return (
        f"the second was corrected by {p['offset_s']:+.0f} s, as the receiver has said "
        f"for {p['lasted_s']:.0f} s: what was served before was wrong by that"
    )


def _pulse_jumped(p: Mapping[str, Any]) -> str:
    return (
        f"the pulse jumped by {p['offset_s'] * 1e6:+.1f} µs, which our oscillator "
        "cannot have done: a fault of the receiver, or spoofing"
    )


def _moved(p: Mapping[str, Any]) -> str:
    return (
        f"the antenna is {p['distance_m']:.0f} m from where it stood: spoofing, or it "
        "was moved; then restart, or set integrity.static to false"
    )


def _interference(what: str, do: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda p: f"the receiver says it is {what} ({p['detail']}): {do}"


def _stepped(p: Mapping[str, Any]) -> str:
    return (
        f"the clock was set by {p['step_s']:+.6f} s and not by us: another time "
        "service is running (stop it), or the machine slept"
    )


def _crowded(p: Mapping[str, Any]) -> str:
    return (
        f"the receiver's line is {p['share']:.0%} full, so that sentences may come "
        "late: have it say less (receiver.configure), or speak faster"
    )


def _table(expires: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda p: (
        f"the table of leap seconds {expires} on {p['day']}, and the receiver does "
        "not tell its count: update the system's tzdata package, or name a newer file "
        "in leap.file"
    )


def _since(p: Mapping[str, Any]) -> str:
    return f" for {seconds(p['for_s'])}" if "for_s" in p else ""


_DEVICES: Final = {
    "gps0": "receiver",
    "pps0": "pulse",
    "rtc0": "the battery clock",
    "temp0": "thermometer",
    "upstream": "the majority of time servers",
}
_WITNESS_REMEDIES: Final = {
    "rtc0": (
        ". If that is the battery clock, set it (hwclock --set --utc --date ...), or "
        'set rtc.source to "none"'
    ),
}
_REMEDIES: Final = {
    "well": "give the antenna a view of the sky",
    "open": (
        "it finds no antenna (open): check the plug, or if the antenna has no "
        "amplifier, give it a view of the sky"
    ),
    "short": "it finds its antenna shorted: check plug and cable",
}
_FIXES: Final = {
    "valid": "valid",
    "presumed": "valid",
    "none": "void",
    "estimated": "estimated, not from satellites",
    "contradiction": "both valid and void",
    "unknown": "nothing of its fix",
}
_SIDES: Final = {
    "for": "a witness agrees with the receiver: it is believed if it lasts",
    "against": "a witness agrees with our clock, which is believed",
    "none": "our clock is believed. If you know better, restart",
}

_SENTENCES: Final[Mapping[Code, str | Callable[[Mapping[str, Any]], str]]] = {
    Code.FOLLOWING: lambda p: (
        f"the pulse is followed, the time is good to {seconds(p['bound_s'])}"
    ),
    Code.HOLDING_OVER: "holding over",
    Code.SENTENCES_ALONE: "kept by sentences alone",
    Code.FIRST_PULSE: "one pulse has its second; the next will tell the rate",
    Code.BOUND_ABOVE_LIMIT: lambda p: (
        f"the bound of {seconds(p['bound_s'])} is still above "
        f"{seconds(p['limit_s'])}; more pulses will shrink it"
    ),
    Code.WAITING_FOR_PULSE: "waiting for the next pulse",
    Code.DEVICE_LOST: _device_lost,
    Code.NO_SENTENCE: _no_sentence,
    Code.UNDECODABLE: (
        "bytes arrive from the receiver but do not decode: wrong speed, or no NMEA "
        "that names the time"
    ),
    Code.FOREIGN_PROTOCOL: lambda p: (
        f"the receiver speaks {p['protocol']}: {way_back(p['protocol'])}"
    ),
    Code.NO_DATE: "the receiver has a fix but names no date: have it send RMC or ZDA",
    Code.NO_TIME: _no_time,
    Code.NO_FIX: _no_fix,
    Code.NO_PULSE: _no_pulse,
    Code.OTHER_EDGE: "the other edge of the pulse",
    Code.EDGE_AMBIGUOUS: lambda p: (
        f"the pulse is low for {seconds(p['apart_s'])} and high for the rest: a short "
        "pulse turned round, or a long one. Which edge is the second cannot be known: "
        'set pulse.edge to "assert" (rising) or "clear" (falling)'
    ),
    Code.NO_FIX_FOR_PULSE: "pulses come, but without a fix they are not believed",
    Code.RECEIVER_SILENT_FOR_PULSE: (
        "pulses come, but the receiver says nothing that vouches for them: check its "
        "line and speed"
    ),
    Code.PULSE_NOT_PERIODIC: "waiting for pulses that come once a second",
    Code.SEVERAL_PULSES: "several pulses within a second: noise on the line?",
    Code.SECOND_PULSE: "a second pulse within the second: noise on the line?",
    Code.PULSE_BETWEEN_SECONDS: lambda p: (
        f"a pulse {p['distance_s']:.3f} s from the second"
    ),
    Code.PULSE_OF_LEAP_SECOND: (
        "the pulse of an inserted leap second, which has no name"
    ),
    Code.PULSE_REJECTED: lambda p: (
        f"the pulse is {seconds(p['offset_s'])} off what our clock can be; it is not "
        "believed"
    ),
    Code.TOO_FEW_SENTENCES: lambda p: (
        f"waiting for {p['needed']} sentences with a fix in a row"
    ),
    Code.SENTENCES_DISAGREE: lambda p: f"{p['kinds']} name different seconds",
    Code.SENTENCES_CONTRADICT: lambda p: (
        f"{p['detail']}: neither is believed. A receiver that stays so is faulty"
    ),
    Code.FOREIGN_CLOCK: lambda p: (
        f"{p['detail']} on the same line, and is left out: give each a line of its own"
    ),
    Code.SENTENCES_IRREGULAR: lambda p: (
        f"{p['kind']} comes irregularly, or its seconds do not run on"
    ),
    Code.SENTENCE_NEAR_PULSE: lambda p: (
        f"{p['kind']} comes so near the pulse that it may name the second before or "
        "after it; a battery clock that is right or an NTP server could tell"
    ),
    Code.WITNESS_CONTRADICTS: _witness_contradicts,
    Code.LINE_SATURATED: "sentences wait on a saturated line: raise its speed",
    Code.DATE_IMPOSSIBLE: lambda p: (
        f"the receiver says it is {p['day']}, which cannot be: it does not know the "
        "date yet; give its antenna a view of the sky"
    ),
    Code.DATE_BEFORE_LAST_GOOD: _before_last_good,
    Code.WEEK_ROLLOVER: _rollover,
    Code.LEAP_COUNT_WRONG: _leap_count,
    Code.LEAP_SECOND_NOT_IN_TABLE: _leap_not_in_table,
    Code.SECOND_OFF: _second_off,
    Code.SECOND_CORRECTED: _second_corrected,
    Code.PULSE_JUMPED: _pulse_jumped,
    Code.PULSE_JUMP_FOLLOWED: "the pulse jumped, and was followed",
    Code.ANTENNA_MOVED: _moved,
    Code.SATELLITES_GONE: (
        "the receiver has a fix but uses no satellites: it may be simulated, or dead "
        "reckoning that does not say so"
    ),
    Code.SPOOFED: _interference(
        "spoofed", "compare with another source, `refclock query` asks one"
    ),
    Code.JAMMED: _interference(
        "jammed", "take the antenna away from whatever transmits near it"
    ),
    Code.UPSTREAM_CONTRADICTS: _upstream_contradicts,
    Code.UPSTREAM_LEAP: _upstream_leap,
    Code.SERVER_UNREACHABLE: lambda p: f"unreachable: {p['why']}",
    Code.SERVER_NEW: lambda p: f"fewer than {p['needed']} samples yet",
    Code.SERVER_FAR: lambda p: (
        f"it may be {seconds(p['distance_s'])} from true time, or the way to it is long"
    ),
    Code.SERVER_JITTERY: lambda p: f"its times scatter by {seconds(p['jitter_s'])}",
    Code.SERVER_FALSETICKER: lambda p: (
        f"falseticker: {_signed(p['offset_s'])} from what more than half agree on"
    ),
    Code.SERVER_WITHOUT_VOTE: "agrees, but authenticated servers alone decide",
    Code.SERVER_ALONE: (
        "alone: one server is believed only with key, nts or trust; name more"
    ),
    Code.SERVERS_DISAGREE: "no time that more than half of the servers agree on",
    Code.CLOCK_STEPPED: _stepped,
    Code.LINE_CROWDED: _crowded,
    Code.LEAP_TABLE_EXPIRES: _table("expires"),
    Code.LEAP_TABLE_EXPIRED: _table("expired"),
}
