from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hw.linux.clock import KernelClock
from refclock.app.storage.recorder import lines
from refclock.cli import main, run
from refclock.daemon.control import ask
from refclock.daemon.daemon import Daemon
from refclock.engine.kept.recording import Beginning, Counted

SIGNALS = signal.SIGTERM, signal.SIGINT, signal.SIGHUP


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put back what the command sets for good."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A daemon that touches nothing of this machine."""
    path = tmp_path / "refclock.toml"
    path.write_text(
        f"""
clock.steer = false
receiver.device = "none"
pulse.source = "none"
thermometer.source = "none"
rtc.source = "none"
control.socket = "{tmp_path}/control.sock"
state.file = "{tmp_path}/state.json"
[server]
listen = ["127.0.0.1"]
port = 0
"""
    )
    return path


def meanwhile(do: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=do)
    thread.start()
    return thread


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)


def test_it_runs_until_it_is_told_to_end(settings: Path, tmp_path: Path) -> None:
    door, told = tmp_path / "control.sock", []

    def end() -> None:
        until(door.exists)
        told.append(ask(door, "status"))
        os.kill(os.getpid(), signal.SIGTERM)

    thread = meanwhile(end)
    assert main(["run", "--config", str(settings)]) == 0
    thread.join()
    assert '"mode": "COLD"' in told[0]
    assert not door.exists()
    assert (tmp_path / "state.json").exists()


def test_a_hangup_reads_the_settings_anew(
    settings: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "refclock")
    good = settings.read_text()

    def change() -> None:
        until((tmp_path / "control.sock").exists)
        settings.write_text("[server]\nprot = 1\n")
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: "not reloaded" in caplog.text)
        settings.write_text(f"{good}tell_denied = true\n[holdover]\nlimit_s = 0.01\n")
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: "reloaded " in caplog.text.replace("not reloaded", ""))
        os.kill(os.getpid(), signal.SIGINT)

    thread = meanwhile(change)
    assert main(["run", "--config", str(settings)]) == 0
    thread.join()
    said = [text for text in caplog.messages if "reload" in text or "restart" in text]
    assert "did you mean server.port?" in said[0]
    assert said[1:] == [
        "holdover.limit_s changed; it takes a restart",
        f"reloaded {settings}",
    ]


@pytest.mark.parametrize("command", [["run"], ["capture", "x.tape"], ["demo"]])
def test_every_fault_of_the_settings_is_told(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("[server]\nport = 70000\n[clok]\nsteer = true\n")
    assert main([*command, "--config", str(path)]) == run.EX_CONFIG == 78
    port, clok = capsys.readouterr().err.splitlines()
    assert "70000 is not in 0 to 65535" in port
    assert "did you mean clock?" in clok


@pytest.mark.parametrize("command", [["run"], ["capture", "x.tape"], ["demo"]])
def test_settings_that_are_not_there(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.toml"
    assert main([*command, "--config", str(path)]) == 78
    assert str(path) in capsys.readouterr().err


def test_a_leap_table_that_is_none_is_a_fault(
    settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leap").write_bytes(b"\xff")
    with settings.open("a") as file:
        file.write(f'[leap]\nfile = "{tmp_path}/leap"\n')
    assert main(["run", "--config", str(settings), "--check"]) == 78
    assert "line 1" in capsys.readouterr().err


def test_good_settings_are_called_good(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--config", str(settings), "--check"]) == 0
    assert capsys.readouterr().out == f"{settings}: good\n"


@pytest.mark.parametrize("command", ["run", "demo"])
def test_a_taken_port_is_told(
    command: str, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        settings.write_text(settings.read_text().replace("port = 0", f"port = {port}"))
        assert main([command, "--config", str(settings)]) == run.EX_UNAVAILABLE == 69
    said = capsys.readouterr().err
    assert said.startswith(f"refclock {command}: ")
    assert str(port) in said


def test_a_clock_that_may_not_be_steered_is_told(
    settings: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Forbidden(Daemon):
        def run(self) -> None:
            super().stop()
            super().run()
            raise PermissionError("steering the clock needs CAP_SYS_TIME")

    monkeypatch.setattr("refclock.app.compose.Daemon", Forbidden)
    assert main(["run", "--config", str(settings)]) == 69
    assert "needs CAP_SYS_TIME" in caplog.text


def test_a_bug_ends_the_process_with_its_traceback(
    settings: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Daemon):
        def run(self) -> None:
            super().stop()
            super().run()
            raise ZeroDivisionError("a bug")

    monkeypatch.setattr("refclock.app.compose.Daemon", Wrong)
    assert main(["run", "--config", str(settings)]) == run.EX_SOFTWARE == 70
    assert "ZeroDivisionError: a bug" in caplog.text
    assert "Traceback" in caplog.text


def test_a_capture_serves_nobody_and_ends_by_itself(
    settings: Path, tmp_path: Path
) -> None:
    tape = tmp_path / "run.tape"
    settings.write_text(settings.read_text().replace("steer = false", "steer = true"))
    began = time.monotonic()
    words = ["capture", str(tape), "--config", str(settings), "--duration", "0.2"]
    assert main(words) == 0
    assert time.monotonic() - began < 3
    first, *_, last = lines(tape)
    assert isinstance(first, Beginning)
    assert not first.settings.clock.steer
    assert last == Counted({})


def test_a_capture_that_cannot_be_written_is_told(
    settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["capture", str(tmp_path / "no" / "tape"), "--config", str(settings)]
    assert main(words) == 69
    said = capsys.readouterr().err
    assert said == (
        f"refclock capture: {tmp_path}/no/tape: No such file or directory; "
        "name a file in a folder that is there and may be written\n"
    )


def test_a_control_socket_that_cannot_be_made_is_told(
    settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with settings.open("a") as file:
        file.write(f"[control]\nsocket = '{tmp_path}/file'\n")
    text = settings.read_text().replace("control.socket", "# control.socket")
    settings.write_text(text)
    assert main(["run", "--config", str(settings)]) == 69
    said = capsys.readouterr().err
    assert said.startswith(f"refclock run: control.socket: {tmp_path}/file: it is no s")
    assert (tmp_path / "file").read_text() == ""


def test_a_container_that_forbids_the_clock_is_told(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden(_: object) -> int:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(KernelClock.__init__, "__defaults__", (forbidden, None))
    settings.write_text(settings.read_text().replace("steer = false", "steer = true"))
    assert main(["run", "--config", str(settings)]) == 69
    said = capsys.readouterr().err
    assert said.startswith("refclock run: steering the clock needs CAP_SYS_TIME")
    assert "clock.steer = false" in said


def test_a_service_manager_that_is_not_there_is_passed_over(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))

    def end() -> None:
        until((tmp_path / "control.sock").exists)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = meanwhile(end)
    assert main(["run", "--config", str(settings)]) == 0
    thread.join()
    assert (tmp_path / "state.json").exists()
