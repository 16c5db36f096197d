"""Of every line of a recording: it is read as it was written, or refused."""

from __future__ import annotations

import json
import typing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refclock.board.ports import Chunk
from refclock.engine.recording import (
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

KINDS: tuple[type[Entry], ...] = (
    *typing.get_args(Event),
    Outcome,
    Beginning,
    Chunk,
    Counted,
)
lines = st.sampled_from(KINDS).flatmap(st.from_type)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("is"), inner),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_line_of_every_kind_is_read_as_written(kind: type[Entry]) -> None:
    @given(st.from_type(kind))
    def law(line: Entry) -> None:
        again = read(write(line))
        assert type(again) is kind
        assert repr(again) == repr(line)  # NaN is not equal to itself

    law()


@given(lines)
def test_a_line_is_one_line(line: Entry) -> None:
    assert write(line).isascii()
    assert len(write(line).splitlines()) == 1


@given(lines, st.data())
def test_a_torn_line_is_refused(line: Entry, data: st.DataObject) -> None:
    text = write(line)
    with pytest.raises(RecordingError, match="not a line of a recording"):
        read(text[: data.draw(st.integers(0, len(text) - 1))])


@given(st.text() | anything.map(json.dumps))
@example("[" * 100_000)
@example('{"is": "Tick"}')
@example('{"is": "Tick", "seen": 1, "local": 1, "epoch": 0, "more": 1}')
@example('{"is": ["Tick"]}')
@example('{"is": "PulseEdge", "at": 1, "seen": 1, "seq": 1, "epoch": 0, "edge": 3}')
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(RecordingError):
        read(text)


@given(lines, st.data())
def test_a_line_with_another_value_in_it_is_read_or_refused(
    line: Entry, data: st.DataObject
) -> None:
    plain = json.loads(write(line))
    plain[data.draw(st.sampled_from(sorted(plain)))] = data.draw(anything)
    try:
        told = read(json.dumps(plain))
    except RecordingError:
        return
    assert read(write(told)) == told


def test_what_is_on_paper_is_plain() -> None:
    chunk = Chunk(b"$GP\xff", Mono(1), Mono(2))
    assert write(chunk) == '{"is": "Chunk", "data": "244750ff", "first": 1, "last": 2}'
