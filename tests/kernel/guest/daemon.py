"""Runs in the guest: the whole daemon, as the service would run it."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from refclock.config import ControlSettings
from refclock.daemon.control import ask
from tests.kernel.guest.clock import timex

_running: list[subprocess.Popen[bytes]] = []
CONFIG: Final = Path("/run/refclock.toml")
LOG: Final = Path("/run/refclock.log")


def start(config: str) -> None:
    """As the service does."""
    CONFIG.write_text(config)
    command = ("python3", "-m", "refclock", "run", "--config", str(CONFIG))
    with LOG.open("ab") as log:
        _running.append(subprocess.Popen(command, stderr=log))


def status() -> str | None:
    """As the operator asks; None: it does not answer yet."""
    if (code := _running[-1].poll()) is not None:
        raise ChildProcessError(f"ended with {code}: {LOG.read_text()[-2000:]}")
    try:
        return ask(Path(ControlSettings().socket), "status")
    except OSError:
        return None


def end() -> dict[str, float]:
    """SIGTERM; what it exited with, and after how long."""
    daemon = _running.pop()
    began = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    code = daemon.wait(20)
    return {"code": code, "took_s": time.monotonic() - began} | timex()
