"""What is wired where: the settings a real board is found by.

A board below (`hw.linux`) reads them, the configuration above composes them.
"auto" always means: look, and take what the evidence says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

from refclock.settings import Range

Auto = Literal["auto"]
Baud = Literal[
    4800, 9600, 14_400, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600
]
"""Speeds of a receiver's line, Bd."""


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """The receiver's line."""

    device: str = "auto"
    """Path, of a line or of the I2C bus with a u-blox on it; "auto": /dev/gps0,
    else the header's UART by model; "none"."""
    baud: Auto | Baud = "auto"
    """Speed; "auto": hunt until a checksum proves it."""
    configure: bool = False
    """Have it say and pulse what serves time best, until the end of the run."""


class PulseSource(StrEnum):
    """How the pulse is stamped."""

    AUTO = "auto"
    """Kernel if it has a pulse device, else GPIO."""
    KERNEL = "kernel"
    """/dev/ppsN, RFC 2783."""
    GPIO = "gpio"
    """A line of a GPIO chip."""
    SERIAL = "serial"
    """Carrier detect (DCD) of a serial port."""
    PHC = "phc"
    """External timestamps of a PTP hardware clock."""
    NONE = "none"


class WantedEdge(StrEnum):
    """Which flanks are passed up."""

    AUTO = "auto"
    """Both, where the source has both: the pulse's width tells them apart."""
    ASSERT = "assert"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class PulseSettings:
    """The pulse's line."""

    source: PulseSource = PulseSource.AUTO
    device: str = "auto"
    """kernel: /dev/ppsN; serial: the tty; phc: /dev/ptpN or a network interface."""
    chip: str = "auto"
    """gpio: path, or label as `gpiodetect` shows it; "auto": the header's."""
    line: str = "auto"
    """gpio: name or offset of the line, "auto" is GPIO18; phc: name or number of
    the pin, "auto" is the first."""
    channel: Annotated[int, Range(0, 31)] = 0
    """phc: channel of external timestamps."""
    edge: WantedEdge = WantedEdge.AUTO
    latency_ns: Auto | Annotated[int, Range(-1_000_000, 1_000_000, "ns")] = "auto"
    """How late the stamp is, + is late, antenna cable (5 ns/m) included; "auto":
    what is known of this model."""
    latency_spread_ns: Auto | Annotated[int, Range(0, 1_000_000, "ns")] = "auto"
    """How far the true lateness may be from it, either way."""
    measure: bool = False
    """Watch the pulse's own pin about the second, and measure how late the stamp is."""
    measure_line: str = "auto"
    """The line to watch, by name or offset. "auto": the pulse's own, where it can be
    read in memory (a Pi); elsewhere a second line that the pulse is wired to."""


@dataclass(frozen=True, slots=True)
class PairSettings:
    """Another receiver and its pulse, watched beside the one that steers."""

    receiver: ReceiverSettings = field(default_factory=ReceiverSettings)
    pulse: PulseSettings = field(default_factory=PulseSettings)

    def __post_init__(self) -> None:
        """ValueError: only the first receiver can be looked for."""
        if self.receiver.device in {"auto", "none"}:
            raise ValueError("receiver.device: name the device of a second receiver")


class ThermometerSource(StrEnum):
    """Which sensor is nearest to the oscillator."""

    AUTO = "auto"
    """The processor's."""
    THERMAL = "thermal"
    """/sys/class/thermal."""
    DS3231 = "ds3231"
    """The sensor in that clock chip, in steps of 0.25 degrees."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ThermometerSettings:
    """The thermometer beside the oscillator."""

    source: ThermometerSource = ThermometerSource.AUTO
    zone: str = "auto"
    """thermal: type of the zone, as in /sys/class/thermal/*/type."""
    every_s: Annotated[int, Range(1, 3600, "s")] = 10


class RtcSource(StrEnum):
    """Which battery clock."""

    AUTO = "auto"
    """Of the kernel's and a chip that answers on the bus the first that is set."""
    KERNEL = "kernel"
    """/dev/rtcN."""
    I2C = "i2c"
    """DS3231, RV-3028 or PCF8523, by how its registers behave."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RtcSettings:
    """The battery clock."""

    source: RtcSource = RtcSource.AUTO
    device: str = "auto"
    """kernel: /dev/rtcN; "auto": the first that is set."""
    bus: Annotated[int, Range(0, 255)] = 1
    """i2c: the N of /dev/i2c-N."""
    ageing: Literal["keep"] | Annotated[int, Range(-128, 127, "steps")] = "keep"
    """i2c, DS3231: its trim, + slows it, by 0.1 ppm each at 25 C; lost with power."""
    spread_s: Annotated[float, Range(0.05, 86_400.0, "s")] = 60.0
    """How wrong it may be after its longest time unset: 60 s is a year at 2 ppm."""
    every_s: Annotated[int, Range(1, 86_400, "s")] = 60
