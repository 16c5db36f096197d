from __future__ import annotations

from dataclasses import replace

import pytest

from refclock.discipline.bank import Bank, Innovation, Sample, SampleSource
from refclock.discipline.mode import Mode
from refclock.engine.engine import Engine
from refclock.engine.kept.memory import Memory
from refclock.engine.kept.recording import Beginning
from refclock.engine.policy import ClockSettings, EngineSettings, HoldoverSettings
from refclock.events import (
    GPS0,
    PPS0,
    RTC0,
    Command,
    Configured,
    Dropped,
    DropReason,
    Event,
    Fix,
    Found,
    Identity,
    Interference,
    LeapNotice,
    LineLoad,
    Lost,
    Position,
    PulseEdge,
    Satellite,
    Sawtooth,
    SetLeap,
    SetRate,
    SetStatus,
    SkyView,
    SourceId,
    SourcePair,
    Step,
    Temperature,
    TimeMessage,
    Witness,
)
from refclock.integrity.monitor import IntegritySettings, Policy
from refclock.published import GPS, PPS
from refclock.timebase import (
    DAY,
    MICROSECOND,
    MILLISECOND,
    MINUTE,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    LeapTable,
    Local,
    Utc,
)
from tests.unit.engine.by_hand import LEAPS, STEERING, World, engine

FREE = EngineSettings(clock=ClockSettings(steer=False))
MIDNIGHT = Utc.of(2027, 1, 1)
INSERTED = LeapSecond.ending(MIDNIGHT, 37 * SECOND, 38 * SECOND)
DELETED = LeapSecond.ending(MIDNIGHT, 37 * SECOND, 36 * SECOND)


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
    """What is fed to the bank."""
    fed: list[Sample] = []
    add = Bank.add

    def kept(bank: Bank, sample: Sample, known: Innovation | None) -> Innovation:
        fed.append(sample)
        return add(bank, sample, known)

    monkeypatch.setattr(Bank, "add", kept)
    return fed


def tracking(settings: EngineSettings = STEERING, seconds: int = 30) -> World:
    world = World(engine(settings))
    world.run(seconds)
    assert world.mode() == Mode.TRACK
    return world


# from cold to track and back


@pytest.mark.parametrize("steer", [True, False])
def test_from_cold_to_track(*, steer: bool) -> None:
    world = World(engine(replace(FREE, clock=ClockSettings(steer=steer))))
    modes = [world.mode()]
    for _ in range(20):
        world.second()
        modes.append(world.mode())
        assert world.serves == (world.mode() == Mode.TRACK)
        if world.serves:
            assert abs(world.wrong) < MICROSECOND
            assert abs(world.wrong) < world.bound
    assert list(dict.fromkeys(modes)) == [Mode.COLD, Mode.ACQUIRE, Mode.TRACK]
    assert modes.index(Mode.TRACK) < 12
    assert world.engine.snapshot.stratum == 1
    assert world.engine.snapshot.ref_id == PPS


def test_before_anything_is_known_nothing_is_served() -> None:
    snapshot = engine().snapshot
    assert (snapshot.stratum, snapshot.ref_id, snapshot.leap) == (16, bytes(4), None)


def test_steering_brings_the_clock_to_utc_and_the_oscillator_to_its_rate() -> None:
    world = World(error=MILLISECOND)
    world.run(120)
    assert abs(world.local - Local(LEAPS.posix(world.true).ns)) < MICROSECOND
    assert world.rate_ppb == pytest.approx(-12_000, abs=50)


def test_a_kernel_left_running_fast_is_first_set_right() -> None:
    world = World()
    assert world.tell(world.tick()) == (SetRate(0.0),)
    assert world.tell(world.tick()) == ()


def test_the_kernel_is_told_how_good_it_is() -> None:
    world = tracking()
    told = [each for each in world.commands if isinstance(each, SetStatus)]
    assert told[-1].synchronised
    assert told[-1].bound == world.engine.snapshot.bound
    assert ZERO < told[-1].sigma < told[-1].bound


def test_the_kernel_is_told_when_it_is_good_no_more() -> None:
    world = tracking(replace(STEERING, holdover=HoldoverSettings(20e-6)))
    world.pulses = world.sentences = False
    for _ in range(1000):
        world.pass_(10 * SECOND)
        world.tell(world.tick())
    told = [each for each in world.commands if isinstance(each, SetStatus)]
    assert world.mode() == Mode.COLD
    assert [each.synchronised for each in told[-2:]] == [True, False]
    assert told[-1].bound == 16 * SECOND


def test_the_kernel_is_told_when_a_step_took_the_time_away() -> None:
    world = tracking()
    world.step(2 * SECOND)
    world.commands.clear()
    world.run(3)
    told = [each for each in world.commands if isinstance(each, SetStatus)]
    assert [each.synchronised for each in told] == [False]


def test_who_does_not_steer_commands_nothing_ever() -> None:
    world = World(engine(FREE), error=7 * SECOND)
    world.run(40)
    world.step(3 * MILLISECOND)
    world.run(5)
    world.step(-2 * SECOND)
    world.run(20)
    world.pulses = False
    world.run(20)
    assert world.mode() == Mode.HOLDOVER
    assert world.commands == []
    assert world.engine.shutdown() == ()
    assert abs(world.wrong) < 10 * MICROSECOND


def test_at_the_end_the_clock_is_left_at_its_own_rate() -> None:
    assert engine().shutdown() == ()
    world = tracking()
    (rate,) = world.engine.shutdown()
    assert isinstance(rate, SetRate)
    assert world.rate_ppb == pytest.approx(-500_000)  # in the midst of slewing
    assert rate.ppb == pytest.approx(-12_000, abs=10)


def test_latency_and_its_sign() -> None:
    late = 30 * MICROSECOND
    settings = FREE
    world = World(engine(settings), late=late)
    world.engine = type(world.engine)(
        settings, LEAPS, LEAPS.updated, latency=late, latency_spread=MICROSECOND
    )
    world.run(20)
    assert abs(world.wrong) < MICROSECOND
    assert world.engine.status(world.mono).bound_parts[
        "pulse latency"
    ] == pytest.approx(1e-6)


# silence


def test_in_silence_the_time_is_held_until_the_budget_is_spent() -> None:
    limit = 20 * MICROSECOND
    settings = replace(FREE, holdover=HoldoverSettings(limit.seconds))
    world = tracking(settings, 60)
    world.pulses = world.sentences = False
    world.run(4)
    assert world.mode() == Mode.HOLDOVER
    assert world.engine.snapshot.ref_id == GPS
    assert world.engine.snapshot.stratum == 1
    assert "holding over" in world.reason
    before, bounds = world.engine.snapshot, []
    for _ in range(100_000):
        world.pass_(SECOND)
        before = world.engine.snapshot
        world.tell(world.tick())
        if world.mode() != Mode.HOLDOVER:
            break
        bounds.append(world.engine.snapshot.bound)
    assert bounds[::100] == sorted(bounds[::100])
    assert bounds[-1] > bounds[0]
    assert max(bounds) <= limit
    assert before.bound_at(world.mono) > limit - MICROSECOND
    assert world.mode() == Mode.COLD
    assert world.engine.snapshot.stratum == 16
    assert not world.serves


def test_pulses_that_come_back_end_the_holdover() -> None:
    world = tracking()
    world.pulses = False
    world.run(30)
    assert world.mode() == Mode.HOLDOVER
    world.pulses = True
    world.second()
    assert world.mode() == Mode.TRACK
    assert world.engine.snapshot.ref_id == PPS


def test_a_start_cut_short_begins_anew() -> None:
    world = World()
    while world.mode() == Mode.COLD:
        world.second()
    assert world.mode() == Mode.ACQUIRE
    world.pulses = False
    world.run(4)
    assert world.mode() == Mode.COLD


def test_two_missed_pulses_are_no_silence() -> None:
    world = tracking()
    world.pulses = False
    world.second()
    assert world.mode() == Mode.TRACK
    world.second()
    assert world.mode() == Mode.TRACK
    world.second()
    assert world.mode() == Mode.HOLDOVER


# steps


def test_our_own_step_moves_nothing_that_is_served() -> None:
    world = World(error=5 * SECOND)
    for _ in range(30):
        world.second()
        if world.serves:
            assert abs(world.wrong) < MICROSECOND
    (step,) = [each for each in world.commands if isinstance(each, Step)]
    assert world.era == 1
    assert step.by.seconds == pytest.approx(-5.0, abs=1e-3)
    assert world.mode() == Mode.TRACK
    assert world.alarms == []
    assert abs(world.local - Local(LEAPS.posix(world.true).ns)) < 10 * MICROSECOND


def test_between_the_order_and_the_step_both_readings_are_served_right() -> None:
    world = World(error=5 * SECOND)
    done = False
    while not done:
        world.pass_(500 * MILLISECOND)
        commands = world.engine.handle(world.edge())
        done = any(isinstance(each, Step) for each in commands)
        for each in commands:
            if done and isinstance(each, Step):
                assert world.serves
                assert abs(world.wrong) < MICROSECOND
                world.step(each.by)
                assert world.serves
                assert abs(world.wrong) < MICROSECOND
        world.pass_(120 * MILLISECOND)
        world.engine.handle(world.message())
        world.pass_(380 * MILLISECOND)
        assert world.true < LEAPS.tai(world.start) + MINUTE
    assert world.era == 1


def test_a_rate_counts_from_when_the_clock_obeyed() -> None:
    """The pulse was told 20 ms late, and a slew of 500 ppm is 10 us by then."""
    world = World(error=20 * MILLISECOND)
    while not world.serves:
        world.second()
    world.pass_(500 * MILLISECOND)
    edge = world.edge()
    world.pass_(20 * MILLISECOND)
    world.tell(edge)
    assert abs(world.rate_ppb) == 500_000
    world.pass_(SECOND)
    assert abs(world.wrong) < MICROSECOND


def test_what_serves_nothing_is_not_carried_on_by_a_rate() -> None:
    world = World()
    before = world.engine.snapshot
    assert world.tell(world.tick()) == (SetRate(0.0),)
    assert world.engine.snapshot == before


def test_a_small_step_by_others_is_followed_and_told() -> None:
    world = tracking(FREE)
    world.step(3 * MILLISECOND)
    assert abs(world.wrong) < 10 * MICROSECOND
    world.run(5)
    assert world.mode() == Mode.TRACK
    assert abs(world.wrong) < 10 * MICROSECOND
    assert any("not by us" in text for text in world.alarms)


def test_a_large_step_by_others_is_not_served_through() -> None:
    world = tracking(FREE)
    world.step(2 * SECOND)
    assert not world.serves
    world.tell(world.tick())
    assert world.engine.snapshot.stratum == 16
    assert world.mode() == Mode.ACQUIRE
    assert any("+2.000000 s and not by us" in text for text in world.alarms)
    world.run(20)
    assert world.mode() == Mode.TRACK
    assert abs(world.wrong) < MICROSECOND


def test_an_edge_stamped_before_a_step_is_not_used(samples: list[Sample]) -> None:
    world = tracking(FREE)
    world.pass_(500 * MILLISECOND)
    early = world.edge()
    world.step(3 * MILLISECOND)
    world.tell(world.tick())
    used = len(samples)
    world.tell(early)
    assert len(samples) == used
    world.pass_(500 * MILLISECOND)
    world.run(3)
    assert len(samples) == used + 3


@pytest.mark.parametrize("leap", [INSERTED, DELETED], ids=["inserted", "deleted"])
@pytest.mark.parametrize("kernel", [True, False], ids=["stepped", "not stepped"])
def test_through_a_leap_second(leap: LeapSecond, *, kernel: bool) -> None:
    leaps = LEAPS.with_leap(leap)
    settings = EngineSettings() if kernel else FREE
    start = Utc.of(2026, 12, 31, 23, 59)
    world = World(engine(settings, leaps), leaps, start, error=ZERO)
    world.kernel = leap if kernel else None
    for _ in range(120):
        world.second()
        if world.true > leaps.tai(start) + 20 * SECOND:
            assert world.serves
            assert abs(world.wrong) < MICROSECOND
    assert world.mode() == Mode.TRACK
    assert world.alarms == []
    told = [each for each in world.commands if isinstance(each, SetLeap)]
    if kernel:
        assert told == [
            SetLeap(leap, leap.before),
            SetLeap(None, leap.after),
        ]
    else:
        assert told == []


# pulses


@pytest.mark.parametrize("fix", [Fix.NONE, Fix.ESTIMATED, Fix.CONTRADICTION])
def test_pulses_without_a_fix_are_not_used(fix: Fix, samples: list[Sample]) -> None:
    world = tracking(FREE)
    world.fix = fix
    world.run(6)  # a word on the fix is good for 5 s
    used = len(samples)
    world.run(4)
    assert len(samples) == used
    assert world.mode() == Mode.HOLDOVER
    assert "no fix" in world.reason
    world.fix = Fix.VALID
    world.run(3)
    assert world.mode() == Mode.TRACK


def test_pulses_from_the_start_without_a_fix_are_told_of() -> None:
    world = World(fix=Fix.NONE)
    world.run(20)
    assert world.mode() == Mode.COLD
    assert "no fix" in world.reason
    assert world.engine.status(world.mono).pulses == 0


@pytest.mark.parametrize("width", [100 * MILLISECOND, 20 * MILLISECOND])
def test_the_other_flank_is_not_used(width: Duration, samples: list[Sample]) -> None:
    world = World(engine(FREE), width=width)
    world.run(30)
    used = len(samples)
    world.run(10)
    assert len(samples) == used + 10
    assert world.mode() == Mode.TRACK
    assert abs(world.wrong) < MICROSECOND
    assert world.reason.startswith("the pulse is followed")


def test_a_sawtooth_is_taken_off_one_pulse_and_with_its_sign(
    samples: list[Sample],
) -> None:
    world = tracking(FREE)
    late = 25 * MICROSECOND
    world.late = late
    world.tell(Sawtooth(world.mono, None, late))
    world.second()
    true = world.engine.snapshot  # nothing was wrong with that pulse
    assert abs(world.wrong) < MICROSECOND
    told, untold = samples[-1], samples[-2]
    drift = Duration(round((told.mono - untold.mono).ns * -12e-6))
    assert abs(told.offset - untold.offset - drift) < 100 * Duration(1)
    world.second()
    again = samples[-1]
    assert abs(again.offset - told.offset - drift + late) < 100 * Duration(1)
    assert true.bound < 10 * MICROSECOND


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_a_sawtooth_goes_to_the_pulse_it_names(
    seconds: int, samples: list[Sample]
) -> None:
    world = tracking(FREE)
    late = 25 * MICROSECOND
    named = LEAPS.posix(world.true + 500 * MILLISECOND) + seconds * SECOND
    world.tell(Sawtooth(world.mono, named, late))
    world.second()
    told, untold = samples[-1], samples[-2]
    drift = Duration(round((told.mono - untold.mono).ns * -12e-6))
    taken = told.offset - untold.offset - drift
    assert abs(taken - (ZERO if seconds else late)) < 100 * Duration(1)


def test_an_old_sawtooth_is_not_used(samples: list[Sample]) -> None:
    world = tracking(FREE)
    world.pulses = False
    world.tell(Sawtooth(world.mono, None, 25 * MICROSECOND))
    world.second()
    world.pulses = True
    world.second()
    two_seconds = Duration(round(2 * SECOND.ns * -12e-6))
    away = samples[-1].offset - samples[-2].offset - two_seconds
    assert abs(away) < 100 * Duration(1)


def test_a_pulse_that_jumped_is_held_off_and_told(samples: list[Sample]) -> None:
    world = tracking(FREE, 600)
    world.late = 5 * MILLISECOND
    used = len(samples)
    world.run(20)
    assert len(samples) == used
    assert world.mode() == Mode.HOLDOVER
    assert "is not believed" in world.reason
    assert any("the pulse jumped by" in text for text in world.alarms)
    assert abs(world.wrong) < 10 * MICROSECOND


def test_a_pulse_that_jumped_for_good_is_followed_if_so_told() -> None:
    follow = IntegritySettings(policy=Policy.FOLLOW, persist_s=10)
    world = tracking(replace(FREE, integrity=follow), 100)
    world.late = 5 * MILLISECOND
    world.run(30)
    assert world.mode() == Mode.TRACK
    assert abs(world.wrong - (-world.late)) < 10 * MICROSECOND
    assert "the pulse jumped, and was followed" in world.alarms


# sentences


def test_sentences_are_samples_only_where_no_pulse_is_and_we_know_no_better(
    samples: list[Sample],
) -> None:
    world = tracking(replace(FREE, holdover=HoldoverSettings(limit_s=1.0)))
    world.pulses = False
    world.run(60)
    assert {sample.source for sample in samples} == {SampleSource.PULSE}
    for _ in range(10_000):
        world.pass_(10 * SECOND)
        world.tell(world.tick())
    before = world.bound
    world.run(20)
    told = [each for each in samples if each.source is SampleSource.SENTENCE]
    assert told
    assert world.mode() == Mode.HOLDOVER
    assert world.engine.snapshot.ref_id == GPS
    assert abs(world.wrong) < world.bound < before
    world.pulses = True
    fed = len(told)
    world.run(5)
    told = [each for each in samples if each.source is SampleSource.SENTENCE]
    assert len(told) == fed
    assert world.mode() == Mode.TRACK


def test_sentences_alone_make_an_estimate_but_no_stratum(
    samples: list[Sample],
) -> None:
    world = World(engine(FREE), pulses=False)
    world.run(60)
    assert {sample.source for sample in samples} == {SampleSource.SENTENCE}
    assert world.mode() == Mode.COLD
    assert not world.serves
    assert "check the pulse's wire" in world.reason


@pytest.mark.parametrize("ahead", [SECOND, -20 * SECOND, 3 * SECOND])
def test_sentences_of_another_second_do_not_move_what_is_served(
    ahead: Duration,
) -> None:
    world = tracking(FREE)
    world.ahead = ahead
    for _ in range(100):
        world.second()
        assert abs(world.wrong) < MICROSECOND
        assert world.mode() == Mode.TRACK
    (alarm,) = world.alarms
    assert f"{ahead.seconds:+.0f} s from the second our clock carries" in alarm
    world.ahead = ZERO
    world.run(3)
    assert world.alarms == []


def test_sentences_of_another_second_that_a_witness_vouches_for_are_followed() -> None:
    world = World(engine(FREE), ahead=-SECOND)
    world.run(30)
    assert abs(world.wrong + SECOND) < MICROSECOND
    world.ahead = ZERO
    for _ in range(70):
        world.tell(witness(world, ZERO))
        world.second()
    assert abs(world.wrong) < MICROSECOND
    assert world.mode() == Mode.TRACK
    assert any("was corrected by +1 s" in text for text in world.alarms)


def test_an_impossible_date_is_refused_in_words() -> None:
    world = World(ahead=30 * 365 * DAY)
    world.run(10)
    assert world.mode() == Mode.COLD
    assert "which cannot be" in world.reason
    assert world.alarms


# witnesses, leap seconds, signs


def witness(world: World, off: Duration, era: int | None = None) -> Witness:
    offset = Duration(world.leaps.posix(world.true).ns - world.local.ns) + off
    told = world.era if era is None else era
    return Witness(RTC0, offset, world.local, world.mono, told, 100 * MILLISECOND)


def test_a_witness_decides_where_the_lag_leaves_it_open() -> None:
    world = World(engine(FREE), lag=5 * MILLISECOND)
    world.run(20)
    assert world.mode() == Mode.COLD
    assert "so near the pulse" in world.reason
    world.tell(witness(world, ZERO, era=-1))
    world.run(10)
    assert world.mode() == Mode.COLD  # its offset was of another epoch
    world.tell(witness(world, ZERO))
    world.run(10)
    assert world.mode() == Mode.TRACK
    assert abs(world.wrong) < MICROSECOND


def test_a_leap_second_only_the_receiver_knows_of_is_served_and_told() -> None:
    old = LeapTable((), 37 * SECOND, Utc.of(2017, 1, 1), Utc.of(2026, 6, 28))
    world = World(engine(leaps=old))
    world.run(30)
    for _ in range(70):
        notice = LeapNotice(world.mono, "TIMELS", 37 * SECOND, announced=INSERTED)
        world.tell(notice)
        world.second()
    assert world.engine.snapshot.leap == INSERTED
    told = [each for each in world.commands if isinstance(each, SetLeap)]
    assert told == [SetLeap(None, 37 * SECOND), SetLeap(INSERTED, 37 * SECOND)]
    status = world.engine.status(world.mono)
    assert status.next_leap == "a second is inserted before 2027-01-01T00:00:00Z"


def test_through_a_leap_second_only_the_receiver_knows_of() -> None:
    old = LeapTable((), 37 * SECOND, Utc.of(2017, 1, 1), Utc.of(2026, 6, 28))
    start = Utc.of(2026, 12, 31, 23, 57)
    world = World(engine(leaps=old), LEAPS.with_leap(INSERTED), start, error=ZERO)
    world.kernel = INSERTED
    for k in range(240):
        count = world.leaps.offset(world.true)
        announced = INSERTED if world.true < INSERTED.at else None
        world.tell(LeapNotice(world.mono, "TIMELS", count, announced=announced))
        world.second()
        assert k < 20 or world.serves
        assert k < 20 or abs(world.wrong) < MICROSECOND
    assert world.mode() == Mode.TRACK
    assert world.alarms == []


def test_signs_of_trouble_reach_the_operator() -> None:
    world = tracking(FREE)
    for _ in range(30):
        world.tell(Position(world.mono, 52.0, 13.0))
    for _ in range(10):
        world.tell(Position(world.mono, 52.01, 13.0))
    world.tell(Interference(world.mono, jammed=True, spoofed=False, detail="ind 200"))
    world.tell(SkyView(world.mono, used=7))
    world.tell(SkyView(world.mono, used=0))
    world.pass_(11 * SECOND)
    world.tell(SkyView(world.mono, used=0))
    world.tell(LineLoad(world.mono, 0.8))
    moved, unobservable, jammed, full = sorted(world.alarms)
    assert "the antenna is 11" in moved
    assert "uses no satellites" in unobservable
    assert "jammed (ind 200)" in jammed
    assert "line is 80% full" in full


def test_the_bank_feels_the_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    felt: list[Temperature] = []
    sense = Bank.temperature

    def kept(bank: Bank, reading: Temperature) -> None:
        felt.append(reading)
        sense(bank, reading)

    monkeypatch.setattr(Bank, "temperature", kept)
    world = tracking(FREE)
    reading = Temperature(world.mono, 48.5, "cpu")
    world.tell(reading)
    assert felt == [reading]
    assert world.engine.status(world.mono).temperature_c == 48.5


def test_before_anything_is_known_nothing_is_told_of_the_clock() -> None:
    world = World(engine(FREE))
    status = world.engine.status(world.mono)
    assert (status.utc, status.offset_s, status.frequency_ppm) == (None, None, None)
    assert (status.bound_s, status.bound_parts, status.good_for_s) == (None, {}, None)
    assert (status.refid, status.stratum, status.steering_ppm) == ("", 16, None)


@pytest.mark.parametrize("settings", [FREE, STEERING])
def test_the_clock_is_told_as_it_is(settings: EngineSettings) -> None:
    """12 ppm fast and, where nobody steers it, ahead of UTC."""
    world = tracking(settings, 200)
    status = world.engine.status(world.mono)
    utc = world.leaps.posix(world.true)
    assert status.utc is not None
    assert status.bound_s is not None
    assert status.utc[:19] in {utc.iso()[:19], (utc - SECOND).iso()[:19]}
    assert status.offset_s == pytest.approx((utc.ns - world.local.ns) * 1e-9, abs=1e-6)
    assert status.frequency_ppm == pytest.approx(12.0, abs=0.01)
    steered = pytest.approx(-12.0, abs=0.1) if settings is STEERING else None
    assert status.steering_ppm == steered
    assert (status.refid, status.stratum) == ("PPS", 1)
    assert status.bound_s == pytest.approx(sum(status.bound_parts.values()))
    assert 1e-6 < status.bound_s < 1e-5


def test_what_devices_say_of_themselves_is_told() -> None:
    world = World(engine(FREE))
    satellites = (Satellite("GPS", 3, 40, 120, 38), Satellite("GPS", 7, 5, 10, None))
    for event in (
        Found(GPS0, world.mono, "/dev/gps0 at 9600 Bd"),
        Found(PPS0, world.mono, "/dev/pps0"),
        Identity(world.mono, "u-blox 8"),
        Configured(world.mono, "GSV: 1 -> 5, changed"),
        Configured(world.mono, "u-blox 8: 1 changed"),
        Dropped(world.mono, DropReason.BINARY, "?"),
        Dropped(world.mono, DropReason.BINARY, "?"),
        SkyView(world.mono, 6, satellites),
        SkyView(world.mono, None, (Satellite("GLONASS", 70, 5, 10, None),)),
        Lost(PPS0, world.mono, "no such device"),
    ):
        assert world.tell(event) == ()
    status = world.engine.status(world.mono)
    assert status.devices == {
        GPS0: "/dev/gps0 at 9600 Bd",
        "configured": "u-blox 8: 1 changed",
        PPS0: "gone: no such device",
    }
    assert status.receiver == "u-blox 8"
    assert status.dropped == {"binary_checksum": 2}
    assert (status.satellites_used, status.satellites_seen) == (6, 3)
    assert status.reason == "pulse is gone: no such device"


# memory


def test_an_engine_that_remembers_starts_warm() -> None:
    world = tracking(FREE, 300)
    kept = world.engine.memory()
    assert kept.learned is not None
    assert kept.learned.rate == pytest.approx(-12e-6, abs=1e-9)
    assert kept.lags["RMC"].mean.seconds == pytest.approx(0.12, abs=1e-3)
    beginning = Beginning(FREE, LEAPS, LEAPS.updated, ZERO, ZERO, -20, memory=kept)
    warm, cold = World(beginning.engine()), World(engine(FREE))
    warm.run(7)
    cold.run(7)
    assert warm.serves
    assert abs(warm.wrong) < MICROSECOND
    assert warm.bound < cold.bound
    assert warm.engine.memory().lags["RMC"].count > kept.lags["RMC"].count
    assert Memory.parse(kept.text()).lags == kept.lags


def test_the_last_good_time_is_one_that_was_served() -> None:
    assert engine().memory().last_good is None
    world = tracking(FREE, 300)
    assert world.engine.memory().last_good is None
    world.run(620)
    good = world.engine.memory().last_good
    assert good is not None
    assert abs(good - LEAPS.posix(world.true)) < 2 * SECOND


def test_beginnings_without_a_memory_make_a_cold_engine() -> None:
    beginning = Beginning(FREE, LEAPS, LEAPS.updated, ZERO, ZERO, -20, memory=None)
    assert beginning.engine().memory().lags == {}


def test_a_pulse_without_a_receiver_that_vouches_for_it_is_not_followed() -> None:
    world = tracking()
    world.sentences = False
    world.run(12)
    assert world.mode() == Mode.HOLDOVER
    assert "no sentence from the receiver" in world.reason
    used = world.engine.status(world.mono).pulses
    world.run(60)
    assert world.engine.status(world.mono).pulses == used
    world.sentences = True
    world.run(5)
    assert world.mode() == Mode.TRACK


@pytest.mark.parametrize("off", [DAY, -DAY, 3 * SECOND, -4 * 365 * DAY, 1000 * SECOND])
def test_a_battery_clock_stops_a_date_and_a_second_it_excludes(off: Duration) -> None:
    """It is good to a second and a half: no more is needed to exclude these."""
    world = World()
    for _ in range(30):
        told = replace(witness(world, off), spread=1500 * MILLISECOND)
        world.tell(told)
        world.second()
    assert world.mode() == Mode.COLD
    codes = world.engine.status(world.mono).reason_codes
    assert codes[-1] == "witness_contradicts"
    assert "the battery clock" in world.reason


def test_a_battery_clock_the_kernel_sets_from_ours_is_no_witness() -> None:
    """It would vouch for the very second it was set by."""
    world = World(engine(STEERING), ahead=-2 * SECOND)
    world.run(30)
    world.ahead = ZERO
    for _ in range(20):
        echo = replace(witness(world, -2 * SECOND), spread=100 * MILLISECOND)
        world.tell(echo)
        world.second()
    (alarm,) = world.engine.status(world.mono).alarms
    assert alarm.parameters["witness"] == "none"


def test_an_announcement_withdrawn_leaves_no_leap_second() -> None:
    expired = replace(LEAPS, expires=Utc.of(2026, 6, 28))
    world = World(engine(FREE, expired))
    world.run(30)
    for announced in (INSERTED, None):
        for _ in range(80):
            notice = LeapNotice(
                world.mono, "UBX-NAV-TIMELS", 37 * SECOND, announced=announced
            )
            world.tell(notice)
            world.second()
        assert world.engine.snapshot.leap == announced


GPS1, PPS1 = SourceId("gps1"), SourceId("pps1")
TWO = (SourcePair(GPS0, PPS0), SourcePair(GPS1, PPS1))


class Pair(World):
    """Two receivers with a pulse each; the second is of `second` late."""

    second_late = 300 * MICROSECOND
    second_ahead = ZERO

    def tell(self, event: Event) -> tuple[Command, ...]:
        commands = super().tell(event)
        if isinstance(event, PulseEdge):
            late = self.second_late
            other = replace(
                event, at=event.at + late, mono=event.mono + late, source=PPS1
            )
            super().tell(other)
        if isinstance(event, TimeMessage):
            utc = event.utc + self.second_ahead
            super().tell(replace(event, utc=utc, source=GPS1))
        return commands


def two() -> Pair:
    return Pair(Engine(FREE, LEAPS, LEAPS.updated, pairs=TWO))


def test_the_first_of_two_receivers_steers_and_the_other_is_watched() -> None:
    world = two()
    world.run(30)
    assert world.mode() == Mode.TRACK
    assert abs(world.wrong) < MICROSECOND
    first, other = world.engine.status(world.mono).sources
    assert (first.receiver, first.pulse, first.steers) == (GPS0, PPS0, True)
    assert (other.receiver, other.pulse, other.steers) == (GPS1, PPS1, False)
    assert other.offset_s == pytest.approx(-300e-6, abs=1e-6)
    assert other.pulses > 20
    assert other.lag["RMC"].mean_s == pytest.approx(0.12, abs=0.01)


def test_what_a_watched_receiver_says_moves_nothing() -> None:
    world = two()
    world.second_ahead = 3600 * SECOND
    world.run(200)
    assert world.mode() == Mode.TRACK
    assert abs(world.wrong) < MICROSECOND
    status = world.engine.status(world.mono)
    assert [alarm.source for alarm in status.alarms] == [GPS1]
    assert "+3600 s from the second our clock carries" in status.alarms[0].text
    assert status.sources[1].lag == {}


def test_without_the_first_the_other_does_not_steer() -> None:
    """Nothing votes between two."""
    world = two()
    world.run(30)
    world.pulses = False
    used = world.engine.status(world.mono).pulses
    world.run(20)
    assert world.mode() == Mode.HOLDOVER
    assert world.engine.status(world.mono).pulses == used


def test_facts_of_a_source_that_nobody_named_are_no_ones() -> None:
    world = tracking()
    stray = replace(world.message(), utc=Utc.of(2030, 1, 1), source=GPS1)
    assert world.tell(stray) == ()
    assert world.tell(replace(world.edge(), source=PPS1)) == ()
    world.run(3)
    assert abs(world.wrong) < MICROSECOND
