"""Programs of Debian 13, with its own C library: this machine's may be older.

Each is unpacked with all it depends on below `.cache` and started by its own dynamic
loader. ntpd-rs ends when it may not set the clock: a library loaded before its own
answers in the kernel's place, and sets nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from tests.debian import MissingError, call, unpacked_here
from tests.interop.programs import CACHE, CAGE, Program
from tests.kernel.debian import Packages

SUITE: Final = "trixie"
_BINARIES: Final = {
    "chronyd": ("chrony", "usr/sbin/chronyd"),
    "ntp-daemon": ("ntpd-rs", "usr/bin/ntp-daemon"),
}
"""By name: the package, and where the program is in it."""
_NO_CLOCK: Final = """
#include <sys/timex.h>
#include <time.h>
int adjtimex(struct timex *to) { return 0; }
int ntp_adjtime(struct timex *to) { return 0; }
int clock_adjtime(clockid_t clock, struct timex *to) { return 0; }
int clock_settime(clockid_t clock, const struct timespec *to) { return 0; }
"""


@cache
def newer(name: str) -> Program:
    """MissingError: it cannot be had here."""
    if not shutil.which(CAGE[0]):
        raise MissingError("setpriv is not here, and nothing may set the clock")
    package, place = _BINARIES[name]
    root = CACHE / SUITE / package
    if not (root / place).exists():
        _unpack(package, root)
    (libc,) = root.glob("usr/lib/*/libc.so.6")
    (loader,) = root.glob("usr/lib*/ld-linux-*")
    environment = {}
    if name == "ntp-daemon":
        environment["LD_PRELOAD"] = str(_without_clock(root))
    start = str(loader), "--library-path", str(libc.parent), str(root / place)
    return Program(start, environment)


def _unpack(package: str, root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        here = call(["dpkg", "--print-architecture"]).strip()
        packages = Packages(Path(folder) / "apt", here, (SUITE,))
        fresh = Path(folder) / "root"
        for part in ("lib", "lib64", "bin", "sbin"):
            (fresh / "usr" / part).mkdir(parents=True, exist_ok=True)
            (fresh / part).symlink_to(f"usr/{part}")
        unpacked_here([package], fresh, packages.env)
        shutil.rmtree(root, ignore_errors=True)
        fresh.rename(root)


def _without_clock(root: Path) -> Path:
    """The library that sets no clock."""
    made = root / "no-clock.so"
    if not made.exists():
        source = root / "no-clock.c"
        source.write_text(_NO_CLOCK)
        call(["cc", "-shared", "-fPIC", "-o", str(made), str(source)])
    return made
