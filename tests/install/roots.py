"""Fresh Debian systems in folders: made by debootstrap, entered by chroot or booted."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.debian import MissingError, call, mirrors

PROJECT: Final = Path(__file__).parents[2]
CACHE: Final = PROJECT / ".cache" / "roots"
CLONE: Final = "/root/refclock"
"""Where the project is in a root."""
_PACKAGES: Final = "ca-certificates,dbus,sudo,systemd-sysv,systemd-timesyncd,udev"
"""What any Debian or Raspberry Pi OS has beside the minimum."""
_MAKE_S: Final = 900
_NSENTER: Final = ("/usr/bin/nsenter", "--all")
_CERTIFICATES: Final = "etc/ssl/certs/ca-certificates.crt"


def fresh(release: str) -> Path:
    """A minimal system of `release` that can be booted, made once.

    MissingError: not here.
    """
    if os.geteuid() != 0:
        raise MissingError("to make a Debian system takes root")
    for program in ("debootstrap", "chroot", "unshare"):
        if shutil.which(program) is None:
            raise MissingError(f"there is no {program} here")
    root = CACHE / release
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{release}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be making it
        if not root.exists():
            _make(release, root)
    return root


def _make(release: str, root: Path) -> None:
    making = Path(tempfile.mkdtemp(dir=CACHE))
    mirror, _ = mirrors()
    command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}"]
    try:
        call([*command, release, str(making), mirror], limit_s=_MAKE_S)
    except MissingError:
        shutil.rmtree(making)
        raise
    shutil.copy("/etc/resolv.conf", making / "etc" / "resolv.conf")
    if (Path("/") / _CERTIFICATES).exists():  # the network here may have its own
        shutil.copy(Path("/") / _CERTIFICATES, making / _CERTIFICATES)
    making.chmod(0o755)
    making.rename(root)


class Root:
    """A copy of a system with a clone of this project in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(
        self, script: str, *, network: bool = True, limit_s: float = 1200
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the clone, as root; without an interface if wished."""
        inside = 'mount --rbind /dev "$0/dev"; mount -t proc proc "$0/proc";'
        inside += 'mount --rbind /sys "$0/sys";'
        enter = f'{inside} exec chroot "$0" sh -c "cd {CLONE}; $SCRIPT"'
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return subprocess.run(  # noqa: S603 - our own commands
            [
                *apart,
                *([] if network else ["--net"]),
                *("sh", "-ec", enter, str(self.path)),
            ],
            env=_environment() | {"SCRIPT": script},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )

    def release(self) -> str:
        """Its code name."""
        told = (self.path / "etc" / "os-release").read_text().splitlines()
        return dict(line.split("=", 1) for line in told)["VERSION_CODENAME"]

    def write(self, path: str, text: str) -> None:
        """A file, with its folders."""
        file = self.path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _environment() -> dict[str, str]:
    """As after a login, and how pip reaches its index from here."""
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    pip.pop("PIP_FIND_LINKS", None)  # a folder that is not in there
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return pip | {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"}


@contextmanager
def copied(system: Path) -> Iterator[Root]:
    """A copy of `system` to change at will, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="root-", dir=CACHE))
    try:
        subprocess.run(  # noqa: S603 - our own command
            ["/bin/cp", "-a", "--reflink=auto", f"{system}/.", str(folder)], check=True
        )
        clone = folder / CLONE.lstrip("/")
        for name in _files():
            there = clone / name
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, there, follow_symlinks=False)
        yield Root(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _files() -> list[str]:
    """What a clone of the tree as it stands would have."""
    listed = subprocess.run(
        ["/usr/bin/git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = listed.split("\0")
    return [name for name in names if name and (PROJECT / name).exists()]


class Booted:
    """A system that systemd has booted in a container."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    def run(
        self, script: str, limit_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script in it, as root."""
        return subprocess.run(  # noqa: S603 - our own commands
            [*_NSENTER, f"--target={self._leader}", "/bin/sh", "-c", script],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )

    def until(self, script: str, limit_s: float = 60) -> str:
        """Run it until it succeeds, and what it printed then. AssertionError: never."""
        end = time.monotonic() + limit_s
        while (ended := self.run(script)).returncode:
            assert time.monotonic() < end, f"{script}: {ended.stdout}{ended.stderr}"
            time.sleep(0.5)
        return ended.stdout


@contextmanager
def booted(root: Root) -> Iterator[Booted]:
    """The system while it runs. MissingError: no container can be booted here.

    It may have CAP_SYS_TIME, as the service asks for it, but no call that sets a clock.
    """
    program = shutil.which("systemd-nspawn")
    if program is None:
        raise MissingError("there is no systemd-nspawn here")
    log = root.path.parent / f"{root.path.name}.log"
    with log.open("w") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(program, "--quiet", "--register=no", "--keep-unit"),
                *("--boot", "--console=pipe", "--private-network"),
                "--capability=CAP_SYS_TIME",
                "--system-call-filter=~clock_settime settimeofday",
                f"--directory={root.path}",
            ],
            env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    leader = None
    try:
        leader = _leader(process, log)
        system = Booted(leader)
        with suppress(AssertionError):  # "degraded" will do
            system.until("systemctl is-system-running --wait", limit_s=30)
        yield system
    finally:
        if leader is not None:  # and with it all that runs in the container
            with suppress(ProcessLookupError):
                os.kill(leader, signal.SIGKILL)
        process.kill()
        process.wait()
        log.unlink()


def _leader(process: subprocess.Popen[bytes], log: Path) -> int:
    """The container's process 1, by its number here."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        for child in children.read_text().split():
            with suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    time.sleep(1.0)
                    return int(child)
        time.sleep(0.2)
    raise MissingError(f"systemd-nspawn boots nothing here: {log.read_text()[-300:]}")
