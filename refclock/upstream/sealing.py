"""How a question proves who asks and a reply who answers: not at all, or by a key.

`refclock.ntp.nts.fields.NtsClient` is the third of the kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from refclock.ntp.extension import read
from refclock.ntp.mac import Key
from refclock.ntp.packet import HEADER_LENGTH, PacketError


class Sealing(Protocol):
    """One way of authentication, towards one server. Used by one thread."""

    def request(self, header: bytes) -> bytes:
        """The whole request. IndexError: it cannot be made any more."""
        ...

    def proves(self, reply: bytes) -> bool:
        """Is it the server's own answer to the last request?"""
        ...

    def is_nak(self, reply: bytes) -> bool:
        """Says somebody, without proof, that the server could not read the request?"""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """No authentication."""

    def request(self, header: bytes) -> bytes:
        """The header alone."""
        return header

    def proves(self, reply: bytes) -> bool:
        """Nothing is to be proved."""
        return len(reply) >= HEADER_LENGTH

    def is_nak(self, _reply: bytes) -> bool:
        """There is no NAK to a plain request."""
        return False


@dataclass(frozen=True, slots=True)
class Keyed:
    """A symmetric key."""

    key: Key

    @property
    def version(self) -> int:
        """Of the questions: a digest of more than 20 bytes is cut in version 4, and
        servers that know only whole ones want version 3."""
        return 3 if len(self.key.digest(b"")) > 20 else 4

    def request(self, header: bytes) -> bytes:
        """The header and its MAC."""
        return header + self.key.mac(header, header[0] >> 3 & 7)

    def proves(self, reply: bytes) -> bool:
        """Has it a good MAC of the same key?"""
        try:
            mac = read(reply).mac
        except PacketError:
            return False
        return len(mac) > 4 and self.key.proves(reply[: -len(mac)], mac)

    def is_nak(self, reply: bytes) -> bool:
        """A crypto-NAK: a key identifier of zero, and no digest."""
        return len(reply) == HEADER_LENGTH + 4 and not any(reply[HEADER_LENGTH:])
