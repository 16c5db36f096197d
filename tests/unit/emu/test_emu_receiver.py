"""Pulses and sentences: their times, their pace, and what faults do to them."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, median, stdev

import pytest

from hw.emu.faults import Fault, Kind, Timeline
from hw.emu.gnss.pulse import PulseModel
from hw.emu.gnss.receiver import Receiver, ReceiverModel, TimedLine
from hw.sim.scenarios import SCENARIOS
from refclock.events import Edge
from refclock.timebase import SECOND, Duration, LeapSecond, LeapTable, Tai, Utc

UTC = Utc.of(2026, 12, 31, 23, 59, 50)
START = Tai(UTC.ns + 37 * SECOND.ns)
TABLE = LeapTable((), 37 * SECOND, Utc.of(2017, 1, 1), Utc.of(2050, 1, 1))
INSERTED = LeapSecond.ending(Utc.of(2027, 1, 1), 37 * SECOND, 38 * SECOND)
DELETED = LeapSecond.ending(Utc.of(2027, 1, 1), 37 * SECOND, 36 * SECOND)
RMC = ReceiverModel(sentences=(("RMC", 1),))
TOOTHED = PulseModel(jitter_s=0.0, tail_share=0.0, sawtooth_s=20e-9)


def receiver(
    *faults: Fault,
    receiver_model: ReceiverModel = RMC,
    leaps: LeapTable = TABLE,
    seed: int = 1,
) -> Receiver:
    return Receiver(receiver_model, START, leaps, Timeline(faults), seed)


def lateness(one: Receiver, count: int) -> list[list[float]]:
    """How late the flanks of each second are, s."""
    seconds = [START + k * SECOND for k in range(count)]
    return [[(at - k).seconds for at, _ in one.edges(k)] for k in seconds]


def spoken(one: Receiver, count: int) -> list[list[TimedLine]]:
    return [one.lines(START + k * SECOND) for k in range(count)]


def clocks(one: Receiver, count: int) -> list[str]:
    """Time of day and date in the RMC of each second."""
    told = []
    for lines in spoken(one, count):
        fields = lines[0].data.decode().split(",")
        told.append(f"{fields[1][:6]} {fields[9]}")
    return told


def test_the_same_seed_says_the_same() -> None:
    assert spoken(receiver(), 20) == spoken(receiver(), 20)
    assert lateness(receiver(), 20) == lateness(receiver(), 20)
    assert lateness(receiver(), 20) != lateness(receiver(seed=2), 20)


def test_pulses_mark_true_seconds_with_jitter_that_is_late_only_in_its_tail() -> None:
    receiver_model = replace(
        RMC, pulse=PulseModel(tail_share=0.05, tail_s=50e-6, latency_s=1e-5)
    )
    late = [
        pulse for (pulse,) in lateness(receiver(receiver_model=receiver_model), 4000)
    ]
    assert median(late) == pytest.approx(1e-5, abs=2e-7)
    bulk = [each for each in late if each < 1.4e-5]
    assert stdev(bulk) == pytest.approx(1e-6, rel=0.15)
    assert min(late) > 1e-5 - 5e-6
    tail = [each for each in late if each >= 1.4e-5]
    assert len(tail) / len(late) == pytest.approx(0.05, rel=0.25)
    assert fmean(tail) == pytest.approx(6.4e-5, rel=0.25)


def test_both_flanks_where_the_board_tells_both() -> None:
    both = receiver(
        receiver_model=replace(RMC, pulse=PulseModel(stamped="both", width_s=0.2))
    )
    (rise, first), (fall, second) = both.edges(START)
    assert (first, second) == (Edge.ASSERT, Edge.CLEAR)
    assert fall - rise == Duration.from_seconds(0.2)


def test_a_sawtooth_stays_within_its_teeth_and_fills_them() -> None:
    exact = replace(RMC, pulse=TOOTHED)
    late = [pulse for (pulse,) in lateness(receiver(receiver_model=exact), 500)]
    assert max(map(abs, late)) <= 20e-9
    assert stdev(late) == pytest.approx(40e-9 / 12**0.5, rel=0.05)


def test_the_sawtooth_is_told_before_its_pulse() -> None:
    toothed = replace(RMC, ubx=True, pulse=TOOTHED)
    one = receiver(receiver_model=toothed)
    timtp = one.lines(START)[-1].data
    told_s = -int.from_bytes(timtp[14:18], "little", signed=True) * 1e-12
    ((at, _),) = one.edges(START + SECOND)
    assert (at - START - SECOND).seconds == pytest.approx(told_s, abs=1e-9)


def test_bytes_come_at_the_pace_of_the_line_one_after_the_other() -> None:
    one = receiver(
        receiver_model=ReceiverModel(lag_s=0.12, lag_jitter_s=0.0, baud=9600)
    )
    lines = one.lines(START)
    assert lines[0].begins - START == Duration.from_seconds(0.12)
    for line, following in pairwise(lines):
        assert following.begins == line.ends
    for line in lines:
        expected = len(line.data) * 10 / 9600
        assert (line.ends - line.begins).seconds == pytest.approx(expected)


def test_the_lag_jitters_about_its_mean() -> None:
    one = receiver(receiver_model=replace(RMC, lag_s=0.2, lag_jitter_s=0.01))
    lags = [
        (lines[0].begins - START - k * SECOND).seconds
        for k, lines in enumerate(spoken(one, 500))
    ]
    assert fmean(lags) == pytest.approx(0.2, abs=0.002)
    assert stdev(lags) == pytest.approx(0.01, rel=0.15)


def test_a_saturated_line_falls_behind_and_then_drops() -> None:
    saturated = spoken(
        receiver(receiver_model=SCENARIOS["saturated"].receiver_model), 60
    )
    behind = [
        (lines[0].begins - START - k * SECOND).seconds
        for k, lines in enumerate(saturated)
        if lines
    ]
    assert behind[0] < 0.2
    assert 3.0 < max(behind) < 3.6
    assert len(behind) < 60


def test_sentences_come_every_so_many_seconds_and_fixes_several_times() -> None:
    rare = receiver(receiver_model=ReceiverModel(sentences=(("RMC", 1), ("GSA", 3))))
    counts = [len(lines) for lines in spoken(rare, 6)]
    assert counts == [3, 1, 1, 3, 1, 1]
    fast = receiver(receiver_model=replace(RMC, hz=5, baud=38_400))
    fractions = [line.data[13:16] for line in fast.lines(START)]
    assert fractions == [b".00", b".20", b".40", b".60", b".80"]


def test_an_inserted_second_is_written_60_or_59_again() -> None:
    inserted = TABLE.with_leap(INSERTED)
    assert clocks(receiver(leaps=inserted), 12)[9:] == [
        "235959 311226",
        "235960 311226",
        "000000 010127",
    ]
    again = receiver(leaps=inserted, receiver_model=replace(RMC, leap_second=False))
    assert clocks(again, 12)[9:11] == ["235959 311226"] * 2


def test_a_deleted_second_is_passed_over() -> None:
    deleted = receiver(leaps=TABLE.with_leap(DELETED))
    assert clocks(deleted, 10)[8:] == ["235958 311226", "000000 010127"]


def test_a_leap_second_is_announced_when_it_is_near() -> None:
    receiver_model = replace(RMC, ubx=True, leap_notice_s=5.0)
    one = receiver(leaps=TABLE.with_leap(INSERTED), receiver_model=receiver_model)
    changes = [lines[1].data[6 + 11] for lines in spoken(one, 10)]
    assert changes == [0] * 5 + [1] * 5


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(Kind.LIE_S, size=18), "000008 010127"),
        (Fault(Kind.LIE_S, size=-1), "235949 311226"),
        (Fault(Kind.WEEKS, size=-1024), "235950 170507"),
        (Fault(Kind.LEAP_DEFAULT), "235952 311226"),
    ],
)
def test_a_lie_is_told_with_good_flags(fault: Fault, told: str) -> None:
    assert clocks(receiver(fault), 1) == [told]
    (line,) = receiver(fault).lines(START)
    assert line.data.split(b",")[2] == b"A"


def test_faults_of_the_sky() -> None:
    def fields(*faults: Fault) -> list[bytes]:
        return receiver(*faults).lines(START)[0].data.split(b",")

    assert fields(Fault(Kind.COLD))[1:4] == [b"", b"V", b""]
    assert fields(Fault(Kind.NO_FIX))[1:4] == [b"235950.00", b"V", b""]
    reckoned = fields(Fault(Kind.ESTIMATED))
    assert (reckoned[2], reckoned[-2]) == (b"A", b"E")
    assert fields(Fault(Kind.MOVED_M, size=1852))[3] == b"5206.44189"
    for kind in (Kind.COLD, Kind.NO_FIX, Kind.NO_PULSE, Kind.UNPLUGGED):
        assert lateness(receiver(Fault(kind, 1, 1)), 3) == [
            *lateness(receiver(), 1),
            [],
            lateness(receiver(), 3)[2],
        ]
    kept = receiver(
        Fault(Kind.NO_FIX), receiver_model=replace(RMC, pulse_without_fix=True)
    )
    assert lateness(kept, 1) == lateness(receiver(), 1)


def test_satellites_vanish_and_the_fix_stays() -> None:
    gsv = ReceiverModel(sentences=(("GGA", 1), ("GSV", 1)))
    gga, *views = receiver(Fault(Kind.NO_SATELLITES), receiver_model=gsv).lines(START)
    assert gga.data.split(b",")[6:8] == [b"1", b"00"]
    for view in views:
        assert set(view.data.split(b",")[7:-1:4]) == {b""}


def test_faults_of_the_pulse() -> None:
    plain = lateness(receiver(), 200)

    def shifts(*faults: Fault) -> list[list[float]]:
        return [
            [flank - plain[k][0] for flank in flanks]
            for k, flanks in enumerate(lateness(receiver(*faults), 200))
        ]

    missed = shifts(Fault(Kind.MISSED, size=0.3))
    assert 0.2 < missed.count([]) / 200 < 0.4
    assert {by for flanks in missed for by in flanks} == {0.0}
    doubled = shifts(Fault(Kind.DOUBLED, size=0.3))
    assert 0.2 < sum(len(flanks) == 2 for flanks in doubled) / 200 < 0.4
    assert {round(flanks[-1], 6) for flanks in doubled} == {0.0, 0.03}
    shifted = shifts(Fault(Kind.SHIFT_S, 10, 1, size=-0.3))
    assert [k for k, (by,) in enumerate(shifted) if by] == [10]
    assert shifted[10] == pytest.approx([-0.3])
    dragged = shifts(Fault(Kind.DRAG_PPB, 100, size=50))
    assert dragged[99] == [0.0]
    assert dragged[150] == pytest.approx([2.5e-6], abs=2e-9)


def test_faults_of_the_lag() -> None:
    def lag(k: int, *faults: Fault) -> float:
        lines = spoken(
            receiver(*faults, receiver_model=replace(RMC, lag_jitter_s=0)), k + 1
        )
        return (lines[k][0].begins - START - k * SECOND).seconds

    assert lag(3, Fault(Kind.LATE_S, size=0.5)) == pytest.approx(0.62)
    assert lag(5, Fault(Kind.LAG_DRIFT_S_PER_S, 3, size=0.01)) == pytest.approx(0.14)
    assert spoken(receiver(Fault(Kind.SILENT, 1, 1)), 2)[1] == []
    assert spoken(receiver(Fault(Kind.UNPLUGGED, 1, 1)), 2)[1] == []


def stream(*faults: Fault) -> bytes:
    receiver_model = ReceiverModel(
        sentences=(("RMC", 1), ("GGA", 1), ("ZDA", 1)), baud=115_200
    )
    lines = spoken(receiver(*faults, receiver_model=receiver_model), 100)
    return b"".join(line.data for each in lines for line in each)


def test_faults_of_the_line() -> None:
    whole = stream()
    assert len(re.findall(rb"\$[^$]+\*..\r\n", whole)) == 300
    corrupt = stream(Fault(Kind.CORRUPT, size=0.2))
    assert len(corrupt) == len(whole)
    assert 30 < sum(a != b for a, b in zip(corrupt, whole, strict=True)) < 90
    cut = stream(Fault(Kind.CUT, size=0.2))
    assert 210 < cut.count(b"\r\n") < 270
    within = stream(Fault(Kind.INTERLEAVED, size=0.2))
    assert sorted(within) == sorted(whole)
    assert len(re.findall(rb"\$[^$\r]*\$", within)) > 20
    garbage = stream(Fault(Kind.WRONG_BAUD))
    assert len(garbage) == len(whole)
    assert garbage.count(b"$G") < 5
    endless = stream(Fault(Kind.ENDLESS))
    assert len(endless) > len(whole) + 30_000


def test_sizes_of_faults_add_up_while_they_are_on() -> None:
    timeline = Timeline((Fault(Kind.LIE_S, 1, 2), Fault(Kind.LIE_S, 2, 2, size=10)))
    sizes = [timeline.size(Kind.LIE_S, t) for t in (0.5, 1, 2, 3, 4)]
    assert sizes == [0, 1, 11, 10, 0]
    assert timeline.on(Kind.LIE_S, 3.9)
    assert not timeline.on(Kind.SILENT, 3.9)
    assert timeline.grown(Kind.LIE_S, 2.5) == pytest.approx(1.5 + 5)
    assert [fault.at_s for fault in timeline.of(Kind.LIE_S)] == [1, 2]
