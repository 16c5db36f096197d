"""Looking at this machine for the checks. Nothing is changed, no line requested."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hw.linux.probe.machine import Machine, look
from refclock.app.check import settings
from refclock.app.doctor.evidence import Barred, Evidence, Service, is_ours
from refclock.config import Config, ConfigError
from refclock.timebase import Utc

USER: Final = "refclock"
"""Of the service."""
_WATCH_S: Final = 3.0
_SYSTEMD_S: Final = 5.0
_NO_PROGRAM: Final = "203"
"""systemd's exit status where a unit's program cannot be executed."""


def gather(
    path: Path,
    status: Mapping[str, Any] | None,
    no_status: str,
    root: Path = Path("/"),
    watch_s: float = _WATCH_S,
) -> Evidence:
    """All evidence of the machine below `root`, with the settings at `path`.

    `status`: the daemon's answer; None: there is none, for the reason `no_status`. It
    takes `watch_s` where pulse devices are to be watched.
    """
    machine = look(root)
    now = Utc(time.time_ns())
    try:
        config, table = settings(path)
        found = Evidence(machine, now, config, table_expires=table.expires)
    except ConfigError as error:
        found = Evidence(machine, now, None, str(error))
    found = replace(found, status=status, no_status=no_status)
    found = replace(found, service=unit() if root == Path("/") else None)
    if status is None:
        ours = any(map(is_ours, machine.running))
        taken = not ours and port_taken(found.settings)
        found = replace(found, port_taken=taken)
    if not found.serving and machine.pulses and watch_s > 0:
        time.sleep(watch_s)
        found = replace(found, pulses=_counts(machine, look(root)), watched_s=watch_s)
    return replace(found, barred=tuple(barred(_devices(found), root)))


def unit() -> Service | None:
    """What systemd has of refclock.service; None: nothing."""
    names = "LoadState,Result,NRestarts,ExecMainStatus"
    try:
        shown = subprocess.run(  # noqa: S603 - a fixed command
            ["/usr/bin/systemctl", "show", "refclock.service", "-p", names],
            capture_output=True,
            text=True,
            timeout=_SYSTEMD_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return service_of(shown)


def service_of(shown: str) -> Service | None:
    """What `systemctl show` printed. None: there is no such unit."""
    told = dict(row.split("=", 1) for row in shown.splitlines() if "=" in row)
    if told.get("LoadState") != "loaded":
        return None
    restarts = told.get("NRestarts", "0")
    return Service(
        told.get("Result", ""),
        int(restarts) if restarts.isdecimal() else 0,
        told.get("ExecMainStatus") == _NO_PROGRAM,
    )


def port_taken(config: Config) -> bool:
    """Has another program the port of one of our IPv4 listeners on every address?"""
    for port in {each.port for each in config.server.listeners(config.leap.mode)}:
        with (
            contextlib.suppress(OverflowError),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
        ):
            try:
                probe.bind(("0.0.0.0", port))  # noqa: S104 - closed at once
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return True
    return False


def barred(devices: list[str], root: Path = Path("/")) -> Iterator[Barred]:
    """Those of `devices` that the service's user may not read and write."""
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        return
    groups = os.getgrouplist(USER, user.pw_gid)
    for device in devices:
        with contextlib.suppress(OSError):
            told = (root / device.lstrip("/")).stat()
            mode = told.st_mode
            if told.st_uid == user.pw_uid:
                free = mode & stat.S_IRUSR
            elif told.st_gid in groups:
                free = mode & stat.S_IRGRP
            else:
                free = mode & stat.S_IROTH
            if not free:
                yield Barred(device, USER, _group(told.st_gid))


def _devices(evidence: Evidence) -> list[str]:
    """What the service is to open: the receiver's line and its pulse device."""
    port, pulse = evidence.port, evidence.settings.pulse.device
    found = [port.device] if port is not None else []
    return [
        *found,
        *(p.device for p in evidence.machine.pulses if pulse in {"auto", p.device}),
    ]


def _counts(before: Machine, after: Machine) -> dict[str, int]:
    began = {each.device: each.seq for each in before.pulses}
    return {
        each.device: each.seq - began.get(each.device, each.seq)
        for each in after.pulses
    }


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
