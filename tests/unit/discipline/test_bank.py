"""The bank on a simulated clock: what it must reach, and what must not throw it.

The clock here is free-running or steered; only its error is kept, for it is small.
"""

import json
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from math import pi, sin

import pytest

from refclock.discipline.bank import Bank, Estimate, Learned, Sample, SampleSource
from refclock.events import Temperature
from refclock.timebase import SECOND, ZERO, Duration, Local, Mono

TEN_YEARS = Duration(315_576_000_000_000_000)
US = 1e-6


class Rig:
    """A clock, its pulse and a bank; `error_s` is local - true."""

    def __init__(
        self,
        seed: int = 1,
        *,
        ppm: float = 12.0,
        walk: float = 1e-9,
        jitter_s: float = US,
        base: Duration = TEN_YEARS,
        learned: Learned | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.bank = Bank(learned)
        self.base = base
        self.walk, self.jitter_s = walk, jitter_s
        self.rate = ppm * 1e-6
        self.steered = 0.0
        self.error_s = 0.05
        self.leapt_s = 0.0
        self.k = 0
        self.swing: Callable[[int], float] = lambda _: 0.0
        self.late: Callable[[], float] = lambda: 0.0

    def advance(self) -> None:
        """To the next second of true time."""
        raw = self.rate + self.swing(self.k)
        self.error_s += (1.0 + raw) * (1.0 + self.steered) - 1.0
        self.rate += self.walk * self.rng.gauss(0.0, 1.0)
        self.k += 1

    @property
    def now(self) -> Mono:
        return Mono(self.k * SECOND.ns + round((self.error_s - self.leapt_s) * 1e9))

    def leap(self, by_s: float) -> None:
        """Someone sets the local clock; the monotonic one goes on."""
        self.error_s += by_s
        self.leapt_s += by_s

    def sample(
        self, noise_s: float, source: SampleSource = SampleSource.PULSE
    ) -> Sample:
        """A measurement stamped `noise_s` late."""
        seen = self.now + Duration.from_seconds(noise_s)
        local = Local(seen.ns + round(self.leapt_s * 1e9))
        offset = self.base + Duration(self.k * SECOND.ns - local.ns)
        return Sample(local, seen, offset, source)

    def wrong_s(self) -> tuple[float, Estimate]:
        """Error of the served time now, and the estimate."""
        estimate = self.bank.estimate(self.now)
        true = self.base.ns + self.k * SECOND.ns
        local = self.now.ns + round(self.leapt_s * 1e9)
        return (local + estimate.offset.ns - true) * 1e-9, estimate

    def run(self, seconds: int) -> list[float]:
        """Errors at each pulse before it is used."""
        errors = []
        for _ in range(seconds):
            self.advance()
            if self.bank.started:
                errors.append(self.wrong_s()[0])
            self.bank.add(self.sample(self.rng.gauss(0, self.jitter_s) + self.late()))
        return errors


def rms(errors: list[float]) -> float:
    return float((sum(e * e for e in errors) / len(errors)) ** 0.5)


def test_cold_to_ten_microseconds_in_half_a_minute() -> None:
    for seed in range(1, 5):
        errors = Rig(seed).run(400)
        assert max(map(abs, errors[30:])) < 10 * US
        assert rms(errors[300:]) < 0.5 * US


def test_no_estimate_before_a_rate_was_confirmed() -> None:
    rig = Rig()
    rig.advance()
    told = rig.bank.innovation(rig.sample(0.0))
    assert (told.residual_s, told.normalised, told.weight) == (0.0, 0.0, 1.0)
    for _ in range(3):
        assert not rig.bank.started
        rig.run(1)
    assert rig.bank.started


def test_what_was_learned_outlives_a_restart_as_json() -> None:
    first = Rig(2)
    first.run(400)
    text = json.dumps(asdict(first.bank.learned()))
    known = Learned(**json.loads(text))
    assert known.rate == pytest.approx(-first.rate, abs=2e-8)
    assert known.jitter_s == pytest.approx(US, rel=0.2)
    warm = Rig(3, ppm=first.rate * 1e6 + 0.05, learned=known)
    assert max(map(abs, warm.run(200)[17:])) < 1.5 * US


def test_a_foreign_memory_is_used_as_far_as_it_fits() -> None:
    known = Learned(-12e-6, 1e-9, US, (0.0,), 0.01, 10.0, 0.002)
    assert max(map(abs, Rig(learned=known).run(60)[20:])) < 1.5 * US
    assert Bank(known).learned().rate == -12e-6
    assert Bank().learned().curve == ()


@pytest.mark.slow
def test_the_jitter_of_any_receiver_is_learned() -> None:
    for jitter_s in (1e-8, 1e-4, 1e-3):
        rig = Rig(4, jitter_s=jitter_s, walk=1e-10)
        errors = rig.run(1500)
        assert rig.wrong_s()[1].jitter_s == pytest.approx(jitter_s, rel=0.3)
        assert rms(errors[700:]) < jitter_s


def test_asking_changes_nothing() -> None:
    rig, twin = Rig(5), Rig(5)
    rig.run(50)
    twin.run(50)
    for ahead in (ZERO, SECOND, 86_400 * SECOND):
        far = rig.bank.estimate(rig.now + ahead)
        assert far.sigma_s > 0.0
        rig.bank.innovation(rig.sample(1e-3))
    assert rig.run(50) == twin.run(50)


def test_steering_is_known_and_costs_nothing() -> None:
    """A clock driven hard about is followed as well as one left alone."""
    rig, free = Rig(6), Rig(6)
    errors = []
    for second in range(400):
        errors += rig.run(1)
        if second % 7 == 6:
            ppb = rig.rng.uniform(-4e5, 4e5)
            by = (1.0 + ppb * 1e-9) / (1.0 + rig.steered) - 1.0
            assert by != 0.0
            rig.bank.rate_changed(rig.now, ppb - rig.steered * 1e9)
            rig.steered = ppb * 1e-9
    alone = free.run(400)
    assert rms(errors[60:]) < 1.2 * rms(alone[60:]) + 2e-8
    assert rig.bank.learned().rate == pytest.approx(-rig.rate, abs=5e-8)
    estimate = rig.wrong_s()[1]
    assert estimate.rate == pytest.approx(-rig.rate - rig.steered, abs=1e-6)


def test_our_own_step_is_certain() -> None:
    rig, twin = Rig(7), Rig(7)
    rig.run(100)
    twin.run(100)
    rig.leap(0.3)
    rig.bank.stepped(Duration.from_seconds(0.3))
    assert rig.run(30) == pytest.approx(twin.run(30), abs=2e-9)


def test_a_foreign_step_is_as_sure_as_its_reading() -> None:
    rig = Rig(8)
    rig.run(100)
    rig.leap(0.3 + 40 * US)
    rig.bank.stepped(Duration.from_seconds(0.3), Duration(50_000))
    wrong, estimate = rig.wrong_s()
    assert abs(wrong) < 2 * estimate.sigma_s
    errors = rig.run(60)
    assert max(map(abs, errors[40:])) < 1.5 * US


def test_upset_forgets_the_phase_and_keeps_the_rate() -> None:
    rig = Rig(9)
    rig.run(400)
    rig.bank.reset_phase()
    rig.leap(5.0)
    assert not rig.bank.started
    assert rig.bank.learned().rate == pytest.approx(-rig.rate, abs=3e-8)
    errors = rig.run(60)
    assert max(map(abs, errors)) < 2.5 * US
    Bank().reset_phase()


@pytest.mark.slow
def test_stragglers_hardly_move_it() -> None:
    rig = Rig(10)
    rig.late = lambda: rig.rng.expovariate(5e4) if rig.rng.random() < 0.02 else 0.0
    errors = rig.run(1500)
    assert rms(errors[600:]) < 0.35 * US
    told = rig.bank.innovation(rig.sample(30 * US))
    assert told.weight < 0.01
    assert told.normalised > 20
    assert told.residual_s == pytest.approx(-30 * US, abs=2 * US)
    assert rig.bank.innovation(rig.sample(0.0)).weight > 0.9


@pytest.mark.slow
def test_a_third_late_is_a_habit_not_a_reason_to_lock_out() -> None:
    rig = Rig(11)
    rig.late = lambda: rig.rng.expovariate(5e4) if rig.rng.random() < 0.3 else 0.0
    assert rms(rig.run(1500)[900:]) < 0.6 * US


@pytest.mark.slow
@pytest.mark.parametrize("jump_s", [1e-3, -1e-3, 0.3])
def test_a_phase_that_jumped_for_good_is_believed_within_minutes(jump_s: float) -> None:
    rig = Rig(12)
    rig.run(600)
    rig.leap(jump_s)
    assert max(map(abs, rig.run(600)[420:])) < 5 * US


@pytest.mark.slow
@pytest.mark.parametrize("ppm", [20.0, -20.0])
def test_a_rate_that_jumped_is_believed_within_minutes(ppm: float) -> None:
    rig = Rig(13)
    rig.run(600)
    rig.rate += ppm * 1e-6
    assert max(map(abs, rig.run(600)[420:])) < 5 * US


@pytest.mark.slow
def test_noise_that_grows_tenfold_and_goes() -> None:
    rig = Rig(14)
    rig.run(500)
    rig.jitter_s = 10 * US
    assert rms(rig.run(500)[300:]) < 5 * US
    rig.jitter_s = US
    assert rms(rig.run(700)[500:]) < 0.6 * US


@pytest.mark.slow
def test_noise_that_leaves_no_pulse_in_the_bulk() -> None:
    rig = Rig(15)
    rig.run(400)
    rig.jitter_s = 1e-3
    rig.run(300)
    assert rig.wrong_s()[1].jitter_s > 2e-4


def test_pulses_missing_for_a_day() -> None:
    rig = Rig(16)
    rig.run(900)
    for _ in range(86_400):
        rig.advance()
    wrong, estimate = rig.wrong_s()
    assert abs(wrong) < 4 * estimate.sigma_s < 1.0
    errors = rig.run(200)
    assert max(map(abs, errors[100:])) < 1.5 * US


def test_sentences_carry_on_where_pulses_end() -> None:
    rig = Rig(17)
    rig.run(600)
    for _ in range(600):
        rig.advance()
        noise = rig.rng.gauss(0.0, 5e-3)
        told = rig.bank.add(rig.sample(noise, SampleSource.SENTENCE))
        assert told.weight > 0.2
    wrong, estimate = rig.wrong_s()
    assert abs(wrong) < 4 * estimate.sigma_s
    assert rig.bank.innovation(rig.sample(1.0, SampleSource.UPSTREAM)).weight < 0.01
    assert max(map(abs, rig.run(120)[60:])) < 1.5 * US


def test_sentences_alone_are_a_millisecond_class_source() -> None:
    rig = Rig(18)
    for _ in range(900):
        rig.advance()
        rig.bank.add(rig.sample(rig.rng.gauss(0.0, 5e-3), SampleSource.SENTENCE))
    wrong, estimate = rig.wrong_s()
    assert abs(wrong) < 4 * estimate.sigma_s < 20e-3


def test_two_stamps_of_one_moment_make_no_rate() -> None:
    rig = Rig(19)
    rig.advance()
    for _ in range(3):
        rig.bank.add(rig.sample(0.0))
    assert not rig.bank.started
    assert max(map(abs, rig.run(60)[20:])) < 2 * US


@pytest.mark.slow
def test_a_clock_without_any_noise_is_no_trouble() -> None:
    rig = Rig(20, walk=0.0, jitter_s=0.0)
    assert max(map(abs, rig.run(900)[600:])) < 5e-9


def test_five_hundred_ppm_is_nothing_special() -> None:
    for ppm in (-500.0, 500.0):
        assert max(map(abs, Rig(21, ppm=ppm).run(300)[60:])) < 1.5 * US


@pytest.mark.slow
def test_a_filter_that_lost_its_way_is_called_back() -> None:
    rig = Rig(22, walk=2e-8)
    rig.run(1200)
    known = rig.wrong_s()[1].jitter_s
    assert max(f.r for f in rig.bank._filters[:32]) < 300 * known**2


def test_filters_that_differ_are_doubt() -> None:
    rig = Rig(26)
    rig.run(200)
    sure = rig.wrong_s()[1].sigma_s
    rig.bank._filters[rig.bank._leader].x += 1e-3
    assert rig.wrong_s()[1].sigma_s > 1e-5 > sure


def test_no_hypothesis_is_ever_dead() -> None:
    rig = Rig(27)
    rig.run(300)
    log_weight = rig.bank.learned().log_weight
    assert max(log_weight) == 0.0
    assert min(log_weight) == pytest.approx(-12.0)


def test_one_outlier_on_either_side_tells_nothing_of_noise() -> None:
    for side in (-1.0, 1.0):
        rig = Rig(28)
        rig.run(300)
        before = rig.wrong_s()[1]
        rig.advance()
        rig.bank.add(rig.sample(side * 20 * US))
        after, estimate = rig.wrong_s()
        assert estimate.jitter_s == pytest.approx(before.jitter_s, rel=0.1)
        assert abs(after) < 0.5 * US


@pytest.mark.slow
@pytest.mark.parametrize(("share", "off_s"), [(0.4, 17e-6), (0.1, -8e-6), (0.3, 4e-6)])
def test_many_outliers_on_one_side_cost_little(share: float, off_s: float) -> None:
    rig = Rig(30, walk=1e-10, jitter_s=0.5 * US)
    rig.late = lambda: off_s if rig.rng.random() < share else 0.0
    assert rms(rig.run(1500)[600:]) < 0.2 * US


@pytest.mark.slow
def test_stamps_that_dwell_in_two_modes() -> None:
    """The earlier mode is the reference; the first minutes tell of both."""
    rig = Rig(31, walk=1e-10, jitter_s=0.5 * US)
    rig.late = lambda: 8e-6 if rig.k % 200 > 120 else 0.0
    assert max(map(abs, rig.run(2000)[100:])) < 1.0 * US


@pytest.mark.slow
@pytest.mark.parametrize("times", [3.0, 10.0, 30.0])
def test_a_jump_in_noise_is_no_jump_in_time(times: float) -> None:
    rig = Rig(32, walk=1e-10)
    rig.run(900)
    rig.jitter_s = times * US
    for _ in range(60):
        rig.run(1)
        wrong, estimate = rig.wrong_s()
        assert abs(wrong) < 1.5 * US
        assert abs(wrong) < 4 * estimate.sigma_s


@pytest.mark.slow
def test_stamps_in_whole_microseconds_are_not_certain() -> None:
    rig = Rig(33, ppm=0.01, walk=1e-10, jitter_s=0.0)
    outside = 0
    for k in range(1500):
        rig.advance()
        if rig.bank.started and k > 600:
            wrong, estimate = rig.wrong_s()
            outside += abs(wrong) > 4 * estimate.sigma_s
        error_s = rig.error_s % US
        rig.bank.add(rig.sample(0.5 * US - error_s))
    assert outside == 0


def test_to_listen_is_not_to_know_less() -> None:
    curve = (25.0, -1e-6, 1e-7, 1e-6, 1e-6)
    rig = Rig(29, learned=Learned(-12e-6, 1e-9, US, (), 0.01, 10.0, 0.002, curve))
    rig.run(60)
    before = rig.wrong_s()[1]
    rig.bank.temperature(Temperature(rig.now, 45.0, "chip"))
    after = rig.wrong_s()[1]
    assert after.rate == pytest.approx(before.rate, abs=1e-9)
    assert after.rate_sigma == pytest.approx(before.rate_sigma, rel=0.3)


@pytest.mark.slow
def test_a_swing_is_foreseen_in_holdover() -> None:
    rig = Rig(23, walk=1e-10)
    rig.swing = lambda k: 5e-7 * sin(2 * pi * k / 1200.0)
    rig.run(6000)
    for _ in range(900):
        rig.advance()
    wrong, estimate = rig.wrong_s()
    frozen = 5e-7 * 1200.0 / pi
    assert abs(wrong) < 0.1 * frozen
    assert abs(wrong) < 4 * estimate.sigma_s


def heated(*, told: bool, learned: Learned | None = None) -> tuple[Rig, float]:
    """A crystal of 0.1 ppm/K in a room that warms and cools; then an hour without
    pulses in which it warms by three kelvin. The rig and its error at the end."""
    rig = Rig(24, walk=1e-10, learned=learned)

    def celsius(k: int) -> float:
        return 25.0 + 3.0 * sin(k / 700.0) + 2.0 * sin(k / 311.0)

    rig.swing = lambda k: 1e-7 * (celsius(k) - 25.0)

    def read() -> None:
        if told and rig.k % 10 == 0:
            rig.bank.temperature(Temperature(rig.now, celsius(rig.k), "chip"))

    for _ in range(4000):
        rig.run(1)
        read()
    for _ in range(1800):
        rig.advance()
        read()
    return rig, rig.wrong_s()[0]


@pytest.mark.slow
def test_a_thermometer_makes_holdover_better() -> None:
    """The twin: the same hour without it."""
    rig, wrong = heated(told=True)
    deaf, worse = heated(told=False)
    assert abs(wrong) < 0.3 * abs(worse)
    known = rig.bank.learned()
    assert known.curve[1] == pytest.approx(-1e-6, rel=0.15)
    assert deaf.bank.learned().curve == ()
    rig.bank.reset_phase()
    assert rig.bank.learned().curve == known.curve


def test_a_curve_is_remembered() -> None:
    curve = (25.0, -1e-6, 0.0, 1e-8, 1e-8)
    rig = Rig(25, walk=1e-10)
    known = Learned(-12e-6, 1e-9, US, (), 0.01, 10.0, 0.002, curve)
    rig.bank = Bank(known)
    rig.bank.temperature(Temperature(rig.now, 30.0, "chip"))
    assert rig.bank.learned().curve == curve
    rig.run(60)
    rig.bank.temperature(Temperature(rig.now, 30.0, "chip"))
    before = rig.wrong_s()[1].rate
    assert before == pytest.approx(-12e-6, abs=5e-8)
    rig.bank.temperature(Temperature(rig.now + 1000 * SECOND, 35.0, "chip"))
    after = rig.bank.estimate(rig.now + 1000 * SECOND).rate
    assert after - before == pytest.approx(-5e-7, rel=0.2)


@pytest.mark.parametrize("remembered", [1e-3, -1e-3, 5e-6])
def test_a_remembered_rate_that_the_first_pulses_contradict_is_learned_anew(
    remembered: float,
) -> None:
    known = replace(Bank().learned(), rate=remembered, rate_sigma=1e-12, jitter_s=1e-7)
    bank = Bank(known)
    for second in range(10):
        at = 10**9 * second
        bank.add(Sample(Local(at), Mono(at), Duration(100 * (second % 2))))
    estimate = bank.estimate(Mono(10 * 10**9))
    assert abs(estimate.rate) < 1e-6
    assert abs(estimate.offset.seconds) < 5 * estimate.sigma_s < 1e-3
