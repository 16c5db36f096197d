"""Runs in the guest: what our probe finds there."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import asdict
from typing import Any

from hw.linux.line.uart import Uart
from hw.linux.probe.machine import look
from tests.kernel.guest.receiver import UART


def machine() -> dict[str, Any]:
    """All of it, while we have the receiver's port open."""
    with closing(Uart(UART, 9600)):
        return asdict(look()) | {"us": os.getpid()}
