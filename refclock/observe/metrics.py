"""Status in the text format of Prometheus. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_MODES: Final = ("COLD", "ACQUIRE", "TRACK", "HOLDOVER")
_PLAIN: Final = (
    ("offset_seconds", "offset_s", 1.0, "Reference - local clock."),
    ("bound_seconds", "bound_s", 1.0, "True time is within this of the served time."),
    ("holdover_remaining_seconds", "good_for_s", 1.0, "Until the bound is too wide."),
    ("oscillator_frequency_ratio", "frequency_ppm", 1e-6, "Of the oscillator, + fast."),
    ("steering_frequency_ratio", "steering_ppm", 1e-6, "Commanded to the kernel."),
    ("pulse_age_seconds", "last_pulse_age_s", 1.0, "Since the last pulse used."),
    ("sentence_age_seconds", "last_sentence_age_s", 1.0, "Since the last sentence."),
    ("temperature_celsius", "temperature_c", 1.0, "Of the board."),
    ("receiver_line_load_ratio", "line_load", 1.0, "Of what the line can carry."),
    ("satellites_used", "satellites_used", 1.0, "Satellites in the solution."),
    ("satellites_seen", "satellites_seen", 1.0, "Satellites in view."),
)
"""Name, key of the status, factor to the base unit, help."""

Series = tuple[Mapping[str, str], float]


def metrics(status: Mapping[str, Any] | None, version: str) -> str:
    """Every family, from the object of `read_status`; None: the daemon is silent."""
    lines = _family("build_info", "The program.", [({"version": version}, 1)])
    lines += _family("up", "Does the daemon answer?", [({}, status is not None)])
    if status is None:
        return "\n".join(lines) + "\n"
    synchronized = status["stratum"] < 16
    lines += _family("synchronized", "Is time served?", [({}, synchronized)])
    lines += _family("stratum", "As served.", [({}, status["stratum"])])
    modes = [({"mode": each.lower()}, status["mode"] == each) for each in _MODES]
    lines += _family("mode", "1 for the mode it is in.", modes)
    for name, key, factor, about in _PLAIN:
        if status[key] is not None:
            lines += _family(name, about, [({}, status[key] * factor)])
    parts = [({"part": name}, s) for name, s in status["bound_parts"].items()]
    lines += _family("bound_part_seconds", "What the bound is made of.", parts)
    lags = [({"kind": kind}, lag["mean_s"]) for kind, lag in status["lag"].items()]
    lines += _family("sentence_lag_seconds", "First byte - its second.", lags)
    alarms = [
        ({"kind": kind, "source": source}, 1)
        for kind, source in sorted({(a["kind"], a["source"]) for a in status["alarms"]})
    ]
    lines += _family("alarm", "1 for each alarm that stands.", alarms)
    used: list[Series] = [({}, status["pulses"])]
    lines += _family("pulses_used_total", "Since the start.", used, "counter")
    refused = [({"reason": why}, n) for why, n in status["dropped"].items()]
    lines += _family("dropped_total", "Bytes, lines and pulses.", refused, "counter")
    hosts = status["server"].get("clients", 0)
    lines += _family("ntp_clients", "Hosts remembered.", [({}, hosts)])
    served = [
        ({"kind": kind}, n) for kind, n in status["server"].items() if kind != "clients"
    ]
    lines += _family("ntp_packets_total", "As counted, by kind.", served, "counter")
    return "\n".join(lines) + "\n"


def _family(
    name: str, about: str, series: Iterable[Series], kind: str = "gauge"
) -> list[str]:
    rows = [
        f"refclock_{name}{_labels(labels)} {float(value):.12g}"
        for labels, value in series
    ]
    if not rows:
        return []
    return [f"# HELP refclock_{name} {about}", f"# TYPE refclock_{name} {kind}", *rows]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_quoted(v)}"' for key, v in labels.items()) + "}"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
