"""Cookies: the keys of an NTS association, sealed for the server that gave them out.

    key id (4) | nonce (12) | AES-128-GCM(C2S | S2C), the key id as associated data

The server keeps nothing of its clients: what it needs comes back with each request.
Four of its own keys are known at a time: one to come, the current one, two past ones. A
key is current for a day, so that a cookie can be opened for two days at least.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from refclock.ntp.nts.aead import TAG_LENGTH, Algorithm, gcm
from refclock.timebase import DAY, Utc

ROTATE_EVERY: Final = DAY
_ID, _NONCE, _SECRET = 4, 12, 16
_LENGTHS: Final = {
    _ID + _NONCE + 2 * each.key_length + TAG_LENGTH: each for each in Algorithm
}
"""The algorithm by the length of a cookie: 96 and 64 bytes."""
_PAST: Final = 2
_HEAD: Final = "refclock nts keys 1"
_LINE: Final = re.compile(r"(\d{1,10}) ([0-9a-f]{32})")

Draw = Callable[[int], bytes]
"""So many random bytes, that nobody can guess."""


class CookieKeysError(ValueError):
    """A text that holds no cookie keys."""


@dataclass(frozen=True, slots=True)
class Association:
    """What a client and its server share."""

    algorithm: Algorithm
    c2s: bytes
    """The key of what the client sends."""
    s2c: bytes


class CookieKeys:
    """The server's own keys. A value."""

    def __init__(self, rotated: Utc, current: int, secrets: dict[int, bytes]) -> None:
        """`secrets` by key id; `current`: the id in use since `rotated`."""
        self.rotated = rotated
        self._current = current
        self._secrets = secrets
        self._ciphers: dict[bytes, Any] = {
            number.to_bytes(_ID, "big"): gcm(secret)
            for number, secret in secrets.items()
        }
        self._current_id = current.to_bytes(_ID, "big")
        self._seal = self._ciphers[self._current_id].encrypt

    @classmethod
    def new(cls, now: Utc, draw: Draw) -> CookieKeys:
        """Keys nobody has a cookie of."""
        current = int.from_bytes(draw(3), "big") + _PAST
        return cls(now, current, {n: draw(_SECRET) for n in (current, current + 1)})

    def rotate(self, now: Utc, draw: Draw) -> CookieKeys:
        """The same, with the key to come as the current one."""
        current = self._current + 1
        kept = range(current - _PAST, current + 1)
        secrets = {n: s for n, s in self._secrets.items() if n in kept}
        secrets.setdefault(current, draw(_SECRET))
        return CookieKeys(now, current, {**secrets, current + 1: draw(_SECRET)})

    def due(self, now: Utc) -> bool:
        """Is it time for `rotate`? Also after the clock was set back."""
        return not 0 <= (now - self.rotated).ns < ROTATE_EVERY.ns

    def seal(self, association: Association, draw: Draw) -> bytes:
        """A cookie."""
        nonce = draw(_NONCE)
        plain = association.c2s + association.s2c
        sealed = bytes(self._seal(nonce, plain, self._current_id))
        return self._current_id + nonce + sealed

    def open(self, cookie: bytes) -> Association | None:
        """What is in it; None: it is none of ours, or too old."""
        algorithm = _LENGTHS.get(len(cookie))
        cipher = self._ciphers.get(cookie[:_ID])
        if algorithm is None or cipher is None:
            return None
        begin = _ID + _NONCE
        try:
            plain = cipher.decrypt(cookie[_ID:begin], cookie[begin:], cookie[:_ID])
        except Exception:
            return None
        length = algorithm.key_length
        return Association(algorithm, plain[:length], plain[length:])

    def text(self) -> str:
        """For the file that the server's processes share."""
        lines = [_HEAD, f"{self.rotated.ns} {self._current}"]
        lines += [f"{number} {key.hex()}" for number, key in self._secrets.items()]
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> CookieKeys:
        """As `text` wrote it. CookieKeysError: it did not."""
        head, _, rest = text.partition("\n")
        when, _, lines = rest.partition("\n")
        rotated = re.fullmatch(r"(-?\d{1,20}) (\d{1,10})", when, re.ASCII)
        found = [_LINE.fullmatch(line) for line in lines.splitlines()]
        if head != _HEAD or rotated is None or not found or None in found:
            raise CookieKeysError("no cookie keys")
        secrets = {
            int(each[1]): bytes.fromhex(each[2]) for each in found if each is not None
        }
        current = int(rotated[2])
        if current not in secrets or max(secrets) > 0xFFFF_FFFF:
            raise CookieKeysError("the current key is missing")
        return cls(Utc(int(rotated[1])), current, secrets)
