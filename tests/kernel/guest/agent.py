"""Runs in the guest: a check a line comes in, what it returned goes out."""

from __future__ import annotations

import json
import os
import struct
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.kernel.guest.clock import battery_clock


def port() -> str:
    """The device QEMU calls "agent"."""
    for entry in Path("/sys/class/virtio-ports").iterdir():
        if (entry / "name").exists() and (entry / "name").read_text() == "agent\n":
            return f"/dev/{entry.name}"
    raise FileNotFoundError("QEMU gave the guest no port named agent")


def answer(line: str) -> dict[str, Any]:
    """Do what it says: `module.check`, then its arguments."""
    name, *arguments = json.loads(line)
    try:
        room, _, check = name.partition(".")
        module = import_module(f"tests.kernel.guest.{room}")
        return {"returned": getattr(module, check)(*arguments)}
    except Exception:  # whatever it is, it is told
        return {"raised": traceback.format_exc()}


def main() -> None:
    """Serve for ever."""
    with open(port(), "rb+", buffering=0) as host:

        def tell(told: object) -> None:
            host.write(json.dumps(told).encode() + b"\n")

        rtc = battery_clock("/dev/rtc0")
        pointer = struct.calcsize("P")
        told = {"kernel": os.uname().release, "pointer": pointer, "rtc": rtc}
        tell({"returned": told})
        while True:
            if line := host.readline():
                tell(answer(line.decode()))
            else:
                time.sleep(0.1)  # nobody at the other end


if __name__ == "__main__":
    main()
