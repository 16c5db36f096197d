"""Of what is kept over a restart: all of it comes back, or none."""

from __future__ import annotations

import json
import typing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refclock.discipline.bank import Learned
from refclock.engine.kept.memory import KnownLag, LastGood, Memory, MemoryLostError
from refclock.label.lag import Lag
from refclock.published import ClockSnapshot
from refclock.timebase import DAY, SECOND, ZERO, Duration, Local, Mono, Tai, Utc
from tests.laws.typed import JSON, values

slopes, sigmas = st.floats(-1e-4, 1e-4), st.floats(1e-12, 1e-3)
curves = st.just(()) | st.tuples(
    st.floats(-100.0, 200.0), slopes, slopes, sigmas, sigmas
)
learned = st.fixed_dictionaries(
    {
        name: curves if name == "curve" else values(kind)
        for name, kind in typing.get_type_hints(Learned, include_extras=True).items()
    }
).map(lambda fields: Learned(**fields))
memories = st.builds(
    Memory,
    st.none() | learned,
    st.dictionaries(st.text(max_size=5), values(KnownLag), max_size=4),
    st.none() | values(Utc),
)
LEARNT = Learned(
    1e-6, 1e-9, 2e-7, (0.0, -1.0), 0.01, 10.0, 0.01, (25.0, 1e-8, 0.0, 1e-9, 1e-9)
)
WRITTEN: dict[str, Any] = json.loads(
    Memory(
        LEARNT,
        {"RMC": KnownLag(Duration(120_000_000), Duration(3_000_000), 88)},
        Utc.of(2026, 11, 23),
    ).text()
)


@given(memories)
def test_what_is_written_is_read_again_the_same(memory: Memory) -> None:
    kept = Memory.parse(memory.text())  # rounded
    assert Memory.parse(kept.text()) == kept
    assert (kept.lags, kept.last_good) == (memory.lags, memory.last_good)
    assert (kept.learned is None) == (memory.learned is None)


@given(memories, st.data())
def test_a_torn_file_is_no_memory(memory: Memory, data: st.DataObject) -> None:
    text = memory.text()
    torn = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(MemoryLostError):
        Memory.parse(torn)


@given(st.text() | JSON.map(json.dumps))
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
    room[data.draw(st.sampled_from(sorted(room)))] = data.draw(JSON)
    try:
        memory = Memory.parse(json.dumps(changed))
    except MemoryLostError:
        return
    assert Memory.parse(memory.text()) == memory


def learned_with(**values: object) -> str:
    return json.dumps(WRITTEN | {"learned": WRITTEN["learned"] | values})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": 1}', "it is of version 1, this program reads 2"),
        ("{}", "it names no version"),
        ('{"version": 2, "learned": null}', "lags: is missing"),
        (json.dumps(WRITTEN | {"last_good_ns": 1e400}), "Infinity is no number"),
        (json.dumps(WRITTEN | {"last_good_ns": 10**19}), "does not fit into 64 bits"),
        (json.dumps(WRITTEN | {"lags": {"RMC": [1, 1]}}), "lags.RMC: .* not a table"),
        (learned_with(jitter_s=0), "learned.jitter_s: 0.0 is not in 5e-08 to 0.0001 s"),
        (learned_with(omega=0.0), "learned.omega: 0.0 is not in 6e-05 to 0.0131 rad/s"),
        (learned_with(rate=1), "learned.rate: 1.0 is not in -0.001 to 0.001"),
        (learned_with(rate="NaN"), "learned.rate: 'NaN' is not a number"),
        (learned_with(share=1.0), "learned.share: 1.0 is not in 0.001 to 0.4"),
        (learned_with(evidence=3), "learned.evidence: no such key"),
        (learned_with(log_weight=[1.0]), r"learned.log_weight\[1\]: 1.0 is not in"),
        (learned_with(curve=[10**400]), r"learned.curve\[1\]: 1000.* is not a number"),
        (
            learned_with(curve=[20.0]),
            r"learned.curve: .* is not none or five values in",
        ),
        (
            learned_with(curve=[20.0, 1, 0, 0, 0]),
            r"learned.curve: .* five values in -100",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_key(text: str, message: str) -> None:
    with pytest.raises(MemoryLostError, match=message):
        Memory.parse(text)


def test_a_lag_of_another_second_is_not_kept() -> None:
    of_another = Lag(Duration(1_120_000_000), Duration(3_000_000), 60)
    lags = {
        "RMC": Lag(Duration(120_000_000), Duration(3_000_000), 60),
        "ZDA": of_another,
        "GGA": replace(of_another, mean=Duration(-880_000_000)),
        "GNS": replace(of_another, mean=ZERO, spread=SECOND),
    }
    odd = replace(LEARNT, jitter_s=1e-12, curve=(25.0, 1.0, -1.0, 1e-15, 1.0))
    kept = Memory.of(odd, lags, NOW)
    assert kept.learned_lags() == {"RMC": lags["RMC"]}
    assert kept.learned is not None
    assert kept.learned.jitter_s == 5e-8
    assert kept.learned.curve == (25.0, 1e-4, -1e-4, 1e-12, 1e-3)
    assert Memory.parse(kept.text()) == kept


def test_what_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(MemoryLostError, match=r"learned.jitter_s: 0.0 is not in"):
        Memory(replace(LEARNT, jitter_s=0.0), {}).text()
    with pytest.raises(MemoryLostError, match=r"learned.rate: nan is no number"):
        Memory(replace(LEARNT, rate=float("nan")), {}).text()


# the last good time


def served(utc: Utc, mono: Mono, stratum: int = 1) -> ClockSnapshot:
    tai = Tai(utc.ns)
    return ClockSnapshot(
        stratum=stratum,
        ref_id=b"PPS\0",
        at=mono,
        local=Local(utc.ns),
        correction=ZERO,
        rate=0.0,
        updated=tai,
        bound=SECOND,
        bound_rate=0.0,
        utc_behind_tai=ZERO,
        leap=None,
        precision=-20,
    )


NOW, BEGAN = Utc.of(2026, 11, 29), Mono(10**12)


def test_what_was_served_for_ten_minutes_is_kept() -> None:
    last = LastGood(None)
    assert last.at(served(NOW, BEGAN)) is None
    assert last.at(served(NOW + 599 * SECOND, BEGAN + 599 * SECOND)) is None
    later = NOW + 600 * SECOND
    assert last.at(served(later, BEGAN + 600 * SECOND)) == later
    assert last.at(served(later + DAY, BEGAN + 600 * SECOND, 16)) == later


@given(st.lists(st.tuples(st.integers(0, 10**18), st.integers(0, 10**13)), min_size=2))
def test_it_is_never_further_ahead_than_the_time_that_passed(
    told: list[tuple[int, int]],
) -> None:
    last, mono = LastGood(None), BEGAN
    history: list[tuple[Utc, Mono]] = []
    for utc, passed in told:
        mono += Duration(passed)
        history.append((Utc(utc), mono))
        kept = last.at(served(Utc(utc), mono))
        most = min(each + (mono - at) for each, at in history)
        assert kept is None or kept <= most + 2 * SECOND


def test_what_was_never_served_is_not_kept() -> None:
    last = LastGood(NOW)
    assert last.at(served(NOW + 8 * DAY, BEGAN, 16)) == NOW
    assert last.at(served(NOW + 8 * DAY, BEGAN + DAY, 16)) == NOW
