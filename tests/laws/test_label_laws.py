from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from refclock.events import Fix, PulseEdge, TimeMessage
from refclock.integrity.dates import unrolled
from refclock.label.labeller import Label, Labeller, LabelSettings, Predicted
from refclock.label.lag import Lag
from refclock.timebase import (
    DAY,
    MICROSECOND,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapTable,
    Local,
    Mono,
    Tai,
    Utc,
)

LEAPS = LeapTable((), 37 * SECOND, Utc.of(2025, 7, 7), Utc.of(2030, 1, 1))
START = LEAPS.tai(Utc.of(2026, 12, 1))
BOOT = Mono(10**12)


def ms(least: float, most: float) -> st.SearchStrategy[Duration]:
    ns = MILLISECOND.ns
    return st.integers(round(least * ns), round(most * ns)).map(Duration)


def mono(at: Tai) -> Mono:
    return BOOT + (at - START)


Told = list[tuple[Tai, Label]]
SCATTER = st.lists(ms(-15, 15), min_size=12, max_size=12)
JITTER = st.lists(ms(-2, 2), min_size=12, max_size=12)
LEARNED = st.none() | st.builds(Lag, ms(0, 1500), ms(1, 60), st.integers(0, 1000))


def cold(
    lags: list[Duration],
    jitter: list[Duration],
    stamps: Duration,
    learned: Lag | None,
) -> Told:
    """One sentence and one pulse a second, and no clock of ours to help."""
    labeller = Labeller(LabelSettings(), LEAPS, {"RMC": learned} if learned else {})
    events: list[tuple[Tai, TimeMessage | PulseEdge]] = []
    for k, (lag, early) in enumerate(zip(lags, jitter, strict=True)):
        second = START + k * SECOND
        at = second + early
        events.append((at, PulseEdge(Local(0), mono(at), k, 0)))
        fix = second + stamps
        seen = mono(fix + lag)
        events.append(
            (fix + lag, TimeMessage(LEAPS.posix(fix), seen, "RMC", Fix.VALID))
        )
    told: Told = []
    for at, event in sorted(events, key=lambda each: each[0]):
        if isinstance(event, TimeMessage):
            labeller.observe(event)
        elif isinstance(label := labeller.label(event, None), Label):
            told.append((at, label))
    return told


def wrong(told: Told) -> Told:
    return [each for each in told if abs(each[0] - each[1].tai) > 100 * MILLISECOND]


@given(ms(20, 900), SCATTER, JITTER, ms(0, 999))
def test_in_the_promised_range_a_label_comes_soon_and_is_never_off_by_one(
    lag: Duration, scatter: list[Duration], jitter: list[Duration], stamps: Duration
) -> None:
    lags = [max(lag + by, 19 * MILLISECOND) for by in scatter]
    told = cold(lags, jitter, stamps, None)
    assert told
    assert not wrong(told)


@given(st.lists(ms(0.1, 999), min_size=12, max_size=12), JITTER)
def test_sentences_that_scatter_over_the_whole_second_never_mislead(
    lags: list[Duration], jitter: list[Duration]
) -> None:
    late = max(jitter)
    assert not wrong(cold([lag + late for lag in lags], jitter, ZERO, None))


@given(ms(-13, 13), st.lists(ms(-1, 1), min_size=12, max_size=12), st.booleans())
def test_at_the_edge_of_the_second_there_is_no_label(
    lag: Duration, scatter: list[Duration], late: bool
) -> None:
    """It may name the second before as well as the one after."""
    lags = [lag + by + late * SECOND for by in scatter]
    assert not cold(lags, [ZERO] * 12, ZERO, None)


@given(ms(20, 900), ms(20, 900), ms(1, 12))
def test_a_lag_learned_elsewhere_never_misleads(
    lag: Duration, elsewhere: Duration, spread: Duration
) -> None:
    told = cold([lag] * 12, [ZERO] * 12, ZERO, Lag(elsewhere, spread, 99))
    assert not wrong(told)


@given(ms(20, 1400), SCATTER, JITTER)
def test_a_lag_that_was_learned_is_right_wherever_it_lies(
    lag: Duration, scatter: list[Duration], jitter: list[Duration]
) -> None:
    learned = Lag(lag, 15 * MILLISECOND, 100)
    told = cold([lag + by for by in scatter], jitter, ZERO, learned)
    assert told
    assert not wrong(told)


@given(
    st.lists(ms(-100, 3000), min_size=30, max_size=30),
    ms(-250, 250),
    st.integers(-3, 3),
)
def test_a_warm_clock_labels_whatever_the_sentences_say(
    lags: list[Duration], jitter: Duration, lie: int
) -> None:
    labeller = Labeller(LabelSettings(), LEAPS)
    for k in range(5):
        second = START + k * SECOND
        labeller.label(PulseEdge(Local(0), mono(second), k, 0), None)
        seen = mono(second + Duration(120_000_000))
        labeller.observe(TimeMessage(LEAPS.posix(second), seen, "RMC", Fix.VALID))
    for k, lag in enumerate(lags, 5):
        second = START + k * SECOND
        at = second + jitter
        told = labeller.label(
            PulseEdge(Local(0), mono(at), k, 0), Predicted(at, 20 * MICROSECOND)
        )
        assert isinstance(told, Label)
        assert told.tai == second
        labeller.observe(
            TimeMessage(
                LEAPS.posix(second + lie * SECOND),
                mono(second + lag),
                "RMC",
                Fix.VALID,
            )
        )


@given(st.lists(ms(-5000, 5000), max_size=300), st.none() | LEARNED)
def test_a_lag_stays_within_what_was_heard(
    heard: list[Duration], start: Lag | None
) -> None:
    lag = start or Lag()
    low = min([lag.mean, *heard]) if lag.count else min(heard, default=lag.mean)
    high = max([lag.mean, *heard]) if lag.count else max(heard, default=lag.mean)
    for each in heard:
        lag = lag.learn(each)
        assert lag.spread >= MILLISECOND
    assert low - Duration(1000) <= lag.mean <= high


@given(
    st.integers(0, 20 * 365 - 8).map(lambda days: Utc.of(2026, 1, 1) + days * DAY),
    st.integers(0, 2),
)
def test_a_rollover_is_undone_to_the_day_or_refused(true: Utc, turns: int) -> None:
    """A receiver may be two rollovers behind; 1980 itself is no date."""
    said = true - turns * 1024 * 7 * DAY
    found = unrolled(said, Utc.of(2026, 1, 1))
    if found is not None and turns:
        moved, by = found
        assert (true - moved).ns % (1024 * 7 * DAY.ns) == 0
        assert moved >= Utc.of(2026, 1, 1) - 7 * DAY
        assert by <= turns
    elif not turns:
        assert found == (true, 0)
