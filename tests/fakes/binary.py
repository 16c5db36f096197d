"""Frames of receivers' binary protocols, written apart from what reads them."""

from __future__ import annotations


def ubx(cls: int, number: int, payload: bytes, sync: bytes = b"\xb5b") -> bytes:
    """A frame of u-blox, or of a vendor with the same frame behind other bytes."""
    body = bytes((cls, number)) + len(payload).to_bytes(2, "little") + payload
    first = second = 0
    for byte in body:
        first = (first + byte) & 0xFF
        second = (second + first) & 0xFF
    return sync + body + bytes((first, second))


def casic(cls: int, number: int, payload: bytes) -> bytes:
    """A frame of CASIC."""
    size = len(payload)
    words = [payload[k : k + 4] for k in range(0, size, 4)]
    total = (number << 24) + (cls << 16) + size
    total += sum(int.from_bytes(word, "little") for word in words)
    head = b"\xba\xce" + size.to_bytes(2, "little") + bytes((cls, number))
    return head + payload + (total % 2**32).to_bytes(4, "little")
