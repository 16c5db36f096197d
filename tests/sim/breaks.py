"""Deliberate breaks: a line's worth of the product made wrong, and who must notice.

Each names the rows that must then fail, so that a row nobody can fail is found out.
What is broken is public: classes, functions, and constants that say what they are.
"""
# ruff: noqa: ANN401 - what is patched is of every type

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from itertools import takewhile
from typing import Any, Final
from weakref import WeakKeyDictionary

import pytest

from hw.sim import fast
from refclock import events, published
from refclock.discipline import bank, bound, control, outliers, servo
from refclock.discipline.filters import kalman
from refclock.discipline.stamps import level
from refclock.drivers import line
from refclock.engine import clock, engine, witness
from refclock.engine.kept import memory
from refclock.engine.realtime import RealtimeClock
from refclock.engine.receivers import bias
from refclock.events import Step, Trust
from refclock.gnss import epoch, framer
from refclock.integrity import antenna, dates, monitor
from refclock.label import edges, labeller, vote
from refclock.reasons import Code, Reason
from refclock.timebase import (
    DAY,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    NtpTimestamp,
    Tai,
    Utc,
)
from refclock.upstream import filter as samples
from refclock.upstream import servers
from refclock.upstream.filter import Interval
from refclock.upstream.select import Agreement
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
    """It shrinks as more is known, and never grows."""
    right = bound.Budget.with_sigma

    def with_sigma(self: bound.Budget, sigma_s: float) -> bound.Budget:
        fresh = right(self, sigma_s)
        return fresh if fresh.filter < self.filter else self

    patch.setattr(bound.Budget, "with_sigma", with_sigma)
    patch.setattr(published.ClockSnapshot, "bound_at", lambda self, _: self.bound)


def _rounded(patch: pytest.MonkeyPatch) -> None:
    right = labeller.Labeller.tai

    def tai(self: labeller.Labeller, message: Any) -> Tai:
        return vote.whole(right(self, message))

    patch.setattr(labeller.Labeller, "tai", tai)


def _lagless(patch: pytest.MonkeyPatch) -> None:
    """A sentence is taken to come when it is, nearest second."""
    observe, second = vote.Vote.observe, vote.Vote.second
    last: WeakKeyDictionary[vote.Vote, vote.Named] = WeakKeyDictionary()

    def noted(self: vote.Vote, kind: str, heard: vote.Named) -> None:
        last[self] = heard
        observe(self, kind, heard)

    def nearest(self: vote.Vote, edge: Any, lags: Any) -> Any:
        found = second(self, edge, lags)
        if isinstance(found, vote.Doubt):
            return found
        return vote.whole(last[self].at(edge)), found[1]

    patch.setattr(vote.Vote, "observe", noted)
    patch.setattr(vote.Vote, "second", nearest)


def _eraless(patch: pytest.MonkeyPatch) -> None:
    """Every timestamp is one of the first era."""

    def near(self: NtpTimestamp, _pivot: Utc) -> Utc:
        return Utc((self.bits * SECOND.ns >> 32) - 2_208_988_800 * SECOND.ns)

    patch.setattr(NtpTimestamp, "near", near)


def _waits(patch: pytest.MonkeyPatch) -> None:
    """What is broken may yet be completed, and all that follows waits for it."""
    right = framer.Framer.feed
    stuck = threading.Event()

    def feed(self: framer.Framer, chunk: Any) -> Any:
        items = right(self, chunk)
        if stuck.is_set():
            return []
        whole = (framer.Sentence, framer.Binary)
        good = list(takewhile(lambda item: isinstance(item, whole), items))
        if not items or len(good) < len(items):
            stuck.set()
        return good

    patch.setattr(framer.Framer, "feed", feed)


def _always_labelled(patch: pytest.MonkeyPatch) -> None:
    """Every flank begins the second that our clock puts it nearest to."""
    right = labeller.Labeller.label

    def label(self: labeller.Labeller, edge: Any, predicted: Any) -> Any:
        found = right(self, edge, predicted)
        if isinstance(found, labeller.Unlabelled) and predicted is not None:
            return labeller.Label(vote.whole(predicted.tai), "our clock")
        return found

    patch.setattr(labeller.Labeller, "label", label)


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


_ROLLOVERS_STAND: Final = _instead(dates, "unrolled", lambda utc, _floor: (utc, 0))
_UNNAMED: Final = _instead(clock.Clock, "predict", lambda *_: None)
_UNJUDGED: Final = _instead(
    monitor.Integrity, "pulse", lambda *_, **__: monitor.PulseVerdict.USE
)
_ONE_FILTER: Final = _all(
    _instead(bank, "WANDERING", kalman.WANDERING[:1]),
    _instead(bank, "DRIFTING", ()),
    _instead(bank, "harmonic_filters", lambda *_: ()),
    _instead(bank, "thermal_filters", lambda *_: ()),
)
"""Only the hypothesis on the calmest crystal."""
_CERTAIN: Final = _all(
    _instead(outliers.OutlierModel, "outlier", lambda *_: 1e-300),
    _then(outliers.OutlierModel, "inlier", lambda likely: max(likely, 1e-200)),
)

_ONE_LEVEL: Final = _all(
    _instead(level.NoiseLevel, "observe", lambda *_: 1.0),
    _instead(level.NoiseLevel, "quiet", property(lambda _: True)),
)

_BELIEVED: Final = _instead(Trust, "proven", property(lambda _: True))
"""Whoever answers is taken for proven."""


def _too_sure(interval: Interval | None) -> Interval | None:
    if interval is None:
        return None
    return Interval(interval.utc, Duration(interval.half.ns // 20))


def _first_is_right(intervals: Mapping[str, Any]) -> Agreement | None:
    """The first server is believed alone."""
    name, interval = next(iter(intervals.items()))
    return Agreement(interval, frozenset({name}))


BREAKS: Final = (
    Break(
        "forgeable servers stop a label for ever",
        _BELIEVED,
        ("upstream-all-lie", "nts-against-liars"),
    ),
    Break(
        "one server is believed alone, and as if it proved what it says",
        _all(_BELIEVED, _instead(servers, "agreement", _first_is_right)),
        ("upstream-liar", "upstream-one-lies-of-two"),
    ),
    Break(
        "no server proves anything",
        _instead(Trust, "proven", property(lambda _: False)),
        (
            "spoofed-against-nts",
            "spoofed-date-against-nts",
            "spoofed-jump-against-nts",
            "upstream-leap-wrong",
        ),
    ),
    Break(
        "no pulse ever stands in for the first one",
        _instead(bias.Bias, "known", property(lambda _: False)),
        (
            "two-receivers-first-lost",
            "two-receivers-first-spoofed",
            "two-receivers-first-coasts",
        ),
    ),
    Break(
        "other servers' time is never served",
        _instead(witness.UpstreamWitness, "fallback", lambda *_: None),
        ("upstream-first", "fix-lost-1d"),
    ),
    Break(
        "an interval is a twentieth as wide as it is",
        _then(samples.SampleFilter, "interval", _too_sure),
        ("upstream-asymmetric",),
    ),
    Break(
        "other servers stop every label",
        _instead(
            witness.UpstreamWitness,
            "stops",
            lambda *_: Reason.of(Code.UPSTREAM_CONTRADICTS),
        ),
        ("upstream-kiss", "upstream-partition"),
    ),
    Break(
        "changes of rate do not reach the bank",
        _nothing(bank.Bank, "rate_changed"),
        (
            "nominal",
            "factory-set",
            "oscillator-fast",
            "oscillator-slow",
            "cold-sky",
            "spoofed-drag",
            "restarted",
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
    Break(
        "facts do not name their source",
        _instead(fast, "of", lambda _source, event: event),
        ("two-receivers",),
    ),
    Break(
        "outliers count in full, and noise is ever the same",
        _all(_CERTAIN, _ONE_LEVEL),
        ("off-1us", "interrupts"),
    ),
    Break("no pulse is rejected", _UNJUDGED, ("spoofed-jump", "late", "early")),
    Break(
        "neither label, gate nor weight stops a pulse",
        _all(_UNJUDGED, _CERTAIN, _always_labelled),
        ("off-300ms", "off-100us"),
    ),
    Break(
        "neither flank, pair, jump nor outlier is noticed",
        _all(
            _UNJUDGED,
            _CERTAIN,
            _instead(edges.EdgeSelector, "begins", lambda *_: True),
            _always_labelled,
        ),
        ("both-edges", "doubled"),
    ),
    Break("the bound stands still", _bound_stands, ("fix-lost-1h",)),
    Break(
        "a missing pulse is no silence",
        _instead(engine, "CONCLUDED_AFTER", 500 * DAY),
        ("unplug", "fix-lost", "missed", "pulse-lost"),
    ),
    Break(
        "a second is silence",
        _all(
            _instead(engine, "CONCLUDED_AFTER", SECOND),
            _instead(clock.Clock, "pulse_lost_after", SECOND),
        ),
        ("fix-lost-1s",),
    ),
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
        ("wrong-second", "reset-hour"),
    ),
    Break(
        "another second is never followed",
        _instead(monitor.Integrity, "second", lambda *_, **__: False),
        ("repeated-second", "leap-count", "gps-time"),
    ),
    Break(
        "rollovers stand",
        _ROLLOVERS_STAND,
        ("week-rollover", "week-rollover-later"),
    ),
    Break(
        "rollovers stand, whatever a battery clock shows",
        _all(_ROLLOVERS_STAND, _nothing(monitor.Integrity, "witness")),
        ("battery",),
    ),
    Break(
        "leap seconds are not served",
        _leap_forgotten,
        ("leap-insert", "leap-delete", "leap-59-twice"),
    ),
    Break(
        "the receiver's leap-second count is not used",
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
    Break(
        "a pulse needs no voucher",
        _instead(monitor.Integrity, "vouches", lambda *_: True),
        ("sentences-lost", "other-speed"),
    ),
    Break(
        "a line has the speed it is set to",
        _nothing(line.LineTiming, "weigh"),
        ("bridge",),
    ),
    Break(
        "what was served for a moment is kept as the last good time",
        _instead(memory.LastGood, "at", lambda _, served: served.posix(served.updated)),
        ("other-date",),
    ),
    Break(
        "no witness names a second",
        _instead(vote.Testimony, "second", lambda *_: None),
        ("late-a-second",),
    ),
    Break(
        "no witness excludes a second",
        _instead(vote.Testimony, "excludes", lambda *_: False),
        ("battery-against",),
    ),
    Break(
        "an epoch with a status is valid",
        _instead(epoch.Epoch, "verdict", property(lambda _: events.Fix.VALID)),
        ("estimated-by-gga",),
    ),
    Break(
        "the falling edge is the second",
        _instead(
            edges.EdgeSelector, "begins", lambda _, edge: edge.edge is events.Edge.CLEAR
        ),
        ("long-pulse",),
    ),
    Break(
        "the rising edge is the second",
        _instead(
            edges.EdgeSelector,
            "begins",
            lambda _, edge: edge.edge is events.Edge.ASSERT,
        ),
        ("square-pulse",),
    ),
    Break(
        "the first of January of a past year is a rollover",
        _instead(dates, "is_default", lambda _: False),
        ("date-2000",),
    ),
    Break(
        "a lag under 0.4 s is in doubt",
        _taking(vote.Vote, "__init__", lambda _, agree: (400 * MILLISECOND, agree)),
        ("lag-20ms",),
    ),
    Break("times within a second are rounded", _rounded, ("five-hertz",)),
    Break(
        "steps of the clock are not noticed",
        _eras_ignored,
        ("clock-stepped", "suspended", "edge-in-flight"),
    ),
    Break(
        "r is 1 us at least",
        _instead(bank, "LEAST_R", 1e-12),
        ("sawtooth", "sawtooth-told"),
    ),
    Break(
        "only the calmest hypothesis counts",
        _ONE_FILTER,
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
