"""What emulated u-blox receivers can be told, and what they answer.

Written from the makers' documents as a receiver has to read them: u-blox M8 receiver
description (UBX-13003221) and F9 TIM 2.20 interface description (UBX-21048598). What
is set shows in the habits. A power cycle is a new object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from struct import iter_unpack, pack, unpack, unpack_from
from typing import Final

from hw.emu.gnss.dialects import SECOND_MS, said
from hw.emu.gnss.frames import ubx
from hw.emu.gnss.receiver import Make, ReceiverModel

_MON_VER: Final = (0x0A, 0x04)
_CFG, _ACK = 0x06, 0x05
_UART1: Final = 1
_NMEA: Final = ("GGA", "GLL", "GSA", "GSV", "RMC", "VTG", None, None, "ZDA")
"""Class F0, by number."""
_BINARY: Final = ((0x01, 0x03), (0x01, 0x21), (0x01, 0x26), (0x0A, 0x09), (0x0D, 0x01))
"""NAV-STATUS, NAV-TIMEUTC, NAV-TIMELS, MON-HW, TIM-TP."""
_FACTORY: Final = {
    0x08: pack("<HHH", 1000, 1, 1),
    0x24: pack("<HBB32x", 0xFFFF, 0, 3),
    0x31: pack("<BB2xhhIIIIiI", 0, 1, 50, 0, 10**6, 10**6, 0, 10**5, 0, 0xF7),
}
"""CFG-RATE, CFG-NAV5 and CFG-TP5 as an M8 comes: the pulse on GPS time."""
_TMODE2: Final = 0x3D


class Ublox8:
    """A NEO-M8N or NEO-M8T, on its first UART."""

    def __init__(
        self, receiver_model: ReceiverModel, refuses: Collection[int] = ()
    ) -> None:
        """`refuses`: numbers of CFG messages it will not set."""
        self.receiver_model = receiver_model
        timing = receiver_model.make is Make.UBLOX_8T
        self.port = bytearray(pack("<BBHIIHHHH", 1, 0, 0, 0x8D0, 9600, 7, 3, 0, 0))
        """CFG-PRT of UART 1."""
        self.memory = {number: bytearray(was) for number, was in _FACTORY.items()}
        self.memory[0x08][:2] = pack("<H", SECOND_MS // receiver_model.hz)
        if timing:
            self.memory[_TMODE2] = bytearray(28)
        spoken = dict(receiver_model.sentences)
        self.rates = {
            (0xF0, number): [0, spoken.get(kind, 0), 0, 1, 0, 0]
            for number, kind in enumerate(_NMEA)
            if kind
        }
        self.rates |= {
            each: [0, int(receiver_model.ubx), 0, 0, 0, 0] for each in _BINARY
        }
        firmware, protocol, model = (
            ("TIM 1.10", "22.00", "NEO-M8T-0")
            if timing
            else ("SPG 3.01", "18.00", "NEO-M8N-0")
        )
        self._version = f"FWVER={firmware}", f"PROTVER={protocol}", f"MOD={model}"
        self._refuses = refuses
        self.saved = False
        """Was it told to keep anything beyond a power cycle?"""

    def text(self, body: str) -> Iterator[bytes]:
        """None are its own."""
        del body
        yield from ()

    def binary(self, cls: int, number: int, payload: bytes) -> Iterator[bytes]:
        """MON-VER and the CFG messages."""
        if (cls, number) == _MON_VER:
            yield _mon_ver("ROM CORE 3.01 (107888)", "00080000", self._version)
        elif cls == _CFG:
            self.saved |= number == 0x09
            if number == 0x00:
                answer = self._port(payload)
            elif number == 0x01:
                answer = self._rate(payload)
            else:
                answer = self._block(number, payload)
            if answer:
                yield ubx(_CFG, number, answer)
            yield _acknowledged(number, good=answer is not None)

    def _port(self, payload: bytes) -> bytes | None:
        """CFG-PRT, of UART 1 alone."""
        if payload[0] != _UART1:
            return None
        if len(payload) == 1:
            return bytes(self.port)
        self.port[:] = payload
        self._obey()
        return b""

    def _rate(self, payload: bytes) -> bytes | None:
        """CFG-MSG: the answer to a question, b"" when done, None for a refusal."""
        about = payload[0], payload[1]
        rates = self.rates.get(about)
        if rates is None or (len(payload) > 2 and 0x01 in self._refuses):
            return None
        told = payload[2:]
        if not told:
            return bytes((*about, *rates))
        if len(told) == 1:
            rates[_UART1] = told[0]
        else:
            rates[:] = told
        self._obey()
        return b""

    def _block(self, number: int, payload: bytes) -> bytes | None:
        held = self.memory.get(number)
        if held is None:
            return None
        if len(payload) < len(held):
            return bytes(held)
        if number in self._refuses:
            return None
        if number == 0x24 and payload[0] & 1:
            held[2] = payload[2]
        elif number != 0x24:
            held[:] = payload
        self._obey()
        return b""

    def _obey(self) -> None:
        period, each, _ = unpack("<HHH", self.memory[0x08])
        unlocked, _, _, flags = unpack_from("<IIiI", self.memory[0x31], 16)
        sent = self.port[14] >> 1 & 1
        on = {
            kind: sent and self.rates[0xF0, n][_UART1]
            for n, kind in enumerate(_NMEA)
            if kind
        }
        self.receiver_model = replace(
            self.receiver_model,
            sentences=said(on),
            hz=max(SECOND_MS // (period * each), 1),
            ubx=bool(self.rates[0x01, 0x26][_UART1]),
            pulse_without_fix=bool(flags & 1 and unlocked),
        )


_KEYS: Final = {
    0x2091_00BB: "GGA",
    0x2091_00CA: "GLL",
    0x2091_00C0: "GSA",
    0x2091_00C5: "GSV",
    0x2091_00AC: "RMC",
    0x2091_00B1: "VTG",
    0x2091_00D9: "ZDA",
}
"""CFG-MSGOUT-NMEA_ID_*_UART1."""
_TIMELS_KEY: Final = 0x2091_0061
_MEAS, _LEN_TP1 = 0x3021_0001, 0x4005_0004
_DEFAULTS: Final = {
    **dict.fromkeys((_TIMELS_KEY, 0x2091_005C, 0x2091_017E, 0x2091_001B), 0),
    **dict.fromkeys((0x2091_035A, 0x2091_0635), 0),
    0x1074_0001: 1, 0x1074_0002: 1,
    0x3021_0002: 1, 0x2021_0003: 1, 0x2011_0021: 0,
    0x2005_0023: 0, 0x2005_0030: 1, 0x4005_0002: 1_000_000, 0x4005_0003: 1_000_000,
    _LEN_TP1: 0, 0x4005_0005: 100_000, 0x1005_0007: 1, 0x1005_0008: 1,
    0x1005_0009: 1, 0x1005_000A: 1, 0x2005_000C: 1,
}  # fmt: skip
_TMODE_KEYS: Final = {0x2003_0001: 0, 0x4003_0010: 60, 0x4003_0011: 50_000}


class Ublox10:
    """A receiver that is told by keys, on its first UART: an M10 or a ZED-F9T."""

    def __init__(
        self, receiver_model: ReceiverModel, refuses: Collection[int] = ()
    ) -> None:
        """`refuses`: keys it will not set."""
        self.receiver_model = receiver_model
        timing = receiver_model.make is Make.UBLOX_F9T
        spoken = dict(receiver_model.sentences)
        self.keys = {key: spoken.get(kind, 0) for key, kind in _KEYS.items()}
        self.keys |= _DEFAULTS | {_MEAS: SECOND_MS // receiver_model.hz}
        self.keys[_TIMELS_KEY] = int(receiver_model.ubx)
        self.keys |= _TMODE_KEYS if timing else {}
        self._version = (
            ("EXT CORE 1.00 (092ce5)", "00190000",
             ["FWVER=TIM 2.20", "PROTVER=29.20", "MOD=ZED-F9T"])
            if timing
            else ("ROM SPG 5.10 (7b202e)", "000A0000",
                  ["FWVER=SPG 5.10", "PROTVER=34.10"])
        )  # fmt: skip
        self._refuses = refuses
        self.saved = False
        """Was it told to keep anything beyond a power cycle?"""

    def text(self, body: str) -> Iterator[bytes]:
        """None are its own."""
        del body
        yield from ()

    def binary(self, cls: int, number: int, payload: bytes) -> Iterator[bytes]:
        """MON-VER, CFG-VALSET and CFG-VALGET; no other CFG message is known."""
        if (cls, number) == _MON_VER:
            yield _mon_ver(*self._version)
        elif (cls, number) == (_CFG, 0x8B):
            keys = [key for (key,) in iter_unpack("<I", payload[4:])]
            known = all(key in self.keys for key in keys)
            if known:
                pairs = (pack("<I", key) + self._value(key) for key in keys)
                yield ubx(_CFG, 0x8B, bytes((1, payload[1], 0, 0)) + b"".join(pairs))
            yield _acknowledged(number, good=known)
        elif (cls, number) == (_CFG, 0x8A):
            self.saved |= payload[1] != 1
            yield _acknowledged(number, good=self._set(payload[4:]))
        elif cls == _CFG:
            yield _acknowledged(number, good=False)

    def _value(self, key: int) -> bytes:
        return self.keys[key].to_bytes(_width(key), "little")

    def _set(self, pairs: bytes) -> bool:
        told: dict[int, int] = {}
        while pairs:
            (key,) = unpack_from("<I", pairs)
            end = 4 + _width(key)
            told[key] = int.from_bytes(pairs[4:end], "little")
            pairs = pairs[end:]
        if any(key not in self.keys or key in self._refuses for key in told):
            return False
        self.keys |= told
        self.receiver_model = replace(
            self.receiver_model,
            sentences=said(
                {
                    kind: self.keys[0x1074_0002] and self.keys[key]
                    for key, kind in _KEYS.items()
                }
            ),
            hz=max(SECOND_MS // self.keys[_MEAS], 1),
            ubx=bool(self.keys[_TIMELS_KEY]),
            pulse_without_fix=bool(self.keys[_LEN_TP1]),
        )
        return True


def _width(key: int) -> int:
    return (0, 1, 1, 2, 4, 8)[key >> 28]


def _acknowledged(number: int, *, good: bool) -> bytes:
    return ubx(_ACK, int(good), bytes((_CFG, number)))


def _mon_ver(software: str, hardware: str, extensions: Collection[str]) -> bytes:
    told = pack("30s10s", software.encode(), hardware.encode())
    return ubx(*_MON_VER, told + b"".join(pack("30s", e.encode()) for e in extensions))
