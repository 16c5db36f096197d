"""Packages, fetched by their ordinary clients into a folder; nothing is installed.

For the guest an apt of its own: own lists, an empty dpkg status, another
architecture. Mirror and keys are those this machine's apt has.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.debian import MissingError, call, mirrors, unpacked_here

ARCH: Final = "arm64"
SUITE: Final = "bookworm"
"""Its Python is 3.11, as Raspberry Pi OS has it; its backports have the kernel."""
SUITES: Final = (SUITE, f"{SUITE}-backports", f"{SUITE}-security")
PIP_PLATFORMS: Final = ("manylinux_2_28_aarch64", "manylinux2014_aarch64")
_KEYS: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Packages:
    """Packages of one architecture, by an apt that keeps all it knows in a folder."""

    def __init__(
        self,
        root: Path,
        arch: str = ARCH,
        suites: Sequence[str] = SUITES,
        installed: Path | None = None,
    ) -> None:
        """`installed`: dpkg's status; None: nothing is.

        MissingError: there is no mirror, or it does not answer.
        """
        for part in ("etc/apt.conf.d", "etc/preferences.d", "lists/partial"):
            (root / part).mkdir(parents=True, exist_ok=True)
        (root / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
        status = installed or root / "status"
        (root / "status").touch()
        (root / "etc/sources.list").write_text(_sources(arch, suites))
        (root / "apt.conf").write_text(
            f'Dir "{root}"; Dir::Etc "{root}/etc"; Dir::State "{root}";\n'
            f'Dir::State::status "{status}"; Dir::Cache "{root}/cache";\n'
            f'APT::Architecture "{arch}"; APT::Architectures {{ "{arch}"; }};\n'
            'Acquire::Languages "none"; Acquire::Retries "3";\n'
            'APT::Sandbox::User "root";\n'
        )
        self.env = {**os.environ, "APT_CONFIG": str(root / "apt.conf")}
        call(["apt-get", "-q", "update"], self.env)

    def kernel(self) -> str:
        """The package of today's kernel: superseded ones leave the archive."""
        meta = f"linux-image-{ARCH}/{SUITE}-backports"
        told = call(["apt-cache", "show", meta], self.env)
        found = re.search(r"^Depends: (linux-image-\S+)", told, re.MULTILINE)
        if not found:
            raise MissingError(f"{meta} names no kernel")
        return found[1]

    def fetch(
        self, names: Sequence[str], into: Path, release: str | None = None
    ) -> None:
        """The packages themselves, and not what they depend on."""
        into.mkdir(parents=True, exist_ok=True)
        of = () if release is None else ("-t", release)
        call(["apt-get", "-q", "download", *of, *names], self.env, into)


def fetch_wheels(names: Sequence[str], into: Path) -> None:
    """Wheels for the guest's Python, and not what they depend on."""
    platforms = [word for name in PIP_PLATFORMS for word in ("--platform", name)]
    command = [sys.executable, "-m", "pip", "download", "-q", "-d", str(into)]
    command += ["--no-deps", "--only-binary=:all:", "--python-version", "311"]
    call([*command, *platforms, *names])


def unpacked_newer(name: str, into: Path) -> None:
    """As `unpacked_here`, from the backports. MissingError: not there any more."""
    status = Path("/var/lib/dpkg/status")
    here = call(["dpkg", "--print-architecture"]).strip()
    packages = Packages(into / "apt", here, installed=status)
    unpacked_here(["-t", f"{SUITE}-backports", name], into, packages.env)
    shutil.rmtree(into / "apt")


def _sources(arch: str, suites: Sequence[str]) -> str:
    """Of apt: these suites, from the mirrors this machine's own come from."""
    main, secure = mirrors()
    found = {each: secure if "-security" in each else main for each in suites}
    return "".join(
        f"deb [arch={arch} signed-by={_KEYS}] {mirror} {suite} main\n"
        for suite, mirror in found.items()
        if mirror is not None
    )
