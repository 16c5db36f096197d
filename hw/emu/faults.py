"""What can go wrong, and when: named values on a timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Annotated, Final

from hw.emu.gnss.sentences import FixState
from hw.emu.gnss.templates import written
from refclock.settings import Range
from refclock.timebase import Tai, Utc


class Kind(StrEnum):
    """A fault. `KINDS` has what it means and what its size is."""

    # the sky
    COLD = "cold"
    NO_FIX = "no_fix"
    ESTIMATED = "estimated"
    NO_SATELLITES = "no_satellites"
    MOVED_M = "moved_m"
    # what a receiver says
    SILENT = "silent"
    LIE_S = "lie_s"
    WEEKS = "weeks"
    LEAP_DEFAULT = "leap_default"
    LEAP_FORGED_S = "leap_forged_s"
    SAWTOOTH_LIE_S = "sawtooth_lie_s"
    FIELD = "field"
    INSERT = "insert"
    # when it says it
    LATE_S = "late_s"
    LAG_DRIFT_S_PER_S = "lag_drift_s_per_s"
    # the line
    CORRUPT = "corrupt"
    CUT = "cut"
    INTERLEAVED = "interleaved"
    ENDLESS = "endless"
    WRONG_BAUD = "wrong_baud"
    UNPLUGGED = "unplugged"
    # the pulse
    NO_PULSE = "no_pulse"
    MISSED = "missed"
    DOUBLED = "doubled"
    SHIFT_S = "shift_s"
    DRAG_PPB = "drag_ppb"
    # the machine
    STEP_S = "step_s"
    TOLD_LATE_S = "told_late_s"
    SLEEP = "sleep"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a kind of fault does, for people, and the range of its size."""

    words: str
    """`{}` stands for the size."""
    size: Range | None = None
    """None: it has no size."""
    machine: bool = False
    """It befalls the machine, not a receiver."""
    once: bool = False
    """It happens at an instant and does not last."""


_SHARE: Final = Range(0.0, 1.0)
_YEARS: Final = Range(-4e9, 4e9, "s")
KINDS: Final[Mapping[Kind, Meaning]] = {
    Kind.COLD: Meaning("the receiver knows no time and no place"),
    Kind.NO_FIX: Meaning("no fix: the receiver goes on by its own clock, status V"),
    Kind.ESTIMATED: Meaning("dead reckoning without the sky, status A, mode E"),
    Kind.NO_SATELLITES: Meaning("a fix, and no satellites"),
    Kind.MOVED_M: Meaning(
        "the antenna appears {} m north of its place", Range(-1e6, 1e6, "m")
    ),
    Kind.SILENT: Meaning("no sentences"),
    Kind.LIE_S: Meaning("the time named is {} s ahead, flags as ever", _YEARS),
    Kind.WEEKS: Meaning("the date is {} weeks ahead", Range(-6000, 6000, "weeks")),
    Kind.LEAP_DEFAULT: Meaning("the leap-second count is the firmware's of 2013"),
    Kind.LEAP_FORGED_S: Meaning(
        "a leap second of {} s is announced that is none", Range(-1, 1, "s")
    ),
    Kind.SAWTOOTH_LIE_S: Meaning(
        "the pulse's own error is told {} s too large", Range(-1.0, 1.0, "s")
    ),
    Kind.FIELD: Meaning("a field of a sentence is written otherwise"),
    Kind.INSERT: Meaning("something else is on the line"),
    Kind.LATE_S: Meaning("sentences come {} s later", Range(-1.0, 10.0, "s")),
    Kind.LAG_DRIFT_S_PER_S: Meaning(
        "sentences come later by {} s every second", Range(-0.1, 0.1, "s/s")
    ),
    Kind.CORRUPT: Meaning("a share {} of sentences has a wrong bit", _SHARE),
    Kind.CUT: Meaning("a share {} of sentences lacks its end", _SHARE),
    Kind.INTERLEAVED: Meaning("a share {} of sentences begins within another", _SHARE),
    Kind.ENDLESS: Meaning("a line without end every second"),
    Kind.WRONG_BAUD: Meaning("the line runs at another speed: all is garbage"),
    Kind.UNPLUGGED: Meaning("the receiver is unplugged, line and pulse"),
    Kind.NO_PULSE: Meaning("no pulses"),
    Kind.MISSED: Meaning("a share {} of pulses does not come", _SHARE),
    Kind.DOUBLED: Meaning("a share {} of pulses comes again 30 ms later", _SHARE),
    Kind.SHIFT_S: Meaning("pulses come {} s late", Range(-10.0, 10.0, "s")),
    Kind.DRAG_PPB: Meaning(
        "pulses come later by {} ns every second", Range(-1e6, 1e6, "ns/s")
    ),
    Kind.STEP_S: Meaning(
        "another program steps the clock by {} s", _YEARS, machine=True, once=True
    ),
    Kind.TOLD_LATE_S: Meaning(
        "pulses are told {} s after their stamp", Range(0.0, 0.5, "s"), machine=True
    ),
    Kind.SLEEP: Meaning("the machine is suspended", machine=True),
    Kind.RESTART: Meaning(
        "the server ends, and starts from what it remembers", machine=True, once=True
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong for a while."""

    kind: Kind
    at_s: Annotated[float, Range(0.0, 1e7, "s")] = 0.0
    """After the start, in true time."""
    for_s: Annotated[float, Range(0.0, inf, "s")] = inf
    size: float = 1.0
    """In the unit that the kind is named by, or a share."""
    receiver: str = ""
    """The one it befalls, by name; "": all."""
    sentence: str = ""
    """`lie_s`, `weeks` and `field`: the form of sentences it befalls, as RMC; "":
    all."""
    field: Annotated[int, Range(0, 100)] = 0
    """`field`: which; 1 is the first after the sentence's name."""
    text: str = ""
    """`field`: what stands there; `insert`: a template, as of a sentence."""

    def __post_init__(self) -> None:
        """ValueError: the size is out of the range of its kind, or no template."""
        if self.kind is Kind.INSERT:
            written(self.text, "GN", FixState(Utc(0), tai=Tai(0)))
        allowed = KINDS[self.kind].size
        if allowed and not allowed.least <= self.size <= allowed.most:
            raise ValueError(f"size of {self.kind}: {self.size!r} is not in {allowed}")

    @property
    def words(self) -> str:
        """What it is, for people."""
        whose = f"{self.receiver}: " if self.receiver else ""
        of = f" ({self.sentence})" if self.sentence else ""
        return f"{whose}{KINDS[self.kind].words.format(f'{self.size:g}')}{of}"

    def on(self, t_s: float) -> bool:
        """Is it going on?"""
        return self.at_s <= t_s < self.at_s + self.for_s


class Timeline:
    """All that goes wrong in one run. For any thread."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._of = {kind: [f for f in faults if f.kind is kind] for kind in Kind}
        self.particular = any(fault.sentence for fault in faults)
        """Some befall one form of sentence alone."""

    def of(self, kind: Kind) -> Sequence[Fault]:
        """The faults of that kind."""
        return self._of[kind]

    def on(self, kind: Kind, t_s: float) -> bool:
        """Is one of that kind going on?"""
        return any(fault.on(t_s) for fault in self._of[kind])

    def size(self, kind: Kind, t_s: float, sentence: str = "") -> float:
        """The sum of the sizes of those of that kind going on, those of `sentence`
        among them; 0: none is going on."""
        return sum(
            fault.size
            for fault in self._of[kind]
            if fault.on(t_s) and fault.sentence in {"", sentence}
        )

    def grown(self, kind: Kind, t_s: float) -> float:
        """What those going on have added up to, their size being by the second."""
        return sum(
            fault.size * (t_s - fault.at_s) for fault in self._of[kind] if fault.on(t_s)
        )
