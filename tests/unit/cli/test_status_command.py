from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from refclock.cli import main
from refclock.daemon.control import Answers, ControlServer
from refclock.engine.engine import Engine
from refclock.engine.policy import EngineSettings
from refclock.observe.status import clients_json, error_json, to_json
from refclock.server.admission.clients import ClientStatus
from refclock.timebase import SECOND, LeapTable, Mono, Utc
from tests.fakes.control import answering

LEAPS = LeapTable((), 37 * SECOND, Utc.of(2017, 1, 1), Utc.of(2050, 1, 1))
ANSWER = to_json(
    Engine(EngineSettings(), LEAPS, LEAPS.updated).status(Mono(1)), {"requests": 3}
)

CLIENTS = clients_json([ClientStatus("10.0.0.1", 3.0, 2, 4, 0, 0)])


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Path]:
    answers: Answers = {"status": lambda _: ANSWER, "clients": lambda _: CLIENTS}
    with answering(tmp_path / "control.sock", answers) as path:
        yield path


def test_a_page_for_people(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--socket", str(door)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("COLD       no sentence from the receiver")
    assert "requests 3" in said.out
    assert said.err == ""


def test_json_for_programs(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--socket", str(door), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["mode"], told["stratum"]) == ("COLD", 16)
    assert told["server"] == {"requests": 3}


def test_the_clients_for_people_and_for_programs(
    door: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--socket", str(door), "--clients"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["address", "last", "seen"]
    assert row.split() == ["10.0.0.1", "3", "s", "ago", "2", "4", "0", "0"]
    assert main(["status", "--socket", str(door), "--clients", "--json"]) == 0
    assert capsys.readouterr().out.strip() == CLIENTS


def test_nobody_there_is_told_with_what_to_try(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--socket", str(tmp_path / "none")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"no daemon answers at {tmp_path / 'none'}" in said.err
    assert "systemctl status refclock" in said.err


@pytest.mark.parametrize("terminal", [True, False])
def test_watching_goes_on_until_interrupted(
    door: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    terminal: bool,
) -> None:
    waits: list[float] = []

    def sleep(length_s: float) -> None:
        waits.append(length_s)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("refclock.cli.status.time.sleep", sleep)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    assert main(["status", "--socket", str(door), "--watch"]) == 130
    said = capsys.readouterr().out
    assert waits == [1.0, 1.0, 1.0]
    assert said.count("COLD ") == 3
    assert said.count("\x1b[J") == (3 if terminal else 0)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error_json("the engine does not answer"), "the engine does not answer"),
        ('{"version": 9}', "its answer is of version 9, not 1"),
        ('{"mode": "TRACK"}', "its answer is of version None, not 1"),
        ('{"version": 1}', "mode: is missing"),
        ("[]", "its answer is no object"),
        ("\x1b[2J", "torn, or no JSON (line 1 column 1)"),
        (ANSWER.replace('"COLD"', "NaN"), "NaN is no number"),
    ],
)
def test_an_answer_that_is_none_is_told_in_a_sentence(
    answer: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "control.sock"
    with closing(ControlServer(path, {"status": lambda _: answer})) as server:
        thread = threading.Thread(
            target=main, args=(["status", "--socket", str(path)],)
        )
        thread.start()
        while thread.is_alive():
            server.serve(0.01)
        thread.join()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"refclock status: {path}: ")
    assert message in said.err
    assert "\x1b" not in said.err


def test_who_may_not_ask_is_told_how_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("refclock.cli.status.ask", refused)
    assert main(["status", "--socket", str(tmp_path / "x")]) == 1
    assert "sudo usermod -aG refclock $USER" in capsys.readouterr().err
