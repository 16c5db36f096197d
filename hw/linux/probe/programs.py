"""Programs that run: who has a device open, login prompts, other time daemons.

What /proc does not let us see (another user's files, without rights) is not seen.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TIME_DAEMONS: Final = {
    "chronyd": "chrony",
    "ntpd": "ntp or ntpsec",
    "ntp-daemon": "ntpd-rs",
    "systemd-timesyn": "systemd-timesyncd",
    "ptp4l": "linuxptp",
    "phc2sys": "linuxptp",
    "timemaster": "linuxptp",
    "openntpd": "openntpd",
    "adjtimex": "adjtimex",
}
"""By the first 15 letters of a program's name, which is all the kernel keeps."""
RECEIVER_DAEMONS: Final = {"gpsd", "ModemManager", "satpulsed", "str2str"}
"""What may hold or talk to a receiver."""


@dataclass(frozen=True, slots=True)
class Program:
    """One that runs."""

    pid: int
    name: str
    command: tuple[str, ...]
    devices: tuple[str, ...]
    """What it has open below /dev."""

    @property
    def getty(self) -> str | None:
        """The port it asks for a login on; None: it is no login prompt."""
        if self.name not in {"agetty", "getty", "login"}:
            return None
        ports = (re.fullmatch(r"(?:/dev/)?(tty\w+)", word) for word in self.command)
        return next((f"/dev/{port[1]}" for port in ports if port), None)


def programs(root: Path = Path("/")) -> tuple[Program, ...]:
    """All that run but the kernel's own threads, by number."""
    found = (each for each in _programs(root) if each.command)
    return tuple(sorted(found, key=lambda each: each.pid))


def _programs(root: Path) -> Iterator[Program]:
    for entry in (root / "proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):  # it may end while we look
            words = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            yield Program(
                int(entry.name),
                (entry / "comm").read_text().strip(),
                tuple(filter(None, words.split("\0"))),
                tuple(sorted(set(_open(entry / "fd")))),
            )


def _open(fds: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):  # another user's
        for fd in fds.iterdir():
            with contextlib.suppress(OSError):
                target = os.readlink(fd)
                if target.startswith("/dev/"):
                    yield target
