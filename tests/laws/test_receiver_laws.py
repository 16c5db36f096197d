"""Whatever a receiver answers, its configuration ends, and harms nobody."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from hw.emu.gnss.dialects import Airoha, Casic, CommandParser, Mediatek, VendorProtocol
from hw.emu.gnss.receiver import ReceiverModel
from hw.emu.gnss.ublox import Ublox8, Ublox10
from refclock.board.ports import Chunk
from refclock.gnss.framer import Binary, Framer, Item, Sentence
from refclock.receiver.configurator import QUESTION, TRIES, Configurator, State
from refclock.receiver.profile import profile
from refclock.timebase import MILLISECOND, Mono

MOST = TRIES * (1 + 2 * 20)
"""Commands: who are you, and of each setting a question and a command."""
LONGEST_S = 2.2 + MOST * 2.5 + 4

_BODIES = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    st.builds(
        "{},{}".format,
        st.sampled_from(["PMTK001,314", "PMTK514", "PMTK500", "PAIR001,062", "PAIR063",
                         "PMTK705", "PAIR020", "PQTMVERNO", "GPTXT,01,01,02"]),
        st.sampled_from(["", "3", "0", "0,1,2", ",,,", "AG33", "LC29H", "SW=URANUS"]),
    ),
)  # fmt: skip
_SENTENCES = st.builds(lambda body: Sentence(body.encode(), Mono(0), 0), _BODIES)
_FRAMES = st.builds(
    lambda kind, at, payload: Binary(kind, at[0], at[1], payload, Mono(0), 0),
    st.sampled_from(["UBX", "CASIC"]),
    st.sampled_from(
        [(5, 0), (5, 1), (6, 1), (6, 8), (6, 0x24), (6, 0x31), (6, 0x3D), (6, 0x8B),
         (0x0A, 4)]
    ),
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from([
            b"\6\1", b"\6\x31", b"\6\x8a", b"\6\x8b", b"\1\0\0\0" + b"\xff" * 9,
            b"PROTVER=34.10", b"PROTVER=18.00", b"\xf0\3" + b"\xff" * 6, b"\xff" * 36,
            b"\0" + b"\xff" * 31, b"\xff" * 28, bytes(28), b"\xff" * 6,
        ]),
    ),
)  # fmt: skip
ITEMS = st.one_of(_SENTENCES, _FRAMES)


def converse(
    answers: list[list[Item]], configurator: Configurator
) -> tuple[list[bytes], float]:
    """All that is sent, and how long it took, each turn half a second long."""
    sent: list[bytes] = []
    now = Mono(0)
    turns = 0
    while configurator.state is not State.RESTING and now.ns < 10**12:
        now += 500 * MILLISECOND
        items = answers[turns % len(answers)] if answers else []
        turns += 1
        # it goes on saying something, or no time would pass for us
        said = configurator.observe([*items, Sentence(b"GPX", now, 0)], now)
        sent += [each for each in said if isinstance(each, bytes)]
    return sent, now.ns * 1e-9


@given(st.lists(st.lists(ITEMS, max_size=4), max_size=8), st.sampled_from([4800, None]))
@settings(max_examples=300)
def test_it_ends_whatever_comes(answers: list[list[Item]], speed: int | None) -> None:
    configurator = Configurator(profile(speed), {})
    sent, took_s = converse(answers, configurator)
    assert configurator.state is State.RESTING
    assert len(sent) <= MOST
    assert took_s <= LONGEST_S
    undo = configurator.undo().values()
    assert len(undo) <= len(sent)
    assert all(command[:2] == b"\xb5b" or command[:2] == b"$P" for command in undo)


@cache
def makers() -> dict[str, bytes]:
    """What each says of itself."""
    tongues: dict[str, VendorProtocol] = {
        "u-blox 8": Ublox8(ReceiverModel()),
        "u-blox 10": Ublox10(ReceiverModel()),
        "MediaTek": Mediatek(ReceiverModel()),
        "Airoha": Airoha(ReceiverModel()),
        "CASIC": Casic(ReceiverModel()),
    }
    return {
        name: b"".join(CommandParser(tongue).observe(QUESTION))
        for name, tongue in tongues.items()
    }


@given(
    st.sampled_from(["u-blox 8", "u-blox 10", "MediaTek", "Airoha", "CASIC"]),
    st.lists(st.lists(ITEMS, max_size=4), min_size=1, max_size=8),
)
@settings(max_examples=300)
def test_it_ends_whatever_a_known_receiver_answers(
    name: str, answers: list[list[Item]]
) -> None:
    configurator = Configurator(profile(9600), {})
    named = Framer().feed(Chunk(makers()[name], Mono(0), Mono(0)))
    sent, _ = converse([[*named, *turn] for turn in answers], configurator)
    assert configurator.state is State.RESTING
    assert len(sent) <= MOST
    assert QUESTION in sent
