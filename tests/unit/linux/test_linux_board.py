"""From settings to a board: what is opened, where, on which machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hw.linux import board, i2c, sensors
from hw.linux.board import linux_board, name
from hw.linux.clock import FreeClock, KernelClock
from hw.linux.probe.tree import DeviceTree
from refclock.board.ports import Board
from refclock.board.wiring import (
    PulseSettings,
    PulseSource,
    ReceiverSettings,
    RtcSettings,
    RtcSource,
    ThermometerSettings,
    ThermometerSource,
    WantedEdge,
)
from refclock.timebase import Duration
from tests.fakes.machine import MadeUp, pi_4, pi_5

PI_5 = "Raspberry Pi 5 Model B Rev 1.0"


@dataclass
class Machine:
    """What is there, and what was opened on it."""

    there: set[str] = field(default_factory=set)
    name: str = "a PC"
    pulses: list[str] = field(default_factory=list)
    opened: list[tuple[Any, ...]] = field(default_factory=list)

    def opener(self, kind: str) -> Callable[..., object]:
        def opened(*wiring: object) -> object:
            self.opened.append((kind, *wiring))
            return object()

        return opened


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(os.path, "exists", found.there.__contains__)
    monkeypatch.setattr(board, "name", lambda: found.name)
    monkeypatch.setattr(board, "sources", lambda: found.pulses)
    for kind in (
        "Uart",
        "hunt",
        "KernelPps",
        "find",
        "open_gpio",
        "open_dcd",
        "open_ddc",
    ):
        monkeypatch.setattr(board, kind, found.opener(kind))
    monkeypatch.setattr(board, "PhcPulse", found.opener("PhcPulse"))
    monkeypatch.setattr(i2c, "open_rtc", found.opener("open_rtc"))
    monkeypatch.setattr(i2c, "open_thermometer", found.opener("open_thermometer"))
    monkeypatch.setattr(board, "KernelRtc", found.opener("KernelRtc"))
    monkeypatch.setattr(board, "SetRtc", lambda ways: [each() for each in ways])
    monkeypatch.setattr(
        board,
        "kernel_rtcs",
        lambda: sorted(path for path in found.there if path.startswith("/dev/rtc")),
    )
    return found


def made(
    receiver: ReceiverSettings | None = None,
    pulse: PulseSettings | None = None,
    thermometer: ThermometerSettings | None = None,
    rtc: RtcSettings | None = None,
) -> Board:
    return linux_board(
        receiver or ReceiverSettings(),
        pulse or PulseSettings(),
        thermometer or ThermometerSettings(),
        rtc or RtcSettings(),
        steer=False,
        proves=bool,
    )


def open_pulse(settings: PulseSettings, receiver: str = "auto") -> Board:
    whole = made(ReceiverSettings(receiver), settings)
    assert whole.open_pulse
    whole.open_pulse()
    return whole


def test_the_device_tree_s_name_ends_in_nul(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(PI_5.encode() + b"\0")
    assert name(str(tmp_path / "model")) == PI_5
    assert name(str(tmp_path / "none")).startswith("Linux on ")


def test_steering_is_a_choice() -> None:
    auto = ReceiverSettings(), PulseSettings(), ThermometerSettings(), RtcSettings()
    assert isinstance(linux_board(*auto, steer=True, proves=bool).clock, KernelClock)
    assert isinstance(linux_board(*auto, steer=False, proves=bool).clock, FreeClock)


@pytest.mark.parametrize(
    ("pulse", "latency", "spread"),
    [
        (PulseSettings(), 12_000, 8_000),
        (PulseSettings(source=PulseSource.GPIO), 12_000, 8_000),
        (PulseSettings(source=PulseSource.SERIAL), 650_000, 650_000),
        (PulseSettings(source=PulseSource.PHC), 0, 25_000),
        (PulseSettings(latency_ns=-5, latency_spread_ns=7), -5, 7),
        (PulseSettings(latency_ns=0), 0, 8_000),
    ],
)
def test_how_late_a_pulse_is_stamped(
    machine: Machine, pulse: PulseSettings, latency: int, spread: int
) -> None:
    machine.name = PI_5
    whole = made(pulse=pulse)
    assert whole.name == PI_5
    assert whole.pulse_latency == Duration(latency)
    assert whole.pulse_latency_spread == Duration(spread)


@pytest.mark.parametrize(
    ("pulse", "asked"),
    [
        (PulseSettings(measure=True), ("GPIO18", "auto", "auto")),
        (
            PulseSettings(measure=True, line="GPIO4", measure_line="5", chip="x"),
            ("GPIO4", "5", "x"),
        ),
        (
            PulseSettings(measure=True, source=PulseSource.PHC, line="SYNC_OUT"),
            (None, "auto", "auto"),
        ),
        (
            PulseSettings(measure=True, source=PulseSource.SERIAL),
            (None, "auto", "auto"),
        ),
    ],
)
def test_the_pin_to_watch(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    pulse: PulseSettings,
    asked: tuple[str | None, str, str],
) -> None:
    found = []
    monkeypatch.setattr(board, "open_pin", lambda *each: found.append(each))
    machine.name = PI_5
    whole = made(pulse=pulse)
    assert whole.open_pin
    whole.open_pin()
    assert found == [asked]


def test_no_pin_is_watched_unasked_or_where_there_is_no_pulse() -> None:
    assert made().open_pin is None
    none = PulseSettings(source=PulseSource.NONE, measure=True)
    assert made(pulse=none).open_pin is None


@pytest.mark.parametrize(
    ("tree", "there", "path"),
    [
        (pi_5, {"/dev/gps0", "/dev/ttyAMA0", "/dev/serial0"}, "/dev/gps0"),
        (pi_5, {"/dev/ttyAMA0", "/dev/ttyAMA10", "/dev/serial0"}, "/dev/ttyAMA0"),
        (pi_5, {"/dev/ttyAMA10", "/dev/serial0", "/dev/ttyACM0"}, "/dev/ttyACM0"),
        (pi_4, {"/dev/ttyAMA0", "/dev/serial0", "/dev/ttyACM0"}, "/dev/ttyAMA0"),
        (MadeUp, {"/dev/serial0", "/dev/ttyACM0"}, "/dev/serial0"),
        (MadeUp, {"/dev/ttyACM0", "/dev/ttyUSB0"}, "/dev/ttyACM0"),
        (MadeUp, {"/dev/ttyUSB0"}, "/dev/ttyUSB0"),
    ],
)
def test_the_receiver_s_line_by_name_then_tree(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tree: Callable[[Path], MadeUp],
    there: set[str],
    path: str,
) -> None:
    made_up = tree(tmp_path)
    monkeypatch.setattr(board, "DeviceTree", lambda: DeviceTree(made_up.root))
    machine.there |= there
    whole = made()
    assert whole.open_receiver
    whole.open_receiver()
    assert machine.opened == [("hunt", path, bool)]


def test_a_speed_that_is_set_is_not_hunted_for(machine: Machine) -> None:
    whole = made(ReceiverSettings("/dev/ttyS3", 38_400))
    assert whole.open_receiver
    whole.open_receiver()
    assert machine.opened == [("Uart", "/dev/ttyS3", 38_400)]


def test_a_bus_is_no_line(machine: Machine) -> None:
    for device in ("/dev/i2c-3", "/dev/i2c-x"):
        whole = made(ReceiverSettings(device, 9600))
        assert whole.open_receiver
        whole.open_receiver()
    assert machine.opened == [("open_ddc", 3), ("Uart", "/dev/i2c-x", 9600)]


@pytest.mark.usefixtures("machine")
def test_no_receiver_at_all_says_what_to_do() -> None:
    whole = made()
    assert whole.open_receiver
    with pytest.raises(FileNotFoundError, match=r"receiver\.device"):
        whole.open_receiver()
    assert made(ReceiverSettings("none")).open_receiver is None


CLEAR = WantedEdge.CLEAR


@pytest.mark.parametrize(
    ("settings", "opened"),
    [
        (PulseSettings(), ("find", WantedEdge.AUTO, ["/dev/pps1"])),
        (
            PulseSettings(PulseSource.KERNEL, "/dev/pps7", edge=CLEAR),
            ("KernelPps", "/dev/pps7", CLEAR),
        ),
        (
            PulseSettings(device="/dev/pps7"),
            ("KernelPps", "/dev/pps7", WantedEdge.AUTO),
        ),
        (
            PulseSettings(PulseSource.SERIAL),
            ("open_dcd", "/dev/ttyS1", WantedEdge.AUTO),
        ),
        (
            PulseSettings(PulseSource.SERIAL, "/dev/ttyS2", edge=CLEAR),
            ("open_dcd", "/dev/ttyS2", CLEAR),
        ),
        (
            PulseSettings(PulseSource.PHC),
            ("PhcPulse", "eth0", "auto", 0, WantedEdge.AUTO),
        ),
        (
            PulseSettings(PulseSource.PHC, "eth1", line="SDP1", channel=3, edge=CLEAR),
            ("PhcPulse", "eth1", "SDP1", 3, CLEAR),
        ),
    ],
)
def test_the_pulse_by_its_source(
    machine: Machine, settings: PulseSettings, opened: tuple[Any, ...]
) -> None:
    machine.pulses = ["/dev/pps1"]
    open_pulse(settings, "/dev/ttyS1")
    assert machine.opened == [opened]


@pytest.mark.parametrize(("line", "pin"), [("auto", "GPIO18"), ("GPIO4", "GPIO4")])
def test_a_gpio_line_with_the_board_s_own_clock(
    machine: Machine, line: str, pin: str
) -> None:
    machine.pulses = ["/dev/pps1"]
    gpio = PulseSettings(PulseSource.GPIO, chip="pinctrl-rp1", line=line, edge=CLEAR)
    whole = open_pulse(gpio)
    assert machine.opened == [("open_gpio", "pinctrl-rp1", pin, CLEAR, whole.clock)]


def test_the_stable_name_comes_first(machine: Machine) -> None:
    machine.pulses = ["/dev/pps0", "/dev/pps1"]
    machine.there.add("/dev/gpspps0")
    open_pulse(PulseSettings())
    assert machine.opened == [("find", WantedEdge.AUTO, ["/dev/gpspps0"])]


def test_without_a_pulse_device_the_usual_line_is_taken(machine: Machine) -> None:
    whole = open_pulse(PulseSettings())
    usual = ("open_gpio", "auto", "GPIO18", WantedEdge.AUTO, whole.clock)
    assert machine.opened == [usual]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("source", PulseSource)
def test_every_pulse_source_is_known(source: PulseSource) -> None:
    assert (made(pulse=PulseSettings(source)).open_pulse is None) == (source == "none")


@pytest.mark.parametrize(
    ("source", "there", "opened"),
    [
        (RtcSource.AUTO, {"/dev/rtc0"}, [("KernelRtc", "/dev/rtc0")]),
        (
            RtcSource.AUTO,
            {"/dev/rtc0", "/dev/rtc1", "/dev/i2c-1"},
            [
                ("KernelRtc", "/dev/rtc0"),
                ("KernelRtc", "/dev/rtc1"),
                ("open_rtc", 1, None),
            ],
        ),
        (RtcSource.AUTO, {"/dev/i2c-1"}, [("open_rtc", 1, None)]),
        (RtcSource.AUTO, set(), []),
        (
            RtcSource.KERNEL,
            {"/dev/rtc1", "/dev/i2c-1"},
            [("KernelRtc", "/dev/rtc1")],
        ),
        (RtcSource.I2C, {"/dev/rtc0"}, [("open_rtc", 1, None)]),
        (RtcSource.NONE, {"/dev/rtc0"}, []),
    ],
)
def test_the_battery_clock_by_its_source(
    machine: Machine,
    source: RtcSource,
    there: set[str],
    opened: list[tuple[Any, ...]],
) -> None:
    machine.there |= there
    whole = made(rtc=RtcSettings(source))
    if whole.open_rtc:
        whole.open_rtc()
    assert machine.opened == opened


def test_a_battery_clock_by_its_device(machine: Machine) -> None:
    whole = made(rtc=RtcSettings(RtcSource.KERNEL, "/dev/rtc1"))
    assert whole.open_rtc
    whole.open_rtc()
    assert machine.opened == [("KernelRtc", "/dev/rtc1")]


def test_a_battery_clock_is_trimmed_as_told(machine: Machine) -> None:
    whole = made(rtc=RtcSettings(RtcSource.I2C, ageing=-12))
    assert whole.open_rtc
    whole.open_rtc()
    assert machine.opened == [("open_rtc", 1, -12)]


@pytest.fixture
def thermal(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the thermal zones and driver-owned sensors."""
    present: set[str] = set()

    def hwmon(kind: str) -> object:
        if kind not in present:
            raise FileNotFoundError(kind)
        return machine.opener("hwmon")(kind)

    monkeypatch.setattr(sensors, "zones", lambda: present)
    monkeypatch.setattr(sensors, "zone", machine.opener("zone"))
    monkeypatch.setattr(sensors, "hwmon", hwmon)
    return present


@pytest.mark.parametrize(
    ("source", "present", "opened"),
    [
        (ThermometerSource.AUTO, {"cpu"}, ("zone", "gpu")),
        (ThermometerSource.AUTO, set(), None),
        (ThermometerSource.THERMAL, set(), ("zone", "gpu")),
        (ThermometerSource.DS3231, {"ds3231"}, ("hwmon", "ds3231")),
        (ThermometerSource.DS3231, {"cpu"}, ("open_thermometer", 1)),
        (ThermometerSource.NONE, {"cpu"}, None),
    ],
)
def test_the_thermometer_by_its_source(
    machine: Machine,
    thermal: set[str],
    source: ThermometerSource,
    present: set[str],
    opened: tuple[Any, ...] | None,
) -> None:
    thermal |= present
    whole = made(thermometer=ThermometerSettings(source, "gpu"))
    if whole.open_thermometer:
        whole.open_thermometer()
    assert machine.opened == ([opened] if opened else [])
