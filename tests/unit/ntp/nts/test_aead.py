"""The AEADs by the vectors of their RFCs."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from refclock.ntp.nts import aead
from refclock.ntp.nts.aead import Algorithm, MissingError, cipher

h = bytes.fromhex


def test_siv_of_rfc_5297_with_a_nonce() -> None:
    """A.2, whose associated data are three: two of them are not what NTS has, so this
    is checked by the package; the nonce comes last."""
    key = h("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f")
    data = [
        h(
            "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100"
        ),
        h("102030405060708090a0"),
        h("09f911029d74e35bd84156c5635688c0"),
    ]
    plain = h(
        "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573"
        "696e67205349562d414553"
    )
    sealed = h(
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17"
        "dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
    )
    assert AESSIV(key).encrypt(plain, data) == sealed
    made = cipher(Algorithm.SIV, key)
    assert made.seal(data[2], plain, data[0]) == AESSIV(key).encrypt(
        plain, [data[0], data[2]]
    )


@pytest.mark.parametrize(
    ("plain", "data", "sealed"),
    [
        ("", "", "dc20e2d83f25705bb49e439eca56de25"),
        ("0100000000000000", "", "b5d839330ac7b786578782fff6013b815b287c22493a364c"),
        ("0200000000000000", "01", "1e6daba35669f4273b0a1a2560969cdf790d99759abd1508"),
    ],
)
def test_gcm_siv_of_rfc_8452(plain: str, data: str, sealed: str) -> None:
    """Appendix C.1."""
    made = cipher(Algorithm.GCM_SIV, h("01000000000000000000000000000000"))
    nonce = h("030000000000000000000000")
    assert made.seal(nonce, h(plain), h(data)) == h(sealed)
    assert made.open(nonce, h(sealed), h(data)) == h(plain)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_any_change_is_found(algorithm: Algorithm) -> None:
    made = cipher(algorithm, bytes(range(algorithm.key_length)))
    nonce = bytes(range(algorithm.nonce_length))
    sealed = made.seal(nonce, b"", b"header")
    assert made.open(nonce, sealed, b"header") == b""
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        assert made.open(nonce, bytes(changed), b"header") is None
    assert made.open(nonce, sealed, b"headed") is None
    assert made.open(nonce[::-1], sealed, b"header") is None


@given(st.sampled_from(Algorithm), st.binary(max_size=40), st.binary(max_size=80))
def test_any_bytes_are_opened_or_not(
    algorithm: Algorithm, nonce: bytes, sealed: bytes
) -> None:
    made = cipher(algorithm, bytes(algorithm.key_length))
    assert made.open(nonce, sealed, b"data") is None


def test_without_the_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(aead, "import_module", missing)
    with pytest.raises(MissingError, match=r"pip install 'refclock\[nts\]'"):
        cipher(Algorithm.SIV, b"another key of the right size...")
