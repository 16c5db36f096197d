from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from refclock.diagnose.words import sentence
from refclock.events import Edge, Fix, PulseEdge, SourceId, TimeMessage, Witness
from refclock.label.labeller import (
    OTHER_EDGE,
    OWN_CLOCK,
    Label,
    Labeller,
    LabelSettings,
    Predicted,
    Unlabelled,
)
from refclock.label.lag import Lag
from refclock.timebase import (
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

LEAPS = LeapTable.parse(
    "#$ 3960000000\n#@ 4200000000\n3644697600 36\n3692217600 37\n"  # 2015-07, 2017-01
)
START = LEAPS.tai(Utc.of(2026, 12, 1, 12))
BOOT = Mono(100 * SECOND.ns)
LOCAL = Local(Utc.of(2001, 9, 11).ns)
"""The local clock is of no use to begin with."""
WARM = 50 * MICROSECOND


def s(seconds: float) -> Duration:
    return Duration.from_seconds(seconds)


def mono(at: Tai) -> Mono:
    return BOOT + (at - START)


@dataclass(frozen=True)
class Says:
    """One kind of sentence and its habits."""

    kind: str = "RMC"
    lag: Callable[[float], float] = lambda _: 0.12
    """Seconds after the moment named, by the time of the run."""
    named: Callable[[float], float] = lambda t: t
    """What it names, s after the start, of what is true."""
    every: float = 1.0
    fix: Fix = Fix.VALID
    queued: bool = False


@dataclass
class Sky:
    """A receiver, its pulse, and a labeller that hears them. A warm clock of ours
    is right to 50 us once something was labelled."""

    says: tuple[Says, ...] = (Says(),)
    jitter: float = 0.003
    flanks: tuple[tuple[Edge, float], ...] = ((Edge.ASSERT, 0.0),)
    pulses: Callable[[int], bool] = lambda _: True
    warm: bool = True
    settings: LabelSettings = field(default_factory=LabelSettings)
    lags: dict[str, Lag] = field(default_factory=dict)
    seed: int = 1

    def __post_init__(self) -> None:
        self.labeller = Labeller(self.settings, LEAPS, self.lags)
        self.dice = Random(self.seed)
        self.error: Duration | None = None
        self.ahead: list[Duration | None] = []
        self.reasons: list[str] = []
        self.labels: list[tuple[Tai, Label]] = []

    def run(self, seconds: int, start: int = 0) -> Sky:
        events = sorted(self._events(start, start + seconds), key=lambda e: e[0].ns)
        for at, event in events:
            if isinstance(event, TimeMessage):
                self.ahead.append(self.labeller.observe(event))
            else:
                self._edge(at, event)
        return self

    @property
    def wrong(self) -> list[tuple[Tai, Label]]:
        return [
            (true, label)
            for true, label in self.labels
            if abs(label.tai - true) > 200 * MILLISECOND
        ]

    def _edge(self, at: Tai, event: PulseEdge) -> None:
        predicted = None
        if self.warm and self.error is not None:
            predicted = Predicted(at + self.error, WARM)
        told = self.labeller.label(event, predicted)
        if isinstance(told, Unlabelled):
            self.reasons.append(sentence(told.reason))
        else:
            self.labels.append((at, told))
            if self.error is None:
                self.error = (told.tai - at).rounded(SECOND)

    def _events(self, a: int, b: int) -> Iterator[tuple[Tai, TimeMessage | PulseEdge]]:
        for k in range(a, b):
            for edge, after in self.flanks:
                if self.pulses(k):
                    at = START + s(k + after + self.dice.gauss(0.0, 1e-6))
                    yield at, PulseEdge(LOCAL, mono(at), k, 0, edge)
        for says in self.says:
            t = float(a)
            while t < b:
                late = says.lag(t) + self.dice.gauss(0.0, self.jitter)
                at = START + s(t + late)
                utc = LEAPS.posix(START + s(says.named(t)))
                yield (
                    at,
                    TimeMessage(utc, mono(at), says.kind, says.fix, queued=says.queued),
                )
                t = round(t + says.every, 6)


@pytest.mark.parametrize("lag", [0.02, 0.12, 0.45, 0.5, 0.505, 0.51, 0.7, 0.9])
@pytest.mark.parametrize("warm", [True, False])
def test_whatever_the_lag_the_second_is_right(lag: float, *, warm: bool) -> None:
    sky = Sky((Says(lag=lambda _: lag),), jitter=0.001, warm=warm).run(60)
    assert not sky.wrong
    assert len(sky.labels) > 50
    assert sky.labels[0][0] - START < 5 * SECOND
    learned = sky.labeller.lags()["RMC"]
    assert abs(learned.mean.seconds - lag) < 0.002
    assert learned.spread < 10 * MILLISECOND


def test_a_lag_learned_is_not_needed_again() -> None:
    first = Sky((Says(lag=lambda _: 0.505),)).run(60)
    again = Sky((Says(lag=lambda _: 0.505),), lags=dict(first.labeller.lags()))
    assert not again.run(20).wrong
    assert again.labels[0][0] - START < 5 * SECOND


def test_a_lag_that_drifts_across_half_a_second_and_a_whole_one_flips_nothing() -> None:
    sky = Sky((Says(lag=lambda t: 0.3 + t * 0.001),)).run(1000)
    assert not sky.wrong
    assert set(sky.ahead[10:]) == {ZERO}
    assert abs(sky.labeller.lags()["RMC"].mean.seconds - 1.3) < 0.1


@pytest.mark.parametrize("lag", [-0.005, 0.0, 0.005, 0.99, 0.995, 1.0, 1.01])
def test_near_a_whole_second_nobody_guesses(lag: float) -> None:
    sky = Sky((Says(lag=lambda _: lag),), jitter=0.0002).run(30)
    assert not sky.labels
    assert "so near the pulse" in sky.reasons[-1]


@pytest.mark.parametrize("lag", [0.97, 1.0, 1.03])
def test_near_a_whole_second_a_lag_learned_before_decides(lag: float) -> None:
    known = {"RMC": Lag(s(1.0), 20 * MILLISECOND, 500)}
    sky = Sky((Says(lag=lambda _: lag),), lags=known).run(30)
    assert sky.labels
    assert not sky.wrong


@pytest.mark.parametrize("lag", [0.58, 0.7, 0.85])
def test_a_lag_learned_at_another_speed_of_the_line_does_not_mislead(
    lag: float,
) -> None:
    known = {"RMC": Lag(s(0.12), 5 * MILLISECOND, 500)}
    sky = Sky((Says(lag=lambda _: lag),), lags=known).run(30)
    assert sky.labels
    assert not sky.wrong


@pytest.mark.parametrize("to", [0.3, 0.55, 0.67, 0.72, 0.9, 1.06, 1.2])
def test_a_lag_that_steps_is_no_change_of_the_second(to: float) -> None:
    sky = Sky((Says(lag=lambda t: 0.12 if t < 60 else to),)).run(600)
    assert not sky.wrong
    assert set(sky.ahead) <= {None, ZERO}
    assert abs(sky.labeller.lags()["RMC"].mean.seconds - to) < 0.02


@pytest.mark.parametrize("by", [-18, -3, -1, 1, 3, 18])
def test_sentences_that_change_the_second_are_told_and_not_followed(by: int) -> None:
    says = Says(named=lambda t: t if t < 60 else t + by)
    sky = Sky((says, Says("GGA", lambda _: 0.2, says.named))).run(100)
    assert not sky.wrong
    assert set(sky.ahead[20:120]) == {ZERO}
    assert set(sky.ahead[120:]) == {by * SECOND}
    sky.labeller.adopt(by * SECOND)
    assert sky.error is not None
    sky.error += by * SECOND
    for pulses in (False, True):
        sky.pulses = {True: lambda _: True, False: lambda _: False}[pulses]
        sky.ahead.clear()
        sky.run(10, 110 if pulses else 100)
        assert set(sky.ahead) == {ZERO}


def test_a_second_sent_twice_of_which_one_is_heard_is_no_lateness() -> None:
    """Sentences of one time of day are taken for one burst."""
    sky = Sky((Says(named=lambda t: t + 1),), warm=False).run(60)
    sky.says, sky.warm = (Says(),), True
    sky.ahead.clear()
    sky.run(20, 61)
    assert set(sky.ahead) == {-SECOND}


def test_a_second_taken_back_after_a_silence_is_no_lateness() -> None:
    early = Says(named=lambda t: t + 3)
    sky = Sky((early,)).run(60)
    sky.says = ()
    sky.run(40, 60)
    sky.says = (Says(),)
    sky.ahead.clear()
    sky.run(20, 100)
    assert set(sky.ahead) == {-3 * SECOND}


def test_a_kind_never_heard_that_is_seconds_off_is_told_and_not_learned() -> None:
    sky = Sky((Says(), Says("ZDA", lambda _: 0.3, lambda t: t + 3))).run(30)
    assert not sky.labels
    sky = Sky().run(20)
    sky.says = (Says(), Says("ZDA", lambda _: 0.3, lambda t: t + 3))
    sky.ahead.clear()
    sky.run(10, 20)
    assert sky.ahead.count(3 * SECOND) == 10
    assert "ZDA" not in sky.labeller.lags()


def test_a_kind_never_heard_that_comes_far_too_late_is_told() -> None:
    sky = Sky().run(20)
    sky.says = (Says(), Says("ZDA", lambda _: 1.7))
    sky.ahead.clear()
    sky.run(10, 20)
    assert sky.ahead.count(-SECOND) >= 9


def test_a_lag_near_a_second_that_scatters_may_be_over_it() -> None:
    still = Sky((Says(lag=lambda _: 0.95),), jitter=0.0, warm=False).run(20)
    assert still.labels
    lags = (0.96, 0.92, 0.94)
    sky = Sky((Says(lag=lambda t: lags[int(t) % 3]),), jitter=0.0, warm=False).run(20)
    assert not sky.labels


def test_a_lag_learned_does_not_help_where_sentences_scatter_over_half_a_second() -> (
    None
):
    known = {"RMC": Lag(s(0.5), 60 * MILLISECOND, 500)}
    lags = (0.5, 0.5, 0.99)
    sky = Sky(
        (Says(lag=lambda t: lags[int(t) % 3]),), jitter=0.0, warm=False, lags=known
    ).run(20)
    assert not sky.labels


def test_the_end_of_a_long_burst_comes_a_second_late_and_misleads_nobody() -> None:
    sky = Sky((Says(lag=lambda _: 0.18), Says("ZDA", lambda _: 1.05))).run(60)
    assert not sky.wrong
    assert len(sky.labels) > 50
    assert set(sky.ahead) == {None, ZERO}
    assert abs(sky.labeller.lags()["ZDA"].mean.seconds - 1.05) < 0.01


@pytest.mark.parametrize("hz", [5, 10])
def test_five_and_ten_fixes_a_second(hz: int) -> None:
    rmc = Says("RMC", lambda _: 0.08, every=1 / hz)
    sky = Sky((rmc, Says("GGA", lambda _: 0.09, every=1 / hz))).run(20)
    assert not sky.wrong
    assert len(sky.labels) > 15
    assert abs(sky.labeller.lags()["RMC"].mean.seconds - 0.08) < 0.005


@pytest.mark.parametrize("fraction", [0.408, 0.77, 0.799, 0.98, 0.997, 0.02])
def test_a_fix_that_is_not_on_the_second(fraction: float) -> None:
    """The stamp is of the fix, so is the lag; the pulse is on the second."""
    fix = Says(lag=lambda _: 0.3 + fraction, named=lambda t: t + fraction)
    sky = Sky((fix,)).run(30)
    assert not sky.wrong
    assert sky.labels


def test_stamps_that_drift_against_the_second() -> None:
    fix = Says(lag=lambda t: 0.3 + t * 2e-3, named=lambda t: t + t * 2e-3)
    assert not Sky((fix,)).run(600).wrong


def test_truncated_stamps_name_the_second_they_mean() -> None:
    """110802.99, 110803.99, 110805.00."""
    sky = Sky((Says(named=lambda t: t - 0.01 if t < 10 else t),)).run(30)
    assert not sky.wrong
    assert sky.labels[0][0] - START < 5 * SECOND


def test_the_time_of_output_before_the_time_of_the_fix() -> None:
    zda = Says("ZDA", lambda _: 0.1, lambda t: t + 0.04)
    sky = Sky((zda, Says("RMC", lambda _: 0.15))).run(30)
    assert not sky.wrong
    assert len(sky.labels) > 20


def test_a_time_reckoned_ahead_of_its_burst_has_no_vote() -> None:
    gll = Says("GLL", lambda _: 0.4, lambda t: t + 1)
    sky = Sky((Says("RMC", lambda _: 0.1), gll)).run(30)
    assert sky.labels
    assert not sky.wrong


def test_kinds_that_name_different_seconds_name_none() -> None:
    ptnta = Says("ZDA", lambda _: 0.4, lambda t: t + 17)
    sky = Sky((Says(), ptnta)).run(30)
    assert not sky.labels


def test_kinds_a_second_apart_contradict_each_other() -> None:
    zda = Says("ZDA", lambda _: 2.05, lambda t: t + 1, every=2.0)
    sky = Sky((Says(every=2.0), zda), warm=False).run(30)
    assert "RMC and ZDA name different seconds" in sky.reasons
    assert not sky.wrong


def test_names_that_go_back_make_all_before_them_void() -> None:
    """A kind that comes seldom still says what was wrong, for a while."""
    rmc = Says(named=lambda t: t + 3 if t < 17 else t)
    zda = Says("ZDA", lambda _: 0.05, rmc.named, every=4.0)
    sky = Sky((rmc, zda), warm=False).run(24)
    later = [true for true, _ in sky.labels if true - START > s(17.5)]
    assert s(19.5) < later[0] - START < s(21.5)
    assert not [true for true, _ in sky.wrong if true in later]


def test_a_cold_labeller_has_nothing_to_move() -> None:
    labeller = Labeller(LabelSettings(), LEAPS)
    labeller.adopt(SECOND)
    assert labeller.confirmed(SECOND) is None


@pytest.mark.parametrize("fix", [Fix.NONE, Fix.ESTIMATED, Fix.CONTRADICTION])
def test_without_a_fix_there_is_no_second(fix: Fix) -> None:
    sky = Sky((Says(fix=fix),)).run(20)
    assert not sky.labels
    assert sky.reasons[-1].startswith("the receiver has no fix")


def test_sentences_that_queued_are_not_used() -> None:
    sky = Sky((Says(lag=lambda t: 0.3 + t / 10, queued=True),)).run(20)
    assert not sky.labels
    assert "saturated" in sky.reasons[-1]


def test_zda_alone_is_believed_only_where_that_is_allowed() -> None:
    zda = Says("ZDA", fix=Fix.UNKNOWN)
    assert not Sky((zda,)).run(20).labels
    allowed = Sky((zda,), settings=LabelSettings(trust_zda_alone=True)).run(20)
    assert allowed.labels
    assert not allowed.wrong


def test_zda_is_believed_while_another_vouches_and_no_longer() -> None:
    zda = Says("ZDA", lambda _: 0.3, lambda t: t + 0.2, fix=Fix.UNKNOWN)
    sky = Sky((Says(), zda)).run(20)
    assert sky.labeller.lags()["ZDA"].known
    sky.says = (Says(fix=Fix.NONE), zda)
    sky.ahead.clear()
    sky.run(20, 20)
    assert set(sky.ahead) == {None}


def test_irregular_pulses_begin_nothing() -> None:
    noise = tuple((Edge.ASSERT, k * 0.07) for k in range(14))
    sky = Sky(flanks=noise, warm=False).run(20)
    assert not [true for true, _ in sky.wrong]


def test_a_pulse_that_comes_twice_is_used_once() -> None:
    sky = Sky(flanks=((Edge.ASSERT, 0.0), (Edge.ASSERT, 0.03))).run(30)
    assert len(sky.labels) > 20
    late = [true for true, label in sky.labels if true - label.tai > 20 * MILLISECOND]
    assert not late
    assert any("within a second" in reason for reason in sky.reasons)
    assert any("within the second" in reason for reason in sky.reasons)


def test_a_glitch_before_the_pulse_does_not_cost_the_pulse() -> None:
    sky = Sky().run(20)
    sky.flanks = ((Edge.ASSERT, -0.02), (Edge.ASSERT, 0.0))
    sky.labels.clear()
    sky.run(10, 20)
    right = [true for true, label in sky.labels if abs(true - label.tai) < MILLISECOND]
    assert len(right) == 10


@pytest.mark.parametrize("width", [0.001, 0.1, 0.45])
def test_of_both_flanks_the_rising_one_of_a_short_pulse(width: float) -> None:
    sky = Sky(flanks=((Edge.ASSERT, 0.0), (Edge.CLEAR, width))).run(30)
    assert len(sky.labels) > 20
    assert not [1 for true, label in sky.labels if true - label.tai > MILLISECOND]
    clear = PulseEdge(LOCAL, mono(START + s(29 + width)), 0, 0, Edge.CLEAR)
    assert sky.labeller.label(clear, None) is OTHER_EDGE


TURNED_ROUND = ((Edge.CLEAR, 0.0), (Edge.ASSERT, 0.1))
LONG = ((Edge.ASSERT, 0.0), (Edge.CLEAR, 0.8))
"""Of both the shorter state begins with the falling edge."""
LEARNED = {"RMC": Lag(s(0.2), s(0.004), 60)}
by_widths_alone = pytest.mark.parametrize("edges", [TURNED_ROUND, LONG])


@by_widths_alone
def test_a_short_pulse_turned_round_or_a_long_one_cannot_be_told(
    edges: tuple[tuple[Edge, float], ...],
) -> None:
    sky = Sky(flanks=edges).run(30)
    assert not sky.labels
    assert 'set pulse.edge to "assert"' in sky.reasons[-1]


@by_widths_alone
def test_a_lag_learned_before_tells(edges: tuple[tuple[Edge, float], ...]) -> None:
    sky = Sky((Says(lag=lambda _: 0.2),), flanks=edges, lags=dict(LEARNED)).run(30)
    assert len(sky.labels) > 20
    assert not [1 for true, label in sky.labels if abs(true - label.tai) > MILLISECOND]


def test_a_lag_that_scatters_as_far_as_the_edges_are_apart_does_not() -> None:
    loose = {"RMC": Lag(s(0.2), s(0.03), 60)}
    says = (Says(lag=lambda _: 0.2),)
    assert not Sky(says, flanks=TURNED_ROUND, lags=loose).run(30).labels


def test_a_lag_remembered_that_scatters_widely_names_no_second() -> None:
    """Of 900 +- 250 ms, a sentence 122 ms late looks like one of the second before."""
    loose = {"RMC": Lag(s(0.9), s(0.25), 60)}
    sky = Sky((Says(lag=lambda _: 0.122),), lags=loose).run(20)
    assert sky.labels
    assert not sky.wrong


def test_a_line_that_tells_falling_flanks_only() -> None:
    sky = Sky(flanks=((Edge.CLEAR, 0.0),)).run(30)
    assert len(sky.labels) > 20


def test_missed_flanks_do_not_turn_the_pulse_round() -> None:
    sky = Sky(flanks=((Edge.ASSERT, 0.0), (Edge.CLEAR, 0.1))).run(20)
    sky.flanks = ((Edge.CLEAR, 0.1),)
    sky.labels.clear()
    sky.run(2, 20)
    assert not sky.labels
    sky.run(10, 22)
    assert sky.labels, "the other flank is gone for good"


def test_stray_flanks_now_and_then_do_not_turn_the_pulse_round() -> None:
    """Each stray one ends the long state early, and so speaks for the other flank."""
    good = ((Edge.ASSERT, 0.0), (Edge.CLEAR, 0.1))
    sky = Sky(flanks=good).run(20)
    for k in range(20, 60, 4):
        sky.flanks = (*good, (Edge.ASSERT, 0.8), (Edge.CLEAR, 0.85))
        sky.run(2, k)
        sky.flanks = good
        sky.labels.clear()
        sky.run(2, k + 2)
        assert len(sky.labels) == 2
        assert all(label.tai - true < MILLISECOND for true, label in sky.labels)


def test_a_wire_that_is_turned_round_is_noticed() -> None:
    sky = Sky(flanks=((Edge.ASSERT, 0.0), (Edge.CLEAR, 0.1))).run(20)
    sky.flanks = ((Edge.CLEAR, 0.0), (Edge.ASSERT, 0.1))
    sky.run(5, 20)
    sky.labels.clear()
    sky.run(10, 25)
    assert len(sky.labels) == 10
    assert all(abs(label.tai - true) < MILLISECOND for true, label in sky.labels)


def test_a_pulse_far_from_our_second_has_no_second() -> None:
    sky = Sky().run(20)
    sky.flanks = ((Edge.ASSERT, 0.4),)
    sky.labels.clear()
    sky.run(5, 20)
    assert not sky.labels
    assert "0.400 s from the second" in sky.reasons[-1]


def test_a_pulse_that_jumped_a_little_is_labelled_for_others_to_judge() -> None:
    sky = Sky().run(20)
    sky.flanks = ((Edge.ASSERT, 0.15),)
    sky.labels.clear()
    sky.run(5, 20)
    assert len(sky.labels) == 5


def test_our_own_clock_needs_no_sentence_and_says_so() -> None:
    sky = Sky().run(20)
    sky.says = ()
    sky.labels.clear()
    sky.run(3000, 20)
    assert len(sky.labels) == 3000
    assert {label.by for _, label in sky.labels} == {OWN_CLOCK}
    assert not sky.wrong


def test_an_own_clock_that_no_pulse_confirmed_labels_nothing() -> None:
    """Sentences alone may have set it, by a lag nobody knew."""
    sky = Sky((Says(lag=lambda _: 0.9),))
    sky.error = s(0.65)
    sky.run(20)
    assert sky.labels
    assert not sky.wrong


def test_after_a_stop_of_the_clock_all_is_heard_anew() -> None:
    sky = Sky().run(20)
    sky.labeller.forget()
    sky.error = None
    sky.labels.clear()
    sky.run(10, 20)
    assert sky.labels[0][0] - START > 22 * SECOND
    assert sky.labels[0][1].by == "RMC"
    assert sky.labeller.lags()["RMC"].count > 20


def test_old_sentences_name_nothing() -> None:
    sky = Sky(pulses=lambda _: False).run(10)
    sky.says, sky.pulses = (), lambda _: True
    sky.run(10, 30)
    assert not sky.labels
    assert "waiting for 3 sentences" in sky.reasons[-1]


def test_a_second_60_is_the_one_after_59_and_its_pulse_has_no_name() -> None:
    labeller = Labeller(LabelSettings(), LEAPS)
    midnight = Utc.of(2017, 1, 1)
    leap_second = TimeMessage(midnight, BOOT, "RMC", Fix.VALID, leap_second=True)
    last = LEAPS.tai(midnight - SECOND)
    assert labeller.tai(leap_second) == last + SECOND
    assert labeller.tai(TimeMessage(midnight, BOOT, "RMC", Fix.VALID)) == (
        last + 2 * SECOND
    )
    found: dict[int, Label | Unlabelled] = {}
    for k in range(-6, 4):
        seen = BOOT + k * SECOND
        tai = last + k * SECOND
        predicted = Predicted(tai, WARM) if k > -2 else None
        found[k] = labeller.label(PulseEdge(LOCAL, seen, k, 0), predicted)
        utc = LEAPS.utc(tai)
        labeller.observe(
            TimeMessage(
                utc or midnight,
                seen + s(0.1),
                "RMC",
                Fix.VALID,
                leap_second=utc is None,
            )
        )
    assert [isinstance(found[k], Label) for k in (-2, -1, 0, 1, 2, 3)] == [
        True,
        True,
        True,
        False,
        True,
        True,
    ]
    assert "PULSE_OF_LEAP_SECOND" in str(found[1])
    assert found[2] == Label(last + 2 * SECOND, OWN_CLOCK)


# witnesses


def told(
    at: Tai, spread: float, source: str = "ntp.example", ahead: float = 0.0
) -> Witness:
    """A witness who is `ahead` of the truth."""
    utc = LEAPS.posix(at + s(ahead))
    return Witness(
        SourceId(source), Duration(utc.ns - LOCAL.ns), LOCAL, mono(at), 0, s(spread)
    )


@pytest.mark.parametrize("lag", [0.0, 0.01, 0.995, 1.1, 1.2])
def test_near_a_whole_second_a_witness_decides(lag: float) -> None:
    sky = Sky((Says(lag=lambda _: lag),))
    sky.labeller.witness(told(START, 0.05, ahead=0.02))
    sky.run(20)
    assert sky.labels
    assert not sky.wrong
    assert sky.labels[0][1].by == "ntp.example"


def test_a_witness_against_the_sentences_stops_the_label() -> None:
    sky = Sky((Says(named=lambda t: t + 3),))
    sky.labeller.witness(told(START, 0.05))
    sky.run(20)
    assert not sky.labels
    assert "the receiver is +3 s from what ntp.example says" in sky.reasons[-1]


def test_a_single_false_witness_is_outvoted() -> None:
    sky = Sky((Says(),))
    sky.labeller.witness(told(START, 0.05, "a", ahead=2.0))
    sky.labeller.witness(told(START, 0.05, "b"))
    sky.run(10)
    assert sky.labels, "one against one tells nothing"
    sky.labeller.forget()
    for name, ahead in (("a", 2.0), ("b", 0.0), ("c", 0.0)):
        sky.labeller.witness(told(START, 0.05, name, ahead))
    sky.labels.clear()
    sky.error = None
    sky.run(10, 10)
    assert sky.labels
    assert not sky.wrong


def test_a_witness_that_may_be_nearly_a_second_wrong_tells_nothing() -> None:
    sky = Sky((Says(lag=lambda _: 1.0),))
    sky.labeller.witness(told(START, 0.91))
    assert not sky.run(10).labels
    sky.labeller.forget()
    sky.labeller.witness(told(START, 0.05))
    assert not sky.run(10, 2000).labels, "it is too old by then"


def test_a_witness_of_ten_minutes_ago_still_tells() -> None:
    sky = Sky((Says(lag=lambda _: 1.0),))
    sky.labeller.witness(told(START, 0.05))
    assert sky.run(10, 600).labels
    assert not sky.wrong


def test_a_witness_alone_labels_nothing() -> None:
    sky = Sky(())
    sky.labeller.witness(told(START, 0.001))
    assert not sky.run(10).labels


def test_a_witness_far_from_all_sentences_decides_nothing() -> None:
    sky = Sky((Says(lag=lambda _: 1.0),))
    sky.labeller.witness(told(START, 0.05, ahead=40.0))
    assert not sky.run(10).labels


def test_whom_the_witness_sides_with() -> None:
    sky = Sky((Says(named=lambda t: t if t < 20 else t - 3),))
    assert sky.labeller.confirmed(-3 * SECOND) is None
    sky.run(30)
    assert sky.labeller.confirmed(-3 * SECOND) is None
    sky.labeller.witness(told(START + s(25), 0.05))
    assert sky.labeller.confirmed(-3 * SECOND) is False
    sky.labeller.witness(told(START + s(25), 0.05, ahead=-3.0))
    assert sky.labeller.confirmed(-3 * SECOND) is True
    sky.labeller.witness(told(START + s(25), 0.05, ahead=-30.0))
    assert sky.labeller.confirmed(-3 * SECOND) is None


# sentences alone


def test_a_sentence_alone_is_worth_its_lag() -> None:
    sky = Sky((Says(lag=lambda _: 0.3),)).run(200)
    utc = LEAPS.posix(START + s(300))
    seen = mono(START + s(300.31))
    alone = sky.labeller.sample_from(TimeMessage(utc, seen, "RMC", Fix.VALID))
    assert alone is not None
    assert alone.tai == START + s(300)
    assert abs(alone.mono - mono(START + s(300.01))) < MILLISECOND
    assert MILLISECOND <= alone.spread == alone.doubt < 6 * MILLISECOND


@pytest.mark.parametrize(("late", "worth"), [(0.03, True), (0.6, False), (3.0, False)])
def test_a_sentence_alone_that_was_held_up_is_worth_nothing(
    late: float, *, worth: bool
) -> None:
    sky = Sky((Says(lag=lambda _: 0.3),)).run(200)
    utc = LEAPS.posix(START + s(205))
    seen = mono(START + s(205.3 + late))
    message = TimeMessage(utc, seen, "RMC", Fix.VALID)
    assert (sky.labeller.sample_from(message) is not None) == worth
    sky.labeller.forget()
    assert sky.labeller.sample_from(message) is not None


def test_after_an_hour_without_pulses_our_own_clock_may_be_the_one_that_is_off() -> (
    None
):
    sky = Sky((Says(lag=lambda _: 0.3),)).run(200)
    utc = LEAPS.posix(START + s(3800))
    message = TimeMessage(utc, mono(START + s(3801.3)), "RMC", Fix.VALID)
    assert sky.labeller.sample_from(message) is not None


def test_a_sentence_of_unknown_lag_may_be_late_by_a_second() -> None:
    labeller = Labeller(LabelSettings(), LEAPS)
    seen = mono(START + s(0.2))
    message = TimeMessage(LEAPS.posix(START), seen, "RMC", Fix.VALID)
    alone = labeller.sample_from(message)
    assert alone is not None
    assert alone.mono == mono(START - s(0.05))
    assert (alone.spread, alone.doubt) == (s(0.05), s(0.75))


@pytest.mark.parametrize("what", ["V", "queued", "unsaid"])
def test_a_sentence_that_may_not_be_used_is_worth_nothing(what: str) -> None:
    fix = {"V": Fix.NONE, "unsaid": Fix.UNKNOWN}.get(what, Fix.VALID)
    message = TimeMessage(
        LEAPS.posix(START), mono(START), "ZDA", fix, queued=what == "queued"
    )
    assert Labeller(LabelSettings(), LEAPS).sample_from(message) is None


def test_without_pulses_sentences_carry_the_second_on() -> None:
    """For hours, though the monotonic clock alone could not."""
    sky = Sky().run(100)
    sky.pulses = lambda _: False
    sky.ahead.clear()
    sky.run(4000, 100)
    assert set(sky.ahead) == {ZERO}


def test_without_pulses_no_lag_is_learned() -> None:
    sky = Sky().run(100)
    sky.pulses = lambda _: False
    sky.says = (Says(lag=lambda _: 0.25),)
    sky.run(300, 100)
    assert abs(sky.labeller.lags()["RMC"].mean.seconds - 0.12) < 0.01


def test_after_a_long_silence_nothing_can_be_said() -> None:
    sky = Sky().run(100)
    sky.pulses = lambda _: False
    sky.ahead.clear()
    sky.run(10, 1200)
    assert set(sky.ahead) == {None}


def test_a_leap_second_more_is_known() -> None:
    labeller = Labeller(LabelSettings(), LEAPS)
    table = LeapTable((), 40 * SECOND, LEAPS.updated, LEAPS.expires)
    labeller.know(table)
    message = TimeMessage(LEAPS.posix(START), mono(START), "RMC", Fix.VALID)
    assert labeller.tai(message) == START + 3 * SECOND


def test_the_lags_of_the_sentences_that_named_the_first_second_are_known_at_once() -> (
    None
):
    """So that one that names another second is not taken for a later one."""
    sky = Sky(warm=False)
    second = 0
    while not sky.labels:
        second += 1
        sky.run(1, second)
    assert sky.labeller.lags()["RMC"].count >= 3
