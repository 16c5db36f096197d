"""One guest under QEMU, asked over a serial port of its own to run our checks.

Of QEMU's protocols: QMP tells the path of the GPIO controller, qtest moves its
pins. All sockets lie in the run's folder, UDP is forwarded from loopback.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.kernel.image import BOARD, Image
from tests.kernel.outside import Outside, urgent

_PROJECT: Final = Path(__file__).parents[2]
_BOOT_S: Final = 90
_UNATTACHED: Final = "/machine/unattached"
"""Where QEMU keeps the objects of the board itself."""
RTC_AT_BOOT: Final = "2024-02-29T23:59:30"
"""The battery clock is wrong by years."""
LIVE: Final = ("-rtc", f"base={RTC_AT_BOOT},clock=host")
SKIPPED: Final = (
    *("-icount", "shift=1,sleep=off"),
    *("-rtc", f"base={RTC_AT_BOOT},clock=vm"),
)
"""An instruction takes 2 ns, and where the guest would sleep no time passes here.

Whatever it waits for from outside makes hours pass: a shared file, or a question.
"""


class GuestError(Exception):
    """What was raised inside the guest, or that it is silent."""


class Guest:
    """A running guest. Nothing is done to it from outside but what it is asked."""

    def __init__(
        self,
        image: Image,
        run: Path,
        live_s: float,
        clock: Sequence[str] = LIVE,
        devices: Sequence[str] = (),
    ) -> None:
        """Boot. It is ended when `live_s` are over, whatever is going on.

        `clock`: how its time passes, `LIVE` or `SKIPPED`; `devices`: what else it
        has, as QEMU is told.
        """
        self._run = run
        self._opened = contextlib.ExitStack()
        self._ends = time.monotonic() + live_s
        self.port = _free_port()
        _share(image, run / "share")
        with (run / "qemu.err").open("w") as errors:
            self._qemu = subprocess.Popen(
                [*_command(image, run, self.port), *clock, *devices],
                env=image.tools.env,
                stdin=subprocess.DEVNULL,
                stderr=errors,
            )
        try:
            self._agent = self._opened.enter_context(self.connected("agent"))
            self._reply = self._opened.enter_context(self._agent.makefile("r"))
            self.hello = self._told(_BOOT_S)
        except BaseException:
            self.close()
            raise

    def call(self, check: str, *arguments: object, limit_s: float = 30) -> Any:  # noqa: ANN401 - JSON
        """What that function in a module of `guest` returns. GuestError: it raised."""
        words = json.dumps([check, *arguments]) + "\n"
        self._agent.sendall(words.encode())
        return self._told(limit_s)

    def query(self, *options: str) -> dict[str, Any]:
        """What `refclock query` says of the guest's server. GuestError: no answer."""
        where = ("127.0.0.1", "--port", str(self.port))
        command = (sys.executable, "-m", "refclock", "query", *where, "--json")
        told = subprocess.run(
            (*command, *options),
            cwd=_PROJECT,
            capture_output=True,
            check=False,
            text=True,
        )
        if told.returncode:
            raise GuestError(told.stderr.strip())
        answer: dict[str, Any] = json.loads(told.stdout)
        return answer

    def console(self) -> str:
        """What its kernel and its programs wrote."""
        return (self._run / "console").read_text(errors="replace")

    def close(self) -> None:
        """Switch it off."""
        self._opened.close()
        self._qemu.terminate()
        try:
            self._qemu.wait(5)
        except subprocess.TimeoutExpired:
            self._qemu.kill()
            self._qemu.wait()

    def _told(self, limit_s: float) -> Any:  # noqa: ANN401 - JSON
        left = min(limit_s, self._ends - time.monotonic())
        self._agent.settimeout(max(0.1, left))
        try:
            answer = json.loads(self._reply.readline())
        except (OSError, ValueError) as error:
            last = self.console()[-1500:]
            raise GuestError(f"it does not answer ({error}); console: {last}") from None
        if "raised" in answer:
            raise GuestError(answer["raised"])
        return answer["returned"]

    def connected(self, name: str) -> socket.socket:
        """That socket of QEMU's, as soon as it is there."""
        path = self._run / name
        for _ in range(500):
            if self._qemu.poll() is not None:
                break
            made = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(OSError):
                made.connect(str(path))
                return made
            made.close()
            time.sleep(0.02)
        raise GuestError((self._run / "qemu.err").read_text() or "QEMU does not start")


class LiveGuest(Guest):
    """One in real time, its receiver and pulse driven from `outside`."""

    def __init__(self, image: Image, run: Path, live_s: float) -> None:
        """Boot, and let the pulse begin."""
        super().__init__(image, run, live_s)
        try:
            pins, uart = run / "pins", run / "uart"
            self.outside = Outside(pins, self._gpio_chip(), uart, run / "pulses")
            self._opened.callback(self.outside.end)
            for process in (self.outside.pid, self._qemu.pid):  # never the virtual
                urgent(process)  # processor's thread: it would starve QEMU itself
        except BaseException:
            self.close()
            raise

    def _gpio_chip(self) -> str:
        """Where in QEMU's tree of objects the GPIO controller is."""
        with self.connected("monitor") as monitor, monitor.makefile("r") as said:
            said.readline()
            monitor.sendall(b'{"execute": "qmp_capabilities"}')
            said.readline()
            path = {"path": _UNATTACHED}
            ask = {"execute": "qom-list", "arguments": path}
            monitor.sendall(json.dumps(ask).encode())
            answer = json.loads(said.readline())
        return next(
            f"{_UNATTACHED}/{each['name']}"
            for each in answer["return"]
            if each["type"] == "child<pl061>"
        )


def _share(image: Image, folder: Path) -> None:
    """The package, the checks and the contract suite, as they are now."""
    kept = shutil.ignore_patterns("__pycache__")
    tests = ("tests/contract", "tests/fakes", "tests/kernel/guest")
    for part in ("refclock", "hw", "udev", *tests):
        shutil.copytree(_PROJECT / part, folder / part, ignore=kept)
        image.land.compiled(folder / part, folder)
    shutil.copy(_PROJECT / "pyproject.toml", folder)


def _command(image: Image, run: Path, port: int) -> Sequence[str]:
    def ear(name: str) -> str:
        return f"socket,id={name},path={run / name},server=on,wait=off"

    return [
        *(image.tools.command("qemu-system-aarch64"), "-M", "virt", *BOARD),
        *("-accel", "tcg,tb-size=256", "-nodefaults", "-display", "none"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initramfs)),
        *("-dtb", str(image.device_tree), "-no-reboot"),
        *("-append", "console=hvc0 quiet loglevel=4 panic=-1"),
        *("-device", "virtio-serial-pci"),
        *("-chardev", f"file,id=console,path={run / 'console'}"),
        *("-device", "virtconsole,chardev=console"),
        *("-chardev", ear("agent")),
        *("-device", "virtserialport,chardev=agent,name=agent"),
        *("-chardev", ear("uart"), "-serial", "chardev:uart"),
        *("-netdev", f"user,id=net,hostfwd=udp:127.0.0.1:{port}-10.0.2.15:123"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
        "-virtfs",
        f"local,path={run / 'share'},mount_tag=share,security_model=none",
        *("-qtest", f"unix:{run / 'pins'},server=on,wait=off"),
        *("-qtest-log", "none"),
        *("-qmp", f"unix:{run / 'monitor'},server=on,wait=off"),
    ]


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port
