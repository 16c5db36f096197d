"""How the binary protocols of GNSS receivers frame a message, and prove it.

Each protocol measures a frame from its first bytes and checks it whole. UBX and CASIC
are read further (`ubx`, `casic`); the others are recognised, so that they can be named.
Sources: u-blox M8 receiver description 32.2; CASIC multimode receiver protocol 1.3;
SiRF binary protocol reference, 2; SkyTraq AN0028, 2; Allystar GNSS receiver protocol
(as UBX, other sync); Septentrio SBF reference guide, 4; RTCM 10403.3, 4; NovAtel OEM7
and Unicore N4 reference manuals (header, CRC-32); Trimble TSIP (ThunderBolt, RES SMT
360); Garmin device interface, 3; Motorola Oncore user's guide, 5; gpsd's gpsd_json(5).
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from itertools import accumulate
from operator import xor
from struct import unpack
from typing import Final
from zlib import crc32

NOT_YET: Final = -1
"""A frame may begin here, but more bytes are needed to measure it."""
NONE: Final = 0
"""No frame begins here."""

_WIDEST: Final = 8192
"""Bytes of payload; the longest message in use (raw measurements, 255 signals) has
8176."""
_MEDIUM: Final = 2048
_JSON: Final = 10_240
"""Bytes of a line; gpsd's own limit (GPS_JSON_RESPONSE_MAX)."""
_JSON_BEGINS: Final = b'{"class":"'
_JSON_LINE: Final = re.compile(rb'\{"class":"[A-Z]{2,12}"[\x20-\x7e]*\}\r?\n')
_DLE, _ETX = 0x10, 0x03
_LONGEST_DLE: Final = 300
"""Bytes of a TSIP or Garmin frame, stuffing and all."""
_TSIP: Final = {
    0x41: 11,
    0x42: 17,
    0x43: 21,
    0x45: 11,
    0x46: 3,
    0x4A: 21,
    0x4B: 4,
    0x55: 5,
    0x56: 21,
    0x57: 9,
    0x5C: 25,
    0x82: 2,
    0x83: 37,
    0x84: 37,
}
"""Bytes of a message, its id counted: TSIP before version 1 has no checksum."""
_TSIP_TIMING: Final = {0x20: 57, 0xAB: 18, 0xAC: 69}
"""The same of 0x8F, by the byte behind it."""
_TSIP_1: Final = frozenset({0x90, 0x91, 0x92, 0x93, 0xA0, 0xA1, 0xA2, 0xA3, 0xD0, 0xD1})
"""Messages of TSIP version 1, which end in a checksum."""
_ONCORE: Final = {b"Ha": 154, b"Hb": 54, b"Hn": 78, b"Ea": 76, b"En": 69, b"Bb": 92}
"""Bytes of a frame, from the first `@` to the line feed."""
_RTCM: Final = ((1001, 1304), (4001, 4095))
"""Numbers of messages: standard, and makers' own."""
_CRC24Q: Final = 0x1864CFB


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to frame messages."""

    name: str
    measure: Callable[[bytes, int], int]
    """Of held bytes and a place in them: bytes of the frame, `NONE` or `NOT_YET`."""
    proves: Callable[[bytes], bool]
    """Is that whole frame right?"""
    head: int = 0
    """Bytes before the payload."""
    tail: int = 0
    """Bytes behind it."""
    number_at: int | None = None
    """Where class and number stand, a byte each."""


OPENING: Final = (
    rb"\$|\xb5(?:b|\Z)|\xba(?:\xce|\Z)|\xf1(?:\xd9|\Z)|\xa0(?:[\xa1\xa2]|\Z)"
    rb"|\xd3(?:[\x00-\x03]|\Z)|\xaa(?:\x44(?:[\x12\x13\xb5]|\Z)|\Z)|\x10(?:[^\x10\x03]|\Z)"
    rb"|@(?:@|\Z)|\{(?:\"|\Z)"
)
"""What may begin a frame, or (`$`) a sentence."""


def protocol_at(data: bytes, i: int) -> Protocol | None:
    """Whose frame may begin there; None: its sync is not whole yet."""
    return (
        _BY_FIRST.get(data[i])
        or _BY_SYNC.get(data[i : i + 2])
        or _BY_SYNC.get(data[i : i + 3])
    )


def _ubx(longest: int, data: bytes, i: int) -> int:
    if len(data) < i + 6:
        return NOT_YET
    size = data[i + 4] | data[i + 5] << 8
    return size + 8 if size <= longest else NONE


def fletcher(data: bytes) -> bytes:
    """RFC 1145's checksum, 8 bits wide."""
    return bytes((sum(data) & 0xFF, sum(accumulate(data)) & 0xFF))


def _fletcher_right(frame: bytes) -> bool:
    """Over class, number, length and payload. The first half alone refuses nearly all
    noise, at a third of the cost."""
    body = frame[2:-2]
    return sum(body) & 0xFF == frame[-2] and fletcher(body) == frame[-2:]


def _casic(data: bytes, i: int) -> int:
    if len(data) < i + 6:
        return NOT_YET
    size = data[i + 2] | data[i + 3] << 8
    return size + 10 if size <= _MEDIUM and size % 4 == 0 else NONE


def casic_sum(frame: bytes) -> int:
    """The sum of 32-bit words: number, class and length as one, then the payload. The
    specification swaps number and class; the receivers do not."""
    size = frame[2] | frame[3] << 8
    first = (frame[5] << 24) + (frame[4] << 16) + size
    words: tuple[int, ...] = unpack(f"<{size // 4}I", frame[6 : 6 + size])
    return (first + sum(words)) & 0xFFFF_FFFF


def _sirf(data: bytes, i: int) -> int:
    if len(data) < i + 4:
        return NOT_YET
    size = data[i + 2] << 8 | data[i + 3]
    return size + 8 if 0 < size <= _MEDIUM else NONE


def _sirf_right(frame: bytes) -> bool:
    checksum = int.from_bytes(frame[-4:-2], "big")
    return frame.endswith(b"\xb0\xb3") and sum(frame[4:-4]) & 0x7FFF == checksum


def _skytraq(data: bytes, i: int) -> int:
    size = _sirf(data, i)
    return size - 1 if size > 0 else size


def _skytraq_right(frame: bytes) -> bool:
    return frame.endswith(b"\r\n") and reduce(xor, frame[4:-3]) == frame[-3]


def _sbf(data: bytes, i: int) -> int:
    if len(data) < i + 8:
        return NOT_YET
    size = data[i + 6] | data[i + 7] << 8
    return size if 8 <= size <= _WIDEST and size % 4 == 0 else NONE


def _sbf_right(frame: bytes) -> bool:
    return crc_hqx(frame[4:], 0) == int.from_bytes(frame[2:4], "little")


def _rtcm(data: bytes, i: int) -> int:
    if len(data) < i + 5:
        return NOT_YET
    size = data[i + 1] << 8 | data[i + 2]
    number = data[i + 3] << 4 | data[i + 4] >> 4
    known = any(first <= number <= last for first, last in _RTCM)
    return size + 6 if known and 2 <= size < 1024 else NONE


def _rtcm_right(frame: bytes) -> bool:
    crc = 0
    for byte in frame:
        crc = (crc << 8 ^ _CRC24[crc >> 16 ^ byte]) & 0xFF_FFFF
    return crc == 0  # with its own checksum behind it


def _crc24(byte: int) -> int:
    crc = byte << 16
    for _ in range(8):
        crc = crc << 1 ^ (_CRC24Q if crc & 0x80_0000 else 0)
    return crc & 0xFF_FFFF


def _novatel(data: bytes, i: int) -> int:
    """NovAtel's two headers, and Unicore's."""
    if len(data) < i + 10:
        return NOT_YET
    match data[i + 2]:
        case 0x12:
            size = data[i + 3] + (data[i + 8] | data[i + 9] << 8)
        case 0x13:
            size = 12 + data[i + 3]
        case _:  # Unicore's
            size = 24 + (data[i + 6] | data[i + 7] << 8)
    return size + 4 if size <= _WIDEST else NONE


def _novatel_right(frame: bytes) -> bool:
    """CRC-32 without its inversions."""
    crc = crc32(frame[:-4], 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return len(frame) > 16 and crc == int.from_bytes(frame[-4:], "little")


def _dle(data: bytes, i: int) -> int:
    """From DLE to DLE ETX; a DLE within is doubled."""
    limit = i + _LONGEST_DLE
    at = data.find(b"\x10", i + 1, limit)
    while 0 <= at < min(len(data), limit) - 1:
        if data[at + 1] != _DLE:
            return at + 2 - i if data[at + 1] == _ETX else NONE
        at = data.find(b"\x10", at + 2, limit)
    return NONE if len(data) >= limit else NOT_YET


def _tsip_right(frame: bytes) -> bool:
    body = frame[1:-2].replace(b"\x10\x10", b"\x10")
    if len(body) < 2:
        return False
    if body[0] in _TSIP_1:
        return len(body) > 5 and reduce(xor, body) == 0
    expected = _TSIP.get(body[0])
    if body[0] == 0x8F:
        expected = _TSIP_TIMING.get(body[1])
    garmin = len(body) == body[1] + 3 and sum(body) & 0xFF == 0
    return len(body) == expected or garmin


def _oncore(data: bytes, i: int) -> int:
    if len(data) < i + 4:
        return NOT_YET
    return _ONCORE.get(data[i + 2 : i + 4], NONE)


def _oncore_right(frame: bytes) -> bool:
    return frame.endswith(b"\r\n") and reduce(xor, frame[2:-2]) == 0


def _json(data: bytes, i: int) -> int:
    begins = data[i : i + len(_JSON_BEGINS)]
    if not _JSON_BEGINS.startswith(begins):
        return NONE
    end = data.find(b"\n", i, i + _JSON)
    if end < 0:
        return NONE if len(data) >= i + _JSON else NOT_YET
    return end + 1 - i


def _json_right(frame: bytes) -> bool:
    return _JSON_LINE.fullmatch(frame) is not None


UBX: Final = Protocol("UBX", partial(_ubx, _WIDEST), _fletcher_right, 6, 2, 2)
CASIC: Final = Protocol(
    "CASIC",
    _casic,
    lambda frame: casic_sum(frame) == int.from_bytes(frame[-4:], "little"),
    *(6, 4, 4),
)
_CRC24: Final = tuple(map(_crc24, range(256)))
_BY_SYNC: Final = {
    b"\xb5b": UBX,
    b"\xba\xce": CASIC,
    b"\xf1\xd9": Protocol("Allystar", partial(_ubx, _MEDIUM), _fletcher_right, 6, 2, 2),
    b"\xa0\xa2": Protocol("SiRF", _sirf, _sirf_right, 4, 4),
    b"\xa0\xa1": Protocol("SkyTraq", _skytraq, _skytraq_right, 4, 3),
    b"$@": Protocol("SBF", _sbf, _sbf_right, 8),
    b"\xaa\x44\x12": Protocol("NovAtel", _novatel, _novatel_right),
    b"\xaa\x44\x13": Protocol("NovAtel", _novatel, _novatel_right),
    b"\xaa\x44\xb5": Protocol("Unicore", _novatel, _novatel_right),
    b"@@": Protocol("Oncore", _oncore, _oncore_right, 2, 3),
}
_BY_FIRST: Final = {
    0xD3: Protocol("RTCM3", _rtcm, _rtcm_right, 3, 3),
    _DLE: Protocol("TSIP", _dle, _tsip_right, 1, 2),
    0x7B: Protocol("gpsd", _json, _json_right),
}
PROTOCOLS: Final = (*_BY_SYNC.values(), *_BY_FIRST.values())
