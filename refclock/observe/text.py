"""Status as the pages that `refclock status` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from refclock.observe.escape import escape


def to_text(status: Mapping[str, Any]) -> str:
    """The page `refclock status` prints, from the object of `to_json`."""
    lines = [
        f"{headline(status['mode'], len(status['alarms'])):<10} {status['reason']}",
        f"serving    stratum {status['stratum']}, refid {status['refid'] or '-'}, "
        f"leap {status['leap']}",
        f"time       {status['utc'] or 'unknown'}",
        f"offset     {seconds(status['offset_s'])}  (reference - local clock)",
        *_bound(status),
        f"frequency  {_ppm(status['frequency_ppm'])}, "
        f"steering {_ppm(status['steering_ppm'], 'off: the clock is only corrected')}",
        f"pulse      {_ago(status['last_pulse_age_s'])}, {status['pulses']} used",
        f"sentence   {_ago(status['last_sentence_age_s'])}, fix {status['fix'] or '-'}"
        + _load(status["line_load"]),
        f"satellites {_count(status['satellites_used'])} used, "
        f"{_count(status['satellites_seen'])} seen"
        + (f" ({status['receiver']})" if status["receiver"] else ""),
    ]
    lines += [
        f"lag        {kind}: {seconds(lag['mean_s'])} ± {seconds(lag['spread_s'])} "
        f"({lag['count']} heard)"
        for kind, lag in sorted(status["lag"].items())
    ]
    if len(status["sources"]) > 1:
        lines += [f"source     {_source(each)}" for each in status["sources"]]
    if status["witness"] is not None:
        lines.append(f"witness    {_witness(status['witness'])}")
    if status["temperature_c"] is not None:
        lines.append(f"board      {status['temperature_c']:.1f} °C")
    leap = status["next_leap"] or "none announced"
    expires = status["leap_table_expires"]
    lines.append(f"leap       {leap}; table {_expiry(expires, status['utc'])}")
    lines += [
        f"device     {name}: {where}"
        for name, where in sorted(status["devices"].items())
    ]
    if status["dropped"]:
        refused = ", ".join(
            f"{why} {n}" for why, n in sorted(status["dropped"].items())
        )
        lines.append(f"refused    {refused}")
    lines += [f"ALARM      {_alarm(alarm)}" for alarm in status["alarms"]]
    lines.append(f"clients    {_server(status['server'])}")
    if status["clients"]:
        lines += [f"{'':11}{row}" for row in _clients(status["clients"])]
    lines += [
        f"denied     {host['address']}, {host['count']} requests,"
        f" {_ago(host['age_s'])}; to answer it add its network to server.allow"
        for host in status["denied"]
    ]
    return "\n".join(map(escape, lines))


def headline(mode: str, alarms: int) -> str:
    """The mode, and how many alarms stand: never the mode alone while one does."""
    if not alarms:
        return mode
    return f"{mode}, {alarms} ALARM{'S' if alarms > 1 else ''}:"


def _alarm(alarm: Mapping[str, Any]) -> str:
    return f"{alarm['text']} ({alarm['severity']}, for {seconds(alarm['age_s'])})"


def clients_text(clients: Sequence[Mapping[str, Any]]) -> str:
    """A table, a client a line, from the objects of `clients_json`."""
    return "\n".join(map(escape, _clients(clients)))


def _witness(witness: Mapping[str, Any]) -> str:
    nts = f", {witness['nts']} with NTS" if witness["nts"] else ""
    word = "" if witness["proven"] else "; not authenticated: an alarm at most"
    return (
        f"{witness['agree']} of {witness['of']} servers{nts}: "
        f"{seconds(witness['offset_s'])} ± {seconds(witness['error_s'])} from us{word}"
    )


def sources_text(status: Mapping[str, Any]) -> str:
    """A table, a receiver or server a line, from the object of `to_json`."""
    row = "{:<1} {:<28} {:>4} {:>11} {:>9} {:>9} {:>9} {:>5} {:>9} {:<5} {}"
    head = "", "source", "str.", "offset", "±", "delay", "jitter"
    lines = [row.format(*head, "reach", "last", "auth", "why it is not used").rstrip()]
    for each in status["sources"]:
        fresh = each["last_pulse_age_s"]
        used = (each["steers"] and not each["refusal"]) or each["stands_in"]
        lines.append(
            row.format(
                "*" if used else "?" if each["refusal"] else "-",
                f"{each['receiver']}/{each['pulse']}",
                0,
                seconds(0.0 if used else each["offset_s"]),
                seconds(status["bound_s"] if used else None),
                *("-", "-", "-"),
                "-" if fresh is None else seconds(fresh),
                "-",
                each["refusal"] or ("" if used else "watched"),
            ).rstrip()
        )
    for each in status["servers"]:
        figures = (each[f"{name}_s"] for name in ("offset", "error", "delay"))
        lines.append(
            row.format(
                each["mark"],
                each["name"],
                "-" if each["stratum"] is None else each["stratum"],
                *("-" if figure is None else seconds(figure) for figure in figures),
                seconds(each["jitter_s"]) if each["stratum"] is not None else "-",
                f"{each['reach']:o}",
                "-" if each["last_age_s"] is None else seconds(each["last_age_s"]),
                each["trust"],
                each["why"],
            ).rstrip()
        )
    return "\n".join(map(escape, lines))


def _clients(clients: Sequence[Mapping[str, Any]]) -> list[str]:
    row = "{:<24} {:>12} {:>9} {:>7} {:>11} {:>9}"
    head = "address", "last seen", "requests", "version", "interleaved", "limited"
    lines = [row.format(*head)]
    lines += [
        row.format(
            client["address"],
            _ago(client["age_s"]),
            *(client[name] for name in ("count", "version", "interleaved", "limited")),
        )
        for client in clients
    ]
    return lines


def seconds(length_s: float | None) -> str:
    """A length of time as a person reads it: `312 ns`, `-4.1 µs`, `2 h 05 min`."""
    if length_s is None:
        return "unknown"
    size = abs(length_s)
    if size >= 120:
        return _long(length_s)
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if size >= 0.9995 * scale:  # not 1e+03 of the smaller one
            return f"{length_s / scale:.3g} {unit}"
    return f"{length_s * 1e9:.0f} ns"


def _long(length_s: float) -> str:
    minutes = round(abs(length_s) / 60)
    sign = "-" if length_s < 0 else ""
    if minutes < 60:
        return f"{sign}{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{sign}{hours} h {minutes:02d} min"
    return f"{sign}{hours // 24} days"


def _bound(status: Mapping[str, Any]) -> list[str]:
    parts = [
        f"           {seconds(part):>8} {name}"
        for name, part in status["bound_parts"].items()
        if part
    ]
    text = f"bound      ± {seconds(status['bound_s'])}"
    if status["good_for_s"] is not None:
        text += f"; without pulses good for {seconds(status['good_for_s'])}"
    return [text, *parts]


def _ppm(value: float | None, absent: str = "unknown") -> str:
    return absent if value is None else f"{value:+.4f} ppm"


def _ago(age_s: float | None) -> str:
    return "none yet" if age_s is None else f"{seconds(age_s)} ago"


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)


def _load(share: float | None) -> str:
    return "" if share is None else f", line {share:.0%} full"


def _expiry(expires: str | None, utc: str | None) -> str:
    if expires is None:
        return "unknown"
    day = expires[:10]
    if utc is not None and expires < utc:
        return f"EXPIRED on {day}"
    return f"good until {day}"


def _server(counters: Mapping[str, Any]) -> str:
    if not counters:
        return "not serving"
    return ", ".join(
        f"{name.replace('_', ' ')} {count}" for name, count in counters.items()
    )


def _source(source: Mapping[str, Any]) -> str:
    name = f"{source['receiver']}/{source['pulse']}"
    if source["refusal"]:
        return f"{name}: {source['refusal']}"
    if source["stands_in"]:
        return f"{name}: steers in place of the first one"
    if source["steers"]:
        return f"{name}: steers the clock"
    return f"{name}: {seconds(source['offset_s'])} from the clock, watched"
