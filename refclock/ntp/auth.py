"""How a server knows who asks, and proves who answers: no key, a symmetric key, NTS.

    open(request) -> nothing | a refusal | Opened(seal)
    seal(header) -> what follows the 48 bytes of the reply

A request is opened before it is admitted; its reply is sealed when its transmit stamp
is written, which the seal covers. A sealed reply is never longer than its request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

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


@dataclass(frozen=True, slots=True)
class Opened:
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
        self._keys = keys

    def take(self, keys: Mapping[int, Key]) -> None:
        """From now on these keys are in force. From any thread."""
        self._keys = keys

    def open(self, request: bytes) -> Opened | AuthFault | None:
        """As `Authenticator` has it; a crypto-NAK is no MAC."""
        left = len(request) - HEADER_LENGTH
        if left not in _USUAL:
            left = len(read(request).mac)
        if left <= 4 or not self._keys:
            return None
        at = len(request) - left
        key = self._keys.get(int.from_bytes(request[at : at + 4], "big"))
        if key is None or not key.proves(request[:at], request[at:]):
            return AuthFault.BAD_MAC
        version = request[0] >> 3 & 7
        return Opened(Proof.KEY, lambda header: key.mac(header, version))


_USUAL = frozenset({20, 24})
"""Bytes of a MAC; in any version nothing else is as long."""
