"""A recording ends before it harms: on a full disk, a slow one, or by its length."""

from __future__ import annotations

import errno
import gzip
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from hw.sim.scenarios import SCENARIOS
from refclock.app.storage import recorder as module
from refclock.app.storage.recorder import FileRecorder, lines
from refclock.cli import main
from refclock.engine.kept.recording import Beginning, RecordingError, write
from refclock.engine.policy import EngineSettings
from refclock.events import Temperature, Tick
from refclock.timebase import ZERO, Local, Mono

TABLE = SCENARIOS["nominal"].table
BEGINNING = Beginning(EngineSettings(), TABLE, TABLE.updated, ZERO, ZERO, -30, None)


def tick(number: int) -> Tick:
    return Tick(Mono(number), Local(number), 0)


def recorded(path: Path, count: int = 5_000) -> None:
    """As a run that goes on whatever becomes of the recording."""
    recorder = FileRecorder(path, BEGINNING)
    for number in range(count):
        recorder.write(tick(number))
    recorder.close()
    recorder.write(tick(0))  # too late, and no harm


@pytest.mark.parametrize("name", ["full", "full.gz"])
def test_a_full_disk_ends_the_recording_and_nothing_else(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    path.symlink_to("/dev/full")
    recorded(path)
    (said,) = caplog.messages
    assert said.startswith(f"{path}: the recording ends: ")
    assert said.endswith("the run goes on")
    assert os.strerror(errno.ENOSPC) in said


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("_LONGEST", 20_000, "it has 20000 characters"),
        ("_RESERVE", 1 << 60, "MiB are free on its disk"),
    ],
)
def test_it_ends_before_the_disk_is_full(
    name: str,
    value: int,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, name, value)
    path = tmp_path / "run.jsonl"
    recorded(path)
    assert reason in caplog.text
    kept = list(lines(path))
    assert 1 <= len(kept) < 1_000
    assert kept[0] == BEGINNING


def test_a_disk_too_slow_ends_it_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    goes_on = threading.Event()
    real = write

    def slow(line: Any) -> str:  # noqa: ANN401 - any line
        assert goes_on.wait(10)
        return real(line)

    monkeypatch.setattr(module, "write", slow)
    monkeypatch.setattr(module, "_WAITING", 100)
    path = tmp_path / "run.jsonl"
    recorder = FileRecorder(path, BEGINNING)
    for number in range(200):
        recorder.write(tick(number))
    assert "the disk is slower than the receiver, 100 lines wait" in caplog.text
    goes_on.set()
    recorder.close()
    first, *rest = lines(path)
    assert first == BEGINNING
    assert rest == [tick(number) for number in range(len(rest))]


def test_what_is_no_number_ends_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.jsonl"
    recorder = FileRecorder(path, BEGINNING)
    recorder.write(Temperature(Mono(1), float("nan"), "cpu"))
    recorder.close()
    assert "celsius: nan is no number" in caplog.text
    assert list(lines(path)) == [BEGINNING]


# what is read


def test_a_bomb_is_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b" " * (1 << 26)))
    assert main(["replay", str(path)]) == 1
    assert "bomb.gz: a line of over 4194304 characters" in capsys.readouterr().err
    recorded(tmp_path / "long", 100)
    monkeypatch.setattr(module, "_LONGEST", 1_000)
    with pytest.raises(RecordingError, match="longer than 2000 characters"):
        list(lines(tmp_path / "long"))
