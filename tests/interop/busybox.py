"""A busybox with ntpd: the machine's own, else one built from Debian's source.

Debian's own is built without. Here it has ntpd and nothing else, and is linked in
half a minute, once.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from tests.debian import MissingError, apt, call
from tests.interop.programs import CACHE, Program

_ROOT: Final = CACHE / "busybox"
_KEYS: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
_WANTED: Final = ("CONFIG_BUSYBOX", "CONFIG_LONG_OPTS", "CONFIG_NTPD")


@cache
def busybox() -> Program:
    """MissingError: there is none, and none can be built."""
    if (found := shutil.which("busybox")) and "ntpd" in call([found, "--list"]).split():
        return Program((found,), {})
    if not (_ROOT / "busybox").exists():
        _build()
    return Program((str(_ROOT / "busybox"),), {})


def _build() -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        _fetch(folder)
        (archive,) = folder.glob("*.orig.tar.*")
        call(["tar", "-xf", str(archive), "-C", name])
        (source,) = folder.glob("busybox-*/")
        _configure(source)
        call(["make", "-j2"], cwd=source)
        _ROOT.mkdir(exist_ok=True)
        (source / "busybox").rename(_ROOT / "busybox")


def _fetch(folder: Path) -> None:
    """The source as Debian has it, from the mirror that this machine's apt knows."""
    form = "$(REPO_URI) $(CODENAME)"
    targets = call(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    )
    if not targets:
        raise MissingError("apt of this machine knows no mirror")
    mirror = targets.splitlines()[0]
    (folder / "sources").write_text(f"deb-src [signed-by={_KEYS}] {mirror} main\n")
    (folder / "lists" / "partial").mkdir(parents=True)
    flags = apt(
        f"Dir::Etc::sourcelist={folder}/sources",
        "Dir::Etc::sourceparts=-",
        f"Dir::State::lists={folder}/lists",
    )
    call(["apt-get", "-q", *flags, "update"])
    source = ["source", "--download-only", "busybox"]
    call(["apt-get", "-q", *flags, *source], cwd=folder)


def _configure(source: Path) -> None:
    call(["make", "allnoconfig"], cwd=source)
    config = source / ".config"
    text = config.read_text()
    for key in _WANTED:
        text = text.replace(f"# {key} is not set", f"{key}=y")
    config.write_text(text)
    call(["sh", "-c", "yes '' | make oldconfig"], cwd=source)
