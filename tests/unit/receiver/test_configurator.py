"""The conversation with receivers that obey, refuse, are silent, late, or strangers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hw.emu.gnss.dialects import Airoha, Casic, CommandParser, Mediatek, VendorProtocol
from hw.emu.gnss.receiver import Make, ReceiverModel
from hw.emu.gnss.ublox import Ublox8, Ublox10
from refclock.events import Dropped, DropReason
from refclock.gnss.framer import Sentence
from refclock.receiver.configurator import (
    NEXT,
    QUESTION,
    TRIES,
    Configurator,
    Input,
    State,
)
from refclock.receiver.profile import profile
from refclock.receiver.setting import Setting
from refclock.timebase import MILLISECOND, SECOND, Mono
from tests.unit.receiver.talk import FACTORY, Desk

WISHED = {"RMC": 1, "GGA": 1, "GSA": 5, "GSV": 5, "ZDA": 1}


def of(make: Make) -> ReceiverModel:
    return replace(FACTORY, make=make)


def receivers() -> dict[str, VendorProtocol]:
    return {
        "M8N": Ublox8(FACTORY),
        "M8T": Ublox8(of(Make.UBLOX_8T)),
        "M10": Ublox10(FACTORY),
        "F9T": Ublox10(of(Make.UBLOX_F9T)),
        "MT3339": Mediatek(FACTORY),
        "LC29H": Airoha(FACTORY),
        "AT6558": Casic(FACTORY),
    }


def test_the_table() -> None:
    left = {state for state, _ in NEXT}
    assert left == set(State) - {State.RESTING}
    assert set(NEXT.values()) == set(State) - {State.LISTENING}
    assert {signal for _, signal in NEXT} == set(Input)


@pytest.mark.parametrize("name", receivers())
def test_it_does_as_wished_and_is_put_back(name: str) -> None:
    tongue = receivers()[name]
    before = tongue.receiver_model
    desk = Desk(CommandParser(tongue)).run()
    assert desk.configurator.state is State.RESTING
    assert dict(tongue.receiver_model.sentences) == WISHED
    assert "still comes" not in desk.describe[-1]
    assert " comes" not in desk.describe[-1]
    desk.put_back()
    assert tongue.receiver_model == before


@pytest.mark.parametrize("name", ["M8N", "M8T", "M10", "F9T"])
def test_u_blox_tells_more_and_keeps_nothing(name: str) -> None:
    tongue = receivers()[name]
    assert isinstance(tongue, Ublox8 | Ublox10)
    Desk(CommandParser(tongue)).run()
    assert tongue.receiver_model.ubx
    assert not tongue.saved


@pytest.mark.parametrize("name", receivers())
def test_one_that_is_as_wished_is_told_nothing(name: str) -> None:
    tongue = receivers()[name]
    first = Desk(CommandParser(tongue)).run()
    again = Desk(CommandParser(tongue)).run()
    asked = {QUESTION} | {each.query for each in settings(first)}
    told = [command for command in again.sent if command not in asked]
    unreadable = {each.wanted(b"") for each in settings(first) if not each.query}
    assert set(told) <= unreadable


def settings(desk: Desk) -> tuple[Setting, ...]:
    return desk.configurator._vendor.settings


def test_every_change_is_told_with_what_it_was() -> None:
    describe = Desk(CommandParser(Ublox8(FACTORY))).run().describe
    assert describe[0] == "it is u-blox SPG 3.01 NEO-M8N-0"
    assert "GSV: 1 -> 5, changed" in describe
    assert "model: portable -> stationary, changed" in describe
    assert "SEC-SIG: unknown to it" in describe
    assert describe[-1] == (
        "u-blox SPG 3.01 NEO-M8N-0: 3 unknown to it, 2 as wanted before, 13 changed"
    )


def test_what_cannot_be_put_back_is_told() -> None:
    describe = Desk(CommandParser(Mediatek(FACTORY))).run().describe
    assert "pulse (type, ms): ? -> 3,100, changed" in describe
    assert describe[-1].endswith(
        "stays set after the end: sentences paced by the pulse, pulse (type, ms)"
    )


@pytest.mark.parametrize(
    ("tongue", "says"),
    [
        (Ublox8(FACTORY, refuses=[0x31]), "pulse: "),
        (Ublox10(FACTORY, refuses=[0x2005_000C]), "pulse: "),
        (Mediatek(FACTORY, refuses=[314]), "sentences: "),
        (Airoha(FACTORY, refuses=[752]), "pulse (type, ms): "),
    ],
)
def test_a_refusal_is_told_and_the_rest_done(tongue: VendorProtocol, says: str) -> None:
    desk = Desk(CommandParser(tongue)).run()
    (refused,) = [each for each in desk.describe[:-1] if each.endswith("refused")]
    assert refused.startswith(says)
    assert "1 refused" in desk.describe[-1]
    assert sum(each.endswith("changed") for each in desk.describe) >= 2


def test_sentences_that_do_not_follow_are_told() -> None:
    desk = Desk(CommandParser(Mediatek(FACTORY, refuses=[314]))).run()
    assert "; no ZDA comes; GLL still comes; VTG still comes; " in desk.describe[-1]


@pytest.mark.parametrize("lost", [False, True])
def test_the_word_behind_an_answer_is_not_taken_for_the_command_s(
    *, lost: bool
) -> None:
    """Only the position is left to change; of that a timing part has its own mind."""
    tongue = Ublox8(of(Make.UBLOX_8T), refuses=[0x3D])
    Desk(CommandParser(tongue)).run()
    desk = Desk(CommandParser(Deafening(tongue) if lost else tongue))
    desk.split = True
    desk.run()
    assert desk.describe[1:-1] == [
        "MON-RF: unknown to it",
        "SEC-SIG: unknown to it",
        "position: off -> survey-in, refused",
    ]
    assert max(map(desk.sent.count, desk.sent)) == 1


class Deafening:
    """A tongue whose acknowledgements of questions get lost."""

    def __init__(self, tongue: Ublox8) -> None:
        self._tongue = tongue

    @property
    def receiver_model(self) -> ReceiverModel:
        return self._tongue.receiver_model

    def text(self, body: str) -> Iterator[bytes]:
        return self._tongue.text(body)

    def binary(self, cls: int, number: int, payload: bytes) -> Iterator[bytes]:
        answers = list(self._tongue.binary(cls, number, payload))
        yield from answers[:1]


def test_what_it_had_still_to_say_is_not_held_against_it() -> None:
    desk = Desk(CommandParser(Casic(FACTORY)))
    while desk.configurator.state is not State.WATCHING:
        desk.run(50 * MILLISECOND)
    late = Sentence(b"GPGLL,,,,,,V,N", desk.now, 0)
    assert list(desk.configurator.observe([late], desk.now + 900 * MILLISECOND)) == []
    assert "GLL" not in desk.run().describe[-1]


def test_a_stranger_is_asked_and_left_alone() -> None:
    ear = CommandParser(Casic(FACTORY), deaf_after=0)
    desk = Desk(ear).run()
    assert desk.sent == [QUESTION] * TRIES
    assert desk.describe == ["its vendor is unknown; it is left as it is"]
    assert desk.configurator.undo() == {}
    assert ear.tongue.receiver_model == FACTORY


def test_one_that_answers_no_more_is_tried_three_times_and_let_be() -> None:
    ear = CommandParser(Mediatek(FACTORY), deaf_after=5)  # the questions, and who it is
    desk = Desk(ear).run()
    assert desk.configurator.state is State.RESTING
    assert desk.sent.count(
        b"$PMTK314,0,1,0,1,5,5,0,0,0,0,0,0,0,0,0,0,0,1,0*29\r\n"
    ) in {
        0,
        TRIES,
    }
    assert desk.sent.count(b"$PMTK255,1*2D\r\n") == TRIES
    assert any(each.endswith("not acknowledged") for each in desk.describe)


def test_what_it_does_not_tell_is_left_alone() -> None:
    ear = CommandParser(Ublox10(FACTORY), deaf_after=5)
    desk = Desk(ear).run()
    assert desk.configurator.undo() == {}
    assert "sentences: not answered, left alone" in desk.describe
    assert all(each.endswith("left alone") for each in desk.describe[1:-1])
    assert ear.tongue.receiver_model == FACTORY


@pytest.mark.parametrize("late_ms", [300, 1200])
@pytest.mark.parametrize("name", ["M8N", "F9T", "MT3339", "LC29H"])
def test_late_answers_are_waited_for(name: str, late_ms: int) -> None:
    tongue = receivers()[name]
    desk = Desk(CommandParser(tongue), late=late_ms * MILLISECOND).run(400 * SECOND)
    assert dict(tongue.receiver_model.sentences) == WISHED
    assert max(map(desk.sent.count, desk.sent)) == 1


def test_answers_that_come_too_late_do_no_harm() -> None:
    tongue = Ublox10(FACTORY)
    desk = Desk(CommandParser(tongue), late=1700 * MILLISECOND).run(400 * SECOND)
    assert desk.configurator.state is State.RESTING
    desk.put_back()
    assert tongue.receiver_model == FACTORY


def test_stopped_half_way_what_was_changed_is_put_back() -> None:
    tongue = Ublox8(FACTORY)
    desk = Desk(CommandParser(tongue))
    while dict(tongue.receiver_model.sentences).get("GSV") != 5:
        desk.run(100 * MILLISECOND)
    assert desk.configurator.state is State.WRITING
    assert list(desk.configurator.undo())[-1] == "ZDA"
    desk.put_back()
    assert tongue.receiver_model == FACTORY


def test_stopped_before_a_change_nothing_is_put_back() -> None:
    desk = Desk(CommandParser(Ublox8(FACTORY)))
    while desk.configurator.state is not State.READING:
        desk.run(100 * MILLISECOND)
    assert desk.configurator.undo() == {}


@pytest.mark.parametrize("name", receivers())
def test_opened_again_it_is_put_back_as_it_was_at_first(name: str) -> None:
    tongue = receivers()[name]
    before = tongue.receiver_model
    first = Desk(CommandParser(tongue)).run()
    Desk(CommandParser(tongue), first.saved).run().put_back()
    assert tongue.receiver_model == before


def test_the_speed_of_the_line_is_never_touched() -> None:
    for tongue in receivers().values():
        for command in Desk(CommandParser(tongue)).run().sent:
            assert command[:4] != b"\xb5b\x06\x00"  # CFG-PRT
            assert b"\x01\x00\x52\x40" not in command  # CFG-UART1-BAUDRATE
            for change in (b"PMTK251", b"PAIR864", b"PCAS01"):
                assert change not in command


def test_nothing_is_said_until_it_is_heard() -> None:
    configurator = Configurator(profile(9600), {})
    noise = Dropped(Mono(0), DropReason.BINARY, "?")
    for second in range(20):
        assert list(configurator.observe([noise], Mono(second * SECOND.ns))) == []
    assert configurator.state is State.LISTENING


def test_it_is_asked_when_it_was_heard_for_two_seconds() -> None:
    configurator = Configurator(profile(9600), {})
    line = Sentence(b"GPGGA,,,,,,0,,,,,,,,", Mono(0), 0)
    asked = []
    for tenth in range(40):
        now = Mono(tenth * SECOND.ns // 10)
        asked += [
            tenth for said in configurator.observe([line], now) if said == QUESTION
        ]
    assert asked == [22, 37]
