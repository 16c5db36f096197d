"""From settings to a `Board`: what is wired to this machine, and what is known of it.

Stable names made by the rules in udev/ come first, then what the model's
documentation says, then what is there. Latency priors are of pulses stamped by
an idle machine, measured by others:
Pi 3 and 4: PPS-Client, twenty boards, Linux 5.4 (means 5.1-7.6 us and 3.5-4.7 us);
Pi 5: SatPulse, echo pin, 2026 (11.7-12 us idle, to 20 us under load).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from hw.linux import i2c, sensors
from hw.linux.clock import FreeClock, KernelClock
from hw.linux.line.ddc import open_ddc
from hw.linux.line.stream import Stream, is_serial
from hw.linux.line.uart import Proof, Uart, hunt
from hw.linux.pulse.gpio import open_gpio
from hw.linux.pulse.kernel import KernelPps, find, sources
from hw.linux.pulse.phc import PhcPulse
from hw.linux.pulse.pin import open_pin
from hw.linux.pulse.serial import open_dcd
from hw.linux.rtc import KernelRtc, SetRtc, kernel_rtcs
from refclock.board.ports import (
    Board,
    ByteStream,
    Pair,
    Pin,
    PpsLine,
    Rtc,
    SystemClock,
    Thermometer,
)
from refclock.board.wiring import (
    PairSettings,
    PulseSettings,
    PulseSource,
    ReceiverSettings,
    RtcSettings,
    RtcSource,
    ThermometerSettings,
    ThermometerSource,
)
from refclock.events import SourceId, SourcePair
from refclock.timebase import MICROSECOND, NANOSECOND, Duration

STABLE_RECEIVER: Final = "/dev/gps0"
STABLE_PULSE: Final = "/dev/gpspps0"
USUAL_LINE: Final = "GPIO18"
"""Where most hats have the pulse."""
USUAL_PHC: Final = "eth0"


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a kind of machine."""

    names: tuple[str, ...]
    """How its name in /proc/device-tree/model begins."""
    uart: str
    """The header's."""
    latency: Duration
    """How late it stamps a pulse, + is late."""
    spread: Duration
    """How far a single machine may be from that, either way."""


_PI = "Raspberry Pi "
MODELS: Final = (
    Model(
        (f"{_PI}5", f"{_PI}Compute Module 5"),
        "/dev/ttyAMA0",  # /dev/serial0 is its debug plug
        12 * MICROSECOND,
        8 * MICROSECOND,
    ),
    Model(
        (f"{_PI}4", f"{_PI}Compute Module 4"),
        "/dev/serial0",
        3_700 * NANOSECOND,
        1_000 * NANOSECOND,
    ),
    Model(
        (f"{_PI}3", f"{_PI}Compute Module 3", f"{_PI}Zero 2"),
        "/dev/serial0",
        6_600 * NANOSECOND,
        1_500 * NANOSECOND,
    ),
)
UNKNOWN: Final = Model((), "/dev/serial0", 5 * MICROSECOND, 5 * MICROSECOND)
_DCD: Final = Model((), "", 100 * MICROSECOND, 100 * MICROSECOND)
"""Carrier detect, built in or over USB: 12 to 218 us seen (SatPulse)."""
_PHC: Final = Model((), "", 0 * MICROSECOND, 25 * MICROSECOND)
"""Stamped in hardware; but a CM4's clock takes 50 us to be read."""


def linux_board(
    receiver: ReceiverSettings,
    pulse: PulseSettings,
    thermometer: ThermometerSettings,
    rtc: RtcSettings,
    *,
    steer: bool,
    proves: Proof,
    watched: Sequence[PairSettings] = (),
) -> Board:
    """The machine this runs on. Nothing is opened, and the clock not touched, yet.

    `proves`: whether bytes show that the receiver's line has the right speed.
    PermissionError: the clock may not even be read as it must be to steer it.
    """
    clock: SystemClock = KernelClock() if steer else FreeClock()
    machine = name()
    known = model(machine)
    latency, spread = _latency(pulse, known)
    return Board(
        name=machine,
        clock=clock,
        open_receiver=_receiver(receiver, known, proves),
        open_pulse=_pulse(pulse, receiver, known, clock),
        open_thermometer=_thermometer(thermometer, rtc.bus),
        open_rtc=_rtc(rtc),
        open_pin=_pin(pulse),
        pulse_latency=latency,
        pulse_latency_spread=spread,
        watched=tuple(
            _watched(number, each, known, clock, proves)
            for number, each in enumerate(watched, 1)
        ),
    )


def _watched(
    number: int,
    settings: PairSettings,
    known: Model,
    clock: SystemClock,
    proves: Proof,
) -> Pair:
    """The receiver of that number, whose device has a name, and its pulse."""
    return Pair(
        SourcePair(SourceId(f"gps{number}"), SourceId(f"pps{number}")),
        partial(_opened_receiver, settings.receiver, known, proves),
        _pulse(settings.pulse, settings.receiver, known, clock),
    )


def name(path: str = "/proc/device-tree/model") -> str:
    """What the machine calls itself."""
    try:
        return Path(path).read_text().strip("\0\n")
    except OSError:
        return f"{os.uname().sysname} on {os.uname().machine}"


def model(machine: str) -> Model:
    """What is known of the machine of that name."""
    return next((each for each in MODELS if machine.startswith(each.names)), UNKNOWN)


def _latency(pulse: PulseSettings, known: Model) -> tuple[Duration, Duration]:
    """How late pulses are stamped, and how far that may be wrong."""
    prior = {PulseSource.SERIAL: _DCD, PulseSource.PHC: _PHC}.get(pulse.source, known)
    return (
        prior.latency if pulse.latency_ns == "auto" else Duration(pulse.latency_ns),
        prior.spread
        if pulse.latency_spread_ns == "auto"
        else Duration(pulse.latency_spread_ns),
    )


def _receiver(
    settings: ReceiverSettings, known: Model, proves: Proof
) -> Callable[[], ByteStream] | None:
    if settings.device == "none":
        return None
    return partial(_opened_receiver, settings, known, proves)


def _opened_receiver(
    settings: ReceiverSettings, known: Model, proves: Proof
) -> ByteStream:
    path = _receiver_path(settings, known)
    if bus := re.fullmatch(r"/dev/i2c-(\d+)", path):
        return open_ddc(int(bus[1]))
    if not is_serial(path):
        return Stream(path)
    if settings.baud == "auto":
        return hunt(path, proves)
    return Uart(path, settings.baud)


def _receiver_path(settings: ReceiverSettings, known: Model) -> str:
    if settings.device != "auto":
        return settings.device
    usual = (STABLE_RECEIVER, known.uart, "/dev/ttyACM0", "/dev/ttyUSB0")
    for path in usual:
        if os.path.exists(path):
            return path
    raise FileNotFoundError(
        f"no receiver at any of {', '.join(usual)}: is the UART enabled in config.txt?"
        " Else set receiver.device"
    )


def _pulse(
    settings: PulseSettings,
    receiver: ReceiverSettings,
    known: Model,
    clock: SystemClock,
) -> Callable[[], PpsLine] | None:
    device, line, edge = settings.device, settings.line, settings.edge
    auto = device == "auto"

    def kernel() -> PpsLine:
        return find(edge, _pulse_paths()) if auto else KernelPps(device, edge)

    def gpio() -> PpsLine:
        pin = USUAL_LINE if line == "auto" else line
        return open_gpio(settings.chip, pin, edge, clock)

    def kernel_or_gpio() -> PpsLine:
        return gpio() if auto and not _pulse_paths() else kernel()

    def serial() -> PpsLine:
        return open_dcd(_receiver_path(receiver, known) if auto else device, edge)

    def phc() -> PpsLine:
        card = USUAL_PHC if auto else device
        return PhcPulse(card, line, settings.channel, edge)

    return {
        PulseSource.AUTO: kernel_or_gpio,
        PulseSource.KERNEL: kernel,
        PulseSource.GPIO: gpio,
        PulseSource.SERIAL: serial,
        PulseSource.PHC: phc,
        PulseSource.NONE: None,
    }[settings.source]


def _pin(settings: PulseSettings) -> Callable[[], Pin] | None:
    """What to watch of the pulse, where the latency is to be measured."""
    if not settings.measure or settings.source is PulseSource.NONE:
        return None
    line = USUAL_LINE if settings.line == "auto" else settings.line
    elsewhere = settings.source in {PulseSource.SERIAL, PulseSource.PHC}
    own = None if elsewhere else line
    return partial(open_pin, own, settings.measure_line, settings.chip)


def _pulse_paths() -> list[str]:
    """The receiver's by its stable name, else all that may be one's."""
    return [STABLE_PULSE] if os.path.exists(STABLE_PULSE) else list(sources())


def _thermometer(
    settings: ThermometerSettings, bus: int
) -> Callable[[], Thermometer] | None:
    def ds3231() -> Thermometer:
        try:
            return sensors.hwmon("ds3231")
        except FileNotFoundError:
            return i2c.open_thermometer(bus)

    zone = partial(sensors.zone, settings.zone)
    return {
        ThermometerSource.AUTO: zone if sensors.zones() else None,
        ThermometerSource.THERMAL: zone,
        ThermometerSource.DS3231: ds3231,
        ThermometerSource.NONE: None,
    }[settings.source]


def _rtc(settings: RtcSettings) -> Callable[[], Rtc] | None:
    """Of the kernel's clocks and a chip on the bus the one that is set."""
    auto = settings.device == "auto"
    trim = None if settings.ageing == "keep" else settings.ageing
    chip = partial(i2c.open_rtc, settings.bus, trim)
    bus = os.path.exists(f"/dev/i2c-{settings.bus}")

    def paths() -> list[str]:
        return list(kernel_rtcs()) if auto else [settings.device]

    def kernel() -> Rtc:
        return SetRtc([partial(KernelRtc, path) for path in paths()])

    def any_of_them() -> Rtc:
        return SetRtc([*(partial(KernelRtc, path) for path in paths()), chip])

    return {
        RtcSource.AUTO: any_of_them if bus else kernel if paths() else None,
        RtcSource.KERNEL: kernel,
        RtcSource.I2C: chip,
        RtcSource.NONE: None,
    }[settings.source]
