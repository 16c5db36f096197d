"""The conversation that configures a receiver, and what puts it back as it was.

It listens, asks who is there, reads all it is going to change, changes it one by
one, and watches whether the sentences come as wished. Each step is tried three times
at most. A receiver that does not say who made it is told nothing; what it does not
tell is left alone, unless its protocol has no word for asking. The speed of the line
is never touched, so nobody is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from enum import Enum
from typing import Final

from refclock.events import Dropped
from refclock.gnss.framer import Item, Sentence
from refclock.receiver import casic, mediatek, switch, ublox
from refclock.receiver.profile import Profile
from refclock.receiver.setting import Setting, Vendor
from refclock.timebase import MILLISECOND, SECOND, Mono


class State(Enum):
    """Where the conversation stands."""

    LISTENING = "listening"
    ASKING = "asking"
    READING = "reading"
    WRITING = "writing"
    WATCHING = "watching"
    RESTING = "resting"


class Input(Enum):
    """What moves it on."""

    PATIENCE = "nothing more was to come"
    NAMED = "it said who it is"
    ALL = "all settings were gone through"


NEXT: Final[Mapping[tuple[State, Input], State]] = {
    (State.LISTENING, Input.PATIENCE): State.ASKING,
    (State.ASKING, Input.NAMED): State.READING,
    (State.ASKING, Input.PATIENCE): State.RESTING,
    (State.READING, Input.ALL): State.WRITING,
    (State.WRITING, Input.ALL): State.WATCHING,
    (State.WATCHING, Input.PATIENCE): State.RESTING,
}

CHANGED: Final = "changed"
ALREADY: Final = "as wished before"
REFUSED: Final = "refused"
SENT: Final = "sent"
"""Its protocol acknowledges nothing."""
UNANSWERED: Final = "not acknowledged"
UNKNOWN: Final = "unknown to it"
UNTOLD: Final = "not told, left alone"

QUESTION: Final = ublox.QUESTION + mediatek.QUESTION + casic.QUESTION
"""Who made you? Each maker's receivers heed their own."""
TRIES: Final = 3
_LISTEN: Final = 2200 * MILLISECOND
"""Two of its seconds."""
_ANSWER: Final = 1500 * MILLISECOND
"""It may be in the midst of its sentences, and they take most of a second."""
_WATCH: Final = 3 * SECOND
"""In which what comes every second comes twice."""
_SETTLE: Final = SECOND
"""What it had still to say when it was told may come for so long."""


class Configurator:
    """For one opening of the line. Used by one thread."""

    def __init__(self, profile: Profile, saved: MutableMapping[str, bytes]) -> None:
        """`saved`: what was first found where we changed it; outlives a reopening,
        after which the receiver would show us our own."""
        self._wish = profile
        self._saved = saved
        self._state = State.LISTENING
        self._due: Mono | None = None
        self._said = b""
        self._tries = 0
        self._maker = Vendor("", ())
        self._index = -1
        self._had: dict[str, bytes] = {}
        self._outcomes: Counter[str] = Counter()
        self._lasting: list[str] = []
        """What is set and cannot be put back."""
        self._heard: set[str] = set()
        self._heed = Mono(0)
        """From when on what is heard counts."""

    @property
    def state(self) -> State:
        """Where the conversation stands."""
        return self._state

    def observe(self, items: Iterable[Item], now: Mono) -> Iterator[bytes | str]:
        """What follows from what came until now: bytes to send, words for people."""
        for item in items:
            if isinstance(item, Sentence) and now >= self._heed:
                self._heard.add(item.body[2:5].decode("ascii"))
            yield from self._take(item, now)
        if self._due is not None and now >= self._due:
            yield from self._overdue(now)

    def undo(self) -> dict[str, bytes]:
        """What was changed and can be put back, the last first, and the commands."""
        settings = reversed(self._maker.settings)
        found = {each.name: self._saved.get(self._key(each)) for each in settings}
        return {name: command for name, command in found.items() if command}

    def _take(self, item: Item, now: Mono) -> Iterator[bytes | str]:
        if isinstance(item, Dropped):
            return
        match self._state:
            case State.LISTENING if self._due is None:
                self._due = now + _LISTEN
            case State.ASKING if maker := self._recognise(item):
                self._maker = maker
                yield f"it is {maker.name}"
                yield from self._move(Input.NAMED, now)
            case State.READING:
                setting = self._setting
                if current := setting.current(item):
                    self._had[setting.name] = current
                if setting.unknown(item):
                    yield self._note(setting, UNKNOWN)
                    yield from self._on(now)
                elif setting.name in self._had and setting.answered(item):
                    yield from self._on(now)
            case State.WRITING:
                setting = self._setting
                done = setting.verdict(item)
                if done is not None:
                    yield self._note(setting, CHANGED if done else REFUSED)
                    yield from self._on(now)
            case _:
                pass

    def _overdue(self, now: Mono) -> Iterator[bytes | str]:
        """It has had its time."""
        told = self._state is State.READING and self._setting.name in self._had
        if self._said and self._tries < TRIES and not told:
            yield self._say(self._said, now, self._tries + 1)
            return
        match self._state:
            case State.READING if told:
                yield from self._on(now)
            case State.ASKING:
                yield "it does not say who made it; it is left as it is"
                yield from self._move(Input.PATIENCE, now)
            case State.READING:
                yield self._note(self._setting, UNTOLD)
                yield from self._on(now)
            case State.WRITING:
                yield self._note(self._setting, UNANSWERED)
                yield from self._on(now)
            case _:
                yield from self._move(Input.PATIENCE, now)

    def _move(self, signal: Input, now: Mono) -> Iterator[bytes | str]:
        self._state = NEXT[self._state, signal]
        self._said, self._index, self._due = b"", -1, None
        match self._state:
            case State.ASKING:
                yield self._say(QUESTION, now)
            case State.READING | State.WRITING:
                yield from self._on(now)
            case State.WATCHING:
                self._heard.clear()
                self._heed, self._due = now + _SETTLE, now + _SETTLE + _WATCH
            case _:
                yield from self._conclusion()

    def _on(self, now: Mono) -> Iterator[bytes | str]:
        """To the next setting about which there is something to say."""
        settings = self._maker.settings
        for index in range(self._index + 1, len(settings)):
            self._index, setting = index, settings[index]
            if self._state is State.READING:
                command = setting.query
            else:
                command = self._change(setting)
            if not command:
                continue
            yield self._say(command, now)
            if self._state is State.READING or setting.acknowledged:
                return
            yield self._note(setting, SENT)
        yield from self._move(Input.ALL, now)

    def _change(self, setting: Setting) -> bytes:
        """The command that makes it as wished; empty: none is due."""
        current = self._had.get(setting.name, setting.seen)
        if setting.query and not current:
            return b""  # what cannot be put back is left alone
        wanted = setting.wanted(current)
        if current and setting.describe(current) == setting.describe(wanted):
            self._outcomes[ALREADY] += 1
            return b""
        if current:
            self._saved.setdefault(self._key(setting), current)
        return wanted

    def _say(self, command: bytes, now: Mono, attempt: int = 1) -> bytes:
        self._said, self._due, self._tries = command, now + _ANSWER, attempt
        return command

    def _note(self, setting: Setting, outcome: str) -> str:
        """What became of it, in words."""
        self._outcomes[outcome] += 1
        if self._state is State.READING:
            return f"{setting.name}: {outcome}"
        current = self._had.get(setting.name, setting.seen)
        was = setting.describe(current) if current else "?"
        if not current:
            self._lasting.append(setting.name)
        return f"{setting.name}: {was} -> {setting.describe(self._said)}, {outcome}"

    def _conclusion(self) -> Iterator[str]:
        if not self._maker.settings:
            return
        told = ", ".join(f"{n} {outcome}" for outcome, n in self._outcomes.items())
        rates = self._wish.sentences
        missing = [k for k, rate in rates.items() if rate == 1 and k not in self._heard]
        extra = [k for k, rate in rates.items() if rate == 0 and k in self._heard]
        amiss = [f"no {kind} comes" for kind in missing]
        amiss += [f"{kind} still comes" for kind in extra]
        if self._lasting:
            amiss.append(f"stays set after the end: {', '.join(self._lasting)}")
        yield "; ".join((f"{self._maker.name}: {told}", *amiss))

    @property
    def _setting(self) -> Setting:
        """Which it is about just now."""
        return self._maker.settings[self._index]

    def _key(self, setting: Setting) -> str:
        return f"{self._maker.name}: {setting.name}"

    def _recognise(self, item: Item) -> Vendor | None:
        return (
            ublox.recognise(item, self._wish, self._heard)
            or mediatek.recognise(item, self._wish)
            or casic.recognise(item, self._wish, self._heard)
            or switch.recognise(item, self._wish, self._heard)
        )
