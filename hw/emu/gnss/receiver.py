"""A receiver: its pulses, and what it says of them, with every bad habit.

Everything is asked for by the true second, in ascending order. Dice are thrown
whether a fault needs them or not, so that a run with a fault is the same run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from hw.emu.faults import Kind, Timeline
from hw.emu.gnss.sentences import FixState, Place, Sat, timels, timtp, write
from hw.emu.world import dice
from refclock.events import Edge
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    Duration,
    LeapSecond,
    LeapTable,
    Tai,
)

_BITS_PER_BYTE: Final = 10
_METRES_PER_DEGREE: Final = 111_132.0
_AGAIN: Final = 30 * MILLISECOND
_WEEK: Final = 7 * 86_400 * SECOND
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
    """What kind of receiver it is, and how its board stamps a pulse."""

    make: Make = Make.UBLOX_8
    talker: str = "GN"
    sentences: tuple[tuple[str, int], ...] = (
        ("RMC", 1),
        ("GGA", 1),
        ("ZDA", 1),
        ("GSA", 5),
        ("GSV", 5),
    )
    """In the order it says them; every how many seconds."""
    ubx: bool = False
    """It also tells leap seconds (NAV-TIMELS) and its pulse's error (TIM-TP)."""
    hz: int = 1
    """Fixes a second."""
    baud: int = 9600
    lag_s: float = 0.12
    """From the second to the first byte."""
    lag_jitter_s: float = 0.003
    leap_second: bool = True
    """It writes an inserted second as 23:59:60, not as 23:59:59 again."""
    leap_notice_s: float = 3600.0
    """How long before it a leap second is announced."""
    pulse_without_fix: bool = False
    clear_too: bool = False
    """The board also tells the falling flank."""
    width_s: float = 0.1
    jitter_s: float = 1e-6
    """One sigma."""
    tail_share: float = 0.01
    """How many pulses are stamped late, by interrupts."""
    tail_s: float = 10e-6
    """By how much, on average."""
    sawtooth_s: float = 0.0
    """Half the period of the clock its pulse is made from."""
    sawtooth_hz: float = 0.0731
    """How fast it goes through its teeth; near 0 it hangs, and averages see it."""
    latency_s: float = 0.0
    """How late the board stamps every pulse."""
    look_s: float = 0.0
    """How long the board takes to look at the pulse's pin; 0: it cannot."""


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
    ) -> None:
        self._habits = receiver_model
        self._start = start
        self._leaps = leaps
        self._faults = faults
        self._pulse_dice = dice(seed, "pulse")
        self._lag_dice = dice(seed, "lag")
        self._line_dice = dice(seed, "line")
        self._free = start
        """When the line has said all it has been given."""

    def obey(self, receiver_model: ReceiverModel) -> None:
        """Be like that from now on. Any thread."""
        self._habits = receiver_model

    def edges(self, second: Tai) -> list[tuple[Tai, Edge]]:
        """The flanks of that second's pulse, when the board stamps them."""
        receiver_model, rng = self._habits, self._pulse_dice
        late_s = receiver_model.latency_s + receiver_model.jitter_s * rng.gauss(
            0.0, 1.0
        )
        if rng.random() < receiver_model.tail_share:
            late_s += receiver_model.tail_s * rng.expovariate(1.0)
        missed, doubled = rng.random(), rng.random()
        t = (second - self._start).seconds
        if not self._pulses(t) or missed < self._faults.size(Kind.MISSED, t):
            return []
        rise = self._rise(second, late_s)
        flanks = [(rise, Edge.ASSERT)]
        if doubled < self._faults.size(Kind.DOUBLED, t):
            flanks.append((rise + _AGAIN, Edge.ASSERT))
        if receiver_model.clear_too:
            width = Duration.from_seconds(receiver_model.width_s)
            flanks.append((rise + width, Edge.CLEAR))
        return flanks

    def rises(self, second: Tai) -> Tai | None:
        """When the pin itself rises for that second; None: it does not."""
        t = (second - self._start).seconds
        return self._rise(second, 0.0) if self._pulses(t) else None

    def _pulses(self, t: float) -> bool:
        faults = self._faults
        return (self._fixed(t) or self._habits.pulse_without_fix) and not (
            faults.on(Kind.NO_PULSE, t) or faults.on(Kind.UNPLUGGED, t)
        )

    def _rise(self, second: Tai, late_s: float) -> Tai:
        """When it is told that the pin rises, `late_s` after it did."""
        t = (second - self._start).seconds
        late_s += self._sawtooth(second) + self._faults.size(Kind.SHIFT_S, t)
        late_s += self._faults.grown(Kind.DRAG_PPB, t) * 1e-9
        return second + Duration.from_seconds(late_s)

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
            if self._faults.on(Kind.PULSE_LOST_AFTER, t) or self._free - at > _BUFFER:
                continue
            self._free = max(self._free, at + Duration.from_seconds(lag_s))
            said = self._says(at, t, whole=i == 0)
            for data in self._on_the_wire(said, t):
                begins, took = self._free, len(data) * _BITS_PER_BYTE * SECOND.ns
                self._free += Duration(took // receiver_model.baud)
                if not self._faults.on(Kind.UNPLUGGED, t):
                    lines.append(TimedLine(begins, self._free, data))
        return lines

    def _says(self, at: Tai, t: float, *, whole: bool) -> Iterator[bytes]:
        report = self._report(at, t)
        k = (at - self._start).ns // SECOND.ns
        for kind, every in self._habits.sentences:
            if k % every == 0 and (every == 1 or whole):
                yield from write(kind, self._habits.talker, report)
        if self._habits.ubx and whole and not self._faults.on(Kind.COLD, t):
            default = self._faults.on(Kind.LEAP_DEFAULT, t)
            count = _FIRMWARE_COUNT if default else self._leaps.offset(at)
            leap = None if default else self._announced(at)
            yield timels(at, count, leap, from_sky=not default)
            yield timtp(at + SECOND, self._sawtooth(at + SECOND))

    def _report(self, at: Tai, t: float) -> FixState:
        faults = self._faults
        if faults.on(Kind.COLD, t):
            return FixState(None, mode="N", sats=sky(0, tracked=False))
        ahead_s = faults.size(Kind.LIE_S, t)
        utc = self._leaps.posix(at) + Duration.from_seconds(ahead_s)
        utc += round(faults.size(Kind.WEEKS, t)) * _WEEK
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

    def _sawtooth(self, second: Tai) -> float:
        """How much later than it should that pulse is made, s: its clock's beat."""
        phase = (second.ns // SECOND.ns) * self._habits.sawtooth_hz % 1.0
        return self._habits.sawtooth_s * (2.0 * phase - 1.0)

    def _announced(self, at: Tai) -> LeapSecond | None:
        leap = self._leaps.next_after(at)
        notice = Duration.from_seconds(self._habits.leap_notice_s)
        return leap if leap is not None and leap.at - at <= notice else None


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
