"""What a command owes its terminal, pipes and streams, on the real command."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from refclock.cli.terminal import Screen, fitted
from refclock.daemon.control import Answers
from tests.fakes.control import answering
from tests.unit.cli.test_status_command import ANSWER

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "healthy.nmea"
COMMAND = [sys.executable, "-m", "refclock"]
_OWN = {"NO_COLOR", "COLUMNS", "LINES"}
PAGE = "TRACK      it is right\nserving    stratum 1\n" + "\n".join(
    [*(f"lag        {n}" for n in range(30)), "ALARM      the antenna is unplugged"]
)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Path]:
    """A control socket that answers."""
    answers: Answers = {"status": lambda _: ANSWER}
    with answering(tmp_path / "control.sock", answers) as path:
        yield path


def shell(line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A line of sh, `refclock` in it our command."""
    return subprocess.run(  # noqa: S603 - our own commands
        [
            "/bin/bash",
            "-c",
            line.replace("refclock", f"{sys.executable} -m refclock", 1),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": ""} | env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("command", ["--help", f"decode {GOLDEN}", "demo --help"])
def test_a_full_disk_is_told_without_a_traceback(command: str) -> None:
    ended = shell(f"refclock {command} > /dev/full")
    name = command.split(maxsplit=1)[0]
    said = f"refclock {name}: standard output: No space left on device\n"
    assert ended.stderr == said
    assert ended.returncode == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault(closed: str) -> None:
    ended = shell(f"refclock decode {GOLDEN} {closed}")
    assert ended.returncode == 0
    assert ended.stderr == ""


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
)
def test_any_encoding_will_do(env: Mapping[str, str], daemon: Path) -> None:
    ended = subprocess.run(  # noqa: S603 - ourselves
        [*COMMAND, "status", "--socket", str(daemon)],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert ended.stderr == b""
    sign = b"\xb1" if "latin" in str(env) else b"+-"
    assert b"\nbound      " + sign in ended.stdout


def test_a_path_that_is_no_text_is_told() -> None:
    ended = subprocess.run(  # noqa: S603 - ourselves
        [*COMMAND, "decode", b"/no/\xff\x1b[2J"],
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert b"\x1b" not in ended.stderr
    assert b"No such file" in ended.stderr


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@contextmanager
def on_a_terminal(
    command: list[str], columns: int = 80, rows: int = 24, **env: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command on a terminal of that size, and our end of it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    bare = {k: v for k, v in os.environ.items() if k not in _OWN}
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [*COMMAND, *command],
        cwd=ROOT,
        env=bare | {"TERM": "xterm"} | env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 - it calls the kernel alone
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        with suppress(OSError):  # the test may have closed it
            os.close(ours)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read_until(terminal: int, wanted: bytes, limit_s: float = 20.0) -> bytes:
    end, got = time.monotonic() + limit_s, b""
    while wanted not in got:
        assert time.monotonic() < end, got
        got += os.read(terminal, 65_536)
    return got


def test_watching_fills_the_other_screen_and_gives_the_old_one_back(
    daemon: Path,
) -> None:
    with on_a_terminal(["status", "--watch", "--socket", str(daemon)]) as (
        process,
        tty,
    ):
        got = read_until(tty, b"\x1b[J")
        assert got.startswith(b"\x1b[?1049h\x1b[?25l\x1b[H\x1b[33mCOLD\x1b[0m ")
        process.send_signal(signal.SIGINT)
        assert read_until(tty, b"\x1b[?1049l").endswith(b"\x1b[?25h\x1b[?1049l")
        assert process.wait(10) == 130


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 24), (20, 6)])
def test_a_page_fits_its_terminal(daemon: Path, columns: int, rows: int) -> None:
    watch = ["status", "--watch", "--socket", str(daemon)]
    with on_a_terminal(watch, columns, rows) as (_, tty):
        page = read_until(tty, b"\x1b[J").decode().split("\x1b[H")[1]
    lines = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", page).split("\r\n")
    assert len(lines) <= rows
    assert max(map(len, lines)) <= columns
    assert lines[0].startswith("COLD ")


def test_without_colour_where_nobody_wants_it(daemon: Path) -> None:
    watch = ["status", "--watch", "--socket", str(daemon)]
    with on_a_terminal(watch, NO_COLOR="1") as (_, tty):
        assert b"m" not in re.findall(
            rb"\x1b\[[\d;]*([A-Za-z])", read_until(tty, b"\x1b[J")
        )


def test_a_terminal_that_can_nothing_gets_pages_one_after_the_other(
    daemon: Path,
) -> None:
    watch = ["status", "--watch", "--socket", str(daemon)]
    with on_a_terminal(watch, TERM="dumb") as (_, tty):
        assert b"\x1b" not in read_until(tty, b"clients ")


@pytest.mark.parametrize("command", ["status", "demo"])
def test_it_ends_with_its_terminal(daemon: Path, command: str) -> None:
    more = ["--watch", "--socket", str(daemon)] if command == "status" else []
    port = ["--port", str(free_port())] if command == "demo" else []
    with on_a_terminal([command, *more, *port]) as (process, tty):
        read_until(tty, b"\x1b[?1049h")
        os.close(tty)  # the window is closed
        assert process.wait(15) is not None


def test_a_demo_ends_with_the_reader_of_its_pipe() -> None:
    began = time.monotonic()
    ended = shell(f"refclock demo --port {free_port()} | head -n 1")
    assert "nominal" in ended.stdout
    assert ended.stderr == ""
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_watching_gives_the_old_screen_back_when_it_is_ended(
    daemon: Path, number: signal.Signals
) -> None:
    with on_a_terminal(["status", "--watch", "--socket", str(daemon)]) as (
        process,
        tty,
    ):
        read_until(tty, b"\x1b[J")
        process.send_signal(number)
        read_until(tty, b"\x1b[?25h\x1b[?1049l")
        assert process.wait(10) == -number


def test_alarms_are_never_left_out() -> None:
    lines = fitted(PAGE, 80, 10)
    assert len(lines) == 10
    assert lines[:2] == [
        "TRACK      it is right",
        "ALARM      the antenna is unplugged",
    ]
    assert lines[-1] == "... 24 more lines"


def test_a_long_line_goes_on_under_its_values() -> None:
    lines = fitted("COLD       one two three four five six seven", 40, 24)
    assert lines == ["COLD       one two three four five six", "           seven"]
    assert fitted("word " * 20, 2, 2)[0] == "word word word word"


def test_a_page_that_fits_is_left_alone() -> None:
    assert fitted(PAGE, 80, 40)[2:] == PAGE.splitlines()[1:-1]


def test_what_is_no_terminal_gets_every_page_whole() -> None:
    out = io.StringIO()
    with Screen(out).opened() as screen:
        screen.show(PAGE)
        screen.show("x")
    assert out.getvalue() == f"{PAGE}\nx\n"
