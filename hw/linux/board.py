"""From settings to a `Board`: what is wired to this machine, and what is known of it.

Stable names made by the rules in udev/ come first, then what the device tree says,
then what is there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from hw.linux import i2c, priors, sensors
from hw.linux.clock import FreeClock, KernelClock
from hw.linux.line.ddc import open_ddc
from hw.linux.line.stream import Stream, is_serial
from hw.linux.line.uart import Proof, Uart, hunt
from hw.linux.priors import Prior
from hw.linux.probe.tree import DeviceTree
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
from refclock.timebase import Duration

STABLE_RECEIVER: Final = "/dev/gps0"
STABLE_PULSE: Final = "/dev/gpspps0"
USUAL_LINE: Final = "GPIO18"
"""Where most hats have the pulse."""
USUAL_PHC: Final = "eth0"
USUAL_PORT: Final = "/dev/serial0"
"""Of a machine whose device tree names no port."""


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
    prior = _prior(pulse, receiver, machine)
    return Board(
        name=machine,
        clock=clock,
        open_receiver=_receiver(receiver, proves),
        open_pulse=_pulse(pulse, receiver, clock),
        open_thermometer=_thermometer(thermometer, rtc.bus),
        open_rtc=_rtc(rtc),
        open_pin=_pin(pulse),
        pulse_latency=prior.latency
        if pulse.latency_ns == "auto"
        else Duration(pulse.latency_ns),
        pulse_latency_spread=prior.spread
        if pulse.latency_spread_ns == "auto"
        else Duration(pulse.latency_spread_ns),
        watched=tuple(
            _watched(number, each, clock, proves)
            for number, each in enumerate(watched, 1)
        ),
    )


def _watched(
    number: int,
    settings: PairSettings,
    clock: SystemClock,
    proves: Proof,
) -> Pair:
    """The receiver of that number, whose device has a name, and its pulse."""
    return Pair(
        SourcePair(SourceId(f"gps{number}"), SourceId(f"pps{number}")),
        partial(_opened_receiver, settings.receiver, proves),
        _pulse(settings.pulse, settings.receiver, clock),
    )


def name(path: str = "/proc/device-tree/model") -> str:
    """What the machine calls itself."""
    try:
        return Path(path).read_text().strip("\0\n")
    except OSError:
        return f"{os.uname().sysname} on {os.uname().machine}"


def _prior(pulse: PulseSettings, receiver: ReceiverSettings, machine: str) -> Prior:
    """How late pulses are stamped on the way they come."""
    match pulse.source:
        case PulseSource.PHC:
            return priors.CARD
        case PulseSource.SERIAL:
            port = pulse.device
            if port == "auto":
                port = receiver.device if receiver.device != "auto" else STABLE_RECEIVER
            return priors.on_port(port)
        case PulseSource.GPIO | PulseSource.NONE:
            return priors.on_gpio(machine)
        case PulseSource.KERNEL | PulseSource.AUTO:
            found = _pulse_paths() if pulse.device == "auto" else [pulse.device]
            device = next(iter(found), None)
            if device is None:
                return priors.on_gpio(machine)
            return priors.of_source(device, machine)
        case _:
            assert_never(pulse.source)


def _receiver(
    settings: ReceiverSettings, proves: Proof
) -> Callable[[], ByteStream] | None:
    if settings.device == "none":
        return None
    return partial(_opened_receiver, settings, proves)


def _opened_receiver(settings: ReceiverSettings, proves: Proof) -> ByteStream:
    path = _receiver_path(settings)
    if bus := re.fullmatch(r"/dev/i2c-(\d+)", path):
        return open_ddc(int(bus[1]))
    if not is_serial(path):
        return Stream(path)
    if settings.baud == "auto":
        return hunt(path, proves)
    return Uart(path, settings.baud)


def _receiver_path(settings: ReceiverSettings) -> str:
    """By its stable name, else the header's port, else the first on USB."""
    if settings.device != "auto":
        return settings.device
    header = DeviceTree().header_uart()
    port = USUAL_PORT if header is None else header.device
    usual = [
        path
        for path in (STABLE_RECEIVER, port, "/dev/ttyACM0", "/dev/ttyUSB0")
        if path is not None
    ]
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
        return open_dcd(_receiver_path(receiver) if auto else device, edge)

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
