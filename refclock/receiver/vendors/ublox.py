"""u-blox receivers: what is set, by CFG messages or, from protocol 27 on, by keys.

u-blox M8 receiver description (UBX-13003221), 32.10; F9 TIM 2.20 interface
description (UBX-21048598), 6.9; M10 SPG 5.10 (UBX-21035062), 4.9. RAM alone is
changed, never battery-backed memory or flash. Polarity and the delays of cable and
user are the board's, and left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from struct import Struct
from typing import Final

from refclock.gnss.framer import Item
from refclock.receiver.profile import Profile
from refclock.receiver.setting import Setting, Vendor, listed
from refclock.receiver.vendors.cfg import Keys, Message, frame, is_ubx

_MON_VER: Final = (0x0A, 0x04)
QUESTION: Final = frame(*_MON_VER)

_MSG, _RATE, _NAV5, _TP5, _TMODE2 = 0x01, 0x08, 0x24, 0x31, 0x3D
_KEYED: Final = 27
"""The protocol version that brought keys."""
_VERSION: Final = re.compile(rb"PROTVER[ =](\d+)\.\d+")
_NAMED: Final = re.compile(rb"(?:MOD|FWVER)=([ -~]+)")
_I2C, _UART1, _USB = 0, 1, 3
_PRT: Final = 0x00
_OUT_AT: Final = 14
"""CFG-PRT's outProtoMask."""
_PROTOCOLS: Final = {1: "UBX", 2: "NMEA"}
_BOTH: Final = 3
_KEY_SENT: Final = {_I2C: 0x1072_0000, _UART1: 0x1074_0000, _USB: 0x1078_0000}
"""CFG-*OUTPROT: the keys of the protocols follow."""
"""Ports, as messages and keys alike count them."""

_MESSAGES: Final[Mapping[str, tuple[int, int, int]]] = {
    "GGA": (0xF0, 0x00, 0x2091_00BA),
    "GLL": (0xF0, 0x01, 0x2091_00C9),
    "GSA": (0xF0, 0x02, 0x2091_00BF),
    "GSV": (0xF0, 0x03, 0x2091_00C4),
    "RMC": (0xF0, 0x04, 0x2091_00AB),
    "VTG": (0xF0, 0x05, 0x2091_00B0),
    "ZDA": (0xF0, 0x08, 0x2091_00D8),
    "NAV-STATUS": (0x01, 0x03, 0x2091_001A),
    "NAV-TIMEUTC": (0x01, 0x21, 0x2091_005B),
    "NAV-TIMELS": (0x01, 0x26, 0x2091_0060),
    "TIM-TP": (0x0D, 0x01, 0x2091_017D),
    "MON-HW": (0x0A, 0x09, 0x2091_01B4),
    "MON-RF": (0x0A, 0x38, 0x2091_0359),
    "SEC-SIG": (0x27, 0x09, 0x2091_0634),
}
"""Class, number, and the key of its rate on port 0; those of the others follow."""
_PORTS: Final = 6

_US_PER_MS: Final = 1000
_TENTH_MM: Final = 10
_SECOND_US: Final = 1_000_000
_STATIONARY: Final = 2
_MODELS: Final = {0: "portable", _STATIONARY: "stationary", 3: "pedestrian"}
_SURVEY_IN: Final = 1
_MODES: Final = {0: "off", _SURVEY_IN: "survey-in", 2: "fixed position"}
_GRIDS: Final = {0: "UTC", 1: "GPS", 2: "GLONASS", 3: "BeiDou", 4: "Galileo"}

_RATES: Final = Struct("<HHH")
_PULSE: Final = Struct("<8x4I4xI")
_PERIODS: Final = Struct("<4I")
_SURVEY: Final = Struct("<II")
_ONLY_MODEL: Final = bytes((1, 0))
"""CFG-NAV5's mask: no more than the model of motion is to be taken over."""
_ACTIVE, _BY_SATELLITES, _OTHER_LOCKED, _IS_FREQUENCY, _HAS_LENGTH, _ALIGNED = (
    1 << bit for bit in range(6)
)
_SHAPE: Final = _ACTIVE | _BY_SATELLITES | _OTHER_LOCKED | _HAS_LENGTH | _ALIGNED
_GRID_AT: Final = 7
_GRID: Final = 0xF << _GRID_AT
"""CFG-TP5's flags; the bit between them is the polarity."""

_KEY_RATES: Final[tuple[int, ...]] = (0x3021_0001, 0x3021_0002, 0x2021_0003)
_KEY_MODEL: Final = 0x2011_0021
_KEY_MODE: Final = 0x2003_0001
_KEY_SURVEY: Final = (0x4003_0010, 0x4003_0011)
_KEY_PERIODS: Final = tuple(range(0x4005_0002, 0x4005_0006))
_KEY_FLAGS: Final = {
    _ACTIVE: 0x1005_0007,
    _BY_SATELLITES: 0x1005_0008,
    _OTHER_LOCKED: 0x1005_0009,
    _IS_FREQUENCY: 0x2005_0023,
    _HAS_LENGTH: 0x2005_0030,
    _ALIGNED: 0x1005_000A,
}
_KEY_GRID: Final = 0x2005_000C


def recognise(item: Item, profile: Profile, heard: AbstractSet[str]) -> Vendor | None:
    """The vendor, if it answers the question. `heard`: kinds of sentences so far; if
    none, the port is set to send them."""
    if not is_ubx(item, *_MON_VER):
        return None
    named = _NAMED.findall(item.payload)
    name = b" ".join(named) or item.payload.split(b"\0")[0]
    version = _VERSION.search(item.payload)
    keyed = version is not None and int(version[1]) >= _KEYED
    settings = [*(_keys(profile) if keyed else _messages(profile))]
    if not heard:
        settings[:0] = _key_protocols(profile) if keyed else _protocols(profile)
    return Vendor(f"u-blox {name.decode('ascii', 'replace')}", tuple(settings))


def _messages(profile: Profile) -> Iterator[Setting]:
    """For protocols up to 26."""
    ats = [2 + port for port in _ports(profile).values()]
    for kind, rate in {**profile.sentences, **profile.messages}.items():
        about, put = bytes(_MESSAGES[kind][:2]), partial(_put_rate, ats, rate)
        yield Message(kind, _MSG, about, 2 + _PORTS, put, partial(_show_of_rate, ats))
    rates = partial(_put, 0, _RATES.pack(profile.period_ms, 1, 0))
    yield Message("fixes", _RATE, b"", _RATES.size, rates, _show_of_rates)
    yield Message(
        "pulse", _TP5, b"\0", _PULSE.size, partial(_shape, profile), _show_of_pulse
    )
    still = partial(_put, 0, _ONLY_MODEL + bytes((_STATIONARY,)))
    yield Message("model", _NAV5, b"", 36, still, partial(_show_of_byte, 2, _MODELS))
    survey, show = partial(_survey, profile), partial(_show_of_byte, 0, _MODES)
    yield Message("position", _TMODE2, b"", 28, survey, show)


def _protocols(profile: Profile) -> Iterator[Setting]:
    """What each port sends, for protocols up to 26."""
    for on, port in _ports(profile).items():
        size, put = 20, _send_both
        yield Message(f"port{on}", _PRT, bytes((port,)), size, put, _show_of_protocols)


def _send_both(payload: bytes) -> bytes:
    return _put(_OUT_AT, bytes((payload[_OUT_AT] | _BOTH,)), payload)


def _show_of_protocols(payload: bytes) -> str:
    """Its speed is as it was: the same in every command."""
    return _show_protocols(payload[_OUT_AT])


def _show_protocols(sent: int) -> str:
    return " and ".join(name for bit, name in _PROTOCOLS.items() if sent & bit) or "-"


def _key_protocols(profile: Profile) -> Iterator[Setting]:
    """What each port sends, from protocol 27 on."""
    for on, port in _ports(profile).items():
        keys = [_KEY_SENT[port] + bit for bit in _PROTOCOLS]
        yield Keys(f"port{on}", dict.fromkeys(keys, 1), _show_of_key_protocols)


def _show_of_key_protocols(values: Mapping[int, int]) -> str:
    return _show_protocols(sum(key & _BOTH for key, on in values.items() if on))


def _ports(profile: Profile) -> dict[str, int]:
    """Ports that the line may be on, by the suffix of a setting's name."""
    return {"": _UART1} if profile.uart else {" (USB)": _USB, " (I2C)": _I2C}


def _put_rate(ats: Sequence[int], rate: int, payload: bytes) -> bytes:
    for at in ats:
        payload = _put(at, bytes((rate,)), payload)
    return payload


def _show_of_rate(ats: Sequence[int], payload: bytes) -> str:
    return "/".join(str(payload[at]) for at in ats)


def _put(at: int, new: bytes, payload: bytes) -> bytes:
    return payload[:at] + new + payload[at + len(new) :]


def _shape(profile: Profile, payload: bytes) -> bytes:
    *_, flags = _PULSE.unpack(payload)
    flags = flags & ~(_IS_FREQUENCY | _GRID) | _SHAPE
    payload = _put(8, _PERIODS.pack(*_periods(profile)), payload)
    return _put(28, flags.to_bytes(4, "little"), payload)


def _survey(profile: Profile, payload: bytes) -> bytes:
    if payload[0]:
        return payload  # its position is known, or being surveyed
    limits = _SURVEY.pack(profile.survey_s, profile.survey_mm)
    return _put(20, limits, _put(0, bytes((_SURVEY_IN,)), payload))


def _show_of_byte(at: int, names: Mapping[int, str], payload: bytes) -> str:
    return names.get(payload[at], str(payload[at]))


def _show_of_rates(payload: bytes) -> str:
    return _show_rates(*_RATES.unpack(payload))


def _show_of_pulse(payload: bytes) -> str:
    *periods, flags = _PULSE.unpack(payload)
    return _show_pulse(periods, flags & ~_GRID, (flags & _GRID) >> _GRID_AT)


def _keys(profile: Profile) -> Iterator[Setting]:
    """From protocol 27 on."""
    for on, port in _ports(profile).items():
        rates = {_MESSAGES[kind][2] + port: kind for kind in profile.sentences}
        wanted = {key: profile.sentences[kind] for key, kind in rates.items()}
        yield Keys(f"sentences{on}", wanted, partial(_show_of_kinds, rates))
        for kind, rate in profile.messages.items():
            key = _MESSAGES[kind][2] + port
            yield Keys(f"{kind}{on}", {key: rate}, partial(_show_of_key, key, {}))
    fixes: dict[int, int] = dict(
        zip(_KEY_RATES, (profile.period_ms, 1, 0), strict=True)
    )
    yield Keys("fixes", fixes, _show_of_rate_keys)
    pulse = dict(zip(_KEY_PERIODS, _periods(profile), strict=True))
    pulse |= {key: int(flag & _SHAPE > 0) for flag, key in _KEY_FLAGS.items()}
    yield Keys("pulse", {**pulse, _KEY_GRID: 0}, _show_of_pulse_keys)
    still = {_KEY_MODEL: _STATIONARY}
    yield Keys("model", still, partial(_show_of_key, _KEY_MODEL, _MODELS))
    limits = (profile.survey_s, profile.survey_mm * _TENTH_MM)
    survey = {_KEY_MODE: _SURVEY_IN, **dict(zip(_KEY_SURVEY, limits, strict=True))}
    show = partial(_show_of_key, _KEY_MODE, _MODES)
    yield Keys("position", survey, show, content=_KEY_MODE)


def _show_of_kinds(kinds: Mapping[int, str], values: Mapping[int, int]) -> str:
    return listed({kinds[key]: rate for key, rate in values.items()})


def _show_of_key(key: int, names: Mapping[int, str], values: Mapping[int, int]) -> str:
    return names.get(values[key], str(values[key]))


def _show_of_rate_keys(values: Mapping[int, int]) -> str:
    return _show_rates(*(values[key] for key in _KEY_RATES))


def _show_of_pulse_keys(values: Mapping[int, int]) -> str:
    flags = sum(flag for flag, key in _KEY_FLAGS.items() if values[key])
    periods = [values[key] for key in _KEY_PERIODS]
    return _show_pulse(periods, flags, values[_KEY_GRID])


def _periods(profile: Profile) -> tuple[int, int, int, int]:
    """Period and length, each unlocked and locked, µs: no pulse without a lock."""
    return _SECOND_US, _SECOND_US, 0, profile.pulse_ms * _US_PER_MS


def _show_rates(measured_ms: int, each: int, by: int) -> str:
    return f"every {measured_ms * each} ms by {_GRIDS.get(by, by)}"


def _show_pulse(periods: Sequence[int], flags: int, grid: int) -> str:
    if not flags & _ACTIVE:
        return "off"
    _, every, unlocked, length = periods
    if flags & (_SHAPE | _IS_FREQUENCY) != _SHAPE:
        return f"{length} in {every} (flags {flags:#04x})"
    whose = _GRIDS.get(grid, grid)
    return f"{length} µs every {every} by {whose}, {unlocked} while unlocked"
