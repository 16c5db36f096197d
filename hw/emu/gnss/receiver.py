"""A receiver: its pulse, and what it says, with every fault of both.

Everything is asked for by the true second, in ascending order. Dice are thrown
whether a fault needs them or not, so that a run with a fault is the same run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, Literal

from hw.emu.faults import Kind, Timeline
from hw.emu.gnss.frames import timels, timtp
from hw.emu.gnss.pulse import Pulse, PulseModel
from hw.emu.gnss.sentences import FixState, Place, Sat
from hw.emu.gnss.templates import with_field, written
from hw.emu.world import dice
from refclock.events import Edge
from refclock.settings import Range
from refclock.timebase import (
    DAY,
    MILLISECOND,
    SECOND,
    Duration,
    LeapSecond,
    LeapTable,
    Tai,
    Utc,
)

_BITS_PER_BYTE: Final = 10
_METRES_PER_DEGREE: Final = 111_132.0
_WEEK: Final = 7 * DAY
_BUFFER: Final = 3500 * MILLISECOND
"""What would have to wait longer for a saturated line is not said at all."""
_ENDLESS: Final = b"$GNTXT," + b"0" * 400
_FIRMWARE_COUNT: Final = 35 * SECOND
"""TAI - UTC as firmware of 2013 knows it."""


class Make(StrEnum):
    """Whose commands it obeys."""

    UBLOX_8 = "u-blox 8"
    UBLOX_8T = "u-blox 8, timing"
    UBLOX_10 = "u-blox 10"
    UBLOX_F9T = "u-blox F9, timing"
    MEDIATEK = "MediaTek"
    AIROHA = "Airoha"
    CASIC = "CASIC"


@dataclass(frozen=True, slots=True)
class ReceiverModel:
    """What kind of receiver it is, what it says and when, and its pulse."""

    name: str = "gps0"
    make: Make = Make.UBLOX_8
    talker: str = "GN"
    sentences: tuple[tuple[str, int], ...] = (
        ("RMC", 1),
        ("GGA", 1),
        ("ZDA", 1),
        ("GSA", 5),
        ("GSV", 5),
    )
    """Forms (see `templates`) in the order it says them; every how many seconds."""
    ubx: bool = False
    """It also tells leap seconds (NAV-TIMELS) and its pulse's error (TIM-TP)."""
    hz: Annotated[int, Range(1, 20, "Hz")] = 1
    """Fixes a second."""
    baud: Annotated[int, Range(1200, 921_600, "Bd")] | Literal["none"] = 9600
    """Speed of its line; "none": the line has none (USB, a network)."""
    paced: bool = True
    """Its bytes come one after the other at the line's speed; else all of a burst at
    once, as from a bridge that writes into a pty, whatever speed it is set to."""
    lag_s: Annotated[float, Range(0.0, 10.0, "s")] = 0.12
    """From the second to the first byte."""
    lag_jitter_s: Annotated[float, Range(0.0, 1.0, "s")] = 0.003
    leap_second: bool = True
    """It writes an inserted second as 23:59:60, not as 23:59:59 again."""
    leap_notice_s: Annotated[float, Range(0.0, 2e7, "s")] = 3600.0
    """How long before it a leap second is announced."""
    pulse_without_fix: bool = False
    pulse: PulseModel = field(default_factory=PulseModel)

    def __post_init__(self) -> None:
        """ValueError: a sentence in no known form."""
        for form, every in self.sentences:
            written(form, self.talker, FixState(Utc(0), tai=Tai(0)))
            if every < 1:
                raise ValueError(f"{form!r}: every {every} s is not a whole number > 0")

    @property
    def line_rate(self) -> int | None:
        """Bits a second that the line is set to; None: it has no speed."""
        return None if self.baud == "none" else self.baud


@dataclass(frozen=True, slots=True)
class TimedLine:
    """Bytes on the wire: the first arrives at `begins`, the last at `ends`."""

    begins: Tai
    ends: Tai
    data: bytes


class Receiver:
    """One receiver. `edges` is used by one thread, `lines` by one."""

    def __init__(
        self,
        receiver_model: ReceiverModel,
        start: Tai,
        leaps: LeapTable,
        faults: Timeline,
        seed: int,
        apart: str = "",
    ) -> None:
        """`apart` keeps the dice of several receivers apart."""
        self._habits = receiver_model
        self._start = start
        self._leaps = leaps
        self._faults = faults
        self._pulse = Pulse(receiver_model.pulse, start, faults, seed, apart)
        self._lag_dice = dice(seed, f"{apart}lag")
        self._line_dice = dice(seed, f"{apart}line")
        self._free = start
        """When the line has said all it has been given."""

    def obey(self, receiver_model: ReceiverModel) -> None:
        """Be like that from now on, but for the pulse. Any thread."""
        self._habits = receiver_model

    def edges(self, second: Tai) -> list[tuple[Tai, Edge]]:
        """The flanks of that second's pulses, when the board stamps them."""
        return self._pulse.edges(second, self._pulses)

    def rises(self, second: Tai) -> Tai | None:
        """When the pin itself rises for that second; None: it does not."""
        t = (second - self._start).seconds
        return self._pulse.risen(second, 0.0) if self._pulses(t) else None

    def _pulses(self, t: float) -> bool:
        faults = self._faults
        return (self._fixed(t) or self._habits.pulse_without_fix) and not (
            faults.on(Kind.NO_PULSE, t) or faults.on(Kind.UNPLUGGED, t)
        )

    def lines(self, second: Tai) -> list[TimedLine]:
        """What it says of that second, paced by the speed of the line."""
        receiver_model, rng = self._habits, self._lag_dice
        lines = []
        for i in range(receiver_model.hz):
            at = second + Duration(i * SECOND.ns // receiver_model.hz)
            t = (at - self._start).seconds
            lag_s = receiver_model.lag_s + receiver_model.lag_jitter_s * rng.gauss(
                0.0, 1.0
            )
            lag_s += self._faults.size(Kind.LATE_S, t)
            lag_s += self._faults.grown(Kind.LAG_DRIFT_S_PER_S, t)
            if self._faults.on(Kind.SILENT, t) or self._free - at > _BUFFER:
                continue
            self._free = max(self._free, at + Duration.from_seconds(lag_s))
            said = self._says(at, t, whole=i == 0)
            burst = list(self._on_the_wire(said, t))
            if not receiver_model.paced or receiver_model.baud == "none":
                burst = [b"".join(burst)] if burst else []
            for data in burst:
                begins = self._free
                self._free += _on_line(len(data), receiver_model)
                if not self._faults.on(Kind.UNPLUGGED, t):
                    lines.append(TimedLine(begins, self._free, data))
        return lines

    def _says(self, at: Tai, t: float, *, whole: bool) -> Iterator[bytes]:
        habits, faults = self._habits, self._faults
        report = self._report(at, t)
        k = (at - self._start).ns // SECOND.ns
        for kind, every in habits.sentences:
            if k % every == 0 and (every == 1 or whole):
                if faults.particular:
                    report = self._report(at, t, kind)
                for sentence in written(kind, habits.talker, report):
                    yield self._rewritten(kind, sentence, t)
        for fault in faults.of(Kind.INSERT):
            if whole and fault.on(t):
                yield from written(fault.text, habits.talker, report)
        if habits.ubx and whole and not faults.on(Kind.COLD, t):
            default = faults.on(Kind.LEAP_DEFAULT, t)
            count = _FIRMWARE_COUNT if default else self._leaps.offset(at)
            leap = None if default else self._announced(at, t)
            yield timels(at, count, leap, from_sky=not default)
            late_s = self._pulse.sawtooth_s(at + SECOND)
            yield timtp(at + SECOND, late_s + faults.size(Kind.SAWTOOTH_LIE_S, t))

    def _rewritten(self, kind: str, sentence: bytes, t: float) -> bytes:
        for fault in self._faults.of(Kind.FIELD):
            if fault.on(t) and fault.sentence in {"", kind}:
                sentence = with_field(sentence, fault.field, fault.text)
        return sentence

    def _report(self, at: Tai, t: float, kind: str = "") -> FixState:
        faults = self._faults
        if faults.on(Kind.COLD, t):
            return FixState(None, mode="N", sats=sky(0, tracked=False))
        ahead_s = faults.size(Kind.LIE_S, t, kind)
        utc = self._leaps.posix(at) + Duration.from_seconds(ahead_s)
        utc += round(faults.size(Kind.WEEKS, t, kind)) * _WEEK
        if faults.on(Kind.LEAP_DEFAULT, t):
            utc += self._leaps.offset(at) - _FIRMWARE_COUNT
        inserted = self._leaps.utc(at) is None and self._habits.leap_second
        mode = "A" if self._fixed(t) else "N"
        unobservable = mode == "N" or faults.on(Kind.NO_SATELLITES, t)
        if faults.on(Kind.ESTIMATED, t):
            mode = "E"
        moved = faults.size(Kind.MOVED_M, t) / _METRES_PER_DEGREE
        minute = at.ns // (60 * SECOND.ns)
        return FixState(
            utc,
            inserted,
            mode,
            Place(Place().latitude + moved),
            sky(minute, tracked=not unobservable),
            at + (utc - self._leaps.posix(at)),
        )

    def _on_the_wire(self, said: Iterator[bytes], t: float) -> Iterator[bytes]:
        """The sentences as the line's troubles leave them."""
        faults, rng = self._faults, self._line_dice
        if faults.on(Kind.ENDLESS, t):
            yield _ENDLESS
        held = b""
        for sentence in said:
            luck, where = rng.random(), rng.randrange(len(sentence))
            data, held = sentence + held, b""
            if luck < faults.size(Kind.CORRUPT, t):
                data = data[:where] + bytes((data[where] ^ 0x10,)) + data[where + 1 :]
            elif luck < faults.size(Kind.CUT, t):
                data = data[:where]
            elif luck < faults.size(Kind.INTERLEAVED, t):
                data, held = data[:where], data[where:]
            if faults.on(Kind.WRONG_BAUD, t):
                data = rng.randbytes(len(data))
            yield data
        if held:
            yield held

    def _fixed(self, t: float) -> bool:
        return not (self._faults.on(Kind.COLD, t) or self._faults.on(Kind.NO_FIX, t))

    def _announced(self, at: Tai, t: float) -> LeapSecond | None:
        forged = round(self._faults.size(Kind.LEAP_FORGED_S, t))
        if forged:
            before = self._leaps.offset(at)
            return LeapSecond.ending(_next_month(at), before, before + forged * SECOND)
        leap = self._leaps.next_after(at)
        notice = Duration.from_seconds(self._habits.leap_notice_s)
        return leap if leap is not None and leap.at - at <= notice else None


def _on_line(count: int, model: ReceiverModel) -> Duration:
    """How long so many bytes take."""
    if model.baud == "none" or not model.paced:
        return Duration(0)
    return Duration(count * _BITS_PER_BYTE * SECOND.ns // model.baud)


def _next_month(at: Tai) -> Utc:
    """The midnight that ends the month of `at`."""
    day = datetime.fromtimestamp(at.ns // SECOND.ns, UTC)
    return Utc.of(day.year + day.month // 12, day.month % 12 + 1, 1)


@lru_cache(4)
def sky(minute: int, *, tracked: bool) -> tuple[Sat, ...]:
    """About a dozen satellites of two systems, in a sky that turns."""
    view = []
    for talker, first, count in (("GP", 1, 20), ("GL", 65, 12)):
        for i in range(count):
            height = (i * 47 + minute // 4) % 180 - 90
            if height > 5:
                elevation = min(height, 89)
                azimuth = (i * 83 + minute) % 360
                cn0 = 28 + elevation // 4 if tracked else None
                view.append(Sat(talker, first + i, elevation, azimuth, cn0))
    return tuple(view)
