"""A serial line under a stable name, as udev gives it: what a receiver speaks on."""

from __future__ import annotations

import os
import select
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from hw.emu.gnss.receiver import TimedLine
from refclock.timebase import Duration, Tai

_FIFO: Final = 16
"""Bytes a UART gathers before it tells."""
_ROOM: Final = 1024


class Pty:
    """The emulated receiver's end. Used by one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._master: int | None = None

    def plug(self) -> None:
        """Have a line under the name; nothing if there is one."""
        if self._master is not None:
            return
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path.symlink_to(os.ttyname(slave))
        os.set_blocking(self._master, False)
        os.close(slave)

    def unplug(self) -> None:
        """Take it away: whoever has it open reads an error."""
        if self._master is not None:
            self.path.unlink()
            os.close(self._master)
            self._master = None

    def write(self, data: bytes) -> None:
        """Say it to whoever listens; a line nobody has open carries nothing."""
        if self._master is not None and self.open:
            with suppress(BlockingIOError):
                os.write(self._master, data)

    def read(self, limit_s: float) -> bytes:
        """What it was told, waiting at most so long for a first byte."""
        if (
            self._master is None
            or not select.select([self._master], [], [], limit_s)[0]
        ):
            return b""
        with suppress(OSError):  # closed meanwhile
            return os.read(self._master, _ROOM)
        return b""

    @property
    def open(self) -> bool:
        """Does anybody have it open?"""
        if self._master is None:
            return False
        poll = select.poll()
        poll.register(self._master, 0)  # a hang-up is always told
        return not poll.poll(0)


def pieces(line: TimedLine) -> Iterator[tuple[Tai, bytes]]:
    """What a UART tells of at once, and when it has it whole."""
    took = (line.ends - line.begins).ns
    for i in range(0, len(line.data), _FIFO):
        data = line.data[i : i + _FIFO]
        whole = took * (i + len(data)) // len(line.data)
        yield line.begins + Duration(whole), data
