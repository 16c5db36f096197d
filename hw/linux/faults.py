"""What is wrong with a device, in words: where, why, what to do, by which setting."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_HELD: Final = {errno.EBUSY, errno.EAGAIN, errno.ETXTBSY}
_GONE: Final = {
    *(errno.EIO, errno.ENODEV, errno.ENXIO, errno.EREMOTEIO, errno.ETIMEDOUT),
    *(errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN, errno.EPROTO, errno.ENODATA),
}
_OTHER_KIND: Final = {
    *(errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS),
    *(errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ESPIPE, errno.EBADMSG),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A kind of device: what to say when it is not there or may not be used."""

    setting: str
    """What names it in the configuration."""
    group: str
    """Who may open it."""
    missing: str
    """What to do where there is none."""

    @contextmanager
    def at(self, path: str) -> Iterator[None]:
        """An OSError from within becomes one of the same number that names `path`, says
        what is wrong and what to do next, and ends in the setting. One that was
        written here (it has no number, or was explained already) stays as it is."""
        try:
            yield
        except OSError as error:
            if error.errno is None or isinstance(error.__cause__, OSError):
                raise
            raise OSError(error.errno, self._said(error, path), path) from error

    def _said(self, error: OSError, path: str) -> str:
        match error.errno:
            case errno.ENOENT:
                what, then = "there is no such device", self.missing
            case errno.EACCES:
                what = "not allowed"
                then = (
                    f"the service needs the group {self.group}, or the rules in udev/"
                )
            case errno.EPERM:
                what = "forbidden"
                then = "the container, or the sandbox of the unit, has to allow it"
            case number if number in _HELD:
                what = "another program holds it"
                then = (
                    f"`fuser -v {path}` names it; gpsd, or a console, is to be stopped"
                )
            case number if number in _GONE:
                what = f"it does not answer ({os.strerror(number or 0)})"
                then = "is it unplugged, or without power?"
            case number if number in _OTHER_KIND:
                what = f"it cannot do what is asked ({os.strerror(number or 0)})"
                then = "is it the right device?"
            case number:
                what = os.strerror(number or 0)
                then = "the kernel may say more: `dmesg`"
        return f"{what}: {then} ({self.setting})"
