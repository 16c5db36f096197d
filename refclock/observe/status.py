"""What the daemon says of itself: one frozen snapshot, rendered here. Pure.

The engine fills in `Status`; the daemon adds what the server counted, and its
clients. Every duration is in seconds, every offset is reference - local.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from refclock.reasons import Parameter
from refclock.server.clients import ClientStatus


@dataclass(frozen=True, slots=True)
class LagStatus:
    """How late one kind of sentence comes after its second."""

    mean_s: float
    spread_s: float
    count: int


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """Something the operator should know, and what to do about it."""

    kind: str
    text: str
    age_s: float
    code: str = ""
    """The reason's, stable over versions."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    source: str = "gps0"


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One receiver and its pulse."""

    receiver: str
    pulse: str
    steers: bool
    """Is the clock disciplined by this one? The others are watched."""
    offset_s: float | None
    """Its last pulse less the published clock, where it does not steer."""
    last_pulse_age_s: float | None
    pulses: int
    fix: str | None
    lag: Mapping[str, LagStatus]
    refusal: str
    """Why its last pulse or message was not used."""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything one asks a time server when it misbehaves."""

    mode: str
    reason: str
    """Why this mode and no better one, in plain words."""
    stratum: int
    refid: str
    leap: str
    """none, insert, delete or unsynchronised: what clients are told."""
    utc: str | None
    offset_s: float | None
    """Reference - local clock, as it stands now."""
    frequency_ppm: float | None
    """How fast the raw oscillator runs (+ is fast)."""
    steering_ppm: float | None
    """What we told the kernel to add; None: the clock is only corrected."""
    bound_s: float | None
    bound_parts: Mapping[str, float] = field(default_factory=dict)
    good_for_s: float | None = None
    """How long the bound would stay within the holdover limit without pulses."""
    last_pulse_age_s: float | None = None
    last_sentence_age_s: float | None = None
    pulses: int = 0
    fix: str | None = None
    receiver: str | None = None
    line_load: float | None = None
    """Share of what the receiver's line can carry."""
    satellites_used: int | None = None
    satellites_seen: int | None = None
    lag: Mapping[str, LagStatus] = field(default_factory=dict)
    temperature_c: float | None = None
    leap_table_expires: str | None = None
    next_leap: str | None = None
    alarms: tuple[AlarmStatus, ...] = ()
    devices: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    reason_codes: tuple[str, ...] = ()
    """The codes of `reason` and of what is behind it, stable over versions."""
    reason_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    sources: tuple[SourceStatus, ...] = ()


def to_json(
    status: Status,
    server: Mapping[str, Any],
    clients: Sequence[ClientStatus] = (),
    denied: Sequence[ClientStatus] = (),
) -> str:
    """One object; the server's counters under `server`, its busiest clients under
    `clients`, hosts that the access rules excluded under `denied`."""
    hosts = {
        "clients": [asdict(client) for client in clients],
        "denied": [asdict(client) for client in denied],
    }
    return json.dumps({**asdict(status), "server": dict(server), **hosts})
