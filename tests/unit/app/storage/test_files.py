from __future__ import annotations

import os
from pathlib import Path

import pytest

from refclock.app.storage.files import read_at_most


def test_no_more_is_read_than_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_at_most(path, 10) == b"12345"
    assert read_at_most(path, 3) == b"1234"
    assert read_at_most(Path("/dev/zero"), 3) == bytes(4)


def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert read_at_most(pipe, 10) == b""
    writer = os.open(pipe, os.O_RDWR)
    assert read_at_most(pipe, 10) == b""
    os.close(writer)


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_at_most(tmp_path / "none", 1)
    with pytest.raises(IsADirectoryError):
        read_at_most(tmp_path, 1)
