"""Names looked up in a thread of their own: a resolver may hang for a minute."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from typing import Any, Final

Place = tuple[Any, ...]
"""A socket address, as the resolver gives it."""

_FAMILIES: Final = {
    "any": socket.AF_UNSPEC,
    "ipv4": socket.AF_INET,
    "ipv6": socket.AF_INET6,
}


class Lookup:
    """One question to the resolver. For any thread."""

    def __init__(self, host: str, port: int, family: str = "any") -> None:
        """Begin. `family`: any, ipv4 or ipv6."""
        self._found: Sequence[Place] | None = None
        self._why = ""
        question = host, port, _FAMILIES[family]
        threading.Thread(
            target=self._look, args=question, name="resolve", daemon=True
        ).start()

    def result(self) -> Sequence[Place] | None:
        """The addresses, each once; None: not known yet. OSError: there is none."""
        if self._why:
            raise OSError(self._why)
        return self._found

    def _look(self, host: str, port: int, family: int) -> None:
        try:
            found = socket.getaddrinfo(
                host, port, family=family, type=socket.SOCK_DGRAM
            )
        except (OSError, UnicodeError) as error:
            self._why = f"unknown name: {getattr(error, 'strerror', None) or error}"
            return
        self._found = [*dict.fromkeys(place for *_, place in found)]
