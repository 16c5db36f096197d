from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from refclock.daemon.control import ControlServer, ask


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "control.sock"


@pytest.fixture
def served(path: Path) -> Iterator[ControlServer]:
    server = ControlServer(path, {"status": lambda: '{"mode": "TRACK"}'})
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            server.serve(0.05)

    thread = threading.Thread(target=loop)
    thread.start()
    yield server
    stop.set()
    thread.join()
    server.close()


@pytest.mark.usefixtures("served")
def test_a_question_gets_its_answer(path: Path) -> None:
    assert json.loads(ask(path, "status")) == {"mode": "TRACK"}


@pytest.mark.usefixtures("served")
def test_an_unknown_question_is_told_what_to_ask(path: Path) -> None:
    assert "ask status" in json.loads(ask(path, "reboot"))["error"]


@pytest.mark.usefixtures("served")
def test_an_asker_who_leaves_harms_nobody(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(str(path))
    assert "TRACK" in ask(path, "status")


@pytest.mark.usefixtures("served")
def test_a_second_daemon_is_refused(path: Path) -> None:
    with pytest.raises(OSError, match="another refclock answers"):
        ControlServer(path, {})


def test_the_socket_of_a_dead_daemon_is_taken_over(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    ControlServer(path, {}).close()
    assert not path.exists()


def test_nobody_there_is_an_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(path, "status")
