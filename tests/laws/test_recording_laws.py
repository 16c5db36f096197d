"""Of every line of a recording: it is read as it was written, or refused."""

from __future__ import annotations

import json
import typing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refclock.board.ports import Chunk
from refclock.engine.kept.recording import (
    Beginning,
    Counted,
    Entry,
    Outcome,
    RecordingError,
    read,
    write,
)
from refclock.events import Event
from refclock.timebase import Mono
from tests.laws.typed import JSON, values

KINDS: tuple[type[Entry], ...] = (
    *typing.get_args(Event),
    Outcome,
    Beginning,
    Chunk,
    Counted,
)
lines = st.sampled_from(KINDS).flatmap(values)


@given(lines)
def test_a_line_is_read_as_written(line: Entry) -> None:
    text = write(line)
    again = read(text)
    assert type(again) is type(line)
    assert write(again) == text
    if not isinstance(line, Beginning):  # what was learned is rounded
        assert again == line


@given(lines)
def test_a_line_is_one_line(line: Entry) -> None:
    assert write(line).isascii()
    assert len(write(line).splitlines()) == 1


@given(lines, st.data())
def test_a_torn_line_is_refused(line: Entry, data: st.DataObject) -> None:
    text = write(line)
    with pytest.raises(RecordingError, match="not a line of a recording"):
        read(text[: data.draw(st.integers(0, len(text) - 1))])


@given(st.text() | JSON.map(json.dumps))
@example("[" * 100_000)
@example('{"is": "Tick"}')
@example('{"is": "Tick", "mono_ns": 1, "local_ns": 1, "era": 0, "more": 1}')
@example('{"is": "Tick", "mono_ns": 1e400, "local_ns": 1, "era": 0}')
@example('{"is": ["Tick"]}')
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(RecordingError):
        read(text)


@given(lines, st.data())
def test_a_line_with_another_value_in_it_is_read_or_refused(
    line: Entry, data: st.DataObject
) -> None:
    plain = json.loads(write(line))
    plain[data.draw(st.sampled_from(sorted(plain)))] = data.draw(JSON)
    try:
        again = read(json.dumps(plain))
    except RecordingError:
        return
    assert read(write(again)) == again


def test_a_line_holds_plain_values_whose_keys_name_the_unit() -> None:
    chunk = Chunk(b"$GP\xff", Mono(1), Mono(2))
    plain = '{"is": "Chunk", "data": "244750ff", "first_ns": 1, "last_ns": 2}'
    assert write(chunk) == plain


def test_a_recording_of_another_version_says_so() -> None:
    with pytest.raises(RecordingError, match="of version 1, this program reads 2; re"):
        read('{"is": "Beginning", "version": 1, "memory": "{}"}')
