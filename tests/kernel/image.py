"""What QEMU boots: Debian's kernel, a user land of Python and busybox, a device tree.

Made from packages only, once, and kept. The package under test is not in it:
the guest sees that through a shared folder.
"""

from __future__ import annotations

import compileall
import hashlib
import io
import lzma
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Final

from tests.debian import MissingError, call, unpack, unpacked_here
from tests.kernel.debian import SUITE, Packages, fetch_wheels, unpacked_newer

HERE: Final = Path(__file__).parent
BOARD: Final = ("-cpu", "cortex-a72", "-smp", "1", "-m", "512")
PULSE_LINE: Final = 4
"""Of the board's PL061, that pps-gpio holds."""
FREE_LINE: Final = 2
"""Of the same, called GPIO18, for gpiod; 3 is the power key."""

_USER_LAND: Final = (
    *("libbz2-1.0", "libc6", "libcrypt1", "libexpat1", "libffi8", "libgcc-s1"),
    *("liblzma5", "libsqlite3-0", "libssl3", "libuuid1", "zlib1g"),
    *("libpython3.11-minimal", "libpython3.11-stdlib", "python3.11-minimal"),
    *("busybox-static", "netbase", "udev", "libudev1", "libacl1", "libblkid1"),
    *("libcap2", "libkmod2", "libpcre2-8-0", "libselinux1", "libzstd1"),
)
_WHEELS: Final = (
    *("gpiod", "pynmea2", "pyserial", "smbus2"),
    *("iniconfig", "packaging", "pluggy", "pygments", "pytest"),
)
_MODULES: Final = (
    *("pps-gpio", "pps-ldisc", "i2c-dev", "i2c-tiny-usb", "ftdi_sio", "cdc-acm"),
    *("vhci-hcd", "rtc-pcf8523"),
    *("virtio_net", "igb", "8021q", "9pnet_virtio", "9p"),
)
_UNUSED: Final = (
    *("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian"),
    *("usr/lib/python3.11/lib2to3", "usr/lib/python3.11/idlelib"),
    *("usr/lib/python3.11/pydoc_data", "usr/lib/aarch64-linux-gnu/gconv"),
    *("lib/udev/hwdb.d", "usr/lib/udev/hwdb.d"),
)
_SITE: Final = "usr/lib/python3/dist-packages"
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

    folder: Path
    tools: Tools

    @property
    def kernel(self) -> Path:
        """The Linux kernel."""
        return self.folder / "Image"

    @property
    def initramfs(self) -> Path:
        """The user land."""
        return self.folder / "initramfs.cpio"

    @property
    def device_tree(self) -> Path:
        """The board, with a pulse wired to it."""
        return self.folder / "board.dtb"


def image(cache: Path) -> Image:
    """The image kept in `cache`, or a new one. MissingError says why there is none."""
    cache.mkdir(parents=True, exist_ok=True)
    tools = _tools(cache)
    made_by = b"".join(
        path.read_bytes() for path in (Path(__file__), HERE / "guest/init")
    )
    made_by += tools.call("qemu-system-aarch64", "--version").encode()
    made = Image(cache / hashlib.sha256(made_by).hexdigest()[:12], tools)
    if not made.folder.exists():
        half = Image(cache / "half", tools)
        shutil.rmtree(half.folder, ignore_errors=True)
        half.folder.mkdir()
        _make(half)
        half.folder.rename(made.folder)
    return made


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


def _make(made: Image) -> None:
    packages = Packages(made.folder / "apt")
    kernel_name = packages.kernel()
    packages.fetch([kernel_name], made.folder / "kernel", f"{SUITE}-backports")
    packages.fetch(_USER_LAND, made.folder / "debs")
    fetch_wheels(_WHEELS, made.folder / "wheels")

    root = made.folder / "root"
    root.mkdir()
    for package in (made.folder / "debs").glob("*.deb"):
        unpack(package, root)
    for unused in _UNUSED:
        shutil.rmtree(root / unused, ignore_errors=True)
    for wheel in (made.folder / "wheels").glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(root / _SITE)  # noqa: S202 - as pip does
    compiled(root / "usr/lib/python3.11", root)
    compiled(root / _SITE, root)
    for folder in ("dev", "etc", "modules", "proc", "root", "run", "share", "sys"):
        (root / folder).mkdir(exist_ok=True)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nrefclock:x:998:\n")
    shutil.copy(HERE / "guest/init", root / "init")
    (root / "init").chmod(0o755)

    (package,) = (made.folder / "kernel").glob("*.deb")
    _put_kernel(package, made.kernel, root / "modules")
    with made.initramfs.open("wb") as file:
        _write_cpio(root, file)
    _wire(made)
    for scaffold in ("apt", "kernel", "debs", "wheels", "root"):
        shutil.rmtree(made.folder / scaffold)


def compiled(folder: Path, root: Path) -> None:
    """Spare the emulated processor the work, where this Python is the guest's."""
    if sys.version_info[:2] == (3, 11):
        compileall.compile_dir(
            folder,
            quiet=2,
            stripdir=str(root),
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )


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


def _wire(made: Image) -> None:
    """QEMU's own board, and pps-gpio as dtoverlay=pps-gpio adds it on a Pi."""
    tree = str(made.device_tree)
    machine = f"virt,dumpdtb={tree}"
    made.tools.call("qemu-system-aarch64", "-M", machine, *BOARD, "-nodefaults")
    gpio = made.tools.call("fdtget", "-t", "x", tree, _GPIO_NODE, "phandle").strip()
    put = ["fdtput", "-t"]
    for words in (
        ["fdtput", "-c", tree, "/pps"],
        [*put, "s", tree, "/pps", "compatible", "pps-gpio"],
        [*put, "x", tree, "/pps", "gpios", gpio, str(PULSE_LINE), "0"],
        [*put, "s", tree, _GPIO_NODE, "gpio-line-names", *_LINE_NAMES],
    ):
        made.tools.call(*words)
