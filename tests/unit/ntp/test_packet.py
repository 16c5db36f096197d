"""The 48 bytes, and what may follow them."""

import pytest

from refclock.ntp.extension import read
from refclock.ntp.packet import Packet, PacketError, PacketMode

REQUEST = bytes([0x23]) + bytes(47)


def field(length: int, kind: int = 0x0104) -> bytes:
    return kind.to_bytes(2, "big") + length.to_bytes(2, "big") + bytes(length - 4)


def test_fields_stand_where_rfc_5905_puts_them() -> None:
    data = bytes([0b01_100_100, 1, 6, 0xE9]) + bytes(range(44))
    packet = Packet.decode(data)
    assert (packet.leap, packet.version, packet.mode) == (1, 4, PacketMode.SERVER)
    assert (packet.stratum, packet.poll, packet.precision) == (1, 6, -23)
    assert packet.root_delay.bits == 0x00010203
    assert packet.ref_id == b"\x08\x09\x0a\x0b"
    assert packet.transmit.bits == int.from_bytes(data[40:48], "big")


def test_a_short_packet_is_refused() -> None:
    with pytest.raises(PacketError, match="47 bytes"):
        Packet.decode(bytes(47))
    for length in range(48):
        with pytest.raises(PacketError):
            read(REQUEST[:length])


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        bytes(4),
        bytes(20),
        bytes(24),
        field(28),
        field(28) + bytes(24),
        field(16) + bytes(20),
        field(16) + field(28),
        field(36) + field(104) + field(40),
    ],
)
def test_fields_and_macs_are_skipped(tail: bytes) -> None:
    read(REQUEST + tail)


@pytest.mark.parametrize(
    "tail",
    [
        bytes(1),
        bytes(16),
        bytes(28),
        field(28)[:-1],
        field(28) + bytes(1),
        field(28) + field(16),
        b"\1\4\0\x1d" + bytes(25),
        b"\1\4\0\x0c" + bytes(24),
        b"\1\4\xff\xfc" + bytes(24),
    ],
)
def test_what_is_neither_is_refused(tail: bytes) -> None:
    with pytest.raises(PacketError):
        read(REQUEST + tail)


def test_before_version_4_only_a_mac_may_follow() -> None:
    old = bytes([0x1B]) + bytes(47)
    read(old + bytes(20))
    read(old + bytes(68))
    with pytest.raises(PacketError):
        read(old + field(28))
