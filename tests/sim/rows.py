"""The fault catalogue: every scenario, and what it may cost.

Seconds count from the start of the world. The budgets are twice what was measured,
or thrice; what a fault may show of itself in modes and alarms is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from hw.sim.scenarios import SCENARIOS, Scenario
from refclock.timebase import DAY, LeapTable

Window = tuple[int, int]
"""From the first second on, up to but not with the last."""


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario and its budget."""

    name: str
    seconds: int
    budget_us: float
    """Greatest error after the first 30 s, while it says that it is synchronised."""
    bound_us: float
    """Greatest median of the bound: one that nobody can use is none."""
    modes: str = "TRACK"
    """All that it is seen in after the first 30 s, from the least."""
    alarms: str = ""
    """All that are raised, by name."""
    must_serve: tuple[Window, ...] = ()
    """When it must be synchronised; if nothing is said, from 10 s on."""
    must_not_serve: tuple[Window, ...] = ((0, 3),)
    """When it must not be."""
    unobservable: Window = (0, 0)
    """When nothing it has could tell it that it errs: neither counts."""
    steps: int = 0
    """How often it sets the clock."""
    clock_us: float | None = 5.0
    """How far the clock itself may be off in the end; None: it takes longer."""
    sooner_s: float = 0.0
    """The troubles come so much sooner than in the scenario; at once at most."""
    quiet: bool = False
    """Pulses are stamped to 50 ns and without stragglers, so that little shows."""
    expired: bool = False
    """The machine's leap second table is of last year."""
    steer: bool = True
    seed: int = 1
    slow: bool = False
    """Too long for every day."""
    known_gap: str = ""
    """In what the clock falls short of this row, as is known."""

    @property
    def id(self) -> str:
        """What the table calls it."""
        return self.name if self.steer else f"{self.name} (clock left alone)"

    @property
    def scenario(self) -> Scenario:
        """The world it is played in."""
        world = SCENARIOS[self.name].sooner(self.sooner_s)
        if not self.quiet:
            return world
        receiver = world.receiver_model
        pulse = replace(receiver.pulse, jitter_s=50e-9, tail_share=0.0)
        return world.having(replace(receiver, pulse=pulse))

    @property
    def table(self) -> LeapTable:
        """What the machine knows of leap seconds."""
        table = self.scenario.table
        if not self.expired:
            return table
        return replace(table, expires=self.scenario.start - 30 * DAY)


HELD: Final = "TRACK HOLDOVER"
COLD: Final = "COLD ACQUIRE TRACK"

ROWS: Final = (
    # healthy, and the demo's
    Row("nominal", 240, 2.5, 1.8),
    Row("nominal", 240, 2.5, 1.8, steer=False, clock_us=None),
    Row("factory-set", 240, 2.5, 1.8),
    Row("fix-lost", 240, 5, 2.5, HELD),
    Row("fix-lost", 240, 5, 2.5, HELD, steer=False, clock_us=None),
    Row("pulse-lost", 240, 60, 6, HELD),
    Row("late-sentences", 240, 2.5, 1.8),
    Row("wrong-second", 240, 2.5, 1.8, alarms="second"),
    Row("wrong-second", 240, 2.5, 1.8, alarms="second", steer=False, clock_us=None),
    Row("week-rollover", 240, 2.5, 1.8, alarms="rollover"),
    Row("leap-insert", 240, 2.5, 1.8),
    Row("leap-insert", 240, 2.5, 1.8, steer=False, clock_us=None),
    Row("noisy-oscillator", 300, 5, 5),
    Row("unplug", 240, 2.5, 1.8, HELD),
    # the sky
    Row(
        "cold-sky",
        300,
        6,
        2.5,
        COLD,
        must_serve=((130, 300),),
        must_not_serve=((0, 121),),
    ),
    Row("fix-lost-1s", 300, 2.5, 1.8, sooner_s=1600),
    # of 20 minutes at one temperature: another may come, and nothing shows it
    Row("fix-lost-1h", 5000, 40, 2000, HELD, sooner_s=2400, slow=True),
    Row("dead-reckoning", 300, 2.5, 1.8, HELD, sooner_s=1600),
    Row("satellites-gone", 300, 2.5, 1.8, alarms="satellites", sooner_s=1600),
    Row("spoofed-jump", 400, 5, 4, HELD, "antenna phase", sooner_s=1600),
    Row(
        "spoofed-drag",
        400,
        12,
        3,
        sooner_s=1600,
        unobservable=(200, 400),
        clock_us=12,
    ),
    # which second
    Row(
        "repeated-second",
        720,
        2.5,
        2.0,
        alarms="second",
        unobservable=(0, 670),
        steps=1,
        clock_us=None,
        slow=True,
    ),
    Row(
        "leap-count",
        300,
        2.5,
        2.5,
        alarms="second",
        unobservable=(0, 255),
        steps=1,
        clock_us=None,
    ),
    Row(
        "leap-count-told",
        400,
        6,
        2.5,
        COLD,
        "leap-second count",
        must_serve=((200, 400),),
        must_not_serve=((0, 186),),
    ),
    Row(
        "gps-time",
        240,
        2.5,
        2.5,
        alarms="second",
        unobservable=(0, 120),
        steps=1,
        clock_us=None,
    ),
    Row("week-rollover-later", 300, 2.5, 1.8, alarms="rollover", sooner_s=1600),
    Row(
        "date-1980",
        240,
        6,
        2.5,
        COLD,
        must_serve=((75, 240),),
        must_not_serve=((0, 61),),
    ),
    Row("leap-delete", 240, 2.5, 1.8),
    Row("leap-delete", 240, 2.5, 1.8, steer=False, clock_us=None),
    Row("leap-late", 240, 2.5, 1.8, expired=True),
    Row("leap-59-twice", 240, 2.5, 1.8),
    Row("era-2036", 240, 2.5, 1.8),
    # the field's reports: a wrong second, or none that ends
    Row("bridge", 240, 2.5, 1.8),
    Row("reset-hour", 240, 2.5, 1.8, alarms="second"),
    Row(
        "other-date",
        240,
        6,
        2.5,
        COLD,
        must_serve=((70, 240),),
        must_not_serve=((0, 3), (60, 63)),
        unobservable=(0, 60),
        steps=2,
        clock_us=None,
    ),
    Row("late-a-second", 240, 2.5, 1.8),
    Row(
        "battery-against",
        120,
        0,
        0,
        "COLD",
        must_serve=((0, 0),),
        must_not_serve=((0, 120),),
        clock_us=None,
    ),
    Row("other-speed", 400, 60, 130, HELD, clock_us=60),
    Row("estimated-by-gga", 400, 60, 130, HELD, clock_us=60),
    Row(
        "long-pulse",
        120,
        0,
        0,
        "COLD",
        must_serve=((0, 0),),
        must_not_serve=((0, 120),),
        clock_us=None,
    ),
    Row(
        "square-pulse",
        120,
        0,
        0,
        "COLD",
        must_serve=((0, 0),),
        must_not_serve=((0, 120),),
        clock_us=None,
    ),
    Row(
        "date-2000",
        240,
        6,
        2.5,
        COLD,
        "date",
        must_serve=((75, 240),),
        must_not_serve=((0, 61),),
    ),
    # sentences
    Row("sentences-lost", 300, 2.5, 1.8, HELD, sooner_s=1600),
    Row("lag-20ms", 240, 2.5, 1.8),
    Row("lag-900ms", 240, 2.5, 1.8),
    Row("lag-drift", 2200, 2.5, 1.8, sooner_s=500, slow=True),
    Row("five-hertz", 240, 2.5, 1.8),
    Row("corrupt", 240, 2.5, 1.8, sooner_s=600),
    Row("cut", 240, 2.5, 1.8, sooner_s=600),
    Row("interleaved", 240, 2.5, 1.8, sooner_s=600),
    Row("endless", 240, 2.5, 1.8, sooner_s=600, alarms="line"),
    Row(
        "saturated",
        240,
        0,
        0,
        "COLD",
        must_serve=((0, 0),),
        must_not_serve=((0, 240),),
        clock_us=None,
        alarms="line",
    ),
    Row(
        "wrong-baud",
        440,
        6,
        2.5,
        COLD,
        must_serve=((315, 440),),
        must_not_serve=((0, 301),),
        sooner_s=600,
    ),
    # pulses
    Row("missed", 300, 0.25, 0.5, HELD, sooner_s=1700, quiet=True),
    Row("doubled", 300, 0.2, 0.4, sooner_s=1700, quiet=True),
    Row("late", 300, 0.2, 0.4, HELD, sooner_s=1600, quiet=True),
    Row("early", 300, 0.2, 0.4, HELD, sooner_s=1600, quiet=True),
    Row("both-edges", 240, 0.2, 0.4, quiet=True),
    Row("off-1us", 300, 0.09, 0.3, sooner_s=1760, quiet=True),
    Row("off-100us", 300, 0.2, 0.4, sooner_s=1600, quiet=True),
    Row("off-300ms", 300, 0.2, 0.4, sooner_s=1600, quiet=True),
    Row("sawtooth", 240, 0.1, 0.3),
    Row("sawtooth-told", 240, 0.1, 0.3),
    Row("interrupts", 300, 2.5, 2.0),
    # several receivers, and the server itself
    Row("two-receivers", 300, 2.5, 1.8, alarms="second", sooner_s=1700),
    Row("two-receivers-first-lost", 600, 2.5, 2.5, sooner_s=1500),
    Row(
        "two-receivers-first-spoofed",
        600,
        2.5,
        2.5,
        alarms="phase",
        sooner_s=1500,
        slow=True,
    ),
    Row("two-receivers-first-coasts", 600, 2.5, 2.5, sooner_s=1500, slow=True),
    Row(
        "restarted",
        300,
        2.5,
        1.8,
        COLD,
        must_serve=((10, 100), (106, 300)),
        must_not_serve=((0, 3), (100, 103)),
        sooner_s=1700,
    ),
    # other time servers
    Row("upstream-liar", 240, 2.5, 1.8),
    Row("upstream-one-lies-of-two", 240, 2.5, 1.8),
    Row(
        "upstream-all-lie",
        180,
        6,
        60,
        "COLD TRACK",
        "upstream",
        must_serve=((70, 180),),
        must_not_serve=((0, 3), (5, 60)),
        unobservable=(0, 5),
        clock_us=None,
    ),
    Row("upstream-partition", 300, 2.5, 1.8),
    Row("upstream-asymmetric", 240, 2.5, 1.8),
    Row("upstream-kiss", 300, 2.5, 1.8),
    Row("upstream-leap-wrong", 240, 2.5, 1.8, alarms="leap second"),
    Row(
        "upstream-first",
        400,
        8000,
        25_000,
        COLD,
        must_serve=((9, 400),),
        clock_us=None,
    ),
    Row(
        "spoofed-against-nts",
        300,
        8000,
        25_000,
        "COLD",
        "upstream",
        must_serve=((9, 300),),
        clock_us=None,
    ),
    Row(
        "spoofed-date-against-nts",
        300,
        8000,
        25_000,
        "COLD",
        "date",
        must_serve=((9, 300),),
        clock_us=None,
    ),
    Row(
        "spoofed-jump-against-nts",
        600,
        8,
        30_100,
        HELD,
        "phase",
        sooner_s=1500,
        clock_us=None,
        slow=True,
    ),
    Row("nts-against-liars", 240, 2.5, 1.8),
    Row(
        "fix-lost-1d", 90_000, 20_000, 40_000, "COLD ACQUIRE TRACK HOLDOVER", slow=True
    ),
    # the machine
    Row("clock-10-years-off", 240, 2.5, 1.8, steps=1),
    Row("battery", 240, 2.5, 1.8, alarms="rollover", steps=1),
    Row("oscillator-fast", 240, 2.5, 1.8, clock_us=None),
    Row("oscillator-slow", 300, 2.5, 1.8, clock_us=200),
    Row(
        "temperature-swing",
        1800,
        3,
        2,
        slow=True,
        known_gap="for half a minute the error is 1.2 times the bound",
    ),
    Row(
        "temperature-step",
        1500,
        5,
        4,
        sooner_s=1500,
        slow=True,
        known_gap="as the step sets in, the bound lags behind for some seconds",
    ),
    Row(
        "clock-stepped",
        900,
        2.5,
        2.5,
        COLD,
        "stepped",
        must_serve=((10, 200), (210, 900)),
        must_not_serve=((0, 3), (201, 204)),
        sooner_s=1600,
        clock_us=None,
    ),
    Row(
        "clock-stepped",
        900,
        2.5,
        2.5,
        COLD,
        "stepped",
        must_serve=((10, 200), (210, 900)),
        must_not_serve=((0, 3), (201, 204)),
        sooner_s=1600,
        steer=False,
        clock_us=None,
    ),
    Row(
        "suspended",
        1000,
        2.5,
        2.5,
        COLD,
        "stepped",
        must_serve=((10, 200), (810, 1000)),
        must_not_serve=((0, 3), (200, 803)),
        sooner_s=1600,
    ),
    Row(
        "edge-in-flight",
        400,
        2.5,
        2.5,
        "ACQUIRE TRACK",
        "stepped",
        must_serve=((10, 210), (220, 400)),
        must_not_serve=((0, 3), (211, 214)),
        sooner_s=1600,
        clock_us=None,
    ),
)
