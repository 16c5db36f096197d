"""Frames of every protocol: documented ones, and ones made here bit by bit."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest

from refclock.board.ports import Chunk
from refclock.events import Dropped, DropReason
from refclock.gnss import framer as under_test
from refclock.gnss.framer import Binary, Framer, Item, Sentence, proves
from refclock.gnss.frames import Protocol, protocol_at
from refclock.timebase import Mono

RMC = b"$GPRMC,111106.00,A,4807.038,N,01131.000,E,0.0,0.0,010526,,,A*5A\r\n"


def crc(data: bytes, width: int, polynomial: int) -> int:
    """Most significant bit first."""
    value = 0
    for byte in data:
        value ^= byte << width - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> width - 1 else 0)
            value &= (1 << width) - 1
    return value


def crc32_reflected(data: bytes) -> bytes:
    """As NovAtel's manual computes it."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB8_8320 if value & 1 else 0)
    return value.to_bytes(4, "little")


def sbf(number: int, body: bytes) -> bytes:
    rest = number.to_bytes(2, "little") + (8 + len(body)).to_bytes(2, "little") + body
    return b"$@" + crc(rest, 16, 0x1021).to_bytes(2, "little") + rest


def sirf(payload: bytes) -> bytes:
    size, total = len(payload).to_bytes(2, "big"), sum(payload) & 0x7FFF
    return b"\xa0\xa2" + size + payload + total.to_bytes(2, "big") + b"\xb0\xb3"


def oncore(body: bytes) -> bytes:
    return b"@@" + body + bytes((reduce(xor, body),)) + b"\r\n"


def garmin(number: int, data: bytes) -> bytes:
    body = bytes((number, len(data))) + data
    body += bytes((-sum(body) & 0xFF,))
    return b"\x10" + body.replace(b"\x10", b"\x10\x10") + b"\x10\x03"


OEM = b"\xaa\x44\x12\x1c\x2a\x00\x00\x20\x48\x00" + bytes(18) + bytes(72)
SHORT = b"\xaa\x44\x13\x08\x2a\x00" + bytes(6) + bytes(8)
N4 = b"\xaa\x44\xb5\x32\x46\x08\x30\x00" + bytes(16) + bytes(48)
TSIP_1 = bytes.fromhex("a100000702010203")
FRAMES = {
    "SiRF": bytes.fromhex("a0a2000284000084b0b3"),
    "SiRF long": sirf(b"\x07\x04\xaf" + RMC * 3),
    "SkyTraq": bytes.fromhex("a0a10003090100080d0a"),
    "Allystar": bytes.fromhex("f1d906010300f00501001a"),
    "RTCM3": bytes.fromhex("d300133ed7d30202980edeef34b4bd62ac0941986f33360b98"),
    "SBF": sbf(4007, bytes(80)),
    "NovAtel": OEM + crc32_reflected(OEM),
    "NovAtel short": SHORT + crc32_reflected(SHORT),
    "Unicore": N4 + crc32_reflected(N4),
    "TSIP": b"\x10\x41" + b"\x44\x10\x10\x03" + bytes(7) + b"\x10\x03",
    "TSIP timing": b"\x10\x8f\xab" + bytes(16) + b"\x10\x03",
    "TSIP 1": b"\x10" + TSIP_1 + bytes((reduce(xor, TSIP_1),)) + b"\x10\x03",
    "TSIP as Garmin": garmin(51, b"\x10" * 8 + bytes(56)),
    "Oncore": oncore(b"Ha" + bytes(147)),
    "gpsd": b'{"class":"TPV","mode":3,"time":"2026-05-01T11:11:06.000Z"}\r\n',
}


def cut(*pieces: bytes) -> list[Item]:
    framer = Framer()
    items: list[Item] = []
    for piece in pieces:
        items += framer.feed(Chunk(piece, Mono(0), Mono(0)))
    return items + framer.finish()


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_is_recognised_among_sentences(name: str) -> None:
    frame = FRAMES[name]
    data = RMC + frame + RMC + frame
    kinds = [item.kind if isinstance(item, Binary) else "" for item in cut(data)]
    assert kinds == ["", name.split(maxsplit=1)[0]] * 2
    assert cut(*(data[k : k + 1] for k in range(len(data)))) == cut(data)


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_with_a_wrong_bit_is_none(name: str) -> None:
    frame = FRAMES[name]
    for at in (0, 1, len(frame) // 2, len(frame) - 1):
        wrong = frame[:at] + bytes((frame[at] ^ 0x80,)) + frame[at + 1 :]
        binary = [item for item in cut(wrong + RMC) if isinstance(item, Binary)]
        assert not binary or (name.startswith("TSIP") and at == len(frame) // 2)


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_cut_short_costs_no_sentence(name: str) -> None:
    frame = FRAMES[name]
    for end in range(1, len(frame)):
        assert Sentence(RMC[1:-5], Mono(0), end) in cut(frame[:end] + RMC)


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_proves_the_speed(name: str) -> None:
    assert proves(b"\xff\x00" + FRAMES[name])
    assert proves(RMC)
    assert not proves(FRAMES[name].replace(RMC, b"")[:-1] + b"\x55" * 20)


@pytest.mark.parametrize("noise", [b"", b"\x80\x00" * 400, bytes(range(256)) * 4])
def test_noise_proves_nothing(noise: bytes) -> None:
    assert not proves(noise)


def nested(count: int) -> bytes:
    """Headers, each of which claims all that follows."""
    return b"".join(b"\xb5b\x01\x07\x00\x20" for _ in range(count))


def test_headers_within_headers_cost_no_more_than_their_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked = 0

    def counting(data: bytes, i: int) -> Protocol | None:
        protocol = protocol_at(data, i)
        assert protocol is not None

        def proves(frame: bytes) -> bool:
            nonlocal checked
            checked += len(frame)
            return protocol.proves(frame)

        return Protocol(protocol.name, protocol.measure, proves, 6, 2, 2)

    monkeypatch.setattr(under_test, "protocol_at", counting)
    data = nested(40_000)
    items = cut(*(data[k : k + 1000] for k in range(0, len(data), 1000)))
    assert checked <= 2 * len(data) + 65_536
    assert {item.reason for item in items if isinstance(item, Dropped)} == {
        DropReason.BINARY
    }


def test_a_true_frame_behind_headers_within_headers_is_found() -> None:
    frame = bytes.fromhex("b5620a0400000e34")
    items = cut(nested(20_000), bytes(10_000), frame)
    assert [item.kind for item in items if isinstance(item, Binary)] == ["UBX"]
