"""The keys that answer authenticated requests, read from files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from refclock.ntp.auth import Authenticator, SymmetricKeys
from refclock.ntp.mac import Key, KeysSettings, parse

log = logging.getLogger("refclock")

_OTHERS = 0o007
_LARGEST = 1 << 20
"""Bytes of a key file."""


class Authentication:
    """What the settings say of keys, for all sockets of a process. For any thread."""

    def __init__(self, settings: KeysSettings) -> None:
        """OSError: the key file cannot be read."""
        self._settings = settings
        self._symmetric: SymmetricKeys | None = None
        if settings.file:
            self._symmetric = SymmetricKeys(_read(settings))

    def authenticators(self) -> Sequence[Authenticator]:
        """As `NtpService` takes them."""
        return [] if self._symmetric is None else [self._symmetric]

    def reload(self) -> None:
        """Read the file anew. OSError: it cannot be read; the old keys stay."""
        if self._symmetric is not None:
            self._symmetric.take(_read(self._settings))


def _read(settings: KeysSettings) -> Mapping[int, Key]:
    """The keys; what is wrong with the file is logged."""
    path = Path(settings.file)
    with path.open("rb") as file:
        mode = path.stat().st_mode
        text = file.read(_LARGEST).decode("utf-8", "replace")
    if mode & _OTHERS:
        log.warning("keys: others can read %s; chmod o-rwx %s", path, path)
    keys, said = parse(text, settings.format)
    for each in said:
        log.warning("keys: %s", each)
    return keys
