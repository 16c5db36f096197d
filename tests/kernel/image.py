"""What QEMU boots: Debian's kernel, a user land (see `userland`), a device tree.

Made from packages only, once, and kept. The package under test is not in it:
the guest sees that through a shared folder.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import re
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from tests.debian import MissingError, call, unpacked_here
from tests.kernel.debian import SUITE, Packages, unpacked_newer
from tests.kernel.userland import ARM64, HERE, UserLand

BOARD: Final = ("-cpu", "cortex-a72", "-smp", "1", "-m", "512")
PULSE_LINE: Final = 4
"""Of the board's PL061, that pps-gpio holds."""
FREE_LINE: Final = 2
"""Of the same, called GPIO18, for gpiod; 3 is the power key."""

_MODULES: Final = (
    *("pps-gpio", "pps-ldisc", "i2c-dev", "i2c-tiny-usb", "ftdi_sio", "cdc-acm"),
    *("gnss-usb",),
    *("vhci-hcd", "rtc-pcf8523"),
    *("virtio_net", "igb", "8021q", "9pnet_virtio", "9p"),
)
_GPIO_NODE: Final = "/pl061@9030000"
_LINE_NAMES: Final = "- - GPIO18 POWER GPS_PPS - - -".replace("-", "unused").split()


@dataclass(frozen=True, slots=True)
class Tools:
    """QEMU and the device-tree compiler: installed, or unpacked in a folder."""

    root: Path

    def command(self, name: str) -> str:
        """Where that program is."""
        unpacked = self.root / "usr/bin" / name
        return str(unpacked) if unpacked.exists() else shutil.which(name) or name

    @property
    def env(self) -> Mapping[str, str]:
        """What the unpacked ones need."""
        if not (self.root / "usr").exists():
            return os.environ
        libraries = [str(path) for path in self.root.glob("**/lib/*-linux-gnu")]
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}

    def call(self, name: str, *arguments: str) -> str:
        """What it prints."""
        return call([self.command(name), *arguments], self.env)


@dataclass(frozen=True, slots=True)
class Image:
    """What a guest is started from."""

    board: Path
    """Folder of kernel, modules and device tree."""
    initramfs: Path
    """User land and modules."""
    land: UserLand
    tools: Tools

    @property
    def kernel(self) -> Path:
        """The Linux kernel."""
        return self.board / "Image"

    @property
    def device_tree(self) -> Path:
        """The board, with a pulse wired to it."""
        return self.board / "board.dtb"


def image(cache: Path, land: UserLand = ARM64) -> Image:
    """The image kept in `cache`, or a new one. MissingError says why there is none."""
    cache.mkdir(parents=True, exist_ok=True)
    tools = _tools(cache)
    version = tools.call("qemu-system-aarch64", "--version").encode()
    board = _kept(cache, "board", version, partial(_make_board, tools))
    sources = [HERE / "guest/init", HERE / "userland.py"]
    made_of = b"".join(path.read_bytes() for path in sources) + bytes(board)
    filled = partial(_make_initramfs, land, board)
    return Image(board, _kept(cache, land.arch, made_of, filled) / "cpio", land, tools)


def _kept(cache: Path, name: str, made_of: bytes, make: Callable[[Path], None]) -> Path:
    """A folder made once of these sources and of this module."""
    key = hashlib.sha256(Path(__file__).read_bytes() + made_of).hexdigest()[:12]
    folder = cache / f"{name}-{key}"
    if not folder.exists():
        half = cache / f"half-{name}"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        make(half)
        half.rename(folder)
    return folder


def with_newer_qemu(made: Image, cache: Path) -> Image:
    """The same for QEMU of the backports, whose network card has a clock."""
    tools = Tools(cache / "tools-newer")
    if not tools.root.exists():
        half = cache / "half-tools-newer"
        shutil.rmtree(half, ignore_errors=True)
        unpacked_newer("qemu-system-arm", half)
        half.rename(tools.root)
    return replace(made, tools=tools)


def _tools(cache: Path) -> Tools:
    tools = Tools(cache / "tools")
    if not shutil.which(tools.command("qemu-system-aarch64")) or not shutil.which(
        tools.command("fdtput")
    ):
        shutil.rmtree(tools.root, ignore_errors=True)
        unpacked_here(("qemu-system-arm", "device-tree-compiler"), tools.root)
    return tools


def _make_board(tools: Tools, folder: Path) -> None:
    packages = Packages(folder / "apt")
    packages.fetch([packages.kernel()], folder / "debs", f"{SUITE}-backports")
    (package,) = (folder / "debs").glob("*.deb")
    (folder / "modules").mkdir()
    _put_kernel(package, folder / "Image", folder / "modules")
    _wire(tools, str(folder / "board.dtb"))
    for scaffold in ("apt", "debs"):
        shutil.rmtree(folder / scaffold)


def _make_initramfs(land: UserLand, board: Path, folder: Path) -> None:
    root = land.made_in(folder)
    shutil.copytree(board / "modules", root / "modules", dirs_exist_ok=True)
    with (folder / "cpio").open("wb") as file:
        _write_cpio(root, file)
    for scaffold in ("apt", "debs", "wheels", "root"):
        shutil.rmtree(folder / scaffold)


def _put_kernel(package: Path, kernel: Path, into: Path) -> None:
    """The kernel, and of its 180 MB of modules those we need, in loading order."""
    modules: dict[str, bytes] = {}
    built_in = ""
    with (
        subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(package)],  # noqa: S607
            stdout=subprocess.PIPE,
        ) as unpacking,
        tarfile.open(fileobj=unpacking.stdout, mode="r|") as files,
    ):
        for entry in files:
            name = entry.name.rpartition("/")[2]
            content = files.extractfile(entry) if entry.isreg() else None
            if content is None:
                continue
            if module := re.fullmatch(r"(.+)\.ko(?:\.xz)?", name):
                modules[_same(module[1])] = content.read()
            elif name.startswith("vmlinuz-"):
                kernel.write_bytes(content.read())
            elif name == "modules.builtin":
                built_in = content.read().decode()
    there = {_same(Path(line).stem) for line in built_in.split()}
    order = list(dict.fromkeys(_needed(_MODULES, modules, there)))
    for name in order:
        (into / name).write_bytes(_plain(modules[name]))
    (into / "order").write_text("\n".join(order) + "\n")


def _needed(
    names: Sequence[str], modules: Mapping[str, bytes], there: set[str]
) -> Iterator[str]:
    """What to load for these, what they depend on first."""
    for name in map(_same, names):
        if name in there:
            continue
        if name not in modules:
            raise MissingError(f"the kernel has no module {name}")
        told = re.search(rb"(?:^|\0)depends=([^\0]*)\0", _plain(modules[name]))
        on = told[1].decode().split(",") if told and told[1] else []
        yield from _needed(on, modules, there)
        yield name


def _same(name: str) -> str:
    return name.replace("-", "_")


def _plain(module: bytes) -> bytes:
    return lzma.decompress(module) if module.startswith(b"\xfd7zXZ") else module


def _write_cpio(root: Path, file: io.BufferedWriter) -> None:
    """The folder as the kernel's initramfs reads it ("newc"), owned by root."""
    number = 0

    def put(name: str, mode: int, data: bytes = b"", device: int = 0) -> None:
        nonlocal number
        number += 1
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, device >> 8, device & 255)
        head = b"070701" + b"".join(b"%08X" % each for each in (*fields, len(path), 0))
        head += path
        file.write(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))

    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        name = str(path.relative_to(root))
        if stat.S_ISLNK(mode):
            put(name, mode, os.readlink(path).encode())
        else:
            put(name, mode, path.read_bytes() if stat.S_ISREG(mode) else b"")
    put("dev/console", stat.S_IFCHR | 0o600, device=0x501)
    put("TRAILER!!!", 0)


def _wire(tools: Tools, tree: str) -> None:
    """QEMU's own board, and pps-gpio as dtoverlay=pps-gpio adds it on a Pi."""
    machine = f"virt,dumpdtb={tree}"
    tools.call("qemu-system-aarch64", "-M", machine, *BOARD, "-nodefaults")
    gpio = tools.call("fdtget", "-t", "x", tree, _GPIO_NODE, "phandle").strip()
    put = ["fdtput", "-t"]
    for words in (
        ["fdtput", "-c", tree, "/pps"],
        [*put, "s", tree, "/pps", "compatible", "pps-gpio"],
        [*put, "x", tree, "/pps", "gpios", gpio, str(PULSE_LINE), "0"],
        [*put, "s", tree, _GPIO_NODE, "gpio-line-names", *_LINE_NAMES],
    ):
        tools.call(*words)
