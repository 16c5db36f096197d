from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from refclock import __version__
from refclock.cli import COMMANDS, main, status

ROOT = Path(__file__).parents[3]


def exits(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits(command, "--help") == 0
    said = capsys.readouterr().out
    assert f"usage: refclock {command}" in said
    assert "--help" in said


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits("--help") == 0
    said = capsys.readouterr().out
    assert all(f"\n    {command} " in said for command in COMMANDS)
    assert "refclock demo" in said


def test_every_module_of_a_command_is_one() -> None:
    folder = ROOT / "refclock" / "cli"
    commands = {
        path.stem for path in folder.glob("*.py") if "\nHELP: Final" in path.read_text()
    }
    assert commands == set(COMMANDS)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits("--version") == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("recieve",), "invalid choice: 'recieve'"),
        ((), "the following arguments are required: COMMAND"),
        (("status", "--colour"), "unrecognized arguments: --colour"),
        (("query",), "the following arguments are required: HOST"),
    ],
)
def test_a_wrong_command_line_is_explained(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits(*words) == 2
    assert says in capsys.readouterr().err


def doing(monkeypatch: pytest.MonkeyPatch, do: Callable[[], int]) -> None:
    def run(_: argparse.Namespace) -> int:
        return do()

    monkeypatch.setattr(status, "run", run)


def test_the_exit_code_is_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    doing(monkeypatch, lambda: 78)
    assert main(["status"]) == 78


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    doing(monkeypatch, interrupted)
    assert main(["status"]) == 130


def test_a_reader_who_has_seen_enough_is_no_traceback(tmp_path: Path) -> None:
    healthy = (ROOT / "tests" / "golden" / "healthy.nmea").read_bytes()
    (tmp_path / "log").write_bytes(healthy * (2_000_000 // len(healthy)))
    with subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "refclock", "decode", str(tmp_path / "log"), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_python_dash_m_is_the_command() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "refclock", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == __version__
