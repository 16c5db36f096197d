"""The two AEADs of NTS: AES-SIV-CMAC-256 (RFC 5297) and AES-128-GCM-SIV (RFC 8452).

From the package `cryptography`, of the extra `refclock[nts]`; it is loaded when the
first key is made. A nonce of SIV is the last of its associated data.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, Protocol

TAG_LENGTH: Final = 16
_KEPT: Final = 1024
"""Ciphers whose keys are set up; to set one up costs as much as to seal twice."""


class MissingError(RuntimeError):
    """The packages of NTS are not installed."""


class Algorithm(IntEnum):
    """By their numbers at IANA, RFC 5116."""

    SIV = 15
    GCM_SIV = 30

    @property
    def key_length(self) -> int:
        """Bytes."""
        return 32 if self is Algorithm.SIV else 16

    @property
    def nonce_length(self) -> int:
        """Bytes: of the nonces we make, and of GCM-SIV the only length."""
        return 16 if self is Algorithm.SIV else 12


class Cipher(Protocol):
    """An AEAD with its key."""

    def seal(self, nonce: bytes, plain: bytes, data: bytes) -> bytes:
        """What hides `plain` and proves it and `data`: 16 bytes longer than `plain`."""
        ...

    def open(self, nonce: bytes, sealed: bytes, data: bytes) -> bytes | None:
        """What was hidden; None: it, the nonce or `data` is another."""
        ...


@lru_cache(maxsize=_KEPT)
def cipher(algorithm: Algorithm, key: bytes) -> Cipher:
    """The AEAD with that key. MissingError: there is no package for it."""
    made = _loaded()
    if algorithm is Algorithm.SIV:
        return _Siv(made.AESSIV(key), _invalid_tag())
    return _GcmSiv(made.AESGCMSIV(key), _invalid_tag())


def gcm(key: bytes) -> Any:  # noqa: ANN401 - the package's own
    """AES-GCM of the package, for our own cookies."""
    return _loaded().AESGCM(key)


def _loaded() -> Any:  # noqa: ANN401 - the package's own
    try:
        return import_module("cryptography.hazmat.primitives.ciphers.aead")
    except ImportError as error:
        raise MissingError(
            "nts is set, but the packages for it are missing:"
            " pip install 'refclock[nts]'"
        ) from error


def _invalid_tag() -> type[Exception]:
    fault: type[Exception] = import_module("cryptography.exceptions").InvalidTag
    return fault


@dataclass(frozen=True, slots=True)
class _Siv:
    aead: Any
    invalid: type[Exception]

    def seal(self, nonce: bytes, plain: bytes, data: bytes) -> bytes:
        return bytes(self.aead.encrypt(plain, [data, nonce]))

    def open(self, nonce: bytes, sealed: bytes, data: bytes) -> bytes | None:
        if len(sealed) < TAG_LENGTH or not nonce:
            return None
        try:
            return bytes(self.aead.decrypt(sealed, [data, nonce]))
        except self.invalid:
            return None


@dataclass(frozen=True, slots=True)
class _GcmSiv:
    aead: Any
    invalid: type[Exception]

    def seal(self, nonce: bytes, plain: bytes, data: bytes) -> bytes:
        return bytes(self.aead.encrypt(nonce, plain, data))

    def open(self, nonce: bytes, sealed: bytes, data: bytes) -> bytes | None:
        if len(sealed) < TAG_LENGTH or len(nonce) != Algorithm.GCM_SIV.nonce_length:
            return None
        try:
            return bytes(self.aead.decrypt(nonce, sealed, data))
        except self.invalid:
            return None
