"""Deliberate breaks: a line's worth of the product made wrong, and who must notice.

Each names the rows that must then fail, so that a row nobody can fail is found out.
"""
# ruff: noqa: ANN401 - what is patched is of every type

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Final

import pytest

from refclock import events, published
from refclock.discipline import bank, control, outliers, servo
from refclock.discipline.mode import Mode
from refclock.drivers import line
from refclock.engine import clock, engine
from refclock.engine.realtime import RealtimeClock
from refclock.events import Step
from refclock.gnss import framer
from refclock.integrity import antenna, monitor
from refclock.label import edges, labeller, vote
from refclock.timebase import DAY, SECOND, ZERO, Duration, NtpTimestamp, Tai, Utc
from tests.sim.rows import ROWS

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Break:
    """One line made wrong."""

    name: str
    apply: Patch
    fails: tuple[str, ...]
    """Rows, by what the table calls them."""


def _instead(owner: Any, name: str, value: Any) -> Patch:
    """`owner.name` is `value`."""
    return lambda patch: patch.setattr(owner, name, value)


def _nothing(owner: Any, name: str) -> Patch:
    """A method that does nothing."""
    return _instead(owner, name, lambda *_, **__: None)


def _then(owner: Any, name: str, what: Callable[[Any], Any]) -> Patch:
    """A call whose answer is passed through `what`."""
    right = getattr(owner, name)

    @wraps(right)
    def call(*args: Any, **told: Any) -> Any:
        return what(right(*args, **told))

    return _instead(owner, name, call)


def _taking(owner: Any, name: str, what: Callable[..., tuple[Any, ...]]) -> Patch:
    """A method whose arguments are passed through `what`."""
    right = getattr(owner, name)

    @wraps(right)
    def call(self: Any, *args: Any, **told: Any) -> Any:
        return right(self, *what(*args), **told)

    return _instead(owner, name, call)


def _all(*patches: Patch) -> Patch:
    def apply(patch: pytest.MonkeyPatch) -> None:
        for each in patches:
            each(patch)

    return apply


def _adopted_at_once(patch: pytest.MonkeyPatch) -> None:
    def second(_self: Any, ahead: Duration, *_: Any, **__: Any) -> bool:
        return ahead != ZERO

    patch.setattr(monitor.Integrity, "second", second)


def _leap_forgotten(patch: pytest.MonkeyPatch) -> None:
    def posix(self: published.ClockSnapshot, tai: Tai) -> Utc:
        return Utc(tai.ns - self.utc_behind_tai.ns)

    patch.setattr(published.ClockSnapshot, "posix", posix)


def _eras_ignored(patch: pytest.MonkeyPatch) -> None:
    def follow(self: RealtimeClock, local: Any, mono: Any, _era: int) -> None:
        self.pair = local, mono

    patch.setattr(RealtimeClock, "follow", follow)


def _bound_stands(patch: pytest.MonkeyPatch) -> None:
    right = clock.Clock.conclude

    def conclude(self: clock.Clock, *args: Any) -> Any:
        before = self._budget
        commands = right(self, *args)
        if self.mode is Mode.HOLDOVER and before.total:
            self.snapshot = replace(self.snapshot, bound=before.total, bound_rate=0.0)
            self._budget = before
        return commands

    patch.setattr(clock.Clock, "conclude", conclude)


def _no_r(patch: pytest.MonkeyPatch) -> None:
    """Every pulse is taken to be known to 1 us."""
    right = bank.Bank._update_filters

    def weigh(self: bank.Bank, *args: Any) -> None:
        right(self, *args)
        for f in self._filters:
            f.r = 1e-12

    patch.setattr(bank.Bank, "_update_filters", weigh)


def _one_filter(patch: pytest.MonkeyPatch) -> None:
    """Only the hypothesis on the calmest crystal."""
    right = bank.Bank._update_filters

    def weigh(self: bank.Bank, *args: Any) -> None:
        right(self, *args)
        alone = [1.0] + [0.0] * (len(self._filters) - 1)
        self._near = self._far = alone

    patch.setattr(bank.Bank, "_update_filters", weigh)


def _rounded(patch: pytest.MonkeyPatch) -> None:
    right = labeller.Labeller.tai

    def tai(self: labeller.Labeller, message: Any) -> Tai:
        return vote.whole(right(self, message))

    patch.setattr(labeller.Labeller, "tai", tai)


def _lagless(patch: pytest.MonkeyPatch) -> None:
    """A sentence is taken to come when it is, nearest second."""

    def by(_self: Any, _kind: str, at: Any, _lags: Any) -> Any:
        return vote.whole(at[0])

    patch.setattr(vote.Vote, "_by", by)


def _eraless(patch: pytest.MonkeyPatch) -> None:
    """Every timestamp is one of the first era."""

    def near(self: NtpTimestamp, _pivot: Utc) -> Utc:
        return Utc((self.bits * SECOND.ns >> 32) - 2_208_988_800 * SECOND.ns)

    patch.setattr(NtpTimestamp, "near", near)


def _waits(patch: pytest.MonkeyPatch) -> None:
    """What is broken may yet be completed."""
    right = framer.Framer._sentence

    def sentence(self: framer.Framer, data: bytes, i: int, *, last: bool) -> Any:
        end, item = right(self, data, i, last=last)
        return (end, item) if isinstance(item, framer.Sentence) else (0, None)

    patch.setattr(framer.Framer, "_sentence", sentence)


def _steered(patch: pytest.MonkeyPatch) -> None:
    right = control.ClockControl.__init__

    def init(
        self: control.ClockControl, settings: servo.SteerSettings, **_: bool
    ) -> None:
        right(self, settings, steer=True)

    patch.setattr(control.ClockControl, "__init__", init)


def _since_the_pulse(patch: pytest.MonkeyPatch) -> None:
    """When the clock obeyed is not asked."""
    right = clock.Clock.rate_in_force

    def in_force(self: clock.Clock, command: events.InForce) -> None:
        right(self, replace(command, mono=self.snapshot.at))

    patch.setattr(clock.Clock, "rate_in_force", in_force)


_UNNAMED: Final = _instead(clock.Clock, "predict", lambda *_: None)
_UNJUDGED: Final = _instead(
    monitor.Integrity, "pulse", lambda *_: monitor.PulseVerdict.USE
)
_CERTAIN: Final = _all(
    _instead(outliers.OutlierModel, "outlier", lambda *_: 1e-300),
    _then(outliers.OutlierModel, "inlier", lambda likely: max(likely, 1e-200)),
)

BREAKS: Final = (
    Break(
        "the bank is not told of rates",
        _nothing(bank.Bank, "rate_changed"),
        (
            "nominal",
            "factory-set",
            "oscillator-fast",
            "oscillator-slow",
            "cold-sky",
            "spoofed-drag",
        ),
    ),
    Break(
        "a rate is taken to hold since the pulse it answers",
        _since_the_pulse,
        ("edge-in-flight",),
    ),
    Break(
        "a clock to be left alone is steered",
        _steered,
        tuple(row.id for row in ROWS if not row.steer),
    ),
    Break("outliers count in full", _CERTAIN, ("off-1us", "interrupts")),
    Break("no pulse is rejected", _UNJUDGED, ("spoofed-jump", "late", "early")),
    Break(
        "neither label, gate nor weight stops a pulse",
        _all(_UNJUDGED, _CERTAIN, _instead(labeller, "_STRAY", SECOND)),
        ("off-300ms", "off-100us"),
    ),
    Break(
        "neither flank, pair, jump nor outlier is noticed",
        _all(
            _UNJUDGED,
            _CERTAIN,
            _instead(edges.EdgeSelector, "begins", lambda *_: True),
            _instead(labeller, "_HALF", ZERO),
        ),
        ("both-edges", "doubled"),
    ),
    Break("the bound stands still", _bound_stands, ("fix-lost-1h",)),
    Break(
        "a missing pulse is no silence",
        _instead(engine, "SILENT", 500 * DAY),
        ("unplug", "fix-lost", "missed", "pulse-lost"),
    ),
    Break("a second is silence", _instead(engine, "SILENT", SECOND), ("fix-lost-1s",)),
    Break(
        "sentences weigh as pulses do",
        _all(
            _instead(bank.Sample, "variance", property(lambda _: 1e-12)),
            _instead(clock.Clock, "surer_than", lambda *_: False),
        ),
        ("pulse-lost",),
    ),
    Break(
        "another second is followed at once",
        _adopted_at_once,
        ("wrong-second",),
    ),
    Break(
        "another second is never followed",
        _instead(monitor.Integrity, "second", lambda *_, **__: False),
        ("repeated-second", "leap-count", "gps-time"),
    ),
    Break(
        "rollovers stand",
        _instead(monitor, "unrolled", lambda utc, _floor: (utc, 0)),
        ("week-rollover", "week-rollover-later", "battery"),
    ),
    Break(
        "leap seconds are not served",
        _leap_forgotten,
        ("leap-insert", "leap-delete", "leap-59-twice"),
    ),
    Break(
        "the receiver's count is not heard",
        _nothing(monitor.Integrity, "leap_notice"),
        ("leap-count-told", "leap-late"),
    ),
    Break(
        "sentences are taken to come within half a second",
        _lagless,
        ("lag-900ms", "late-sentences"),
    ),
    Break(
        "and our clock never names the second",
        _all(_lagless, _UNNAMED),
        ("lag-drift",),
    ),
    Break("our clock never names the second", _UNNAMED, ("sentences-lost",)),
    Break(
        "a lag of 20 ms is in doubt",
        _taking(vote.Vote, "__init__", lambda guard, agree: (2 * guard, agree)),
        ("lag-20ms",),
    ),
    Break("moments are rounded", _rounded, ("five-hertz",)),
    Break(
        "epochs are ignored",
        _eras_ignored,
        ("clock-stepped", "suspended", "edge-in-flight"),
    ),
    Break("r is 1 us", _no_r, ("sawtooth", "sawtooth-told")),
    Break(
        "only the calmest hypothesis counts",
        _one_filter,
        ("noisy-oscillator", "temperature-swing", "temperature-step"),
    ),
    Break("timestamps are of the first era", _eraless, ("era-2036",)),
    Break(
        "what is broken may yet be completed",
        _waits,
        ("corrupt", "cut", "interleaved", "endless", "wrong-baud"),
    ),
    Break(
        "queued sentences are used",
        _instead(line.LineTiming, "queued", lambda *_: False),
        ("saturated",),
    ),
    Break(
        "every fix is good",
        _instead(events.Fix, "good", property(lambda _: True)),
        ("dead-reckoning", "date-1980"),
    ),
    Break(
        "satellites are not counted",
        _nothing(antenna.Antenna, "sky"),
        ("satellites-gone",),
    ),
    Break(
        "the clock is never stepped",
        _then(
            servo.Servo,
            "steer",
            lambda did: tuple(each for each in did if not isinstance(each, Step)),
        ),
        ("clock-10-years-off",),
    ),
)


def failed_by() -> Mapping[str, str]:
    """The first break that fails each row."""
    return {row: each.name for each in reversed(BREAKS) for row in each.fails}
