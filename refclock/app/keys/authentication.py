"""The keys that answer authenticated requests, read from files."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from refclock.app.keys.cookiefile import CookieKeyFile
from refclock.ntp.auth import Authenticator, SymmetricKeys
from refclock.ntp.mac import Key, KeysSettings, parse
from refclock.ntp.nts.aead import Algorithm, MissingError, cipher
from refclock.ntp.nts.cookies import CookieKeysError
from refclock.ntp.nts.fields import NtsServer
from refclock.ntp.nts.settings import NtsSettings

log = logging.getLogger("refclock")

_OTHERS: Final = 0o007
_LARGEST: Final = 1 << 20
"""Bytes of a key file."""


class Authentication:
    """What the settings say of keys, for all sockets of a process. For any thread."""

    def __init__(
        self,
        settings: KeysSettings,
        nts: NtsSettings | None = None,
        *,
        owner: bool = True,
    ) -> None:
        """`owner`: this process makes the cookie keys of NTS. OSError: a file cannot
        be read, or the packages of NTS are missing."""
        self._settings = settings
        self._symmetric: SymmetricKeys | None = None
        self.keys: Mapping[int, Key] = {}
        """The symmetric keys by number, as they were at the start."""
        self.cookies: CookieKeyFile | None = None
        """Of NTS, if it is set."""
        if settings.file:
            self.keys = read_keys(settings)
            self._symmetric = SymmetricKeys(self.keys)
        if nts is not None and nts.certificate:
            try:
                cipher(Algorithm.SIV, bytes(Algorithm.SIV.key_length))
            except MissingError as error:
                raise OSError(str(error)) from error
            self.cookies = CookieKeyFile(Path(nts.cookie_keys))
            if owner:
                self.cookies.own()
            else:
                self.cookies.refresh()

    def authenticators(self) -> Sequence[Authenticator]:
        """As one `NtpService` takes them."""
        found: list[Authenticator] = []
        if self.cookies is not None:
            found.append(NtsServer(self.cookies.get, os.urandom))
        if self._symmetric is not None:
            found.append(self._symmetric)
        return found

    def reload(self) -> None:
        """Read the file anew. OSError: it cannot be read; the old keys stay."""
        if self._symmetric is not None:
            self._symmetric.take(read_keys(self._settings))

    def refresh(self) -> None:
        """Take over the cookie keys that their owner wrote meanwhile."""
        if self.cookies is not None:
            with contextlib.suppress(OSError, CookieKeysError):
                self.cookies.refresh()


def read_keys(settings: KeysSettings) -> Mapping[int, Key]:
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
