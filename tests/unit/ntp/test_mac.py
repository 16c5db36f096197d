"""Symmetric keys, and the files they are in."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refclock.ntp.mac import KeyFault, KeyFormat, key, parse

PACKET4, PACKET3 = b"\x23" + bytes(47), b"\x1b" + bytes(47)
RFC4493 = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


@pytest.mark.parametrize(
    ("length", "digest"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_aes_cmac_of_rfc_4493(length: int, digest: str) -> None:
    pytest.importorskip("cryptography")
    made = key(1, "AES128", RFC4493)
    assert made.digest(MESSAGE[:length]) == bytes.fromhex(digest)


@pytest.mark.parametrize(
    ("kind", "whole"), [("MD5", 16), ("SHA1", 20), ("SHA256", 32), ("SHA512", 64)]
)
def test_a_digest_is_cut_in_version_4_only(kind: str, whole: int) -> None:
    made = key(7, kind, b"0123456789")
    digest = hashlib.new(kind.lower(), b"0123456789" + PACKET4).digest()
    assert made.mac(PACKET4, 4) == b"\0\0\0\7" + digest[:20]
    assert len(made.mac(PACKET3, 3)) == 4 + whole
    assert made.proves(PACKET3, made.mac(PACKET3, 3))
    for wrong in (made.mac(PACKET3, 3)[:-1], made.mac(PACKET4, 4)):
        assert not made.proves(PACKET3, wrong)


def test_a_key_signs_many_packets() -> None:
    made = key(7, "SHA256", b"0123456789")
    first = made.mac(PACKET4, 4)
    made.mac(PACKET4[:-1] + b"x", 4)
    assert made.mac(PACKET4, 4) == first


CHRONY = """
# comment
! comment
1 MD5 HEX:B028F91EA5C38D06C2E140B26C7F41EC
2 SHA1 HEX:1DC764E0791B11FA67EFC7ECBC4B0D73F68A070C
25 SHA256 ASCII:this is cut at the blank
7 a-bare-md5-key
99 SHA512 0123456789abcdef0123456789abcdef
"""
NTPD = """
1 M hello-hello # comment
2 SHA1 1dc764e0791b11fa67efc7ecbc4b0d73f68a070c
3 SHA short-sha1-key 10.0.0.1,10.0.0.2
4 AES-128 0123456789abcdef
"""


def test_chrony_s_file_is_read() -> None:
    keys, said = parse(CHRONY, KeyFormat.CHRONY)
    assert {n: (each.kind, each.bits) for n, each in keys.items()} == {
        1: ("MD5", 128),
        2: ("SHA1", 160),
        25: ("SHA256", 32),
        7: ("MD5", 112),
        99: ("SHA512", 256),
    }
    assert said == ["25 has only 32 bits"]


def test_ntpd_s_file_is_read() -> None:
    pytest.importorskip("cryptography")
    keys, said = parse(NTPD)
    assert {n: (each.kind, each.bits) for n, each in keys.items()} == {
        1: ("MD5", 88),
        2: ("SHA1", 160),
        3: ("SHA1", 112),
        4: ("AES128", 128),
    }
    assert said == []


@pytest.mark.parametrize(
    ("form", "bits"),
    [(KeyFormat.AUTO, 96), (KeyFormat.NTPD, 96), (KeyFormat.CHRONY, 192)],
)
def test_a_long_key_without_prefix_is_read_as_its_program_does(
    form: KeyFormat, bits: int
) -> None:
    keys, _ = parse("1 MD5 0123456789abcdef01234567", form)
    assert keys[1].bits == bits


def test_bad_lines_are_named_and_the_others_hold() -> None:
    pytest.importorskip("cryptography")
    text = """1 MD5 0123456789
0 MD5 0123456789
x MD5 0123456789
3
4 AES128 HEX:000102030405060708090a0b0c0d0e
5 TIGER 0123456789
6 SHA1 HEX:xyz
7 SHA1 HEX:
4294967296 MD5 0123456789
1 SHA1 0123456789
8 MD5 short"""
    keys, said = parse(text)
    assert sorted(keys) == [1, 8]
    assert keys[1].kind == "SHA1"
    assert said == [
        "line 2: 0 is not 1 to 4294967295",
        "line 3: 'x' is no number",
        "line 4: a key is a number, a type and the key itself",
        "line 5: AES128 needs 16 bytes, not 15",
        "line 6: TIGER is none of MD5, SHA1, SHA256, SHA512, AES128, AES256",
        "line 7: it is no even number of hexadecimal digits",
        "line 8: it is empty",
        "line 9: 4294967296 is not 1 to 4294967295",
        "1 is there twice, the last counts",
        "8 has only 40 bits",
    ]


def test_without_the_package_an_aes_key_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("refclock.ntp.mac.import_module", missing)
    with pytest.raises(KeyFault, match=r"pip install 'refclock\[nts\]'"):
        key(1, "AES128", bytes(16))


@given(st.text(max_size=200), st.sampled_from(KeyFormat))
def test_any_text_is_a_key_file(text: str, form: KeyFormat) -> None:
    keys, _ = parse(text, form)
    for number, each in keys.items():
        assert each.number == number
        assert each.proves(PACKET4, each.mac(PACKET4, 4))
