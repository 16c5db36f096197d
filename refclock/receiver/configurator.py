"""Configures a receiver, and puts it back as it was.

It listens, asks for the vendor, reads every setting it is going to change, writes them
one by one, and checks that the sentences come as wanted. Each step is tried three times
at most. A receiver whose vendor stays unknown is left alone; so is a setting whose
value cannot be read, unless its protocol has no question for it. The speed of the line
is never changed, so that the receiver stays in reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from enum import Enum
from typing import Final

from refclock.events import Dropped
from refclock.gnss.framer import Item, Sentence
from refclock.receiver import switch
from refclock.receiver.profile import Profile
from refclock.receiver.setting import Setting, Vendor
from refclock.receiver.vendors import casic, mediatek, ublox
from refclock.timebase import MILLISECOND, SECOND, Mono


class State(Enum):
    """The present state."""

    LISTENING = "listening"
    ASKING = "asking"
    READING = "reading"
    WRITING = "writing"
    WATCHING = "watching"
    RESTING = "resting"


class Input(Enum):
    """What moves it on."""

    PATIENCE = "time is up"
    NAMED = "the vendor is known"
    ALL = "every setting was handled"


NEXT: Final[Mapping[tuple[State, Input], State]] = {
    (State.LISTENING, Input.PATIENCE): State.ASKING,
    (State.ASKING, Input.NAMED): State.READING,
    (State.ASKING, Input.PATIENCE): State.RESTING,
    (State.READING, Input.ALL): State.WRITING,
    (State.WRITING, Input.ALL): State.WATCHING,
    (State.WATCHING, Input.PATIENCE): State.RESTING,
}

CHANGED: Final = "changed"
ALREADY: Final = "as wanted before"
REFUSED: Final = "refused"
SENT: Final = "sent"
"""Its protocol acknowledges nothing."""
UNANSWERED: Final = "not acknowledged"
UNKNOWN: Final = "unknown to it"
UNREADABLE: Final = "not answered, left alone"

QUESTION: Final = ublox.QUESTION + mediatek.QUESTION + casic.QUESTION
"""Asks for the vendor: each answers its own question."""
TRIES: Final = 3
_LISTEN: Final = 2200 * MILLISECOND
"""Two bursts of sentences."""
_ANSWER: Final = 1500 * MILLISECOND
"""A burst of sentences may come first, and take most of a second."""
_WATCH: Final = 3 * SECOND
"""What comes every second comes twice in it."""
_SETTLE: Final = SECOND
"""What was waiting in the receiver may come for so long."""


class Configurator:
    """For one opening of the line. Used by one thread."""

    def __init__(self, profile: Profile, saved: MutableMapping[str, bytes]) -> None:
        """`saved`: commands for what was found first, by setting; kept over a reopening
        of the line, after which the receiver would answer with our own values."""
        self._profile = profile
        self._saved = saved
        self._state = State.LISTENING
        self._due: Mono | None = None
        self._command = b""
        self._tries = 0
        self._vendor = Vendor("", ())
        self._index = -1
        self._current: dict[str, bytes] = {}
        self._outcomes: Counter[str] = Counter()
        self._lasting: list[str] = []
        """What is set and cannot be put back."""
        self._heard: set[str] = set()
        self._counts_from = Mono(0)
        """Sentences before it do not count."""

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    def observe(self, items: Iterable[Item], now: Mono) -> Iterator[bytes | str]:
        """What to do about what came until now: bytes to send, text for people."""
        for item in items:
            if isinstance(item, Sentence) and now >= self._counts_from:
                self._heard.add(item.body[2:5].decode("ascii"))
            yield from self._take(item, now)
        if self._due is not None and now >= self._due:
            yield from self._overdue(now)

    def undo(self) -> dict[str, bytes]:
        """The commands that put back what was changed, by setting, the last first."""
        settings = reversed(self._vendor.settings)
        found = {each.name: self._saved.get(self._key(each)) for each in settings}
        return {name: command for name, command in found.items() if command}

    def _take(self, item: Item, now: Mono) -> Iterator[bytes | str]:
        if isinstance(item, Dropped):
            return
        match self._state:
            case State.LISTENING if self._due is None:
                self._due = now + _LISTEN
            case State.ASKING if vendor := self._recognise(item):
                self._vendor = vendor
                yield f"it is {vendor.name}"
                yield from self._move(Input.NAMED, now)
            case State.READING:
                setting = self._setting
                if current := setting.current(item):
                    self._current[setting.name] = current
                if setting.unknown(item):
                    yield self._outcome(setting, UNKNOWN)
                    yield from self._on(now)
                elif setting.name in self._current and setting.answered(item):
                    yield from self._on(now)
            case State.WRITING:
                setting = self._setting
                done = setting.verdict(item)
                if done is not None:
                    yield self._outcome(setting, CHANGED if done else REFUSED)
                    yield from self._on(now)
            case _:
                pass

    def _overdue(self, now: Mono) -> Iterator[bytes | str]:
        """The answer is overdue: try again, or go on."""
        answered = self._state is State.READING and self._setting.name in self._current
        if self._command and self._tries < TRIES and not answered:
            yield self._send(self._command, now, self._tries + 1)
            return
        match self._state:
            case State.READING if answered:
                yield from self._on(now)
            case State.ASKING:
                yield "its vendor is unknown; it is left as it is"
                yield from self._move(Input.PATIENCE, now)
            case State.READING:
                yield self._outcome(self._setting, UNREADABLE)
                yield from self._on(now)
            case State.WRITING:
                yield self._outcome(self._setting, UNANSWERED)
                yield from self._on(now)
            case _:
                yield from self._move(Input.PATIENCE, now)

    def _move(self, signal: Input, now: Mono) -> Iterator[bytes | str]:
        self._state = NEXT[self._state, signal]
        self._command, self._index, self._due = b"", -1, None
        match self._state:
            case State.ASKING:
                yield self._send(QUESTION, now)
            case State.READING | State.WRITING:
                yield from self._on(now)
            case State.WATCHING:
                self._heard.clear()
                self._counts_from, self._due = now + _SETTLE, now + _SETTLE + _WATCH
            case _:
                yield from self._conclusion()

    def _on(self, now: Mono) -> Iterator[bytes | str]:
        """To the next setting that is to be read or written."""
        settings = self._vendor.settings
        for index in range(self._index + 1, len(settings)):
            self._index, setting = index, settings[index]
            if self._state is State.READING:
                command = setting.query
            else:
                command = self._change(setting)
            if not command:
                continue
            yield self._send(command, now)
            if self._state is State.READING or setting.acknowledged:
                return
            yield self._outcome(setting, SENT)
        yield from self._move(Input.ALL, now)

    def _change(self, setting: Setting) -> bytes:
        """The command that sets what is wanted; empty: none is due."""
        current = self._current.get(setting.name, setting.inferred)
        if setting.query and not current:
            return b""  # it could not be put back
        wanted = setting.wanted(current)
        if current and setting.describe(current) == setting.describe(wanted):
            self._outcomes[ALREADY] += 1
            return b""
        if current:
            self._saved.setdefault(self._key(setting), current)
        return wanted

    def _send(self, command: bytes, now: Mono, attempt: int = 1) -> bytes:
        self._command, self._due, self._tries = command, now + _ANSWER, attempt
        return command

    def _outcome(self, setting: Setting, outcome: str) -> str:
        """The outcome, for people."""
        self._outcomes[outcome] += 1
        if self._state is State.READING:
            return f"{setting.name}: {outcome}"
        current = self._current.get(setting.name, setting.inferred)
        was = setting.describe(current) if current else "?"
        if not current:
            self._lasting.append(setting.name)
        return f"{setting.name}: {was} -> {setting.describe(self._command)}, {outcome}"

    def _conclusion(self) -> Iterator[str]:
        if not self._vendor.settings:
            return
        outcomes = ", ".join(f"{n} {outcome}" for outcome, n in self._outcomes.items())
        rates = self._profile.sentences
        missing = [k for k, rate in rates.items() if rate == 1 and k not in self._heard]
        extra = [k for k, rate in rates.items() if rate == 0 and k in self._heard]
        amiss = [f"no {kind} comes" for kind in missing]
        amiss += [f"{kind} still comes" for kind in extra]
        if self._lasting:
            amiss.append(f"stays set after the end: {', '.join(self._lasting)}")
        yield "; ".join((f"{self._vendor.name}: {outcomes}", *amiss))

    @property
    def _setting(self) -> Setting:
        """The setting in hand."""
        return self._vendor.settings[self._index]

    def _key(self, setting: Setting) -> str:
        return f"{self._vendor.name}: {setting.name}"

    def _recognise(self, item: Item) -> Vendor | None:
        return (
            ublox.recognise(item, self._profile, self._heard)
            or mediatek.recognise(item, self._profile)
            or casic.recognise(item, self._profile, self._heard)
            or switch.recognise(item, self._profile, self._heard)
        )
