"""What the checks are given, and what they give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hw.linux.probe.machine import Machine
from hw.linux.probe.ports import Port
from hw.linux.probe.programs import Program
from refclock.config import Config
from refclock.timebase import Utc


class Severity(StrEnum):
    """How much a finding matters."""

    FAIL = "fail"
    """Stratum 1 cannot be reached, or not be kept, with it."""
    WARN = "warn"
    """The time is served, but worse or less surely."""
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, and the one thing to do about it."""

    severity: Severity
    code: str
    """Stable over versions."""
    text: str
    action: str
    """A command, a line to change or a place to look at."""


@dataclass(frozen=True, slots=True)
class Barred:
    """A device that the service's user may not open."""

    device: str
    user: str
    group: str
    """Whose members may open it."""


@dataclass(frozen=True, slots=True)
class Service:
    """The unit, as `systemctl show` has it."""

    result: str
    """Of its last run: "success", "exit-code", "timeout" ..."""
    restarts: int
    program_missing: bool = False
    """The program that the unit starts, or its interpreter, is not there."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was looked at."""

    machine: Machine
    now: Utc
    config: Config | None
    """None: the settings are wrong."""
    config_fault: str = ""
    """What is wrong with the settings, a line each."""
    status: Mapping[str, Any] | None = None
    """The daemon's answer; None: none came."""
    no_status: str = ""
    """Why none came."""
    service: Service | None = None
    """None: systemd has no such unit, or does not run."""
    barred: tuple[Barred, ...] = ()
    pulses: Mapping[str, int] = field(default_factory=dict)
    """By pulse device: how many came while `watched_s` passed."""
    watched_s: float = 0.0
    port_taken: bool = False
    """The NTP port cannot be bound, and no daemon of ours runs."""
    table_expires: Utc | None = None

    @property
    def serving(self) -> bool:
        """Does the daemon serve the time of its pulse?"""
        return self.status is not None and self.status["stratum"] == 1

    @property
    def settings(self) -> Config:
        """Those in force; the standard ones where they are wrong."""
        return self.config or Config()

    @property
    def on_header(self) -> bool:
        """Is the receiver on the serial port of the 40-pin header?"""
        header, device = self.machine.header, self.settings.receiver.device
        if header is None:
            return False
        if device == "auto":
            return not any(
                port.usb or port.device.startswith("/dev/gnss")
                for port in self.machine.ports
            )
        return device in {header.device, "/dev/serial0"}

    @property
    def port(self) -> Port | None:
        """The receiver's serial port, where the settings or the header name it."""
        if self.on_header:
            return self.machine.header_port
        device = self.settings.receiver.device
        return next((p for p in self.machine.ports if p.device == device), None)


def fail(code: str, text: str, action: str) -> Finding:
    """A finding that stands in the way."""
    return Finding(Severity.FAIL, code, text, action)


def warn(code: str, text: str, action: str) -> Finding:
    """A finding that makes the time worse."""
    return Finding(Severity.WARN, code, text, action)


def is_ours(program: Program) -> bool:
    """Is that our own daemon?"""
    return any(
        word.rpartition("/")[2] in {"refclock", "refclock.__main__"}
        for word in program.command[:4]
    )
