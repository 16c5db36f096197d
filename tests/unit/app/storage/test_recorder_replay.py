"""A run kept on tape and done again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hw.sim.fast import fast
from hw.sim.scenarios import SCENARIOS
from refclock.app.storage.recorder import FileRecorder, RecordedStream, lines
from refclock.board.ports import Chunk
from refclock.cli import main
from refclock.cli.replay import replay
from refclock.engine.engine import Engine
from refclock.engine.kept.recording import Beginning, Outcome, RecordingError
from refclock.engine.policy import EngineSettings
from refclock.events import Command, Event, Tick
from refclock.timebase import SECOND, ZERO, Duration, Mono

NOMINAL = SCENARIOS["nominal"]
BEGINNING = Beginning(
    EngineSettings(), NOMINAL.table, NOMINAL.table.updated, ZERO, ZERO, -30, None
)


class Recorded(Engine):
    """An engine that keeps what it is told, as the daemon does."""

    tape: FileRecorder

    def handle(self, event: Event) -> tuple[Command, ...]:
        commands = super().handle(event)
        self.tape.write(event)
        if commands or isinstance(event, Tick):
            self.tape.write(Outcome(commands, self.snapshot))
        return commands


def recorded(path: Path) -> Path:
    engine = Recorded(
        BEGINNING.settings, BEGINNING.leaps, BEGINNING.floor, precision=-30
    )
    engine.tape = FileRecorder(path, BEGINNING)
    for _ in fast(NOMINAL, engine, hours=0.01, seed=3):
        pass
    engine.tape.close()
    return path


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.gz"])
def test_a_recorded_run_is_done_again_bit_for_bit(name: str, tmp_path: Path) -> None:
    told = replay(recorded(tmp_path / name))
    assert told["difference"] is None
    assert told["mode"] == "TRACK"
    assert told["outcomes"] > 60
    assert 34 < told["seconds"] < 37


def test_the_first_difference_is_told_by_line(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.jsonl")
    kept = path.read_text().splitlines(keepends=True)
    outcomes = [n for n, line in enumerate(kept) if '"is": "Outcome"' in line]
    at = outcomes[20]
    said = json.loads(kept[at])
    said["snapshot"]["correction_ns"] += 1
    kept[at] = json.dumps(said) + "\n"
    path.write_text("".join(kept))
    assert replay(path)["difference"] == at + 1
    assert main(["replay", str(path)]) == 1


def test_another_engine_does_otherwise(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.jsonl")
    first, *rest = path.read_text().splitlines(keepends=True)
    said = json.loads(first)
    said["latency_ns"] = 100
    path.write_text(json.dumps(said) + "\n" + "".join(rest))
    assert replay(path)["difference"] is not None


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.jsonl")
    whole = list(lines(path))
    path.write_bytes(path.read_bytes()[:-9])
    assert list(lines(path)) == whole[:-1]


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "empty"), ("{}\n", "not a line"), ("what?\n", "not a line")],
)
def test_what_is_no_recording_is_refused(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(RecordingError, match=says):
        replay(path)
    assert main(["replay", str(path)]) == 1
    assert "x.jsonl" in capsys.readouterr().err


def test_facts_without_a_beginning_are_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.jsonl")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(RecordingError, match="how the engine was made"):
        replay(path)


def test_the_receivers_bytes_are_kept_as_they_pass(tmp_path: Path) -> None:
    chunk = Chunk(b"$GPRMC\r\n", Mono(1), Mono(2))

    class Stream:
        name = "a line"
        bits_per_second = 9600
        closed = False
        written = b""

        def read(self, limit: Duration) -> Chunk | None:
            return chunk if limit == SECOND else None

        def write(self, data: bytes) -> None:
            self.written += data

        def close(self) -> None:
            self.closed = True

    stream = Stream()
    tape = FileRecorder(tmp_path / "run.jsonl", replace(BEGINNING, precision=-20))
    tapped = RecordedStream(stream, tape)
    assert tapped.read(SECOND) == chunk
    assert tapped.read(ZERO) is None
    tapped.write(b"hello")
    tapped.close()
    tape.close()
    tape.write(chunk)  # too late, and no harm
    assert (tapped.name, tapped.bits_per_second) == ("a line", 9600)
    assert (stream.written, stream.closed) == (b"hello", True)
    beginning, kept = lines(tmp_path / "run.jsonl")
    assert (beginning, kept) == (replace(BEGINNING, precision=-20), chunk)
