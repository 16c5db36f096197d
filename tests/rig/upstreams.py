"""A daemon without a receiver that has upstreams, for tests that watch it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from refclock.daemon.control import ask
from tests.rig.demo import REFCLOCK, free_port

WITHIN_S: Final = 10.0
"""From the start of the daemon to stratum 2."""


class Running:
    """A daemon. Used by one thread."""

    def __init__(self, process: subprocess.Popen[bytes], door: Path, port: int) -> None:
        self.process, self.door, self.port = process, door, port

    def status(self) -> dict[str, Any]:
        """What it says of itself; empty: it does not answer yet."""
        try:
            found: dict[str, Any] = json.loads(ask(self.door, "status"))
        except OSError:
            return {}
        return found

    def await_stratum(self, stratum: int, limit_s: float = WITHIN_S) -> dict[str, Any]:
        """Its status once it serves at that stratum."""
        until, status = time.monotonic() + limit_s, self.status()
        while time.monotonic() < until:
            status = self.status()
            if status.get("stratum") == stratum:
                return status
            time.sleep(0.1)
        raise AssertionError(f"not {stratum} in {limit_s} s: {status}")


@contextmanager
def daemon(folder: Path, *upstreams: str, more: str = "") -> Iterator[Running]:
    """A daemon with these blocks, on a free port and without a receiver."""
    port, door = free_port(), folder / "door"
    blocks = "".join(f"[[upstream]]\n{each}\n" for each in upstreams)
    (folder / "refclock.toml").write_text(
        f"""{more}
receiver.device = "none"
pulse.source = "none"
rtc.source = "none"
thermometer.source = "none"
clock.steer = false
server.listen = ["127.0.0.1"]
server.port = {port}
control.socket = "{door}"
state.file = "{folder}/state.json"
{blocks}"""
    )
    command = [*REFCLOCK, "run", "--config", str(folder / "refclock.toml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:  # noqa: S603
        try:
            yield Running(process, door, port)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=10)
            assert process.returncode == 0, said.decode()
            assert b"Traceback" not in said
        finally:
            process.kill()
