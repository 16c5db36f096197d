"""Which second does this pulse begin? The sentence names it, the pulse marks it.

Warm, our own clock names the second: it cannot have strayed by half of one, and
sentences only confirm or contradict. Cold, a sentence names it. A sentence never
comes before the moment it names, nor a whole second after it, so with d the time
from the last pulse to the sentence's first byte and t the moment named, that
pulse's second s obeys

    0 < lag = d - (t - s) < 1 s          s = floor(t - d) + 1

whatever the lag is: 20, 500 or 900 ms. What is left in doubt is a lag near 0 or
near 1 s; then a lag learned before, or a witness, must decide, or nobody does.
Two sentences in a row must agree. Reckoning is in TAI along CLOCK_MONOTONIC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final

from refclock.events import Edge, Fix, PulseEdge, TimeMessage, Witness
from refclock.gnss.lag import Lag
from refclock.settings import Range
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapTable,
    Mono,
    Tai,
    Utc,
)


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """How sure we must be of the second."""

    guard_ms: Annotated[int, Range(1, 400, "ms")] = 15
    """A lag this close to 0 or 1 s, beyond its spread, is in doubt."""
    agree: Annotated[int, Range(1, 60, "sentences")] = 2
    """How many sentences in a row must name the same second."""
    trust_zda_alone: bool = False
    """Believe a receiver that sends ZDA and never a word on its fix."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What our own clock says the instant of a pulse was."""

    tai: Tai
    sigma: Duration


@dataclass(frozen=True, slots=True)
class Label:
    """The second a pulse begins, and who said so."""

    tai: Tai
    by: str


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """No second for this pulse, and why, in plain words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Alone:
    """What a sentence says without a pulse."""

    tai: Tai
    seen: Mono
    """When, by its lag, that was."""
    spread: Duration


OTHER_FLANK: Final = Unlabelled("the other flank of the pulse")
_WARM: Final = 50 * MILLISECOND
"""Our own clock labels while its sigma is below this."""
_ON_TIME: Final = 5 * MILLISECOND
"""A flank further from a whole second, by a warm clock, is the other one."""
_DOUBLED: Final = 900 * MILLISECOND
_STALE: Final = 10 * SECOND
"""A sentence this old names no second any more."""
_PRIOR: Final = Lag(250 * MILLISECOND, 250 * MILLISECOND, 0)
"""Of a kind never measured."""
_KNOWN: Final = 5
_WITNESS: Final = 400 * MILLISECOND


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A pulse whose second is known."""

    tai: Tai
    seen: Mono

    def tai_at(self, seen: Mono) -> Tai:
        return self.tai + (seen - self.seen)


class Labeller:
    """Names the second of each pulse. Used by one thread."""

    def __init__(
        self,
        settings: LabelSettings,
        leaps: LeapTable,
        learned: Mapping[str, Lag] | None = None,
    ) -> None:
        self._settings = settings
        self._guard = settings.guard_ms * MILLISECOND
        self._leaps = leaps
        self._lags = dict(learned or {})
        self.forget()

    def forget(self) -> None:
        """Start cold: the monotonic clock no longer carries what was heard."""
        self._edges: dict[Edge, Mono] = {}
        self._anchor: _Anchor | None = None
        self._named: _Anchor | None = None
        """What the sentences say of the last pulse, and of how many of them."""
        self._agreed = 0
        self._witness: tuple[Tai, Mono, Duration] | None = None
        self._vouched = False
        self._doubt = "no sentence with a fix yet"

    def lags(self) -> Mapping[str, Lag]:
        """What was learned, by kind of sentence."""
        return dict(self._lags)

    def tai(self, message: TimeMessage) -> Tai:
        """The moment a sentence names. Second 60 is the one after 59."""
        if message.sixty:
            return self._leaps.tai(message.utc - SECOND) + SECOND
        return self._leaps.tai(message.utc)

    def hear(self, message: TimeMessage) -> Duration | None:
        """Take a sentence in: whole seconds it is ahead of us; None: cannot be said."""
        if not self._usable(message):
            return None
        named = self.tai(message)
        if self._anchor is not None:
            return self._compare(message, named, self._anchor)
        self._guess(message, named)
        return None

    def witness(self, witness: Witness) -> None:
        """Another's word on the time; only one better than half a second decides."""
        if witness.spread < _WITNESS:
            tai = self._leaps.tai(Utc(witness.at.ns + witness.offset.ns))
            self._witness = tai, witness.seen, witness.spread

    def label(self, edge: PulseEdge, predicted: Predicted | None) -> Label | Unlabelled:
        """The second that `edge` begins, or why nobody knows."""
        if predicted is not None and predicted.sigma < _WARM:
            return self._by_our_clock(edge, predicted)
        before = self._edges.get(edge.edge)
        if before is not None and edge.seen - before < _DOUBLED:
            return Unlabelled("two pulses within a second: noise on the line?")
        self._edges[edge.edge] = edge.seen
        if edge.edge is Edge.CLEAR and Edge.ASSERT in self._edges:
            return OTHER_FLANK
        named, stale = self._named, "the sentences stopped"
        if named is None or edge.seen - named.seen > _STALE:
            return Unlabelled(self._doubt if named is None else stale)
        if self._agreed < self._settings.agree:
            return Unlabelled("waiting for a second sentence to agree on the second")
        ahead = (edge.seen - named.seen).rounded(SECOND)
        return self._settled(edge, named.tai + ahead, "sentences")

    def adopt(self, by: Duration) -> None:
        """The second was another one all along: what is known moves by `by`."""
        if self._anchor is not None:
            self._anchor = replace(self._anchor, tai=self._anchor.tai + by)

    def sample_from(self, message: TimeMessage) -> Alone | None:
        """What a sentence is worth without a pulse; None: nothing."""
        if not self._usable(message):
            return None
        lag = self._lags.get(message.kind, _PRIOR)
        if lag.count < _KNOWN:
            lag = _PRIOR
        spread = max(lag.spread, MILLISECOND)
        return Alone(self.tai(message), message.seen - lag.mean, spread)

    def _usable(self, message: TimeMessage) -> bool:
        if message.queued:
            self._doubt = "sentences wait on a saturated line: raise its speed"
            return False
        if message.fix is Fix.UNSAID:
            return self._vouched or self._settings.trust_zda_alone
        if message.fix.good:
            self._vouched = True
        else:
            self._doubt = "the receiver has no fix"
        return message.fix.good

    def _by_our_clock(
        self, edge: PulseEdge, predicted: Predicted
    ) -> Label | Unlabelled:
        second = Tai(Duration(predicted.tai.ns).rounded(SECOND).ns)
        away = abs(predicted.tai - second)
        if away > _ON_TIME + 5 * predicted.sigma:
            if edge.edge is Edge.CLEAR:
                return OTHER_FLANK
            return Unlabelled(f"a pulse {away.seconds:.3f} s off the second")
        return self._settled(edge, second, "our own clock")

    def _settled(self, edge: PulseEdge, second: Tai, by: str) -> Label:
        self._anchor = _Anchor(second, edge.seen)
        return Label(second, by)

    def _compare(
        self, message: TimeMessage, named: Tai, anchor: _Anchor
    ) -> Duration | None:
        """Learn the lag of a sentence that names the second we are in, or tell by how
        many seconds it differs."""
        if message.seen - anchor.seen > 100 * _STALE:
            return None
        lag = anchor.tai_at(message.seen) - named
        known = self._lags.get(message.kind, Lag())
        middle = known.mean if known.count >= _KNOWN else 500 * MILLISECOND
        ahead = (middle - lag).rounded(SECOND)
        if ahead == ZERO:
            self._lags[message.kind] = known.learn(lag)
        return ahead

    def _guess(self, message: TimeMessage, named: Tai) -> None:
        """What a sentence says of the last pulse, before any second is known."""
        pulse = self._edges.get(Edge.ASSERT) or self._edges.get(Edge.CLEAR)
        if pulse is None or message.seen - pulse > 1100 * MILLISECOND:
            return
        second = self._second(message, named, message.seen - pulse)
        if second is None:
            return
        agrees = (
            self._named is not None
            and (pulse - self._named.seen).rounded(SECOND) == second - self._named.tai
        )
        if self._named is None or pulse != self._named.seen or not agrees:
            self._agreed = self._agreed + 1 if agrees else 1
        self._named = _Anchor(second, pulse)

    def _second(self, message: TimeMessage, named: Tai, d: Duration) -> Tai | None:
        """The second of a pulse that came `d` before the sentence."""
        first_byte = named.ns - d.ns
        if self._witness is not None:
            tai, seen, _ = self._witness
            at_pulse = tai + (message.seen - d - seen)
            return Tai(Duration(at_pulse.ns).rounded(SECOND).ns)
        known = self._lags.get(message.kind)
        if known is not None and known.count >= _KNOWN:
            exact = first_byte + known.mean.ns
            second = Duration(exact).rounded(SECOND).ns
            doubt = 500 * MILLISECOND - abs(Duration(exact - second))
            room = 3 * known.spread
        else:
            second = (first_byte // SECOND.ns + 1) * SECOND.ns
            lag = Duration(d.ns - (named.ns - second))
            doubt, room = min(lag, SECOND - lag), ZERO
        if doubt < self._guard + room:
            self._doubt = (
                f"{message.kind} comes so near the pulse that it may name the second "
                "before or after it; a battery clock or an NTP server could tell"
            )
            return None
        return Tai(second)
