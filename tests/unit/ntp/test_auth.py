"""Requests with a MAC: opened, refused, or none of ours."""

import pytest

from refclock.ntp.auth import AuthFault, Opened, Proof, SymmetricKeys
from refclock.ntp.extension import encode
from refclock.ntp.mac import key
from refclock.ntp.packet import PacketError

KEY = key(7, "SHA1", b"0123456789")
LONG = key(8, "SHA512", b"0123456789")
KEYS = SymmetricKeys({7: KEY, 8: LONG})
V4, V3 = b"\x23" + bytes(47), b"\x1b" + bytes(47)
FIELD = encode(0x0104, bytes(32))


@pytest.mark.parametrize("each", [KEY, LONG])
@pytest.mark.parametrize("request_", [V4, V3, V4 + FIELD])
def test_a_good_mac_is_answered_with_the_same_key(
    each: "object", request_: bytes
) -> None:
    assert each in (KEY, LONG)
    made = KEY if each is KEY else LONG
    version = request_[0] >> 3
    data = request_ + made.mac(request_, version)
    opened = KEYS.open(data)
    assert isinstance(opened, Opened)
    assert (opened.proof, opened.nak) == (Proof.KEY, False)
    header = bytes([version << 3 | 4]) + bytes(47)
    trailer = opened.seal(header)
    assert made.proves(header, trailer)
    assert 48 + len(trailer) <= len(data)


def test_an_unknown_key_and_a_wrong_digest_are_refused() -> None:
    good = V4 + KEY.mac(V4, 4)
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 0x40
        if bad[0] >> 3 & 7 == 4:
            assert KEYS.open(bytes(bad)) is AuthFault.BAD_MAC


def test_what_has_no_mac_is_not_its_matter() -> None:
    for data in (V4 + FIELD, V4 + bytes(4), V3 + bytes(4)):
        assert KEYS.open(data) is None
    assert SymmetricKeys({}).open(V4 + KEY.mac(V4, 4)) is None


def test_what_is_no_packet_is_refused() -> None:
    for data in (V4[:20], V4 + bytes(9)):
        with pytest.raises(PacketError):
            KEYS.open(data)
