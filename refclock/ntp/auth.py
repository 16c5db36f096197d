"""How a server knows who asks, and proves who answers: no key, a symmetric key, NTS.

    open(request) -> nothing | a refusal | Opened(seal)
    seal(header) -> what follows the 48 bytes of the reply

A request is opened before it is admitted; its reply is sealed when its transmit stamp
is written, which the seal covers. A sealed reply is never longer than its request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from hmac import compare_digest
from typing import NamedTuple, Protocol

from refclock.ntp.extension import read
from refclock.ntp.mac import Key
from refclock.ntp.packet import HEADER_LENGTH

Seal = Callable[[bytes], bytes]
"""From the reply's header, transmit stamp included, to what follows it."""


class Proof(StrEnum):
    """How a request was authenticated."""

    KEY = "key"
    NTS = "nts"


class AuthFault(StrEnum):
    """Why a request is dropped."""

    BAD_MAC = "bad_mac"
    NTS = "nts_malformed"


class Opened(NamedTuple):
    """An authenticated request."""

    proof: Proof
    seal: Seal
    nak: bool = False
    """It could not be opened: the reply tells that, and no time."""


class Authenticator(Protocol):
    """One way of authentication. Used by one thread."""

    def open(self, request: bytes) -> Opened | AuthFault | None:
        """None: the request does not use it. PacketError: no packet has that shape."""
        ...


class SymmetricKeys:
    """Requests with a MAC. Used by one thread."""

    def __init__(self, keys: Mapping[int, Key]) -> None:
        """Without any key a MAC means nothing, and its request counts as plain."""
        self.take(keys)

    def take(self, keys: Mapping[int, Key]) -> None:
        """From now on these keys are in force. From any thread."""
        self._opened = {
            number.to_bytes(4, "big"): tuple(
                Opened(Proof.KEY, key.writer(version)) for version in range(8)
            )
            for number, key in keys.items()
        }

    def open(self, request: bytes) -> Opened | AuthFault | None:
        """As `Authenticator` has it; a crypto-NAK is no MAC."""
        at = HEADER_LENGTH
        if len(request) not in _USUAL:
            at = len(request) - len(read(request).mac)
        if len(request) - at <= 4 or not self._opened:
            return None
        versions = self._opened.get(request[at : at + 4])
        opened = versions and versions[request[0] >> 3 & 7]
        if not opened or not compare_digest(opened.seal(request[:at]), request[at:]):
            return AuthFault.BAD_MAC
        return opened


_USUAL = frozenset({HEADER_LENGTH + 20, HEADER_LENGTH + 24})
"""Bytes of a request with a MAC; in any version nothing else is as long."""
