"""Runs in the guest: our driver on the UART. Returns what JSON can carry."""

from __future__ import annotations

import time
from typing import Any, Final

from hw.linux.line.uart import Uart, hunt
from refclock.gnss.framer import proves
from refclock.timebase import MILLISECOND, Duration
from tests.kernel.guest.refusal import refusal

UART: Final = "/dev/ttyAMA0"


def hears(seconds: float) -> dict[str, Any]:
    """All that comes, at the speed that was hunted; how far apart first and last."""
    line = hunt(UART, proves)
    try:
        why = refusal(lambda: Uart(UART, 9600))
        chunks = []
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if chunk := line.read(Duration.from_seconds(left)):
                chunks.append(chunk)
    finally:
        line.close()
    return {
        "name": line.name,
        "data": b"".join(chunk.data for chunk in chunks).decode("ascii"),
        "spans": [(chunk.first.ns, chunk.last.ns) for chunk in chunks],
        "second_opener": why,
    }


def hunt_fails() -> str:
    """Why no speed is right."""
    return refusal(lambda: hunt(UART, proves, 1_100 * MILLISECOND))
