"""`refclock demo` as a process of its own, for tests that are its clients."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from refclock.daemon.control import ask

REFCLOCK: Final = (sys.executable, "-m", "refclock")
STARTS_S: Final = 15.0
"""From nothing to stratum 1; on a busy machine three times what it takes."""
ENDS_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How the process ended."""

    code: int
    took_s: float
    """From the signal on."""
    figures: dict[str, Any]
    errors: str


@dataclass(frozen=True, slots=True)
class Clock:
    """What one client measured: how far the server is ahead of us."""

    offset_s: float
    error_s: float


class Demo:
    """The process, and where to ask it. Used by one thread."""

    def __init__(
        self, process: subprocess.Popen[str], port: int, control: Path
    ) -> None:
        self._process = process
        self.port = port
        self.control = control

    @property
    def pid(self) -> int:
        """Of the server itself, in whatever namespace it lives."""
        return self._process.pid

    def status(self) -> dict[str, Any] | None:
        """What it says of itself; None: it does not answer yet."""
        if self._process.poll() is not None:
            raise AssertionError(f"it ended: {self._process.communicate()}")
        try:
            status: dict[str, Any] = json.loads(ask(self.control, "status"))
        except OSError:
            return None
        return status

    def await_stratum(self, *strata: int) -> None:
        """Wait until it serves at one of them. AssertionError: it does not."""
        until = time.monotonic() + STARTS_S
        status = None
        while time.monotonic() < until:
            status = self.status()
            if status is not None and status["stratum"] in strata:
                return
            time.sleep(0.1)
        raise AssertionError(f"no stratum {strata} within {STARTS_S} s: {status}")

    def end(self, how: signal.Signals = signal.SIGTERM) -> Ending:
        """Send it the signal and see how it takes it."""
        began = time.monotonic()
        self._process.send_signal(how)
        said, errors = self._process.communicate(timeout=10)
        took_s = time.monotonic() - began
        figures = json.loads(said) if said else {}
        return Ending(self._process.returncode, took_s, figures, errors)


@contextmanager
def demo(
    folder: Path,
    *options: str,
    port: int | None = None,
    settings: str = "",
    within: Sequence[str] = (),
) -> Iterator[Demo]:
    """The demo on 127.0.0.1 and ::1, by default on a free port.

    `settings`: further TOML. `within`: a command that runs the one after it
    somewhere else. Whoever has not ended it by then kills it.
    """
    port = free_port() if port is None else port
    control = folder / "control.sock"
    config = folder / "demo.toml"
    config.write_text(
        f'server.listen = ["127.0.0.1", "::1"]\nserver.port = {port}\n'
        f'control.socket = "{control}"\n{settings}'
    )
    command = [*within, *REFCLOCK, "demo", "--config", str(config), "--json", *options]
    with subprocess.Popen(  # noqa: S603 - our own commands
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Demo(process, port, control)
        finally:
            process.kill()


def free_port() -> int:
    """A UDP port that nobody has just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def refclock(
    *arguments: str, within: Sequence[str] = (), limit_s: float = 20.0
) -> subprocess.CompletedProcess[str]:
    """Another command of ours, run to its end."""
    return subprocess.run(  # noqa: S603 - our own commands
        [*within, *REFCLOCK, *arguments],
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def query(host: str, port: int, within: Sequence[str] = ()) -> Clock:
    """What `refclock query` measures."""
    words = ("query", host, "--port", str(port), "--json")
    asked = refclock(*words, "--count", "4", "--interval", "0.02", within=within)
    assert asked.returncode == 0, asked.stderr
    report = json.loads(asked.stdout)
    return Clock(report["offset_s"], report["error_s"])
