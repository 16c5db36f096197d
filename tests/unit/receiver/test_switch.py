"""Receivers that were left in binary: the command, its way back, and what is said."""

from __future__ import annotations

import pytest

from hw.emu.gnss.dialects import CommandParser
from hw.emu.gnss.ublox import Ublox8, Ublox10
from refclock.board.ports import Chunk
from refclock.gnss.framer import Binary, Framer, Item, Sentence
from refclock.receiver import switch
from refclock.receiver.configurator import QUESTION, Configurator, State
from refclock.receiver.profile import profile
from refclock.timebase import MILLISECOND, SECOND, Mono
from tests.unit.receiver.talk import FACTORY, Desk

SEEN = Mono(5)


def frame(protocol: str) -> Binary:
    return Binary(protocol, 0, 0, b"", SEEN, 0)


def commands(protocol: str, speed: int | None = 9600) -> tuple[bytes, bytes]:
    vendor = switch.recognise(frame(protocol), profile(speed), set())
    assert vendor is not None
    assert vendor.name == protocol
    (setting,) = vendor.settings
    assert setting.describe(setting.wanted(b"")) == "NMEA"
    assert setting.describe(setting.inferred) == "binary"
    return setting.wanted(setting.inferred), setting.inferred


def framed(data: bytes) -> list[Item]:
    framer = Framer()
    return framer.feed(Chunk(data, SEEN, SEEN)) + framer.finish()


def test_sirf() -> None:
    """As gpsd sends it, with the speed of the line in it."""
    there, back = commands("SiRF", 4800)
    assert there.hex(" ") == (
        "a0 a2 00 18 81 02 01 01 00 01 00 01 00 01 01 01 00 01 00 01 00 01 01 01 00 01"
        " 12 c0 01 62 b0 b3"
    )
    assert back == b"$PSRF100,0,4800,8,1,0*0F\r\n"
    assert [item.kind for item in framed(there) if isinstance(item, Binary)] == ["SiRF"]
    assert switch.recognise(frame("SiRF"), profile(115_200), set()) is None
    assert commands("SiRF", None)[0][-6:-4] == (57_600).to_bytes(2, "big")


def test_skytraq() -> None:
    assert [each.hex() for each in commands("SkyTraq")] == [
        "a0a10003090100080d0a",
        "a0a100030902000b0d0a",
    ]


@pytest.mark.parametrize(
    ("protocol", "first", "rmc"),
    [("Allystar", "f1d9 0601 0300 f0 00 01 fb10", 5), ("CASIC", "bace 0400", 4)],
)
def test_message_by_message(protocol: str, first: str, rmc: int) -> None:
    """Of the class of sentences: GGA, GSA, GSV, RMC, ZDA."""
    there, back = commands(protocol)
    assert there.startswith(bytes.fromhex(first))
    for command, rate in ((there, 1), (back, 0)):
        items = [item for item in framed(command) if isinstance(item, Binary)]
        assert [(i.kind, i.cls, i.id) for i in items] == [(protocol, 6, 1)] * 5
        assert items[3].payload[1:3] == bytes((rmc, rate))


def test_text_commands() -> None:
    assert commands("Unicore")[0] == b"GPRMC 1\r\nGPGGA 1\r\nGPZDA 1\r\n"
    there, back = commands("NovAtel")
    assert there.startswith(b"LOG GPRMC ONTIME 1\r\n")
    assert back == b"UNLOG GPRMC\r\nUNLOG GPGGA\r\nUNLOG GPZDA\r\n"
    there, back = commands("SBF")
    assert there == b"setNMEAOutput, Stream10, COM1, RMC+GGA+ZDA+GSA+GSV, sec1\r\n"
    assert back == b"setNMEAOutput, Stream10, COM1, none, off\r\n"
    assert b" USB1, " in commands("SBF", None)[0]


@pytest.mark.parametrize("protocol", ["TSIP", "RTCM3", "gpsd", "UBX", "?"])
def test_where_no_command_is_known_none_is_sent(protocol: str) -> None:
    assert switch.recognise(frame(protocol), profile(9600), set()) is None


def test_a_receiver_that_sends_sentences_too_is_left_alone() -> None:
    assert switch.recognise(frame("SBF"), profile(9600), {"RMC"}) is None
    sentence = Sentence(b"GPRMC,", SEEN, 0)
    assert switch.recognise(sentence, profile(9600), set()) is None


def test_the_conversation() -> None:
    """It listens, asks, recognises the frames, sends the command, and watches."""
    saved: dict[str, bytes] = {}
    configurator = Configurator(profile(9600), saved)
    there, back = commands("SkyTraq")
    said: list[bytes | str] = []
    nmea = False
    for k in range(200):
        now = SEEN + k * 100 * MILLISECOND
        items: list[Item] = []
        if k % 10 == 0:
            items = [Sentence(b"GPRMC,", now, 0)] if nmea else [frame("SkyTraq")]
        said += configurator.observe(items, now)
        nmea = there in said
    assert configurator.state is State.RESTING
    assert said[0] == QUESTION
    assert said[1:4] == ["it is SkyTraq", there, "protocol: binary -> NMEA, sent"]
    assert isinstance(said[-1], str)
    assert said[-1].startswith("SkyTraq: 1 sent")
    assert configurator.undo() == {"protocol": back}


@pytest.mark.parametrize("make", [Ublox8, Ublox10])
def test_a_u_blox_left_in_ubx_sends_nmea_again(make: type[Ublox8 | Ublox10]) -> None:
    tongue = make(FACTORY)
    if isinstance(tongue, Ublox8):
        tongue.port[14] = 1
    else:
        tongue.keys[0x1074_0002] = 0
    list(tongue.binary(0x06, 0x8A, bytes((0, 1, 0, 0))))
    if isinstance(tongue, Ublox8):
        list(tongue.binary(0x06, 0x08, bytes(tongue.memory[0x08])))
    assert not any(rate for _, rate in tongue.receiver_model.sentences)
    desk = Desk(CommandParser(tongue))
    list(desk.configurator.observe([frame("UBX")], desk.now + 50 * MILLISECOND))
    desk.run(60 * SECOND)
    assert "port: UBX -> UBX and NMEA, changed" in desk.describe
    assert dict(tongue.receiver_model.sentences)["RMC"] == 1
    desk.put_back()
    assert not any(rate for _, rate in tongue.receiver_model.sentences)
