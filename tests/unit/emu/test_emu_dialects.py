"""What emulated receivers answer, after examples of the makers' documents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hw.emu.gnss.dialects import Airoha, Casic, CommandParser, Mediatek, VendorProtocol
from hw.emu.gnss.frames import ubx
from hw.emu.gnss.receiver import Make, ReceiverModel
from hw.emu.gnss.sentences import sealed
from hw.emu.gnss.ublox import Ublox8, Ublox10

SENTENCES = (("RMC", 1), ("GGA", 1), ("GSV", 2))
HABITS = ReceiverModel(sentences=SENTENCES)
ACK, NAK = 1, 0


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


def acked(number: int, how: int = ACK) -> bytes:
    return ubx(5, how, bytes((6, number)))


def test_commands_are_taken_out_of_any_cutting() -> None:
    ear = CommandParser(Ublox8(HABITS))
    command = hexed("b562 0608 0600 c800 0100 0100 de6a")
    stream = b"noise $GP" + command + b"\xb5" + command
    answers = [ear.observe(stream[i : i + 1]) for i in range(len(stream))]
    assert [each for told in answers for each in told] == [acked(8), acked(8)]
    assert ear.heard == [command, command]
    assert ear.tongue.receiver_model == replace(HABITS, hz=5)


def test_a_wrong_checksum_is_not_heeded() -> None:
    ear = CommandParser(Ublox8(HABITS))
    assert ear.observe(hexed("b562 0608 0600 c800 0100 0100 de6b")) == []
    assert CommandParser(Mediatek(HABITS)).observe(b"$PMTK220,200*2D\r\n") == []


@pytest.mark.parametrize("tongue", [Ublox8(HABITS), Ublox10(HABITS)])
def test_a_u_blox_heeds_no_sentence(tongue: VendorProtocol) -> None:
    assert CommandParser(tongue).observe(sealed("PMTK605")) == []
    assert CommandParser(tongue).observe(ubx(0x0A, 0x09, b"")) == []


@pytest.mark.parametrize("tongue", [Mediatek(HABITS), Airoha(HABITS), Casic(HABITS)])
def test_others_heed_no_frame(tongue: VendorProtocol) -> None:
    assert CommandParser(tongue).observe(ubx(0x0A, 0x04, b"")) == []
    assert CommandParser(tongue).observe(sealed("PUBX,00")) == []


def test_cfg_msg() -> None:
    tongue = Ublox8(HABITS)
    ear = CommandParser(tongue)
    assert ear.observe(ubx(6, 1, hexed("f003"))) == [
        ubx(6, 1, hexed("f003 0002 0001 0000")),
        acked(1),
    ]
    assert ear.observe(ubx(6, 1, hexed("f003 00"))) == [acked(1)]  # on this port
    assert tongue.rates[0xF0, 3] == [0, 0, 0, 1, 0, 0]
    assert ear.observe(ubx(6, 1, hexed("f008 0001 0000 0000"))) == [acked(1)]
    assert tongue.receiver_model.sentences == (("RMC", 1), ("GGA", 1), ("ZDA", 1))
    assert ear.observe(ubx(6, 1, hexed("0a38"))) == [acked(1, NAK)]


def test_cfg_blocks() -> None:
    tongue = Ublox8(replace(HABITS, make=Make.UBLOX_8T), refuses=[0x08])
    ear = CommandParser(tongue)
    pulse, ack = ear.observe(ubx(6, 0x31, b"\0"))
    assert (pulse[6:8], len(pulse), ack) == (b"\0\1", 40, acked(0x31))
    always = pulse[6:22] + hexed("e8030000") + pulse[26:-2]
    assert ear.observe(ubx(6, 0x31, always)) == [acked(0x31)]
    assert tongue.receiver_model.pulse_without_fix
    assert ear.observe(ubx(6, 0x08, hexed("c800 0100 0100"))) == [acked(0x08, NAK)]
    assert ear.observe(ubx(6, 0x3D, b""))[0][4:6] == hexed("1c00")
    assert CommandParser(Ublox8(HABITS)).observe(ubx(6, 0x3D, b"")) == [
        acked(0x3D, NAK)
    ]


def test_of_the_navigation_settings_only_what_is_masked_is_taken_over() -> None:
    tongue = Ublox8(HABITS)
    other = hexed("0400 02 01") + bytes(32)
    assert CommandParser(tongue).observe(ubx(6, 0x24, other)) == [acked(0x24)]
    assert tongue.memory[0x24][:4] == hexed("ffff 00 03")
    CommandParser(tongue).observe(ubx(6, 0x24, hexed("0100 02 01") + bytes(32)))
    assert tongue.memory[0x24][:4] == hexed("ffff 02 03")


def test_it_is_noticed_that_something_was_to_be_kept() -> None:
    old, new = Ublox8(HABITS), Ublox10(HABITS)
    CommandParser(old).observe(ubx(6, 0x09, bytes(12)))
    CommandParser(new).observe(ubx(6, 0x8A, hexed("00050000 21001120 02")))
    assert (old.saved, new.saved) == (True, True)


def test_keys() -> None:
    tongue = Ublox10(HABITS, refuses=[0x2011_0021])
    ear = CommandParser(tongue)
    assert ear.observe(ubx(6, 0x8B, hexed("00000000 c5009120 01002130"))) == [
        ubx(6, 0x8B, hexed("01000000 c500912002 01002130e803")),
        acked(0x8B),
    ]
    assert ear.observe(ubx(6, 0x8B, hexed("00000000 c5009120 01000320"))) == [
        acked(0x8B, NAK)
    ]
    assert ear.observe(ubx(6, 0x8A, hexed("00010000 c500912000 01002130c800"))) == [
        acked(0x8A)
    ]
    assert tongue.receiver_model == replace(HABITS, sentences=SENTENCES[:2], hz=5)
    refused = hexed("00010000 c500912001 2100112002")
    assert ear.observe(ubx(6, 0x8A, refused)) == [acked(0x8A, NAK)]
    assert dict(tongue.receiver_model.sentences) == {"RMC": 1, "GGA": 1}
    assert ear.observe(ubx(6, 0x01, hexed("f003"))) == [acked(0x01, NAK)]
    assert not tongue.saved


def test_pmtk() -> None:
    ear = CommandParser(Mediatek(HABITS, refuses=[285]))
    assert ear.observe(b"$PMTK314,0,1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0*29\r\n") == [
        b"$PMTK001,314,3*36\r\n"
    ]
    assert ear.tongue.receiver_model.sentences == (("RMC", 1), ("GGA", 1), ("ZDA", 1))
    assert ear.observe(b"$PMTK220,200*2C\r\n$PMTK400*36\r\n") == [
        b"$PMTK001,220,3*30\r\n",
        sealed("PMTK500,200,0,0,0.0,0.0"),
    ]
    assert ear.tongue.receiver_model.hz == 5
    assert ear.observe(sealed("PMTK285,4,100")) == [sealed("PMTK001,285,2")]
    assert ear.observe(sealed("PMTK999")) == [sealed("PMTK001,999,1")]


def test_pair() -> None:
    ear = CommandParser(Airoha(HABITS, refuses=[50]))
    assert ear.observe(b"$PAIR062,3,5*38\r\n") == [sealed("PAIR001,062,0")]
    assert ear.observe(sealed("PAIR063,3")) == [
        sealed("PAIR001,063,0"),
        sealed("PAIR063,3,5"),
    ]
    assert ear.observe(b"$PAIR050,1000*12\r\n") == [sealed("PAIR001,050,2")]
    assert ear.observe(sealed("PAIR752,2,100")) == [
        sealed("PAIR001,752,1"),
        sealed("PAIR001,752,0"),
    ]
    assert ear.observe(sealed("PAIR999")) == [sealed("PAIR001,999,3")]


def test_pcas() -> None:
    ear = CommandParser(Casic(HABITS))
    version = b"$GPTXT,01,01,02,SW=URANUS5,V5.3.0.0*1D\r\n"
    assert ear.observe(b"$PCAS06,0*1B\r\n") == [version]
    assert ear.observe(sealed("PCAS03,1,1,,0,1,0,0")) == []
    assert ear.tongue.receiver_model.sentences == (("RMC", 1), ("GGA", 1), ("GLL", 1))
    assert ear.observe(sealed("PCAS02,200")) == []
    assert ear.tongue.receiver_model.hz == 5
