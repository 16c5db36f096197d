"""The pulse on a serial port's carrier detect (DCD).

Stamped by the kernel where its line discipline for pulses may be attached: a
/dev/ppsN appears, and only that is read. Else a thread waits for the line to
change (TIOCMIWAIT), which nothing can end but a change; so it is a daemon
thread that is left behind, and closes its port itself when it wakes once more.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import queue
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Final

from hw.abi.tty import DISCIPLINE, N_PPS, N_TTY
from hw.linux.faults import Part
from hw.linux.pulse.kernel import KernelPps
from refclock.board.ports import EdgeEvent, PpsLine
from refclock.board.wiring import WantedEdge
from refclock.events import Edge
from refclock.timebase import MILLISECOND, Duration, Local

PORT: Final = Part(
    "pulse.device", "dialout", "is the adapter whose carrier detect it is plugged in?"
)
_SETTLE: Final = 20 * MILLISECOND
_SETTLES: Final = 50
"""How long the rules for a new device may take to give it its group."""
_KEPT: Final = 8
_NONE: Final = bytes(4)


class DisciplinePps:
    """A pulse device made by the line discipline. Used by one thread."""

    def __init__(self, port: int, line: KernelPps) -> None:
        """`port`: the open tty; the discipline lasts as long as it is held."""
        self._port = port
        self._line = line

    @property
    def name(self) -> str:
        """Device, for people."""
        return f"DCD as {self._line.name}"

    def wait(self, limit: Duration) -> EdgeEvent | None:
        """The next edge not yet told, or None when none came within `limit`."""
        return self._line.wait(limit)

    def close(self) -> None:
        """Give the port back as it was."""
        self._line.close()
        with contextlib.suppress(OSError):  # it may be gone, with its adapter
            _set_discipline(self._port, N_TTY)
        os.close(self._port)


class WatchedPps:
    """Carrier detect watched by a thread of its own. Used by one other thread."""

    def __init__(self, port: int, path: str, edge: WantedEdge) -> None:
        """`port`: the open tty, now the thread's."""
        self._path = path
        self._wanted = set(Edge) if edge is WantedEdge.AUTO else {Edge(edge.value)}
        self._count = dict.fromkeys(Edge, 0)
        self._fresh: queue.Queue[EdgeEvent | OSError] = queue.Queue(_KEPT)
        self._done = threading.Event()
        watch = threading.Thread(
            target=self._watch, args=(port,), name=self.name, daemon=True
        )
        watch.start()

    @property
    def name(self) -> str:
        """Device, for people."""
        return f"DCD of {self._path}, watched"

    def wait(self, limit: Duration) -> EdgeEvent | None:
        """The next edge not yet told, or None when none came within `limit`.

        OSError: the port is gone, or tells nothing of its lines.
        """
        try:
            told = self._fresh.get(timeout=limit.seconds)
        except queue.Empty:
            return None
        if isinstance(told, OSError):
            with PORT.at(self._path):
                raise told
        return told

    def close(self) -> None:
        """Let the thread end with the next change of the line."""
        self._done.set()

    def _watch(self, port: int) -> None:
        try:
            while not self._done.is_set():
                fcntl.ioctl(port, termios.TIOCMIWAIT, termios.TIOCM_CD)
                at = Local(time.clock_gettime_ns(time.CLOCK_REALTIME))
                self._tell(self._flank(at, fcntl.ioctl(port, termios.TIOCMGET, _NONE)))
        except OSError as error:
            self._tell(error)
        finally:
            os.close(port)

    def _flank(self, at: Local, lines: bytes) -> EdgeEvent:
        carrier = int.from_bytes(lines, sys.byteorder) & termios.TIOCM_CD
        edge = Edge.ASSERT if carrier else Edge.CLEAR
        self._count[edge] += 1
        return EdgeEvent(self._count[edge], at, edge)

    def _tell(self, news: EdgeEvent | OSError) -> None:
        if isinstance(news, EdgeEvent) and news.edge not in self._wanted:
            return
        if self._fresh.full():
            with contextlib.suppress(queue.Empty):
                self._fresh.get_nowait()  # the count shows that it is lost
        self._fresh.put(news)


def open_dcd(path: str, edge: WantedEdge) -> PpsLine:
    """The pulse on that port, stamped as well as may be. OSError: no such port."""
    with PORT.at(path):
        port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return DisciplinePps(port, _attach(port, os.path.realpath(path), edge))
    except OSError:
        return WatchedPps(port, path, edge)


def _attach(port: int, path: str, edge: WantedEdge) -> KernelPps:
    """The device that appears. OSError: not allowed, or no such line discipline."""
    _set_discipline(port, N_PPS)
    try:
        for _ in range(_SETTLES - 1):
            with contextlib.suppress(OSError):
                return KernelPps(_device_of(path), edge)
            time.sleep(_SETTLE.seconds)
        return KernelPps(_device_of(path), edge)
    except OSError:
        _set_discipline(port, N_TTY)
        raise


def _device_of(path: str, root: Path = Path("/sys/class/pps")) -> str:
    for entry in root.glob("pps*"):
        if (entry / "path").read_text().strip() == path:
            return f"/dev/{entry.name}"
    raise FileNotFoundError(errno.ENOENT, "no pulse device appeared for it", path)


def _set_discipline(port: int, discipline: int) -> None:
    fcntl.ioctl(port, termios.TIOCSETD, DISCIPLINE.pack(discipline))
