"""Other people's programs: the machine's own, else Debian's, unpacked.

Nothing is installed, for as packages they exclude each other: each is unpacked
with all that this machine lacks of its dependencies into a folder of its own
below `.cache`. All run without the right to set a clock.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.debian import MissingError, unpacked_here

CACHE: Final = Path(__file__).parents[2] / ".cache" / "interop"
_PATH: Final = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/lib/systemd"]
)

_PACKAGES: Final[Mapping[str, tuple[str, str]]] = {
    "chronyd": ("chrony", "usr/sbin/chronyd"),
    "ntpd": ("ntpsec", "usr/sbin/ntpd"),
    "ntpdig": ("ntpsec-ntpdig", "usr/bin/ntpdig"),
    "openntpd": ("openntpd", "usr/sbin/openntpd"),
    "rdate": ("rdate", "usr/sbin/rdate"),
    "nmap": ("nmap", "usr/bin/nmap"),
    "systemd-timesyncd": ("systemd-timesyncd", "usr/lib/systemd/systemd-timesyncd"),
}
"""By name: the package, and where the program is in it."""

CAGE: Final = (
    ("setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time")
    if os.geteuid() == 0
    else ("setpriv", "--no-new-privs")
)
"""Runs the command after it where not even root may set a clock."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a program said on both its streams, and how it ended."""

    text: str
    code: int
    took_s: float


@dataclass(frozen=True, slots=True)
class Program:
    """How to start it."""

    command: tuple[str, ...]
    environment: Mapping[str, str]

    def run(
        self,
        *arguments: str,
        within: Sequence[str] = (),
        until: Callable[[str], object] = lambda _: False,
        limit_s: float = 20.0,
    ) -> Said:
        """To its end, or to the first line that `until` likes, or `limit_s` long.

        `within`: a command that runs the one after it somewhere else.
        """
        command = [*within, *CAGE, *self.command, *arguments]
        began = time.monotonic()
        with (
            tempfile.TemporaryFile("w+") as out,
            subprocess.Popen(  # noqa: S603 - that is what these tests are for
                command,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
            ) as process,
        ):
            text = ""
            while process.poll() is None and time.monotonic() - began < limit_s:
                text = _read(out.fileno())
                if any(map(until, text.splitlines())):
                    break
                time.sleep(0.02)
            took_s = time.monotonic() - began
            process.terminate()
            try:
                code = process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            return Said(_read(out.fileno()), code, took_s)


@cache
def program(name: str) -> Program:
    """The machine's own, or Debian's. MissingError: neither is to be had."""
    if not shutil.which(CAGE[0]):
        raise MissingError("setpriv is not here, and nothing may set the clock")
    if found := shutil.which(name, path=_PATH):
        return Program((found,), {})
    package, place = _PACKAGES[name]
    root = CACHE / package
    if not (root / place).exists():
        _unpack(package, root)
    if not (root / place).exists():
        raise MissingError(f"Debian's package {package} has no {place}")
    path = str(root / place)
    with open(path, "rb") as start:
        script = start.read(2) == b"#!"
    return Program((sys.executable, path) if script else (path,), _environment(root))


def _unpack(package: str, root: Path) -> None:
    """The package and what this machine lacks of its dependencies."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        fresh = Path(folder) / "root"
        (fresh / "usr/lib").mkdir(parents=True)
        (fresh / "lib").symlink_to("usr/lib")  # Debian 12's packages still say lib
        unpacked_here([package], fresh)
        for library in fresh.rglob("libntpc.so"):  # looked for beside its module
            beside = fresh / "usr/lib/python3/dist-packages/ntp" / library.name
            beside.symlink_to(os.path.relpath(library, beside.parent))
        shutil.rmtree(root, ignore_errors=True)
        fresh.rename(root)


def _environment(root: Path) -> Mapping[str, str]:
    """Where an unpacked program finds what belongs to it."""
    libraries = {str(each.parent) for each in root.rglob("*.so*")}
    lua = root.glob("usr/lib/*/lua/5.3")
    return {
        "LD_LIBRARY_PATH": os.pathsep.join(sorted(libraries)),
        "PYTHONPATH": str(root / "usr/lib/python3/dist-packages"),
        "NMAPDIR": str(root / "usr/share/nmap"),
        "LUA_CPATH": ";".join(f"{each}/?.so" for each in lua),
    }


def _read(file: int) -> str:
    """All that was written so far, without moving the writer's place."""
    return os.pread(file, 1 << 20, 0).decode(errors="replace")


def numbers(pattern: str, text: str) -> list[float]:
    """The first group of every match."""
    return [float(found) for found in re.findall(pattern, text)]
