"""What follows the header of a packet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refclock.ntp.extension import Field, Tail, encode, read
from refclock.ntp.packet import PacketError

V4, V3 = b"\x23" + bytes(47), b"\x1b" + bytes(47)
UID = encode(0x0104, bytes(range(32)))
LAST = encode(0x0404, bytes(24))


def test_a_plain_packet_has_no_tail() -> None:
    assert read(V4) == Tail((), b"")


def test_fields_and_a_mac_are_told_apart() -> None:
    mac = bytes([0, 0, 0, 1]) + bytes(20)
    data = V4 + UID + LAST + mac
    assert read(data) == Tail(
        (Field(0x0104, 48, bytes(range(32))), Field(0x0404, 84, bytes(24))), mac
    )
    assert [field.end for field in read(data).fields] == [84, 112]


@pytest.mark.parametrize("left", [4, 20, 24])
def test_up_to_24_bytes_are_a_mac_in_version_4(left: int) -> None:
    tail = encode(0x0104, bytes(left))[:left]
    assert read(V4 + tail) == Tail((), tail)


@pytest.mark.parametrize("left", [12, 20, 36, 52, 68])
def test_before_version_4_a_mac_is_whole(left: int) -> None:
    assert read(V3 + bytes(left)) == Tail((), bytes(left))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        V4[:47],
        V4 + bytes(5),
        V4 + bytes(16),
        V4 + b"\1\4\0\0" + bytes(28),
        V4 + b"\1\4\0\x1e" + bytes(28),
        V4 + b"\1\4\0\x0c" + bytes(28),
        V4 + b"\1\4\0\x40" + bytes(28),
        V4 + b"\1\4\xff\xfc" + bytes(28),
        V4 + UID + bytes(8),
    ],
)
def test_no_other_shape_is_a_packet(data: bytes) -> None:
    with pytest.raises(PacketError):
        read(data)


def test_a_field_is_padded() -> None:
    assert encode(5, b"ab") == b"\0\5\0\x10ab" + bytes(10)
    assert encode(5, bytes(13)) == b"\0\5\0\x14" + bytes(16)


pieces = st.one_of(
    st.binary(max_size=70),
    st.builds(
        lambda kind, length: kind.to_bytes(2, "big") + length.to_bytes(2, "big"),
        st.integers(0, 0xFFFF),
        st.sampled_from([0, 4, 16, 20, 24, 28, 32, 36, 1024, 0xFFFC, 0xFFFF]),
    ),
    st.builds(encode, st.integers(0, 0xFFFF), st.binary(max_size=60)),
)


def well_formed(data: bytes) -> bool:
    """RFC 7822 section 7.5.1.4, by lengths alone."""
    left = len(data) - 48
    if data[0] >> 3 & 7 < 4:
        return left in {0, 4, 12, 20, 24, 36, 52, 68}
    while left >= 28:
        at = len(data) - left
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length % 4 or not 16 <= length <= left:
            return False
        left -= length
    return left in {0, 4, 20, 24}


@given(
    st.sampled_from([b"\x23", b"\x1b", b"\x24"]),
    st.lists(pieces, max_size=5).map(b"".join),
)
def test_any_bytes_are_read_or_refused(first: bytes, rest: bytes) -> None:
    """By the same rule as `well_formed`; and what is read is all there is."""
    data = first + bytes(47) + rest
    try:
        tail = read(data)
    except PacketError:
        assert not well_formed(data)
        return
    assert well_formed(data)
    again = b"".join(
        field.kind.to_bytes(2, "big")
        + (len(field.body) + 4).to_bytes(2, "big")
        + field.body
        for field in tail.fields
    )
    assert data[48:] == again + tail.mac
