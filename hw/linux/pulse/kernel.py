"""The pulse as the kernel stamped it: RFC 2783 by ioctl on /dev/ppsN.

Three habits of the kernel shape the code
(drivers/pps/pps.c): PPS_FETCH waits for the next edge after the call, so what
came since the last one is looked for first; it ends on either edge, also on one
nobody wants; and with a time-out under a tick it returns the old event as if it
were new. So sequence numbers alone say what is new.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from hw.abi.ioctl import Ioctl
from hw.abi.pps import (
    API_VERSION,
    CAPTUREASSERT,
    CAPTURECLEAR,
    FETCH,
    FETCH_SIZE,
    GETCAP,
    INFO,
    PARAMS,
    SETPARAMS,
    TIMEOUT,
    TIMEOUT_AT,
    TSPEC,
)
from hw.linux.faults import Part
from refclock.board.ports import EdgeEvent
from refclock.board.wiring import WantedEdge
from refclock.events import Edge
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Local, Mono

PULSE: Final = Part("pulse.device", "refclock", "is dtoverlay=pps-gpio in config.txt?")
_TICK: Final = 10 * MILLISECOND
"""The longest tick of a kernel (HZ=100); no shorter wait is asked for."""

_WANTED: Final = {
    WantedEdge.AUTO: CAPTUREASSERT | CAPTURECLEAR,
    WantedEdge.ASSERT: CAPTUREASSERT,
    WantedEdge.CLEAR: CAPTURECLEAR,
}


class KernelPps:
    """One open pulse device. Used by one thread."""

    def __init__(
        self,
        path: str,
        edge: WantedEdge = WantedEdge.AUTO,
        ioctl: Ioctl = fcntl.ioctl,
    ) -> None:
        self._path = path
        self._ioctl = ioctl
        with PULSE.at(path):
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                self._mode = self._capture(_WANTED[edge])
                self._seen = dict.fromkeys(Edge, 0)
                self._fresh: deque[EdgeEvent] = deque()
                self._look(ZERO)
                self._fresh.clear()  # whatever came before we asked
            except OSError:
                os.close(self._file)
                raise

    @property
    def name(self) -> str:
        """Device, for people."""
        return self._path

    def wait(self, limit: Duration) -> EdgeEvent | None:
        """The next edge not yet told, or None when none came within `limit`.

        OSError: the device is gone.
        """
        with PULSE.at(self._path):
            return self._next(limit)

    def _next(self, limit: Duration) -> EdgeEvent | None:
        until = Mono(time.monotonic_ns()) + limit
        left = ZERO
        while not self._fresh:
            if not self._look(left) and not os.path.exists(self._path):
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            if not self._fresh:
                left = until - Mono(time.monotonic_ns())
                if left.ns <= 0:
                    return None
                left = max(left, _TICK)
        return self._fresh.popleft()

    def close(self) -> None:
        """Give the device back."""
        os.close(self._file)

    def _capture(self, wanted: int) -> int:
        """Ask for these edges; what of them the source gives."""
        able = bytearray(4)
        self._ioctl(self._file, GETCAP, able)
        mode = int.from_bytes(able, "little") & wanted
        if not mode:
            raise OSError(f"{self._path}: it has no such edge (pulse.edge)")
        told = PARAMS.pack(API_VERSION, mode | TSPEC, 0, 0, 0, 0, 0, 0)
        with contextlib.suppress(PermissionError):  # it needs CAP_SYS_TIME:
            self._ioctl(self._file, SETPARAMS, bytearray(told))  # else as it is
        return mode

    def _look(self, limit: Duration) -> bool:
        """Take in what is new, waiting at most `limit` for it; False: time ran out."""
        asked = bytearray(FETCH_SIZE)
        seconds, nanoseconds = divmod(limit.ns, SECOND.ns)
        TIMEOUT.pack_into(asked, TIMEOUT_AT, seconds, nanoseconds, 0)
        try:
            self._ioctl(self._file, FETCH, asked)
        except (TimeoutError, InterruptedError):
            return False
        rise, fall, rise_s, rise_ns, _, fall_s, fall_ns, _ = INFO.unpack_from(asked)
        new = [
            EdgeEvent(seq, Local(s * SECOND.ns + ns), edge)
            for edge, bit, seq, s, ns in (
                (Edge.ASSERT, CAPTUREASSERT, rise, rise_s, rise_ns),
                (Edge.CLEAR, CAPTURECLEAR, fall, fall_s, fall_ns),
            )
            if self._mode & bit and seq != self._seen[edge]
        ]
        self._seen |= {flank.edge: flank.seq for flank in new}
        self._fresh.extend(sorted(new, key=lambda flank: flank.at))
        return True


def sources(root: Path = Path("/sys/class/pps")) -> Iterator[str]:
    """The pulse devices that may be a receiver's, the likeliest first.

    A network card's clock is a pulse device too, and often the first of them.
    """
    found: list[tuple[bool, str]] = []
    for entry in root.glob("pps*"):
        with contextlib.suppress(OSError):  # it may go while we look
            name = (entry / "name").read_text().strip()
            if not name.startswith("ptp"):
                found.append((not name.startswith("pps"), entry.name))
    for _, device in sorted(found):
        yield f"/dev/{device}"


def find(
    edge: WantedEdge,
    candidates: Iterable[str],
    listen: Duration = 1_500 * MILLISECOND,
    ioctl: Ioctl = fcntl.ioctl,
) -> KernelPps:
    """The first of the devices on which an edge comes, else the first that opens.

    OSError: there is none, or none may be opened.
    """
    opens: str | None = None
    refusal = OSError(
        "no pulse device: is dtoverlay=pps-gpio in config.txt? Else set pulse.source"
    )
    for path in candidates:
        try:
            if _ticks(path, edge, listen, ioctl):
                return KernelPps(path, edge, ioctl)
            opens = opens or path
        except OSError as error:
            refusal = error
    if opens is None:
        raise refusal
    return KernelPps(opens, edge, ioctl)


def _ticks(path: str, edge: WantedEdge, listen: Duration, ioctl: Ioctl) -> bool:
    line = KernelPps(path, edge, ioctl)
    try:
        return line.wait(listen) is not None
    finally:
        line.close()
