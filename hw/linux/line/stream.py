"""A receiver behind a device that is no serial port: /dev/gnss0.

Drivers of the kernel's GNSS class (drivers/gnss) pass on what the receiver sends and
is sent. Such a device has no speed and no modem lines, and several programs may have
it open. Bytes are gathered as on a UART.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from pathlib import Path
from typing import Final

from hw.linux.faults import Part
from refclock.board.ports import Chunk
from refclock.timebase import MILLISECOND, Duration, Mono

RECEIVER: Final = Part(
    "receiver.device",
    "dialout",
    "is the receiver plugged in, or the serial line switched on (enable_uart=1 in"
    " config.txt)?",
)
_BETWEEN: Final = 25 * MILLISECOND
_LOOKS: Final = 4
_BUFFER: Final = 4096


def is_serial(path: str, sysfs: Path = Path("/sys")) -> bool:
    """Is the device a serial port? What is not there or unknown to sysfs, as pseudo
    terminals are, is taken for one."""
    try:
        found = os.stat(path)
        if not stat.S_ISCHR(found.st_mode):
            return True
        number = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
        subsystem = os.readlink(sysfs / "dev/char" / number / "subsystem")
    except OSError:
        return True
    return os.path.basename(subsystem) == "tty"


class Stream:
    """One open device. Used by one thread."""

    bits_per_second = None

    def __init__(self, path: str) -> None:
        """OSError: it is not there, or may not be opened."""
        self.name = path
        with RECEIVER.at(path):
            self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def read(self, limit: Duration) -> Chunk | None:
        """What has come, waiting at most `limit` for a first byte; None: silence.

        Takes up to 100 ms more than the first byte did. OSError: it is gone.
        """
        if not select.select([self._file], [], [], limit.seconds)[0]:
            return None
        first = last = Mono(time.monotonic_ns())
        with RECEIVER.at(self.name):
            came = self._rest()
            if not came:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            for _ in range(_LOOKS):
                time.sleep(_BETWEEN.seconds)
                more = self._rest()
                if not more:
                    break
                came, last = came + more, Mono(time.monotonic_ns())
        return Chunk(came, first, last)

    def write(self, data: bytes) -> None:
        """Send to the receiver. OSError: it takes nothing."""
        with RECEIVER.at(self.name):
            while data:
                data = data[os.write(self._file, data) :]

    def close(self) -> None:
        """Give it back."""
        os.close(self._file)

    def _rest(self) -> bytes:
        """What is there now."""
        try:
            return os.read(self._file, _BUFFER)
        except BlockingIOError:
            return b""
