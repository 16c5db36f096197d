"""Worlds with a name: what the clock, the receiver and the sky are like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hw.emu.faults import Fault, Kind
from hw.emu.gnss.receiver import ReceiverModel
from hw.emu.oscillator import Environment, OscillatorModel
from refclock.timebase import SECOND, LeapSecond, LeapTable, Tai, Utc

_UTC_BEHIND_TAI: Final = 37 * SECOND
"""Since 2017."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One world, from its start to its troubles. Times are in true time."""

    name: str
    description: str
    faults: tuple[Fault, ...] = ()
    receiver_model: ReceiverModel = field(default_factory=ReceiverModel)
    oscillator_model: OscillatorModel = field(default_factory=OscillatorModel)
    start: Utc = Utc.of(2026, 12, 1, 12)
    live_at_start: bool = False
    """A live world begins at `start` too, and not at the machine's own time."""
    clock_error_s: float = 0.037
    """Local clock less UTC at the start."""
    battery_error_s: float | None = None
    """What its battery clock shows less UTC; None: it has none."""
    leap: LeapSecond | None = None
    leap_published: bool = True
    """The machine's own table has it."""

    @property
    def leaps(self) -> LeapTable:
        """The truth about leap seconds from 2017 on."""
        return _table(self.leap)

    @property
    def table(self) -> LeapTable:
        """What the machine's leap-seconds.list says."""
        return _table(self.leap) if self.leap_published else _EXPIRED

    @property
    def begins(self) -> Tai:
        """True time at the start."""
        return self.leaps.tai(self.start)


def _table(leap: LeapSecond | None) -> LeapTable:
    since = Utc.of(2017, 1, 1)
    table = LeapTable((), _UTC_BEHIND_TAI, since, Utc.of(2050, 1, 1))
    return table if leap is None else table.with_leap(leap)


_EXPIRED: Final = LeapTable(
    (), _UTC_BEHIND_TAI, Utc.of(2025, 7, 7), Utc.of(2026, 6, 28)
)
"""Of a machine nobody has updated for a while."""
_MIDNIGHT: Final = Utc.of(2027, 1, 1)
_INSERTED: Final = LeapSecond.ending(_MIDNIGHT, 37 * SECOND, 38 * SECOND)
_DELETED: Final = LeapSecond.ending(_MIDNIGHT, 37 * SECOND, 36 * SECOND)
_YEAR_S: Final = 365.25 * 86_400
_BEFORE_MIDNIGHT: Final = Utc.of(2026, 12, 31, 23, 59)
_ALL_EACH_SECOND: Final = tuple(
    (kind, 1) for kind in ("RMC", "GGA", "ZDA", "GSA", "GSV")
)
_ALL_BY_DEFAULT: Final = tuple(
    (kind, 1) for kind in ("RMC", "VTG", "GGA", "GSA", "GSV", "GLL")
)


def _lagging(name: str, description: str, lag_s: float, *faults: Fault) -> Scenario:
    return Scenario(name, description, faults, ReceiverModel(lag_s=lag_s))


def _off(name: str, ppb: float) -> Scenario:
    return Scenario(
        name,
        f"a crystal {ppb / 1000:+g} ppm off",
        oscillator_model=OscillatorModel(offset_ppb=ppb),
    )


_DEMO: Final = (
    Scenario("nominal", "a healthy receiver under a clear sky"),
    Scenario(
        "factory-set",
        "a receiver as it comes from its maker: see `receiver.configure`",
        receiver_model=ReceiverModel(sentences=_ALL_BY_DEFAULT),
    ),
    Scenario(
        "fix-lost",
        "for a minute the sky is gone, and the pulse with it",
        (Fault(Kind.NO_FIX, 40, 60),),
    ),
    Scenario(
        "pulse-lost",
        "for a minute sentences come without pulses",
        (Fault(Kind.NO_PULSE, 40, 60),),
    ),
    _lagging("late-sentences", "sentences come half a second late", 0.5),
    Scenario(
        "wrong-second",
        "for 30 s the receiver is a second ahead, its flags as good as ever",
        (Fault(Kind.LIE_S, 40, 30),),
    ),
    Scenario(
        "week-rollover",
        "the receiver's date is 1024 weeks behind",
        (Fault(Kind.WEEKS, size=-1024),),
    ),
    Scenario(
        "leap-insert",
        "a leap second is inserted after a minute",
        receiver_model=ReceiverModel(ubx=True),
        start=_BEFORE_MIDNIGHT,
        live_at_start=True,
        leap=_INSERTED,
    ),
    Scenario(
        "noisy-oscillator",
        "a restless crystal in a draught",
        oscillator_model=OscillatorModel(
            white_ppb=5.0,
            flicker_ppb=5.0,
            walk_ppb=10.0,
            environment=Environment(swing_c=2.0, wander_c=1.0),
        ),
    ),
    Scenario(
        "unplug",
        "for 20 s the receiver is unplugged",
        (Fault(Kind.UNPLUGGED, 40, 20),),
    ),
)

_SKY: Final = (
    Scenario("cold-sky", "no fix for two minutes", (Fault(Kind.COLD, 0, 120),)),
    Scenario("fix-lost-1s", "no fix for a second", (Fault(Kind.NO_FIX, 1800, 1),)),
    Scenario("fix-lost-1h", "no fix for an hour", (Fault(Kind.NO_FIX, 3600, 3600),)),
    Scenario(
        "dead-reckoning",
        "status A, but reckoned without the sky",
        (Fault(Kind.ESTIMATED, 1800, 30),),
    ),
    Scenario(
        "satellites-gone",
        "the fix stays and the satellites vanish",
        (Fault(Kind.NO_SATELLITES, 1800, 300),),
    ),
    Scenario(
        "spoofed-jump",
        "pulse and place jump, for good",
        (Fault(Kind.SHIFT_S, 1800, size=1e-3), Fault(Kind.MOVED_M, 1800, size=2000)),
    ),
    Scenario(
        "spoofed-drag",
        "the pulse is dragged away by 50 ns a second",
        (Fault(Kind.DRAG_PPB, 1800, size=50),),
    ),
)

_SECONDS: Final = (
    Scenario(
        "repeated-second",
        "a second ahead for ten minutes, then one second comes twice",
        (Fault(Kind.LIE_S, 0, 600),),
    ),
    Scenario(
        "leap-count",
        "leap seconds as of 2013 for three minutes, then right; no flag tells",
        (Fault(Kind.LEAP_DEFAULT, 0, 185),),
    ),
    Scenario(
        "leap-count-told",
        "the same, and the receiver says that the count is its firmware's",
        (Fault(Kind.LEAP_DEFAULT, 0, 185),),
        ReceiverModel(ubx=True),
    ),
    Scenario(
        "gps-time",
        "GPS time for UTC until the leap seconds are known",
        (Fault(Kind.LIE_S, 0, 50, size=18),),
    ),
    Scenario(
        "week-rollover-later",
        "the date falls back by 1024 weeks while running",
        (Fault(Kind.WEEKS, 1800, size=-1024),),
    ),
    Scenario(
        "date-1980",
        "without a fix it is 1980",
        (Fault(Kind.NO_FIX, 0, 60), Fault(Kind.WEEKS, 0, 60, size=-2446)),
    ),
    Scenario(
        "leap-delete",
        "a leap second is deleted after a minute",
        receiver_model=ReceiverModel(ubx=True),
        start=_BEFORE_MIDNIGHT,
        live_at_start=True,
        leap=_DELETED,
    ),
    Scenario(
        "leap-late",
        "no table knows the leap second; the receiver tells it 30 s before",
        receiver_model=ReceiverModel(ubx=True, leap_notice_s=30.0),
        start=_BEFORE_MIDNIGHT,
        live_at_start=True,
        leap=_INSERTED,
        leap_published=False,
    ),
    Scenario(
        "leap-59-twice",
        "a leap second; the receiver writes 23:59:59 twice",
        receiver_model=ReceiverModel(ubx=True, leap_second=False),
        start=_BEFORE_MIDNIGHT,
        live_at_start=True,
        leap=_INSERTED,
    ),
    Scenario(
        "era-2036",
        "NTP's era turns a minute after the start",
        start=Utc.of(2036, 2, 7, 6, 27, 16),
        live_at_start=True,
    ),
)

_SENTENCES: Final = (
    Scenario(
        "sentences-lost",
        "for a minute pulses come without sentences",
        (Fault(Kind.PULSE_LOST_AFTER, 1800, 60),),
    ),
    _lagging("lag-20ms", "sentences come 20 ms after the second", 0.02),
    _lagging("lag-900ms", "sentences come 0.9 s after the second", 0.9),
    _lagging(
        "lag-drift",
        "the lag creeps across half a second",
        0.3,
        Fault(Kind.LAG_DRIFT_S_PER_S, 600, 2000, size=2e-4),
    ),
    Scenario("five-hertz", "five fixes a second", (), ReceiverModel(hz=5, baud=38_400)),
    Scenario("corrupt", "wrong bits", (Fault(Kind.CORRUPT, 600, 600, size=0.2),)),
    Scenario("cut", "sentences cut short", (Fault(Kind.CUT, 600, 600, size=0.2),)),
    Scenario(
        "interleaved",
        "sentences within sentences",
        (Fault(Kind.INTERLEAVED, 600, 600, size=0.2),),
    ),
    Scenario("endless", "a line without end", (Fault(Kind.ENDLESS, 600, 600),)),
    Scenario(
        "saturated",
        "more to say than the line can carry",
        (),
        ReceiverModel(sentences=_ALL_EACH_SECOND, baud=4800),
    ),
    Scenario("wrong-baud", "another speed", (Fault(Kind.WRONG_BAUD, 600, 300),)),
)

_PULSES: Final = (
    Scenario("missed", "pulses stay away", (Fault(Kind.MISSED, 1800, 600, size=0.3),)),
    Scenario("doubled", "pulses twice", (Fault(Kind.DOUBLED, 1800, 600, size=0.3),)),
    Scenario("late", "pulses 5 ms late", (Fault(Kind.SHIFT_S, 1800, 3, size=5e-3),)),
    Scenario("early", "pulses 5 ms early", (Fault(Kind.SHIFT_S, 1800, 3, size=-5e-3),)),
    Scenario(
        "both-edges",
        "the falling flank too",
        receiver_model=ReceiverModel(clear_too=True),
    ),
    Scenario("off-1us", "one pulse", (Fault(Kind.SHIFT_S, 1800, 1, size=1e-6),)),
    Scenario("off-100us", "one pulse", (Fault(Kind.SHIFT_S, 1800, 1, size=1e-4),)),
    Scenario("off-300ms", "one pulse", (Fault(Kind.SHIFT_S, 1800, 1, size=0.3),)),
    Scenario(
        "sawtooth",
        "a pulse on a grid of 40 ns",
        (),
        ReceiverModel(sawtooth_s=20e-9, jitter_s=5e-9, tail_share=0.0),
    ),
    Scenario(
        "sawtooth-told",
        "the same, and the receiver tells by how much",
        (),
        ReceiverModel(ubx=True, sawtooth_s=20e-9, jitter_s=5e-9, tail_share=0.0),
    ),
    Scenario(
        "interrupts",
        "one pulse in fifty is stamped late, by 20 us on average",
        receiver_model=ReceiverModel(tail_share=0.02, tail_s=20e-6),
    ),
)

_MACHINE: Final = (
    Scenario("clock-10-years-off", "no battery", clock_error_s=-10 * _YEAR_S),
    Scenario(
        "battery",
        "the clock is off, the date 1024 weeks behind, a battery clock knows better",
        (Fault(Kind.WEEKS, size=-1024),),
        clock_error_s=-10 * _YEAR_S,
        battery_error_s=2.0,
    ),
    _off("oscillator-fast", 500_000.0),
    _off("oscillator-slow", -500_000.0),
    Scenario(
        "temperature-swing",
        "three degrees up and down every hour",
        oscillator_model=OscillatorModel(environment=Environment(swing_c=3.0)),
    ),
    Scenario(
        "temperature-step",
        "ten degrees more within minutes",
        oscillator_model=OscillatorModel(
            environment=Environment(step_c=10.0, step_at_s=1800)
        ),
    ),
    Scenario(
        "clock-stepped",
        "another program steps the clock, far and near",
        (Fault(Kind.STEP_S, 1800.5, size=2.5), Fault(Kind.STEP_S, 2400.5, size=-2e-3)),
    ),
    Scenario("suspended", "asleep for ten minutes", (Fault(Kind.SLEEP, 1800.5, 600),)),
    Scenario(
        "edge-in-flight",
        "a pulse is told after a step it was stamped before",
        (
            Fault(Kind.TOLD_LATE_S, 1800, 60, size=0.02),
            Fault(Kind.STEP_S, 1810.01, size=1.5),
        ),
    ),
)

SCENARIOS: Final[Mapping[str, Scenario]] = {
    each.name: each
    for room in (_DEMO, _SKY, _SECONDS, _SENTENCES, _PULSES, _MACHINE)
    for each in room
}
"""The demo's first."""
