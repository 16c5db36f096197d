"""`refclock demo` as a user meets it: a process, its signals and its exit codes."""

import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests.rig.demo import ENDS_S, REFCLOCK, STARTS_S, demo, free_port, refclock

pytestmark = pytest.mark.slow


def test_by_itself_it_serves_for_as_long_as_it_was_told() -> None:
    began = time.monotonic()
    words = ("demo", "--port", str(free_port()), "--duration", "20", "--json")
    told = refclock(*words, limit_s=40)
    assert 20 <= time.monotonic() - began < 30
    assert (told.returncode, told.stderr) == (0, "")
    figures = json.loads(told.stdout)
    assert figures["stratum1_after_s"] < STARTS_S
    assert figures["samples"] >= 8
    assert figures["rms_s"] < 200e-6  # 20 µs where nobody else is busy
    assert figures["within_bound"] >= 0.9
    assert figures["mode"] == "TRACK"
    assert figures["requests"] >= figures["samples"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    with demo(tmp_path) as running:
        running.await_stratum(16, 1)
        ending = running.end(how)
    assert ending.took_s < ENDS_S
    assert (ending.code, ending.errors) == (0, "")
    assert "mode" in ending.figures
    assert not running.control.exists()


def test_status_tells_of_it(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        running.await_stratum(1)
        asked = refclock("status", "--socket", str(running.control), "--json")
        text = refclock("status", "--socket", str(running.control))
        assert running.end().code == 0
    assert asked.returncode == text.returncode == 0
    status = json.loads(asked.stdout)
    assert (status["stratum"], status["mode"]) == (1, "TRACK")
    assert 0 < status["bound_s"] < 1e-3
    assert "TRACK" in text.stdout
    assert "stratum" in text.stdout


def test_status_of_a_dead_daemon_says_so(tmp_path: Path) -> None:
    asked = refclock("status", "--socket", str(tmp_path / "none.sock"))
    assert asked.returncode == 1
    assert "no daemon answers" in asked.stderr


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_query_of_a_dead_port_fails_soon(*, silent: bool) -> None:
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1] if silent else free_port()
        asked = refclock("query", "127.0.0.1", "--port", str(port))
    assert asked.returncode == 1
    assert ("no answer" if silent else "nothing answers") in asked.stderr
    assert time.monotonic() - began < 8  # 5 s of patience and Python's own start


def test_every_fault_of_a_configuration_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[server]\nport = 70000\nlisen = ["::1"]\n[clok]\nsteer = true\n')
    told = refclock("demo", "--config", str(path), "--duration", "1")
    assert told.returncode == 78
    port, lisen, clok = told.stderr.splitlines()
    assert f"{path}:2" in port
    assert "65535" in port.replace(",", "").replace("_", "")
    assert f"{path}:3" in lisen
    assert "listen" in lisen.replace("lisen", "")
    assert f"{path}:4" in clok
    assert "clock" in clok


def test_a_taken_port_names_its_holder() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        told = refclock("demo", "--port", str(port), "--duration", "1")
    assert told.returncode == 69
    assert f"UDP port {port}" in told.stderr
    assert f"process {os.getpid()}" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def lines(*words: str, seconds: int) -> list[str]:
    """What it prints into a pipe within so many seconds."""
    port = str(free_port())
    told = refclock(
        "demo", "--port", port, "--duration", str(seconds), *words, limit_s=seconds + 20
    )
    assert (told.returncode, told.stderr) == (0, "")
    return told.stdout.splitlines()


def test_it_announces_its_trouble_marks_it_and_tells_of_alarms() -> None:
    told = lines("--scenario", "wrong-second", seconds=22)
    assert "wrong-second: for 30 s" in told[0]
    assert re.fullmatch(
        r" *\d+ s  in 1\d s: the time named is 1 s ahead.*, 30 s", told[1]
    )
    (begins,) = (line for line in told if "TROUBLE" in line)
    assert 14 <= int(begins.split()[0]) <= 17
    (alarm,) = (line for line in told if "ALARM" in line)
    assert "+1 s from the second our clock carries" in alarm
    assert told.index(alarm) > told.index(begins)
    assert "stratum 1 after" in told[-1]


def test_a_clock_years_off_is_served_right_by_its_battery_clock() -> None:
    """And the machine's clock is stepped for it alone."""
    port = str(free_port())
    words = ("demo", "--scenario", "battery", "--port", port, "--duration", "14")
    figures = json.loads(refclock(*words, "--json", limit_s=40).stdout)
    assert figures["samples"] >= 3
    assert figures["max_s"] < 5e-3


def test_another_program_steps_the_clock(tmp_path: Path) -> None:
    with demo(tmp_path, "--scenario", "clock-stepped") as running:
        running.await_stratum(1)
        time.sleep(1)
        running.await_stratum(16)
        status = running.status()
        assert status is not None
        assert [alarm["kind"] for alarm in status["alarms"]] == ["stepped"]
        running.await_stratum(1)
        figures = running.end().figures
    assert figures["max_s"] < 5e-3


def test_two_receivers_run_side_by_side(tmp_path: Path) -> None:
    with demo(tmp_path, "--scenario", "two-receivers") as running:
        running.await_stratum(1)
        time.sleep(3)
        status = running.status()
        assert status is not None
        assert {"gps0", "gps1", "pps0", "pps1"} <= set(status["devices"])
        figures = running.end().figures
    assert figures["max_s"] < 5e-3


def test_the_server_is_restarted(tmp_path: Path) -> None:
    """And serves again from what it remembers, on the same port."""
    with demo(tmp_path, "--scenario", "restarted") as running:
        running.await_stratum(1)
        running.await_stratum(16)
        running.await_stratum(1)
        ending = running.end()
    assert (ending.code, ending.errors) == (0, "")
    assert ending.figures["max_s"] < 5e-3


def test_it_ends_with_its_reader() -> None:
    command = [*REFCLOCK, "demo", "--port", str(free_port())]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 24)])
def test_its_page_fits_the_terminal_and_it_ends_with_it(
    columns: int, rows: int
) -> None:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    command = [*REFCLOCK, "demo", "--port", str(free_port()), "--scenario", "unplug"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=sized_by_itself() | {"TERM": "xterm", "NO_COLOR": ""},
        preexec_fn=own_terminal,  # noqa: PLW1509 - no thread of ours forks here
    ) as process:
        os.close(slave)
        shown = drawn(master, 8.0)
        os.close(master)
        assert process.wait(10) in {0, 1, 129}
    assert shown.startswith("\x1b[?1049h")
    assert "\x1b[32mTRACK" in shown
    pages = shown.split("\x1b[H")[1:]
    assert len(pages) >= 5
    for page in pages:
        seen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", page).split("\r\n")
        assert len(seen) <= rows
        assert max(map(len, seen)) <= columns
    assert "trouble " in pages[-1]
    assert "truth " in pages[-1]


def sized_by_itself() -> dict[str, str]:
    """Our environment without another terminal's size, which a test runner may set."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in {"COLUMNS", "LINES"}
    }


def own_terminal() -> None:
    """The terminal on standard input becomes the one whose end ends us."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def drawn(master: int, seconds: float) -> str:
    """All that is written to the terminal within so long."""
    until, came = time.monotonic() + seconds, b""
    while (left := until - time.monotonic()) > 0:
        if select.select([master], [], [], left)[0]:
            came += os.read(master, 4096)
    return came.decode(errors="replace")
