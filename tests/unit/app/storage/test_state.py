"""State over a restart: whole or not at all, and never in the engine's way."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from refclock.app.storage import state as module
from refclock.app.storage.state import StateFile, recall, remember
from refclock.discipline.bank import Bank
from refclock.engine.kept.memory import Memory
from refclock.timebase import Utc

MEMORY = Memory.parse(Memory(Bank().learned(), {}, Utc.of(2026, 11, 23)).text())
LATER = replace(MEMORY, last_good=Utc.of(2026, 11, 24))


def test_what_is_remembered_is_recalled(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.json"
    assert recall(path) is None
    remember(path, MEMORY)
    assert recall(path) == MEMORY
    remember(path, LATER)
    assert recall(path) == LATER
    assert [each.name for each in path.parent.iterdir()] == ["state.json"]


@pytest.mark.parametrize("where", ["write", "flush", "fsync", "replace"])
def test_a_torn_write_leaves_the_old(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    remember(path, MEMORY)

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    if where == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    elif where == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(Path, "open", lambda *_: Full(where))
    with pytest.raises(OSError, match="no space"):
        remember(path, LATER)
    monkeypatch.undo()
    assert recall(path) == MEMORY
    remember(path, LATER)  # once there is room
    assert recall(path) == LATER


class Full:
    """A file on a disk without room, noticed when written or when flushed."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, _: str) -> None:
        self._fail("write")

    def flush(self) -> None:
        self._fail("flush")

    def _fail(self, where: str) -> None:
        if self._where == where:
            raise OSError("no space left on device")


POISONED = json.loads(MEMORY.text())
POISONED["learned"]["jitter_s"] = 0


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (b"", "it is empty"),
        (b"\0" * 4096, "it is empty"),
        (b"{", "torn, or no JSON (line 1 column 2)"),
        (b"\xff\xfe", "it is no text"),
        (b'{"version": 1}', "it is of version 1, this program reads 2"),
        (
            json.dumps(POISONED).encode(),
            "learned.jitter_s: 0.0 is not in 5e-08 to 0.0001 s",
        ),
        (rb'{"version": 2, "\u001b[2J": 1}', "is missing"),
        (b" " * (1 << 21), "more than 1048576 bytes"),
    ],
)
def test_what_is_refused_is_set_aside_and_told_in_words(
    damage: bytes, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(damage)
    assert recall(path) is None
    (said,) = caplog.messages
    assert said.startswith(f"state.file: {path} is refused: ")
    assert reason in said
    assert said.endswith(
        f"It is kept as {path}.refused, and the oscillator is learned anew"
    )
    assert "\x1b" not in said
    assert (tmp_path / "state.json.refused").read_bytes() == damage
    assert recall(path) is None  # nothing is there now, and nothing to tell
    assert len(caplog.messages) == 1


def test_what_cannot_be_read_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert recall(tmp_path) is None
    assert f"{tmp_path}: Is a directory; starting without memory" in caplog.text


# saving


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_disk_that_stalls_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stalled, goes_on = tmp_path / "state.json", [0], threading.Event()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        stalled[0] += 1
        assert goes_on.wait(10)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with closing(StateFile(path)) as state:
        began = time.monotonic()
        state.save(MEMORY)
        until(lambda: stalled[0])
        for hour in range(24):
            state.save(replace(MEMORY, last_good=Utc.of(2026, 11, 25, hour)))
        assert time.monotonic() - began < 2
        goes_on.set()
    kept = recall(path)
    assert kept is not None
    assert kept.last_good == Utc.of(2026, 11, 25, 23)
    assert stalled[0] <= 3  # of those that waited the latest is enough


def test_a_disk_that_never_answers_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    never = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _: never.wait(20))
    monkeypatch.setattr(module, "_CLOSE_S", 0.05)
    state = StateFile(tmp_path / "state.json")
    state.save(MEMORY)
    state.close()
    assert "the disk does not answer" in caplog.text
    never.set()


def test_what_cannot_be_saved_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "state.json"
    assert MEMORY.learned is not None
    with closing(StateFile(path)) as state:
        for _ in range(3):
            state.save(MEMORY)
            until(lambda: state._next is None)
        until(lambda: state._warned)
        state.save(replace(MEMORY, learned=replace(MEMORY.learned, rate=1.0)))
    first, second = caplog.messages
    assert first.startswith(f"state.file: {tmp_path / 'file'}: ")
    assert "nothing will be remembered; name a path that the service may" in first
    assert second.startswith("not saved, the old state stays: learned.rate: 1.0 is")
