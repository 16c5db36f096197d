"""Symmetric keys: what proves that a packet was made by someone who has the key.

A MAC is the key's number (4 bytes) and hash(key | packet), or the AES-CMAC of the
packet (RFC 8573). In version 4 a digest is cut to 20 bytes, so that it cannot be
taken for an extension field (RFC 7822); before it is whole. What depends on the key
alone is computed once: for each packet a copy of that state goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hmac import compare_digest
from importlib import import_module
from typing import Any, Final

CUT: Final = 20
"""Bytes of a digest in version 4, at most."""
_LEAST_BITS: Final = 80
_MOST_ID: Final = 0xFFFF_FFFF
_HASHES: Final = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}
_CMACS: Final = {"AES128": 16, "AES256": 32}
_OTHER_NAMES: Final = {
    "M": "MD5",
    "SHA": "SHA1",
    "AES": "AES128",
    "AES128CMAC": "AES128",
    "AES-128": "AES128",
    "AES-128-CMAC": "AES128",
    "AES256CMAC": "AES256",
    "AES-256": "AES256",
    "SHA-1": "SHA1",
    "SHA-256": "SHA256",
    "SHA-512": "SHA512",
}
"""As ntpd and NTPsec write them."""
_NTPD_ASCII: Final = 20
"""ntpd takes a longer key for hexadecimal digits."""


class KeyFormat(StrEnum):
    """Whose key file it is: they read a long key without a prefix differently."""

    AUTO = "auto"
    """`HEX:` and `ASCII:` as chrony; else more than 20 hexadecimal digits are those
    bytes, as ntpd, and anything else is the characters themselves."""
    CHRONY = "chrony"
    """Without a prefix: the characters themselves."""
    NTPD = "ntpd"
    """More than 20 characters: hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class KeysSettings:
    """Where the symmetric keys are."""

    file: str = ""
    """As of chrony or ntpd; empty: there are none."""
    format: KeyFormat = KeyFormat.AUTO


@dataclass(frozen=True, slots=True)
class Key:
    """A key with its number."""

    number: int
    kind: str
    """MD5, SHA1, SHA256, SHA512, AES128 or AES256."""
    bits: int
    digest: Callable[[bytes], bytes]
    """Of a packet: the whole digest."""

    def mac(self, packet: bytes, version: int) -> bytes:
        """The MAC of a packet of that version: the number and the digest."""
        return self.writer(version)(packet)

    def writer(self, version: int) -> Callable[[bytes], bytes]:
        """From packets of that version to their MACs."""
        number, digest = self.number.to_bytes(4, "big"), self.digest
        if version >= 4:
            return lambda packet: number + digest(packet)[:CUT]
        return lambda packet: number + digest(packet)

    def proves(self, packet: bytes, mac: bytes) -> bool:
        """Is that the MAC of the packet? In constant time."""
        return compare_digest(self.mac(packet, packet[0] >> 3 & 7), mac)


class KeyFault(ValueError):  # noqa: N818 - a fault of a line, not of ours
    """A line that is no key, and why."""


def key(number: int, kind: str, secret: bytes) -> Key:
    """A key made of its bytes. KeyFault: of no use."""
    if not 1 <= number <= _MOST_ID:
        raise KeyFault(f"{number} is not 1 to {_MOST_ID}")
    kind = kind.upper()
    kind = _OTHER_NAMES.get(kind, kind)
    if kind in _CMACS:
        if len(secret) != _CMACS[kind]:
            raise KeyFault(f"{kind} needs {_CMACS[kind]} bytes, not {len(secret)}")
        return Key(number, kind, 8 * len(secret), _cmac(secret))
    if kind not in _HASHES:
        known = ", ".join((*_HASHES, *_CMACS))
        raise KeyFault(f"{kind} is none of {known}")
    if not secret:
        raise KeyFault("it is empty")
    return Key(number, kind, 8 * len(secret), _hash(_HASHES[kind], secret))


def parse(
    text: str, form: KeyFormat = KeyFormat.AUTO
) -> tuple[Mapping[int, Key], list[str]]:
    """The keys of a file, and what is to be said of it: bad lines are left out."""
    keys: dict[int, Key] = {}
    said: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words or words[0][0] in "!;%#":
            continue
        try:
            made = _key_of(words, form)
        except KeyFault as fault:
            said.append(f"line {number}: {fault}")
            continue
        if made.number in keys:
            said.append(f"{made.number} is there twice, the last counts")
        if made.bits < _LEAST_BITS:
            said.append(f"{made.number} has only {made.bits} bits")
        keys[made.number] = made
    return keys, said


def _key_of(words: list[str], form: KeyFormat) -> Key:
    if len(words) == 2:
        words = [words[0], "MD5", words[1]]
    if len(words) < 3:
        raise KeyFault("a key is a number, a type and the key itself")
    number, kind, secret, *_ = words  # ntpd: addresses may follow
    if not (number.isascii() and number.isdigit()):
        raise KeyFault(f"{number!r} is no number")
    return key(int(number), kind, _secret(secret, form))


def _secret(text: str, form: KeyFormat) -> bytes:
    prefix, _, rest = text.partition(":")
    if form is not KeyFormat.NTPD and prefix in {"HEX", "ASCII"}:
        return _from_hex(rest) if prefix == "HEX" else rest.encode()
    if form is KeyFormat.NTPD and len(text) > _NTPD_ASCII:
        return _from_hex(text)
    if form is KeyFormat.AUTO and len(text) > _NTPD_ASCII:
        try:
            return _from_hex(text)
        except KeyFault:
            return text.encode()
    return text.encode()


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise KeyFault("it is no even number of hexadecimal digits") from None


def _hash(name: str, secret: bytes) -> Callable[[bytes], bytes]:
    copy = hashlib.new(name, secret, usedforsecurity=False).copy

    def digest(packet: bytes) -> bytes:
        state = copy()
        state.update(packet)
        return state.digest()

    return digest


def _cmac(secret: bytes) -> Callable[[bytes], bytes]:
    try:
        ciphers = import_module("cryptography.hazmat.primitives.ciphers.algorithms")
        cmac = import_module("cryptography.hazmat.primitives.cmac")
    except ImportError:
        raise KeyFault(
            "AES keys take a package that is missing: pip install 'refclock[nts]'"
        ) from None
    copy: Callable[[], Any] = cmac.CMAC(ciphers.AES(secret)).copy

    def cmac_digest(packet: bytes) -> bytes:
        state = copy()
        state.update(packet)
        digest: bytes = state.finalize()
        return digest

    return cmac_digest
