"""Fast time: what an engine is told, and that its commands are done.

The engines here are plain: the real one is judged by the scenarios.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

import pytest

from hw.emu.faults import Fault, Kind
from hw.emu.gnss.pulse import PulseModel
from hw.emu.gnss.receiver import ReceiverModel
from hw.emu.oscillator import OscillatorModel
from hw.emu.wire import Wire
from hw.sim.fast import Second, fast
from hw.sim.scenarios import SCENARIOS, Battery, Scenario
from hw.sim.trace import _within, replay_trace
from refclock.board.ports import Chunk
from refclock.events import (
    Command,
    Event,
    Found,
    Lost,
    PulseEdge,
    SetRate,
    Step,
    Tick,
    TimeMessage,
    Witness,
)
from refclock.published import ClockSnapshot
from refclock.timebase import (
    MICROSECOND,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    Local,
    Mono,
    Tai,
)

FIRST = ClockSnapshot(
    stratum=16,
    ref_id=b"PPS\0",
    at=Mono(0),
    local=Local(0),
    correction=ZERO,
    rate=0.0,
    updated=Tai(0),
    bound=SECOND,
    bound_rate=0.0,
    utc_behind_tai=37 * SECOND,
    leap=None,
    precision=-20,
)


class Mode(Enum):
    """All the modes of a plain engine."""

    PLAIN = "plain"


@dataclass
class Plain:
    """Believes every pulse at once, by the message before it; steers if told to."""

    steers: bool = False
    snapshot: ClockSnapshot = FIRST
    mode: Mode = Mode.PLAIN
    told: list[Event] = field(default_factory=list)
    ppb: float = 0.0

    def handle(self, event: Event) -> tuple[Command, ...]:
        self.told.append(event)
        if not isinstance(event, PulseEdge):
            return ()
        messages = [each for each in self.told if isinstance(each, TimeMessage)]
        if not messages:
            return ()
        age = event.mono - messages[-1].mono
        tai = messages[-1].utc.ns + 37 * SECOND.ns + age.rounded(SECOND).ns
        correction = Duration(tai - event.at.ns)
        before = self.snapshot.correction
        self.snapshot = replace(
            FIRST,
            stratum=1,
            at=event.mono,
            local=event.at,
            correction=correction,
            bound=10 * MICROSECOND,
        )
        if not self.steers or before == ZERO:
            return ()
        self.ppb += (correction - before).ns
        return (SetRate(self.ppb),)

    def of(self, kind: type[Event]) -> list[Event]:
        return [each for each in self.told if isinstance(each, kind)]


EXACT = ReceiverModel(pulse=PulseModel(jitter_s=0.0, tail_share=0.0))
STEADY = OscillatorModel(offset_ppb=1000.0, walk_ppb=0.0)


def world(*faults: Fault, receiver_model: ReceiverModel = EXACT) -> Scenario:
    return Scenario("test", "a test", faults, (receiver_model,), STEADY)


def live(
    scenario: Scenario, engine: Plain, seconds: int = 30, seed: int = 1
) -> list[Second]:
    return list(fast(scenario, engine, hours=seconds / 3600, seed=seed))


def test_the_same_seed_is_the_same_run() -> None:
    runs = []
    for seed in (1, 1, 2):
        engine = Plain(steers=True)
        runs.append((live(SCENARIOS["nominal"], engine, seed=seed), engine.told))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_engine_is_told_all_that_happens_in_order() -> None:
    engine = Plain()
    live(world(), engine)
    count = Counter(type(event).__name__ for event in engine.told)
    assert count["PulseEdge"] == 29
    assert count["Tick"] == 30
    assert count["TimeMessage"] >= 60
    assert count["Temperature"] == 3
    assert count["SkyView"] > 0
    ticks = [event.mono for event in engine.told if isinstance(event, Tick)]
    assert ticks == sorted(ticks)


def test_pulses_are_a_true_second_apart_on_a_clock_that_is_fast() -> None:
    engine = Plain()
    live(world(), engine)
    edges = [event for event in engine.told if isinstance(event, PulseEdge)]
    gaps = {(b.at - a.at).ns for a, b in itertools.pairwise(edges)}
    assert gaps == {1_000_001_000}
    assert [edge.seq for edge in edges] == list(range(1, 30))


def test_what_is_served_is_measured_against_the_truth() -> None:
    *_, last = live(world(), Plain())
    assert last.error_s == pytest.approx(0.99e-6, abs=2e-9)  # 1 ppm for 0.99 s
    assert last.bound_s == pytest.approx(10e-6)
    assert last.synchronised
    assert last.mode == "PLAIN"
    assert last.clock_error_s == pytest.approx(0.037 + 30e-6, abs=1e-6)


def test_what_the_engine_commands_is_done_to_the_clock() -> None:
    *_, last = live(world(), Plain(steers=True))
    assert last.error_s == pytest.approx(0.0, abs=3e-9)


def test_a_clock_may_start_far_off() -> None:
    *_, last = live(SCENARIOS["clock-10-years-off"], Plain(), 10)
    assert last.clock_error_s == pytest.approx(-10 * 365.25 * 86400, rel=1e-6)
    assert abs(last.error_s) < 1e-4


def test_another_program_steps_the_clock_and_begins_an_epoch() -> None:
    engine = Plain()
    live(world(Fault(Kind.STEP_S, 10.5, size=-0.25)), engine)
    epochs = [event.era for event in engine.told if isinstance(event, PulseEdge)]
    assert epochs == [0] * 10 + [1] * 19


def test_a_pulse_in_flight_during_a_step_is_of_the_old_epoch() -> None:
    engine = Plain()
    late = Fault(Kind.TOLD_LATE_S, size=0.4)  # after the tick of its second
    live(world(late, Fault(Kind.STEP_S, 10.01, size=1.5)), engine, 15)
    edges = [event for event in engine.told if isinstance(event, PulseEdge)]
    assert [edge.era for edge in edges] == [0] * 10 + [1] * 4
    known = 0
    for event in engine.told:
        if isinstance(event, Tick):
            known = event.era
        elif isinstance(event, PulseEdge):
            assert known == (event.seq >= 10)


def test_asleep_nothing_is_told_and_mono_stands() -> None:
    engine = Plain()
    seconds = live(world(Fault(Kind.SLEEP, 10.5, 10)), engine)
    assert len(seconds) == 20
    ticks = [event for event in engine.told if isinstance(event, Tick)]
    assert len(ticks) == 20
    across = next(b for a, b in itertools.pairwise(ticks) if a.era < b.era)
    before = ticks[ticks.index(across) - 1]
    assert (across.mono - before.mono).seconds == pytest.approx(1.0, abs=1e-4)
    assert (across.local - before.local).seconds == pytest.approx(11.0, abs=1e-4)


def test_a_battery_clock_bears_witness_by_its_real_driver() -> None:
    engine = Plain()
    live(replace(world(), battery=Battery(2.0)), engine, 130)
    witnesses = [event for event in engine.told if isinstance(event, Witness)]
    assert len(witnesses) == 3
    for witness in witnesses:  # the local clock is 37 ms ahead, seconds are whole
        assert witness.offset.seconds == pytest.approx(2.0 - 0.037, abs=0.5)
        assert witness.spread == 60 * SECOND + 500 * MILLISECOND


def test_unplugged_it_is_lost_and_found() -> None:
    engine = Plain()
    live(world(Fault(Kind.UNPLUGGED, 10, 5)), engine)
    assert [type(each) for each in engine.of(Lost) + engine.of(Found)] == [Lost, Found]
    heard = [event for event in engine.told if isinstance(event, TimeMessage)]
    quiet = max(b.mono - a.mono for a, b in itertools.pairwise(heard))
    assert 5 < quiet.seconds < 6.5


def test_bytes_pass_the_real_driver_and_are_stamped_at_their_arrival() -> None:
    engine = Plain()
    live(world(receiver_model=replace(EXACT, lag_s=0.25, lag_jitter_s=0.0)), engine, 5)
    rmc = [
        event
        for event in engine.told
        if isinstance(event, TimeMessage) and event.kind == "RMC"
    ]
    lags = [(event.mono.ns % SECOND.ns) * 1e-9 for event in rmc]
    assert lags == pytest.approx([0.25] * 5, abs=2e-5)
    assert all(event.fix.good for event in rmc)


def test_a_wire_gives_what_was_brought_once() -> None:
    wire, chunk = Wire(9600), Chunk(b"$", Mono(0), Mono(0))
    wire.write(b"ignored")
    wire.bring(chunk)
    assert [wire.read(SECOND), wire.read(SECOND)] == [chunk, None]
    assert (wire.name, wire.bits_per_second) == ("emulated line", 9600)
    wire.close()


KEYS = (
    *("rms_s", "p95_s", "p99_s", "max_s", "between_rms_s", "rate_rms", "coverage"),
    *("bound_median_s", "within_10us_after_s", "within_1us_after_s", "seconds"),
    *("unsynchronised", "wall_s"),
)


def trace(
    path: Path, seconds: int, ppb: float, noise: str = "0", pulse: str = "1"
) -> Path:
    rows = [f"{k},{1e6 + ppb * k},{noise},{pulse}" for k in range(seconds + 1)]
    file = path / "trace.csv"
    file.write_text("t_s,free_phase_ns,pps_noise_ns,pulse\n" + "\n".join(rows))
    return file


def test_a_trace_is_scored_before_each_pulse_is_used(tmp_path: Path) -> None:
    # unsteered: what is served is wrong by what the clock gains in a second
    figures = replay_trace(trace(tmp_path, 700, 2000.0), Plain(), score_from_s=10)
    assert tuple(figures) == KEYS
    for key in ("rms_s", "p95_s", "p99_s", "max_s"):
        assert figures[key] == pytest.approx(2e-6)
    quarter = math.sqrt((1 + 0.0625 + 0.25 + 0.5625) / 4)
    assert figures["between_rms_s"] == pytest.approx(2e-6 * quarter, rel=1e-2)
    assert figures["rate_rms"] == pytest.approx(2e-6)
    assert figures["coverage"] == 1.0
    assert figures["bound_median_s"] == pytest.approx(1e-5)
    assert figures["within_10us_after_s"] == 2
    assert figures["within_1us_after_s"] is None
    assert figures["seconds"] == 700


def test_a_late_stamp_makes_the_clock_late(tmp_path: Path) -> None:
    late = trace(tmp_path, 60, 0.0, noise="20000")
    engine = Plain()
    figures = replay_trace(late, engine, score_from_s=10)
    stamps = [event.at for event in engine.told if isinstance(event, PulseEdge)]
    assert {at.ns % SECOND.ns for at in stamps} == {1_000_000 + 20_000}
    assert figures["rms_s"] == pytest.approx(20e-6)
    assert figures["coverage"] == 0.0
    assert figures["within_10us_after_s"] is None


def test_a_steered_clock_is_what_is_scored(tmp_path: Path) -> None:
    figures = replay_trace(
        trace(tmp_path, 60, 2000.0), Plain(steers=True), score_from_s=10
    )
    assert figures["max_s"] == pytest.approx(0.0, abs=3e-9)
    assert figures["rate_rms"] == pytest.approx(0.0, abs=3e-9)


def test_a_limit_is_reached_by_who_stays_within_it_for_ten_minutes() -> None:
    assert _within([9.0] * 5 + [1.0] * 700 + [9.0], 2.0) == 5
    assert _within([1.0] * 100 + [9.0] + [-1.0] * 700 + [9.0], 2.0) == 101
    assert _within([1.0] * 100 + [9.0] + [1.0] * 3, 2.0) == 101
    assert _within([1.0] * 100 + [9.0], 2.0) is None


def test_pulses_that_are_missing_are_not_given(tmp_path: Path) -> None:
    engine = Plain()
    replay_trace(trace(tmp_path, 60, 0.0, pulse="0"), engine, score_from_s=10)
    assert engine.of(PulseEdge) == []


def test_nothing_to_score_is_none(tmp_path: Path) -> None:
    figures = replay_trace(trace(tmp_path, 60, 0.0), Plain())
    assert figures["rms_s"] is figures["coverage"] is None
    assert figures["within_1us_after_s"] == 2


def test_too_short_a_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fewer than two"):
        replay_trace(trace(tmp_path, 0, 0.0), Plain())


def test_a_step_may_be_commanded(tmp_path: Path) -> None:
    class Stepper(Plain):
        def handle(self, event: Event) -> tuple[Command, ...]:
            super().handle(event)
            first = isinstance(event, Tick) and len(self.of(Tick)) == 1
            return (Step(Duration(-1_000_000)),) if first else ()

    engine = Stepper()
    replay_trace(trace(tmp_path, 5, 0.0), engine)
    *_, last = [event for event in engine.told if isinstance(event, PulseEdge)]
    assert last.era == 1
    assert last.at.ns % SECOND.ns == 0
