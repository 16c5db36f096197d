"""A question over UDP, with the kernel's stamps on both ways.

The send stamp comes back by the socket's error queue, taken as the packet goes
to the device; the receive stamp comes with the reply. A server of this machine that
turns the very packet round makes a second send stamp of it.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from typing import Any, Final

from hw.abi.sockets import (
    OPT_TSONLY,
    RX_SOFTWARE,
    SO_TIMESTAMPING,
    SOFTWARE,
    STAMPS,
    TX_SOFTWARE,
)
from refclock.timebase import SECOND, Duration, Local

_ROOM: Final = 2048
_CONTROL_ROOM: Final = 512
_STAMP_WAIT_MS: Final = 10


class Asker:
    """A socket connected to one server. Used by one thread."""

    def __init__(self, place: tuple[Any, ...]) -> None:
        """`place`: the server's socket address. OSError: no route there."""
        family = socket.AF_INET if len(place) == 2 else socket.AF_INET6
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(
                socket.SOL_SOCKET,
                SO_TIMESTAMPING,
                SOFTWARE | RX_SOFTWARE | TX_SOFTWARE | OPT_TSONLY,
            )
            self._socket.connect(place)
        except OSError:
            self._socket.close()
            raise

    def send(self, data: bytes) -> Local:
        """Send; when it left. OSError: it could not."""
        before = time.time_ns()
        self._socket.send(data)
        waiting = select.poll()
        waiting.register(self._socket, 0)  # an error is always told
        while waiting.poll(_STAMP_WAIT_MS):
            stamp = self._read(socket.MSG_ERRQUEUE)[1]
            if stamp is None:
                break
            if stamp >= before:  # one more of the last packet is from its way back
                return Local(stamp)
        return Local(before)

    def replies(self, limit: Duration) -> Iterator[tuple[bytes, Local]]:
        """What comes within `limit`, and when. OSError: the port is closed."""
        until = time.monotonic_ns() + limit.ns
        while (left := until - time.monotonic_ns()) > 0:
            self._socket.settimeout(left / SECOND.ns)
            try:
                data, stamp = self._read()
            except TimeoutError:
                return
            yield data, Local(time.time_ns() if stamp is None else stamp)

    @property
    def ours(self) -> str:
        """Our address towards that server."""
        return str(self._socket.getsockname()[0])

    def fileno(self) -> int:
        """To wait for a reply, or for an error, with select(2)."""
        return self._socket.fileno()

    def read(self) -> tuple[bytes, Local]:
        """The reply that has come, and when it came. OSError: the port is closed."""
        data, stamp = self._read(socket.MSG_DONTWAIT)
        return data, Local(time.time_ns() if stamp is None else stamp)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _read(self, flags: int = 0) -> tuple[bytes, int | None]:
        data, control, _, _ = self._socket.recvmsg(_ROOM, _CONTROL_ROOM, flags)
        for level, kind, content in control:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPING):
                seconds, ns, *_ = STAMPS.unpack_from(content)
                return data, seconds * SECOND.ns + ns
        return data, None
