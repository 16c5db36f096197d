"""The live world: its truth, its pulse by a clock of our own, and its real pty."""

from __future__ import annotations

import os
import select
import time
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from hw.emu.faults import Fault, Kind
from hw.emu.gnss.pulse import PulseModel
from hw.emu.gnss.receiver import ReceiverModel
from hw.emu.oscillator import Environment, OscillatorModel
from hw.linux.clock import FreeClock
from hw.linux.line.uart import Uart
from hw.sim.live import LiveWorld
from hw.sim.pty import Pty
from hw.sim.scenarios import SCENARIOS, Battery, Scenario
from refclock.board.ports import EdgeEvent
from refclock.events import Command, Edge
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    Duration,
    Local,
    Mono,
    Tai,
    Utc,
)

EXACT = ReceiverModel(pulse=PulseModel(jitter_s=0.0, tail_share=0.0))
NOW = Utc.of(2026, 11, 23, 12)


class Hand:
    """A machine's clock that goes when it is told to sleep."""

    era = 0

    def __init__(self) -> None:
        self.mono = 5_000 * SECOND.ns
        self.ahead = NOW.ns + 250_000_000 - self.mono

    def read(self) -> tuple[Local, Mono]:
        return Local(self.mono + self.ahead), Mono(self.mono)

    def apply(self, command: Command) -> None:
        raise PermissionError(str(command))

    def sleep(self, seconds: float) -> None:
        self.mono += max(round(seconds * 1e9), 1) + 40_000  # threads wake up late


def build(
    *faults: Fault, receiver_model: ReceiverModel = EXACT, ppb: float = 20_000.0
) -> tuple[LiveWorld, Hand]:
    scenario = Scenario(
        "test", "a test", faults, (receiver_model,), OscillatorModel(ppb)
    )
    hand = Hand()
    return LiveWorld(scenario, 1, hand, hand.sleep), hand


def test_it_begins_at_the_machine_s_time_and_the_clock_errs() -> None:
    world, hand = build()
    local, mono = hand.read()
    true = world.leaps.posix(world.truth(mono))
    assert true.ns == local.ns
    assert world.clock.read()[0] - local == 37 * MILLISECOND
    world.stop()


def test_or_where_the_scenario_says() -> None:
    hand = Hand()
    scenario = SCENARIOS["leap-insert"]
    world = LiveWorld(scenario, 1, hand, hand.sleep)
    assert world.truth(hand.read()[1]) == scenario.begins
    assert world.leaps == scenario.leaps
    world.stop()


def test_truth_and_its_inverse() -> None:
    world, hand = build()
    start = world.truth(Mono(hand.mono))
    for after in (-SECOND.ns, 0, 1, 999_999_999, 10**9, 3_601_234_567_891):
        mono = Mono(hand.mono + after)
        true = world.truth(mono)
        assert abs(world.mono(true) - mono) <= Duration(1)
        assert (true - start).seconds == pytest.approx(after * 1e-9 / (1 + 20e-6))
    world.stop()


def test_truth_goes_on_evenly_from_one_second_to_the_next() -> None:
    world, hand = build()
    trues = [world.truth(Mono(hand.mono + k * 50_000_000)) for k in range(200)]
    gaps = [(b - a).ns for a, b in pairwise(trues)]
    assert max(gaps) - min(gaps) <= 2
    world.stop()


def flanks(world: LiveWorld, count: int) -> list[EdgeEvent]:
    pulse, found = world.open_pulse(), list[EdgeEvent]()
    while len(found) < count:
        flank = pulse.wait(2 * SECOND)
        assert flank is not None
        found.append(flank)
    return found


def trues(world: LiveWorld, hand: Hand, found: list[EdgeEvent]) -> list[Tai]:
    ahead = hand.ahead + world.clock.ahead(Mono(hand.mono)).ns
    return [world.truth(Mono(flank.at.ns - ahead)) for flank in found]


def test_a_pulse_is_stamped_at_its_true_second_whenever_the_thread_wakes() -> None:
    world, hand = build()
    found = flanks(world, 20)
    for true in trues(world, hand, found):
        assert abs((true.ns + SECOND.ns // 2) % SECOND.ns - SECOND.ns // 2) <= 1
    assert [flank.seq for flank in found] == list(range(1, 21))
    gaps = {(b.at - a.at).ns for a, b in pairwise(found)}
    assert all(abs(gap - 1_000_020_000) < 100 for gap in gaps)
    world.stop()


def test_both_flanks_are_counted_apart() -> None:
    world, _ = build(
        receiver_model=replace(EXACT, pulse=replace(EXACT.pulse, stamped="both"))
    )
    found = flanks(world, 6)
    assert [flank.edge for flank in found] == [Edge.ASSERT, Edge.CLEAR] * 3
    assert [flank.seq for flank in found] == [1, 1, 2, 2, 3, 3]
    world.stop()


def test_a_pulse_may_come_early_and_need_not_come() -> None:
    early = Fault(Kind.SHIFT_S, 2, 2, size=-0.3)
    world, hand = build(early, Fault(Kind.NO_PULSE, 5, 3))
    start = world.truth(hand.read()[1])
    pulse, found = world.open_pulse(), list[EdgeEvent]()
    silence = 0
    while len(found) < 8:
        flank = pulse.wait(SECOND)
        silence += flank is None
        found += [flank] if flank is not None else []
    after = [(true - start).seconds for true in trues(world, hand, found)]
    first = after[0]
    expected = [0, 1, 1.7, 2.7, 4, 8, 9, 10]
    assert after == pytest.approx([first + late for late in expected], abs=1e-6)
    assert silence >= 2
    world.stop()


def test_no_wait_is_longer_than_its_limit() -> None:
    world, hand = build(Fault(Kind.NO_PULSE))
    before = hand.mono
    assert world.open_pulse().wait(2 * SECOND) is None
    assert (hand.mono - before) * 1e-9 == pytest.approx(2.0, abs=0.01)
    world.stop()


def test_edges_nobody_waited_for_are_gone_and_counted() -> None:
    world, hand = build()
    pulse = world.open_pulse()
    first = pulse.wait(2 * SECOND)
    hand.sleep(7.9)
    second = pulse.wait(2 * SECOND)
    assert first is not None
    assert second is not None
    assert (first.seq, second.seq) == (1, 9)
    assert (second.at - first.at).seconds == pytest.approx(8.0, abs=1e-3)
    pulse.close()
    world.stop()


def test_the_thermometer_is_beside_the_crystal() -> None:
    hand = Hand()
    warm = OscillatorModel(
        environment=Environment(mean_c=41.26, step_c=5.0, step_at_s=9, settle_s=1)
    )
    world = LiveWorld(Scenario("t", "t", oscillator=warm), 1, hand, hand.sleep)
    thermometer = world.open_thermometer()
    assert thermometer.celsius() == pytest.approx(41.3)
    hand.sleep(60)
    assert thermometer.celsius() == pytest.approx(46.3)
    thermometer.close()
    world.stop()


def test_a_pulse_is_told_late_and_stamped_in_time() -> None:
    world, hand = build(Fault(Kind.TOLD_LATE_S, 3, 2, size=0.02))
    start = world.now()
    pulse, late = world.open_pulse(), []
    for _ in range(8):
        flank = pulse.wait(2 * SECOND)
        assert flank is not None
        late.append((world.clock.read()[0] - flank.at).seconds)
        (true,) = trues(world, hand, [flank])
        assert abs((true.ns + SECOND.ns // 2) % SECOND.ns - SECOND.ns // 2) <= 1
    second = (world.now() - start).seconds
    assert second == pytest.approx(8, abs=1)
    assert [each > 0.015 for each in late].count(True) == 2
    world.stop()


def test_the_clock_is_stepped_and_the_truth_is_not() -> None:
    world, hand = build(Fault(Kind.STEP_S, 5.5, size=2.5))
    start, era = world.now(), world.clock.era
    local, _ = world.clock.read()
    hand.sleep(10)
    assert (world.now() - start).seconds == pytest.approx(10, abs=1e-3)
    assert (world.clock.read()[0] - local).seconds == pytest.approx(12.5, abs=1e-3)
    assert world.clock.era == era + 1
    world.stop()


def test_a_machine_asleep_misses_what_happens_meanwhile() -> None:
    world, hand = build(Fault(Kind.SLEEP, 5.5, 600))
    start, era, before = world.now(), world.clock.era, hand.mono
    local, _ = world.clock.read()
    found = flanks(world, 10)
    after = [(true - start).seconds for true in trues(world, hand, found[-1:])]
    assert after[0] > 600
    assert (hand.mono - before) * 1e-9 < 12
    assert (world.now() - start).seconds == pytest.approx(
        600 + (hand.mono - before) * 1e-9, abs=0.01
    )
    assert (world.clock.read()[0] - local).seconds > 600
    assert world.clock.era == era + 1
    assert [flank.seq for flank in found] == list(range(1, 11))
    world.stop()


def test_a_battery_clock_keeps_its_own_time() -> None:
    hand = Hand()
    scenario = Scenario("t", "t", clock_error_s=-1e8, battery=Battery(2.0))
    world = LiveWorld(scenario, 1, hand, hand.sleep)
    board = world.board()
    assert board.open_rtc is not None
    hand.sleep(30)
    shown = board.open_rtc().read()
    assert shown is not None
    true = world.leaps.posix(world.now())
    assert (shown - true).seconds == pytest.approx(1.0, abs=1)  # whole seconds
    local, _ = world.clock.read()
    assert (local.ns - true.ns) * 1e-9 == pytest.approx(-1e8, abs=1)
    world.stop()


def test_two_receivers_have_lines_and_dice_of_their_own() -> None:
    hand = Hand()
    two = (ReceiverModel(), ReceiverModel(name="gps1"))
    lost = Fault(Kind.NO_PULSE, 0, receiver="gps0")
    world = LiveWorld(Scenario("t", "t", (lost,), two), 1, hand, hand.sleep)
    first, second = world.stations
    assert first.path != second.path
    assert first.open_pulse(hand.sleep).wait(2 * SECOND) is None
    flank = second.open_pulse(hand.sleep).wait(2 * SECOND)
    assert flank is not None
    world.stop()


def read(path: str, seconds: float) -> list[tuple[int, bytes]]:
    """When (CLOCK_MONOTONIC, ns) what came."""
    line = os.open(path, os.O_RDONLY | os.O_NOCTTY)
    until, came = time.monotonic() + seconds, []
    while (left := until - time.monotonic()) > 0:
        if select.select([line], [], [], left)[0]:
            came.append((time.monotonic_ns(), os.read(line, 4096)))
    os.close(line)
    return came


@pytest.mark.slow
def test_real_bytes_come_at_the_pace_of_the_line_after_the_true_second() -> None:
    clock = FreeClock()
    receiver_model = ReceiverModel(
        lag_s=0.2, lag_jitter_s=0.0, sentences=(("RMC", 1), ("GGA", 1))
    )
    world = LiveWorld(Scenario("t", "t", receivers=(receiver_model,)), 1, clock)
    world.start()
    try:
        came = read(world.receiver_path, 3.5)
    finally:
        world.stop()
    assert not Path(world.receiver_path).exists()
    text = b"".join(data for _, data in came)
    begun = [(at, data) for at, data in came if data[:6] == b"$GNRMC" and data[13:]]
    assert len(begun) >= 2
    assert text.count(b"\r\n") >= 5
    fifo_s = 16 * 10 / 9600
    lags = []
    for at, data in begun:
        true = world.truth(Mono(at))
        lags.append((true.ns % SECOND.ns) * 1e-9 - fifo_s)
        told = world.leaps.posix(true).iso()[11:19].replace(":", "")
        assert data[7:13].decode() == told
    assert 0.2 <= min(lags) < 0.7  # never early; a busy machine is late
    lasted = [b - a for (a, x), (b, y) in pairwise(came) if not x.endswith(b"\n")]
    assert sorted(lasted)[len(lasted) // 2] * 1e-9 > fifo_s / 2  # paced, not at once


def listen(uart: Uart, seconds: float) -> bytes:
    """What comes; OSError: it was unplugged."""
    until, came = time.monotonic() + seconds, b""
    while time.monotonic() < until:
        chunk = uart.read(SECOND)
        came += chunk.data if chunk is not None else b""
    return came


@pytest.mark.slow
def test_unplugged_the_reader_hears_so_and_the_name_is_gone_until_it_is_back() -> None:
    world = LiveWorld(
        Scenario("t", "t", (Fault(Kind.UNPLUGGED, 1, 2),)), 1, FreeClock()
    )
    world.start()
    try:
        with (
            closing(Uart(world.receiver_path, 9600)) as uart,
            pytest.raises(OSError, match=r"hung up|Input/output"),
        ):
            listen(uart, 5.0)
        with pytest.raises(OSError, match="no such device"):
            Uart(world.receiver_path, 9600)
        until = time.monotonic() + 5
        while time.monotonic() < until and not Path(world.receiver_path).exists():
            time.sleep(0.05)
        with closing(Uart(world.receiver_path, 9600)) as uart:
            assert b"$GN" in listen(uart, 1.2)
    finally:
        world.stop()


def test_a_line_nobody_has_open_keeps_nothing_for_later(tmp_path: Path) -> None:
    pty = Pty(tmp_path / "gps")
    pty.write(b"before it is there")
    pty.plug()
    pty.plug()
    pty.write(b"early")
    line = os.open(pty.path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    pty.write(b"\x00\r\n$now\x11")
    assert os.read(line, 100) == b"\x00\r\n$now\x11"
    for _ in range(100):  # a reader that never reads does not stop the writer
        pty.write(b"x" * 1000)
    pty.unplug()
    pty.unplug()
    assert not pty.path.exists()
    os.close(line)
