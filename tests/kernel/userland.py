"""What runs above the kernel: Debian's Python and busybox, and wheels.

Two of them: Debian 12 on arm64, as Raspberry Pi OS has it, and Debian 13 on armhf,
whose programs have 32-bit pointers and 64-bit time. The same arm64 kernel runs both.
"""

from __future__ import annotations

import compileall
import shutil
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Final

from tests.debian import unpack
from tests.kernel.debian import SUITES, Packages, fetch_wheels

HERE: Final = Path(__file__).parent
_SITE: Final = "usr/lib/python3/dist-packages"
_WHEELS: Final = (
    *("pynmea2", "pyserial", "smbus2"),
    *("iniconfig", "packaging", "pluggy", "pygments", "pytest", "pytest-timeout"),
)
_EVERYWHERE: Final = (
    *("libbz2-1.0", "libc6", "libcrypt1", "libexpat1", "libffi8", "libgcc-s1"),
    *("liblzma5", "libsqlite3-0", "libuuid1", "zlib1g"),
    *("busybox-static", "netbase"),
)
_UNUSED: Final = (
    *("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian"),
    *("lib/udev/hwdb.d", "usr/lib/udev/hwdb.d"),
    *("usr/lib/*/gconv", "usr/lib/python3.*/lib2to3", "usr/lib/python3.*/idlelib"),
    *("usr/lib/python3.*/pydoc_data", "usr/lib/python3.*/ensurepip"),
)


@dataclass(frozen=True, slots=True)
class UserLand:
    """One release of Debian on one architecture."""

    arch: str
    suites: Sequence[str]
    python: tuple[int, int]
    packages: Sequence[str]
    """Beside those of every user land."""
    wheels: Sequence[str] = ()
    """Beside those that run on every machine."""

    def made_in(self, folder: Path) -> Path:
        """Its root, made of packages fetched into the folder.

        MissingError: they cannot be had.
        """
        major, minor = self.python
        python = f"python{major}.{minor}"
        interpreter = f"{python}-minimal", f"lib{python}-minimal", f"lib{python}-stdlib"
        packages = Packages(folder / "apt", self.arch, self.suites)
        packages.fetch([*_EVERYWHERE, *interpreter, *self.packages], folder / "debs")
        fetch_wheels([*_WHEELS, *self.wheels], folder / "wheels")

        root = folder / "root"
        root.mkdir()
        for package in (folder / "debs").glob("*.deb"):
            unpack(package, root)
        for unused in _UNUSED:
            for path in root.glob(unused):
                shutil.rmtree(path)
        for wheel in (folder / "wheels").glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(root / _SITE)
        self.compiled(root / "usr/lib" / python, root)
        self.compiled(root / _SITE, root)
        for merged in ("bin", "lib", "sbin"):
            if not (root / merged).exists():
                (root / merged).symlink_to(f"usr/{merged}")
        for name in ("dev", "etc", "modules", "proc", "root", "run", "share", "sys"):
            (root / name).mkdir(exist_ok=True)
        (root / "tmp").mkdir(exist_ok=True)
        (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\nrefclock:x:998:\n")
        shutil.copy(HERE / "guest/init", root / "init")
        (root / "init").chmod(0o755)
        return root

    def compiled(self, folder: Path, root: Path) -> None:
        """Spare the emulated processor the work, where this Python is the guest's."""
        if sys.version_info[:2] == self.python:
            compileall.compile_dir(
                folder,
                quiet=2,
                stripdir=str(root),
                invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
            )


ARM64: Final = UserLand(
    "arm64",
    SUITES,
    (3, 11),
    (
        *("libssl3", "udev", "libudev1", "libacl1", "libblkid1", "libcap2"),
        *("libkmod2", "libpcre2-8-0", "libselinux1", "libzstd1"),
    ),
    ("gpiod",),
)
ARMHF: Final = UserLand(
    "armhf",
    ("trixie",),
    (3, 13),
    ("libssl3t64", "python3-libgpiod", "libgpiod3"),
)
"""gpiod from Debian: there is no wheel of it for 32-bit ARM."""
