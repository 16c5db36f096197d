"""The daemon's state as documents: the answers of the control socket. Pure.

The engine fills in `Status`; the daemon adds what the server counted, and its
clients. Every duration is in seconds, every offset is reference - local.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from refclock.codec import CodecError, Fault, decode, dumps, encode, parsed
from refclock.server.admission.clients import ClientStatus
from refclock.settings import Decimals

VERSION: Final = 1
"""Of every answer of the control socket."""

Seconds = Annotated[float, Decimals(9)]
Ppm = Annotated[float, Decimals(6)]
Share = Annotated[float, Decimals(4)]
Celsius = Annotated[float, Decimals(3)]
Parameter = str | int | bool | Annotated[float, Decimals(9)]
"""As in `reasons`, a float rounded."""


@dataclass(frozen=True, slots=True)
class LagStatus:
    """How late one kind of sentence comes after its second."""

    mean_s: Seconds
    spread_s: Seconds
    count: int


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """Something the operator should know, and what to do about it."""

    kind: str
    text: str
    age_s: Seconds
    code: str = ""
    """The reason's, stable over versions."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    source: str = "gps0"
    severity: str = "warning"
    """critical: the served time itself may be false; or warning."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One receiver and its pulse."""

    receiver: str
    pulse: str
    steers: bool
    """Is the clock disciplined by this one? The others are watched."""
    offset_s: Seconds | None
    """Its last pulse less the published clock, where it does not steer."""
    last_pulse_age_s: Seconds | None
    pulses: int
    fix: str | None
    lag: Mapping[str, LagStatus]
    refusal: str
    """Why its last pulse or message was not used."""
    bias_s: Seconds | None = None
    """What `offset_s` is on average; None: not known yet, or it is the first one."""
    stands_in: bool = False
    """Does it steer in place of the first one?"""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """Another time server."""

    name: str
    address: str
    mark: str
    """`*` selected, `+` agrees, `-` agrees without a vote, `x` falseticker, `?` of no
    use now."""
    stratum: int | None
    offset_s: Seconds | None
    """Its time less the published one, or less the local clock while there is none."""
    error_s: Seconds | None
    """True time is within ± this of its time, if it is right."""
    delay_s: Seconds | None
    """There and back."""
    jitter_s: Seconds
    reach: int
    """The last eight questions, the newest in the lowest bit: was there a reply?"""
    last_age_s: Seconds | None
    trust: str
    """nts, key, trust, or - where anybody on the way could forge it."""
    why: str
    """Why it is not used."""
    code: str
    """The same, stable over versions."""


@dataclass(frozen=True, slots=True)
class WitnessStatus:
    """What more than half of the servers that decide agree on."""

    offset_s: Seconds | None
    """Their time less the published one, or less the local clock."""
    error_s: Seconds
    agree: int
    of: int
    nts: int
    """How many of those that agree prove it by NTS."""
    proven: bool
    """Can nobody on the way have forged it?"""
    server: str
    """The best of them."""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything one asks a time server when it misbehaves."""

    mode: str
    reason: str
    """Why this mode and no better one, in plain words."""
    stratum: int
    refid: str
    leap: str
    """none, insert, delete or unsynchronised: the leap indicator served."""
    utc: str | None
    offset_s: Seconds | None
    """Reference - local clock, as it stands now."""
    frequency_ppm: Ppm | None
    """How fast the raw oscillator runs (+ is fast)."""
    steering_ppm: Ppm | None
    """Rate commanded to the kernel; None: the clock is not steered."""
    bound_s: Seconds | None
    bound_parts: Mapping[str, Seconds] = field(default_factory=dict)
    good_for_s: Seconds | None = None
    """How long the bound would stay within the holdover limit without pulses."""
    last_pulse_age_s: Seconds | None = None
    last_sentence_age_s: Seconds | None = None
    pulses: int = 0
    fix: str | None = None
    receiver: str | None = None
    line_load: Share | None = None
    """Share of what the receiver's line can carry."""
    satellites_used: int | None = None
    satellites_seen: int | None = None
    lag: Mapping[str, LagStatus] = field(default_factory=dict)
    temperature_c: Celsius | None = None
    leap_table_expires: str | None = None
    next_leap: str | None = None
    alarms: tuple[AlarmStatus, ...] = ()
    devices: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    reason_codes: tuple[str, ...] = ()
    """The codes of `reason` and of what is behind it, stable over versions."""
    reason_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    sources: tuple[SourceStatus, ...] = ()
    servers: tuple[ServerStatus, ...] = ()
    witness: WitnessStatus | None = None


@dataclass(frozen=True, slots=True)
class Hosts:
    """Who asked for the time; listed for root and the socket's group only."""

    clients: tuple[ClientStatus, ...] = ()
    """The busiest."""
    denied: tuple[ClientStatus, ...] = ()
    """Those whom the access rules excluded."""


def to_json(
    status: Status,
    server: Mapping[str, int],
    clients: Sequence[ClientStatus] = (),
    denied: Sequence[ClientStatus] = (),
) -> str:
    """The answer to `status`: one object, with the server's counters under `server`
    and the keys of `Hosts`. CodecError: NaN in it."""
    hosts = Hosts(tuple(clients), tuple(denied))
    return json.dumps(
        {
            "version": VERSION,
            **encode(Status, status),
            "server": encode(Mapping[str, int], server),
            **encode(Hosts, hosts),
        },
        allow_nan=False,
    )


def clients_json(
    clients: Sequence[ClientStatus], denied: Sequence[ClientStatus] = ()
) -> str:
    """The answer to `clients`: an object of the keys of `Hosts`."""
    return dumps(Hosts, Hosts(tuple(clients), tuple(denied)), version=VERSION)


def error_json(message: str) -> str:
    """The answer to what cannot be answered."""
    return json.dumps({"version": VERSION, "error": message})


def read_status(text: str) -> dict[str, Any]:
    """The object that `to_json` wrote, checked. CodecError: it is something else, of
    another version, or the daemon's error, in its words."""
    plain = _answer(text)
    hosts = decode(Hosts, {key: plain.pop(key, []) for key in ("clients", "denied")})
    server = decode(Mapping[str, int], plain.pop("server", {}))
    status = decode(Status, plain)
    return {**encode(Status, status), "server": server, **encode(Hosts, hosts)}


def read_clients(text: str) -> dict[str, Any]:
    """The object that `clients_json` wrote, checked. CodecError: as `read_status`."""
    return dict(encode(Hosts, decode(Hosts, _answer(text))))


def _answer(text: str) -> dict[str, Any]:
    plain = parsed(text)
    if not isinstance(plain, dict):
        raise CodecError([Fault((), "its answer is no object")])
    if plain.get("version") != VERSION:
        message = (
            f"its answer is of version {plain.get('version')!r:.20}, not {VERSION}"
        )
        raise CodecError([Fault((), message)])
    if isinstance(plain.get("error"), str):
        raise CodecError([Fault((), plain["error"])])
    return {key: value for key, value in plain.items() if key != "version"}
