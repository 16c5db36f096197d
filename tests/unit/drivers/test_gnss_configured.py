"""The driver carries the conversation: items in, bytes out, words to the engine."""

from __future__ import annotations

from collections import deque

import pytest

from hw.emu.gnss.dialects import Casic, CommandParser
from hw.emu.gnss.receiver import ReceiverModel
from hw.emu.gnss.sentences import FixState, write
from hw.emu.gnss.ublox import Ublox8
from refclock.board.ports import Chunk
from refclock.drivers.gnss import GnssDriver
from refclock.events import Configured, Event
from refclock.receiver.configurator import Configurator
from refclock.receiver.profile import profile
from refclock.timebase import MILLISECOND, SECOND, Duration, Mono

FACTORY = ReceiverModel(sentences=(("RMC", 1), ("GGA", 1), ("GLL", 1)))


class Wired:
    """A line with an emulated receiver at its end."""

    name = "wired"
    bits_per_second = 9600

    def __init__(self, ear: CommandParser, falls_silent_after: int = 1 << 30) -> None:
        self.ear = ear
        self.now = Mono(10**12)
        self.cut = False
        self.closed = False
        self.limits: list[Duration] = []
        self._speaks = falls_silent_after
        self._answers: deque[bytes] = deque()

    def read(self, limit: Duration) -> Chunk | None:
        self.limits.append(limit)
        if self._answers:
            self.now += 20 * MILLISECOND
            return Chunk(self._answers.popleft(), self.now, self.now)
        to_burst = Duration(SECOND.ns - self.now.ns % SECOND.ns)
        if self._speaks <= 0 or to_burst > limit:
            self.now += limit
            return None
        self._speaks -= 1
        self.now += to_burst
        kinds = [kind for kind, _ in self.ear.tongue.receiver_model.sentences]
        said = [line for kind in kinds for line in write(kind, "GP", FixState(None))]
        return Chunk(b"".join(said), self.now, self.now)

    def write(self, data: bytes) -> None:
        if self.cut:
            raise BrokenPipeError
        self._answers.extend(self.ear.observe(data))

    def close(self) -> None:
        self.closed = True


def configured(wired: Wired, told: list[str]) -> GnssDriver:
    return GnssDriver(wired, Configurator(profile(9600), {}), told.append)


def run(driver: GnssDriver, polls: int = 300) -> list[Configured]:
    events: list[Event] = []
    for _ in range(polls):
        events += driver.poll()
    return [event for event in events if isinstance(event, Configured)]


def test_it_is_configured_and_put_back_at_the_end() -> None:
    wired, told = Wired(CommandParser(Ublox8(FACTORY))), list[str]()
    driver = configured(wired, told)
    said = run(driver)
    assert said[0].text == "it is u-blox SPG 3.01 NEO-M8N-0"
    assert "GLL: 1 -> 0, changed" in [each.text for each in said]
    assert [each.mono for each in said] == sorted(each.mono for each in said)
    assert dict(wired.ear.tongue.receiver_model.sentences)["ZDA"] == 1
    assert told == []
    driver.close()
    assert wired.ear.tongue.receiver_model == FACTORY
    (shutdown,) = told
    assert shutdown.startswith("put back as it was found: model, pulse, fixes, ")
    assert wired.closed


def test_the_end_is_near_even_if_nothing_answers() -> None:
    wired = Wired(CommandParser(Casic(FACTORY)), falls_silent_after=20)
    driver = configured(wired, [])
    run(driver)
    wired.limits.clear()
    driver.close()
    assert wired.limits == [100 * MILLISECOND]


def test_time_passes_in_silence_too() -> None:
    wired = Wired(CommandParser(Casic(FACTORY), deaf_after=0), falls_silent_after=4)
    (said,) = run(configured(wired, []), 20)
    assert said.text == "its vendor is unknown; it is left as it is"


def test_a_line_that_was_cut_is_given_back_all_the_same() -> None:
    wired, told = Wired(CommandParser(Ublox8(FACTORY))), list[str]()
    driver = configured(wired, told)
    run(driver)
    wired.cut = True
    driver.close()
    assert wired.closed
    assert told == []


def test_a_line_cut_while_it_is_configured_is_lost() -> None:
    wired = Wired(CommandParser(Ublox8(FACTORY)))
    wired.cut = True
    with pytest.raises(BrokenPipeError):
        run(configured(wired, []))


def test_nothing_is_said_at_the_end_where_nothing_was_changed() -> None:
    wired, told = Wired(CommandParser(Ublox8(FACTORY))), list[str]()
    configured(wired, told).close()
    GnssDriver(wired).close()
    assert told == []
    assert wired.ear.heard == []


def test_where_nobody_wants_to_hear_of_it() -> None:
    wired = Wired(CommandParser(Ublox8(FACTORY)))
    driver = GnssDriver(wired, Configurator(profile(9600), {}))
    run(driver)
    driver.close()
    assert wired.ear.tongue.receiver_model == FACTORY
