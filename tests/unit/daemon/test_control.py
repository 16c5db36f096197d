from __future__ import annotations

import grp
import json
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from refclock.daemon import control
from refclock.daemon.control import ControlServer, ask


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "control.sock"


@contextmanager
def serving(server: ControlServer) -> Iterator[ControlServer]:
    """It answers, in a thread of its own."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            server.serve(0.05)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join()
        server.close()


@pytest.fixture
def served(path: Path) -> Iterator[ControlServer]:
    with serving(ControlServer(path, {"status": lambda _: '{"mode": "TRACK"}'})) as s:
        yield s


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


# who may ask


def test_the_socket_is_of_its_group_alone(path: Path) -> None:
    with closing(ControlServer(path, {})):
        assert stat.filemode(path.stat().st_mode) == "srw-rw----"
        assert [each.name for each in path.parent.iterdir()] == ["control.sock"]


def test_the_socket_has_the_group_of_the_service(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    group = SimpleNamespace(gr_gid=4242)
    monkeypatch.setattr(grp, "getgrnam", {"refclock": group}.__getitem__)
    monkeypatch.setattr(os, "chown", lambda _, user, gid: given.append((user, gid)))
    ControlServer(path, {}).close()
    assert given == [(-1, 4242)]


@pytest.mark.parametrize(("trusted", "everyone"), [(True, False), (False, True)])
def test_everyone_may_ask_where_that_is_set_and_is_told_less(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool, everyone: bool
) -> None:
    answers = {"status": lambda trusted: f'{{"trusted": {str(trusted).lower()}}}'}
    stranger = control._CREDENTIALS.pack(1, 4_000_000, 4_000_000)
    if everyone:
        monkeypatch.setattr(socket, "SO_PEERCRED", socket.SO_TYPE)
        monkeypatch.setattr(
            control, "_CREDENTIALS", Credentials(control._CREDENTIALS, stranger)
        )
        monkeypatch.setattr(control, "_groups", lambda _: ())
    with serving(ControlServer(path, answers, everyone=everyone)):
        assert json.loads(ask(path, "status")) == {"trusted": trusted}
        assert path.stat().st_mode & 0o777 == (0o666 if everyone else 0o660)


class Credentials:
    """As the kernel would tell of another process."""

    def __init__(self, real: struct.Struct, told: bytes) -> None:
        self.size = 4
        self._real = real
        self._told = told

    def unpack(self, _: bytes) -> tuple[int, ...]:
        return self._real.unpack(self._told)


def test_root_and_we_ourselves_are_trusted(path: Path) -> None:
    answers = {"status": str}
    with serving(ControlServer(path, answers, everyone=True)):
        assert ask(path, "status") == "True"


# what is in the way


def test_it_can_be_asked_as_soon_as_its_path_is_there(path: Path) -> None:
    refused: list[OSError] = []
    stop = threading.Event()

    def knock() -> None:
        while not stop.is_set():
            with socket.socket(socket.AF_UNIX) as asking:
                try:
                    asking.connect(str(path))
                except FileNotFoundError:
                    continue
                except OSError as error:
                    refused.append(error)

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        for _ in range(200):
            made = ControlServer(path, {})
            path.unlink()  # what closes is refused; here only what opens is asked
            made.close()
    finally:
        stop.set()
        thread.join()
    assert refused == []


@pytest.mark.parametrize("name", ["control.sock", "control.sock~"])
def test_what_is_no_socket_is_left_alone(path: Path, name: str) -> None:
    path.parent.mkdir()
    other = path.with_name(name)
    other.write_text("precious")
    with pytest.raises(FileExistsError, match="it is no socket") as refused:
        ControlServer(path, {})
    assert refused.value.filename == str(other)
    assert other.read_text() == "precious"


def test_the_socket_of_another_is_not_taken_away(path: Path) -> None:
    first = ControlServer(path, {})
    path.unlink()
    second = ControlServer(path, {})
    first.close()
    assert path.exists()
    second.close()


def test_a_path_too_long_for_a_socket_says_so(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 107)
    with pytest.raises(OSError, match="longer than the 106 bytes") as refused:
        ControlServer(long, {})
    assert refused.value.filename == str(long)
    fits = tmp_path / ("x" * (106 - len(str(tmp_path)) - 1))
    ControlServer(fits, {}).close()


# bounds


def connected(asking: socket.socket, path: Path) -> None:
    asking.settimeout(None)  # waits for a place in the queue
    asking.connect(str(path))
    asking.settimeout(5)


@pytest.mark.usefixtures("served")
def test_idle_connections_keep_nobody_from_an_answer(path: Path) -> None:
    with ExitStack() as idle:
        for _ in range(60):
            asking = idle.enter_context(socket.socket(socket.AF_UNIX))
            connected(asking, path)
        began = time.monotonic()
        assert "TRACK" in ask(path, "status")
        assert time.monotonic() - began < 1.0


def test_a_silent_connection_is_closed_after_a_while(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_PATIENCE_S", 0.1)
    with (
        serving(ControlServer(path, {})),
        socket.socket(socket.AF_UNIX) as asking,
    ):
        asking.connect(str(path))
        asking.settimeout(5)
        assert asking.recv(1) == b""


def test_who_does_not_read_a_long_answer_keeps_nobody_waiting(path: Path) -> None:
    answers = {"status": lambda _: "x" * 4_000_000, "short": lambda _: "y"}
    with (
        serving(ControlServer(path, answers)),
        socket.socket(socket.AF_UNIX) as asking,
    ):
        asking.connect(str(path))
        asking.sendall(b"status\n")
        assert ask(path, "short") == "y"
        assert len(ask(path, "status")) == 4_000_000


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("question", [b"\xff" * 70_000, b"\n", b"", b"status"])
def test_any_question_gets_an_answer(path: Path, question: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        connected(asking, path)
        with suppress(BrokenPipeError):
            asking.sendall(question)
            asking.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionResetError):
            while part := asking.recv(4096):
                answer += part
    assert b"TRACK" in answer or b"error" in answer


def test_an_answer_that_fails_is_told_and_ends_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: bool) -> str:
        raise ZeroDivisionError("a bug")

    with serving(ControlServer(path, {"status": fails})):
        for _ in range(2):
            assert "the answer failed" in json.loads(ask(path, "status"))["error"]
    assert "ZeroDivisionError: a bug" in caplog.text


def test_an_answer_without_end_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_LONGEST_ANSWER", 1_000)
    with (
        serving(ControlServer(path, {"status": lambda _: "x" * 100_000})),
        pytest.raises(TimeoutError, match="does not end"),
    ):
        ask(path, "status")
