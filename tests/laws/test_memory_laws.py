"""Of what is kept over a restart: all of it comes back, or none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refclock.discipline.bank import Learned
from refclock.engine.memory import Memory, MemoryLostError
from refclock.label.lag import Lag
from refclock.timebase import Duration, Utc

numbers = st.floats(allow_nan=False, allow_infinity=False)
lists = st.lists(numbers, max_size=12).map(tuple)
durations = st.builds(Duration, st.integers())
learned = st.builds(
    Learned,
    rate=numbers,
    rate_sigma=numbers,
    jitter_s=numbers,
    log_weight=lists,
    share=numbers,
    scale=numbers,
    omega=numbers,
    curve=lists,
)
memories = st.builds(
    Memory,
    st.none() | learned,
    st.dictionaries(st.text(), st.builds(Lag, durations, durations, st.integers())),
    st.builds(Utc, st.integers()),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
WRITTEN: dict[str, Any] = json.loads(
    Memory(
        Learned(1e-6, 1e-9, 2e-7, (0.0, -1.0), 0.01, 10.0, 0.01, (25.0, 1e-8)),
        {"RMC": Lag(Duration(120_000_000), Duration(3_000_000), 88)},
        Utc.of(2026, 11, 23),
    ).text()
)


@given(memories)
def test_what_is_written_is_read(memory: Memory) -> None:
    assert Memory.parse(memory.text()) == memory


@given(memories, st.data())
def test_a_torn_file_is_no_memory(memory: Memory, data: st.DataObject) -> None:
    text = memory.text()
    torn = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(MemoryLostError):
        Memory.parse(torn)


@given(st.text() | anything.map(json.dumps))
@example("[" * 100_000)
@example("")
def test_any_other_text_is_no_memory(text: str) -> None:
    with pytest.raises(MemoryLostError):
        Memory.parse(text)


@given(st.data())
def test_a_memory_with_another_value_in_it_is_one_of_ours_or_none(
    data: st.DataObject,
) -> None:
    changed = json.loads(json.dumps(WRITTEN))
    room = data.draw(st.sampled_from([changed, changed["learned"], changed["lags"]]))
    room[data.draw(st.sampled_from(sorted(room)))] = data.draw(anything)
    try:
        memory = Memory.parse(json.dumps(changed))
    except MemoryLostError:
        return
    assert Memory.parse(memory.text()) == memory


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"version": 2}', "of version 2, we read 1"),
        ('{"version": 1, "learned": null, "lags": {}}', "last_good_ns"),
        (json.dumps(WRITTEN | {"last_good_ns": 1e400}), "torn or not ours"),
        (json.dumps(WRITTEN | {"lags": {"RMC": ["x", 1, 1]}}), "torn or not ours"),
        (json.dumps(WRITTEN | {"lags": {"RMC": [1, 1, "x"]}}), "torn or not ours"),
        (json.dumps(WRITTEN | {"lags": {"RMC": [1, 1]}}), "torn or not ours"),
        (
            json.dumps(WRITTEN | {"learned": WRITTEN["learned"] | {"rate": "NaN"}}),
            "torn or not ours",
        ),
        (
            json.dumps(WRITTEN | {"learned": WRITTEN["learned"] | {"evidence": 3}}),
            "torn or not ours",
        ),
        (
            json.dumps(
                WRITTEN | {"learned": WRITTEN["learned"] | {"curve": [10**400]}}
            ),
            "torn or not ours",
        ),
        (
            json.dumps(
                WRITTEN | {"learned": WRITTEN["learned"] | {"rate": float("inf")}}
            ),
            "inf is no number",
        ),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(MemoryLostError, match=says):
        Memory.parse(text)
