"""Settings of u-blox receivers: CFG messages, and keys set by CFG-VALSET.

u-blox M8 receiver description (UBX-13003221), 32.2, 32.9 and 32.10; F9 TIM 2.20
interface description (UBX-21048598), 3.10.3, 3.10.24, 3.10.26 and 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeGuard

from refclock.gnss.framer import Binary, Item

_CFG: Final = 0x06
_VALSET, _VALGET = 0x8A, 0x8B
_ACK: Final = 0x05
_HEAD: Final = 6
"""Bytes before a payload: sync, class, number, length."""
_SET_RAM: Final = bytes((0, 1, 0, 0))
"""CFG-VALSET: version 0, of the layers RAM alone."""
_GET_RAM: Final = bytes((0, 0, 0, 0))
"""CFG-VALGET: version 0, the layer RAM, from the first on."""
_GOT_RAM: Final = bytes((1, 0, 0, 0))
_KEY: Final = 4
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}
"""Bytes of a value, by the highest digit of its key."""


@dataclass(frozen=True, slots=True)
class Message:
    """A CFG message: read whole, changed in part, written back whole."""

    name: str
    id: int
    asked: bytes
    """Payload of the question; the answer begins with it."""
    size: int
    """Bytes of the answer."""
    change: Callable[[bytes], bytes]
    """From the payload found to the payload wanted."""
    show: Callable[[bytes], str]

    @property
    def query(self) -> bytes:
        """See `Setting`; also for all below."""
        return frame(_CFG, self.id, self.asked)

    @property
    def acknowledged(self) -> bool:
        """Always."""
        return True

    @property
    def inferred(self) -> bytes:
        """It can be asked for."""
        return b""

    def current(self, item: Item) -> bytes | None:
        """The payload of the answer is that of the command."""
        if not is_ubx(item, _CFG, self.id) or len(item.payload) != self.size:
            return None
        answers = item.payload.startswith(self.asked)
        return frame(_CFG, self.id, item.payload) if answers else None

    def answered(self, item: Item) -> bool:
        """By the ACK-ACK behind the answer, so that none is left for the command."""
        return _verdict(item, self.id) is True

    def wanted(self, current: bytes) -> bytes:
        """The payload found, changed."""
        return frame(_CFG, self.id, self.change(_payload(current)))

    def verdict(self, item: Item) -> bool | None:
        """ACK-ACK or ACK-NAK."""
        return _verdict(item, self.id)

    def unknown(self, item: Item) -> bool:
        """ACK-NAK for the question."""
        return _verdict(item, self.id) is False

    def describe(self, command: bytes) -> str:
        """The part that is changed."""
        return self.show(_payload(command))


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys and their values, set together or not at all."""

    name: str
    values: Mapping[int, int]
    show: Callable[[Mapping[int, int]], str]
    content: int | None = None
    """If this key is not 0, nothing is changed."""

    @property
    def query(self) -> bytes:
        """See `Setting`; also for all below."""
        keys = b"".join(key.to_bytes(_KEY, "little") for key in self.values)
        return frame(_CFG, _VALGET, _GET_RAM + keys)

    @property
    def acknowledged(self) -> bool:
        """Always."""
        return True

    @property
    def inferred(self) -> bytes:
        """It can be asked for."""
        return b""

    def current(self, item: Item) -> bytes | None:
        """The same keys with the values they have."""
        if not is_ubx(item, _CFG, _VALGET) or not item.payload.startswith(_GOT_RAM):
            return None
        answer = _values(item.payload)
        if answer.keys() != self.values.keys():
            return None
        return _valset({key: answer[key] for key in self.values})

    def answered(self, item: Item) -> bool:
        """By the ACK-ACK behind the answer, so that none is left for the command."""
        return _verdict(item, _VALGET) is True

    def wanted(self, current: bytes) -> bytes:
        """`values`."""
        if self.content and _values(_payload(current)).get(self.content):
            return current
        return _valset(self.values)

    def verdict(self, item: Item) -> bool | None:
        """ACK-ACK or ACK-NAK."""
        return _verdict(item, _VALSET)

    def unknown(self, item: Item) -> bool:
        """One of the keys is unknown to it."""
        return _verdict(item, _VALGET) is False

    def describe(self, command: bytes) -> str:
        """The values."""
        return self.show(_values(_payload(command)))


def frame(cls: int, number: int, payload: bytes = b"") -> bytes:
    """Sync, class, number, length, payload, and RFC 1145's checksum, 8 bits wide."""
    body = bytes((cls, number)) + len(payload).to_bytes(2, "little") + payload
    checksum = bytes((sum(body) & 0xFF, sum(accumulate(body)) & 0xFF))
    return b"\xb5b" + body + checksum


def is_ubx(item: Item, cls: int, number: int) -> TypeGuard[Binary]:
    """Is it that message?"""
    return (
        isinstance(item, Binary)
        and item.kind == "UBX"
        and (item.cls, item.id) == (cls, number)
    )


def _payload(command: bytes) -> bytes:
    return command[_HEAD:-2]


def _verdict(item: Item, number: int) -> bool | None:
    if isinstance(item, Binary) and item.kind == "UBX" and item.cls == _ACK:
        return item.id == 1 if item.payload == bytes((_CFG, number)) else None
    return None


def _valset(values: Mapping[int, int]) -> bytes:
    pairs = (
        key.to_bytes(_KEY, "little") + value.to_bytes(_SIZES[key >> 28], "little")
        for key, value in values.items()
    )
    return frame(_CFG, _VALSET, _SET_RAM + b"".join(pairs))


def _values(payload: bytes) -> dict[int, int]:
    """Of a VALSET or an answer to VALGET; what is cut short is left out."""
    values: dict[int, int] = {}
    at = len(_SET_RAM)
    while at + _KEY < len(payload):
        key = int.from_bytes(payload[at : at + _KEY], "little")
        end = at + _KEY + _SIZES.get(key >> 28, len(payload))
        if end > len(payload):
            break
        values[key] = int.from_bytes(payload[at + _KEY : end], "little")
        at = end
    return values
