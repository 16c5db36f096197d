from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from refclock.app.storage.recorder import lines
from refclock.cli import main
from refclock.engine.kept.recording import RecordingError, write
from refclock.events import Tick
from refclock.timebase import Local, Mono

TICKS = [Tick(Mono(n), Local(n * n), 0) for n in range(20_000)]
TEXT = "".join(f"{write(tick)}\n" for tick in TICKS).encode()


@pytest.mark.parametrize("missing", [4, 12, 1000, 50_000])
def test_of_a_torn_gzipped_run_what_came_before_is_read(
    missing: int, tmp_path: Path
) -> None:
    path = tmp_path / "run.gz"
    path.write_bytes(gzip.compress(TEXT, mtime=0)[:-missing])
    read = list(lines(path))
    assert read == TICKS[: len(read)]
    assert len(read) > 3000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.tape", b"\xff\xfe\n"),
        ("run.gz", b"\x1f\x8b\x08\x00garbage garbage garbage"),
        ("run.gz", gzip.compress(b"\xff\xfe\n", mtime=0)),
    ],
)
def test_bytes_that_are_no_recording_are_refused(
    name: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="not a recording"):
        list(lines(path))
    assert main(["replay", str(path)]) == 1
    assert f"refclock replay: {path}: not a recording" in capsys.readouterr().err
