"""The file of cookie keys, shared by all processes of the server.

One process makes and rotates them; the others read the file anew when it changed.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from pathlib import Path
from typing import Final

from refclock.ntp.nts.cookies import CookieKeys, CookieKeysError
from refclock.timebase import Utc

log = logging.getLogger("refclock")

_LARGEST: Final = 4096
_MODE: Final = 0o600


class CookieKeyFile:
    """The keys in force. `get` by any thread, all else by one."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self._version: tuple[int, int] | None = None
        self._keys: CookieKeys | None = None

    def get(self) -> CookieKeys:
        """The keys as last read or rotated."""
        assert self._keys is not None  # noqa: S101 - `own` or `refresh` came first
        return self._keys

    def own(self) -> None:
        """Read them, or make new ones where there are none. OSError: cannot."""
        try:
            self.refresh()
        except FileNotFoundError:
            self._write(CookieKeys.new(_now(), secrets.token_bytes))
        except CookieKeysError:
            log.warning("nts.cookie_keys: %s is none of ours; made anew", self._path)
            self._write(CookieKeys.new(_now(), secrets.token_bytes))
        self.rotate()

    def refresh(self) -> None:
        """Read the file if it is another. OSError, CookieKeysError: cannot."""
        found = self._path.stat()
        version = found.st_ino, found.st_mtime_ns
        if version != self._version:
            with self._path.open("rb") as file:
                text = file.read(_LARGEST).decode("ascii", "replace")
            self._keys, self._version = CookieKeys.parse(text), version

    def rotate(self) -> None:
        """Go on to the next key, if it is time. OSError: the file cannot be written."""
        if self.get().due(_now()):
            self._write(self.get().rotate(_now(), secrets.token_bytes))

    def _write(self, keys: CookieKeys) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f"{self._path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(fresh, flags, _MODE), "w") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(keys.text())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        found = self._path.stat()
        self._keys, self._version = keys, (found.st_ino, found.st_mtime_ns)


def _now() -> Utc:
    return Utc(time.time_ns())
