"""What goes down the line to a u-blox, byte by byte.

The frames were laid out by hand from the M8 receiver description (UBX-13003221) and
the F9 interface description (UBX-21048598), and read back by another's decoder.
"""

from __future__ import annotations

from struct import pack

import pytest

from refclock.gnss.framer import Binary, Item, Sentence
from refclock.receiver.profile import profile
from refclock.receiver.setting import Setting, Vendor
from refclock.receiver.vendors import ublox
from refclock.timebase import Mono

SEEN = Mono(0)


def binary(cls: int, number: int, payload: bytes, kind: str = "UBX") -> Binary:
    return Binary(kind, cls, number, payload, SEEN, 0)


def version(*extensions: bytes, software: bytes = b"ROM CORE 3.01") -> Binary:
    told = pack("30s10s", software, b"00080000")
    return binary(0x0A, 0x04, told + b"".join(pack("30s", e) for e in extensions))


def made(
    *extensions: bytes, speed: int | None = 9600, heard: tuple[str, ...] = ("RMC",)
) -> Vendor:
    maker = ublox.recognise(version(*extensions), profile(speed), set(heard))
    assert maker is not None
    return maker


def setting(maker: Vendor, name: str) -> Setting:
    (found,) = [each for each in maker.settings if each.name == name]
    return found


M8 = made(b"FWVER=SPG 3.01", b"PROTVER=18.00", b"MOD=NEO-M8N-0")
F9 = made(b"FWVER=TIM 2.20", b"PROTVER=29.20", b"MOD=ZED-F9T")
ACK = {True: 1, False: 0}


def acknowledged(number: int, *, good: bool) -> Item:
    return binary(0x05, ACK[good], bytes((0x06, number)))


def test_the_question() -> None:
    assert ublox.QUESTION.hex(" ") == "b5 62 0a 04 00 00 0e 34"


@pytest.mark.parametrize(
    ("extensions", "name", "keyed"),
    [
        ((b"FWVER=SPG 3.01", b"PROTVER=18.00", b"MOD=NEO-M8N-0"),
         "u-blox SPG 3.01 NEO-M8N-0", False),
        ((b"PROTVER 15.00",), "u-blox ROM CORE 3.01", False),
        ((), "u-blox ROM CORE 3.01", False),
        ((b"PROTVER=23.01",), "u-blox ROM CORE 3.01", False),
        ((b"FWVER=HPG 1.13", b"PROTVER=27.12"), "u-blox HPG 1.13", True),
        ((b"FWVER=SPG 5.10", b"PROTVER=34.10"), "u-blox SPG 5.10", True),
    ],
)  # fmt: skip
def test_the_generation(extensions: tuple[bytes], name: str, *, keyed: bool) -> None:
    maker = made(*extensions)
    assert maker.name == name
    assert ("sentences" in {each.name for each in maker.settings}) is keyed


@pytest.mark.parametrize(
    "item",
    [
        Sentence(b"PMTK705,AXN", SEEN, 0),
        binary(0x0A, 0x09, b""),
        binary(0x0A, 0x04, b"", kind="CASIC"),
    ],
)
def test_others_are_not_ours(item: Item) -> None:
    assert ublox.recognise(item, profile(9600), {"RMC"}) is None


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("RMC", "b5 62 06 01 02 00 f0 04 fd 15"),
        ("ZDA", "b5 62 06 01 02 00 f0 08 01 19"),
        ("NAV-TIMELS", "b5 62 06 01 02 00 01 26 30 59"),
        ("TIM-TP", "b5 62 06 01 02 00 0d 01 17 4c"),
        ("SEC-SIG", "b5 62 06 01 02 00 27 09 39 88"),
        ("fixes", "b5 62 06 08 00 00 0e 30"),
        ("pulse", "b5 62 06 31 01 00 00 38 e5"),
        ("model", "b5 62 06 24 00 00 2a 84"),
        ("position", "b5 62 06 3d 00 00 43 cf"),
    ],
)
def test_questions_of_an_m8(name: str, query: str) -> None:
    assert setting(M8, name).query.hex(" ") == query


def wanted(maker: Vendor, name: str, answer: Item) -> bytes:
    current = setting(maker, name).current(answer)
    assert current is not None
    return setting(maker, name).wanted(current)


def test_a_rate_is_changed_on_our_ports_alone() -> None:
    answer = binary(0x06, 0x01, bytes.fromhex("f003 0101010101 00"))
    command = wanted(M8, "GSV", answer)
    assert command[6:-2].hex() == "f0030105010101" + "00"
    on_usb = made(b"PROTVER=18.00", speed=None)
    assert wanted(on_usb, "GSV", answer)[6:-2].hex() == "f0030501010501" + "00"
    gsv = setting(on_usb, "GSV")
    assert gsv.describe(wanted(on_usb, "GSV", answer)) == "5/5"


def test_one_fix_a_second_by_utc() -> None:
    answer = binary(0x06, 0x08, bytes.fromhex("c800 0100 0100"))
    known = "b5 62 06 08 06 00 e8 03 01 00 00 00 00 37"
    assert wanted(M8, "fixes", answer).hex(" ") == known
    current = setting(M8, "fixes").current(answer)
    assert current is not None
    assert setting(M8, "fixes").describe(current) == "every 200 ms by GPS"


def tp5(flags: int, *periods: int, cable: int = 50, user: int = -7) -> bytes:
    return pack("<BBHhhIIIIiI", 0, 1, 0, cable, 0, *periods, user, flags)


def test_the_pulse_is_utc_s_and_only_while_locked() -> None:
    factory = tp5(0xF7, 1_000_000, 1_000_000, 0, 100_000)
    command = wanted(M8, "pulse", binary(0x06, 0x31, factory))
    assert command[6:-2] == tp5(0x77, 1_000_000, 1_000_000, 0, 100_000)


@pytest.mark.parametrize("polarity", [0, 0x40])
def test_polarity_and_delays_are_the_board_s(polarity: int) -> None:
    odd = tp5(0x088 | polarity, 4, 10, 2, 5, cable=25, user=1000)
    command = wanted(M8, "pulse", binary(0x06, 0x31, odd))
    assert command[6:-2] == tp5(
        0x37 | polarity, 1_000_000, 1_000_000, 0, 100_000, cable=25, user=1000
    )


@pytest.mark.parametrize(
    ("flags", "periods", "describe"),
    [
        (0xF6, (1, 1, 0, 1), "off"),
        (0xF7, (9, 1_000_000, 0, 100_000), "100000 µs every 1000000 by GPS, 0 while"),
        (0x77, (9, 1_000_000, 7, 20), "20 µs every 1000000 by UTC, 7 while unlocked"),
        (0x3F7, (9, 1_000_000, 7, 20), "20 µs every 1000000 by 7, 7 while unlocked"),
        (0x7F, (1, 10, 0, 5), "5 in 10 (flags 0x7f)"),
        (0x57, (1, 10, 0, 5), "5 in 10 (flags 0x57)"),
    ],
)
def test_the_pulse_in_words(flags: int, periods: tuple[int], describe: str) -> None:
    pulse = setting(M8, "pulse")
    current = pulse.current(binary(0x06, 0x31, tp5(flags, *periods)))
    assert current is not None
    assert pulse.describe(current).startswith(describe)


def test_only_the_model_of_motion_is_taken_over() -> None:
    answer = pack("<HBB", 0xFFFF, 4, 3) + bytes(range(32))
    command = wanted(M8, "model", binary(0x06, 0x24, answer))
    assert command[6:-2] == pack("<HBB", 1, 2, 3) + bytes(range(32))
    assert setting(M8, "model").describe(command) == "stationary"


def test_a_timing_part_surveys_unless_it_knows() -> None:
    off, fixed = bytes(28), b"\2" + bytes(range(27))
    survey = b"\1" + bytes(19) + pack("<II", 3600, 5000)
    assert wanted(M8, "position", binary(0x06, 0x3D, off))[6:-2] == survey
    assert wanted(M8, "position", binary(0x06, 0x3D, fixed))[6:-2] == fixed


def test_what_an_answer_tells_would_set_it_again() -> None:
    answer = bytes.fromhex("f003 0101010101 00")
    current = setting(M8, "GSV").current(binary(0x06, 0x01, answer))
    assert current is not None
    assert current[2:4] == b"\x06\x01"
    assert current[6:-2] == answer


@pytest.mark.parametrize(
    "item",
    [
        binary(0x06, 0x01, bytes.fromhex("f002 0101010101 00")),
        binary(0x06, 0x01, bytes.fromhex("f003 01")),
        binary(0x06, 0x08, bytes.fromhex("f003 0101010101 00")),
        binary(0x06, 0x01, bytes.fromhex("f003 0101010101 00"), kind="CASIC"),
        Sentence(b"GPGSV,1", SEEN, 0),
    ],
)
def test_what_answers_another_question(item: Item) -> None:
    assert setting(M8, "GSV").current(item) is None


def test_acknowledgements_are_for_one_message() -> None:
    pulse = setting(M8, "pulse")
    assert pulse.verdict(acknowledged(0x31, good=True)) is True
    assert pulse.verdict(acknowledged(0x31, good=False)) is False
    assert pulse.verdict(acknowledged(0x08, good=False)) is None
    assert pulse.verdict(binary(0x05, 1, b"")) is None
    assert pulse.unknown(acknowledged(0x31, good=False))
    assert not pulse.unknown(acknowledged(0x31, good=True))
    assert pulse.answered(acknowledged(0x31, good=True))
    assert not pulse.answered(acknowledged(0x31, good=False))


# keys


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (
            "sentences",
            "b5 62 06 8a 27 00 00 01 00 00 ac 00 91 20 01 bb 00 91 20 01 d9 00 91 20"
            " 01 c0 00 91 20 05 c5 00 91 20 05 ca 00 91 20 00 b1 00 91 20 00 dc a1",
        ),
        ("NAV-TIMELS", "b5 62 06 8a 09 00 00 01 00 00 61 00 91 20 01 ad 0a"),
        ("TIM-TP", "b5 62 06 8a 09 00 00 01 00 00 7e 01 91 20 01 cb 9f"),
        ("SEC-SIG", "b5 62 06 8a 09 00 00 01 00 00 35 06 91 20 05 8b 4a"),
        (
            "fixes",
            "b5 62 06 8a 15 00 00 01 00 00 01 00 21 30 e8 03 02 00 21 30 01 00 03 00"
            " 21 20 00 7b 81",
        ),
        (
            "pulse",
            "b5 62 06 8a 47 00 00 01 00 00 02 00 05 40 40 42 0f 00 03 00 05 40 40 42"
            " 0f 00 04 00 05 40 00 00 00 00 05 00 05 40 a0 86 01 00 07 00 05 10 01 08"
            " 00 05 10 01 09 00 05 10 01 23 00 05 20 00 30 00 05 20 01 0a 00 05 10 01"
            " 0c 00 05 20 00 8c cf",
        ),
        ("model", "b5 62 06 8a 09 00 00 01 00 00 21 00 11 20 02 ee 4b"),
        (
            "position",
            "b5 62 06 8a 19 00 00 01 00 00 01 00 03 20 01 10 00 03 40 10 0e 00 00 11"
            " 00 03 40 50 c3 00 00 a7 47",
        ),
    ],
)
def test_keys_are_set_in_ram_alone(name: str, command: str) -> None:
    assert setting(F9, name).wanted(b"").hex(" ") == command


@pytest.mark.parametrize(("on", "key"), [("USB", "80019120"), ("I2C", "7d019120")])
def test_keys_on_usb_and_i2c_are_others(on: str, key: str) -> None:
    elsewhere = made(b"PROTVER=34.10", speed=None)
    tim_tp = setting(elsewhere, f"TIM-TP ({on})")
    assert tim_tp.wanted(b"")[10:15].hex() == key + "01"


def test_keys_are_asked_for() -> None:
    query = "b5 62 06 8b 08 00 00 00 00 00 21 00 11 20 eb 57"
    assert setting(F9, "model").query.hex(" ") == query


def got(pairs: str, head: str = "01000000") -> Binary:
    return binary(0x06, 0x8B, bytes.fromhex(head + pairs))


def test_what_keys_were_would_set_them_again() -> None:
    model = setting(F9, "model")
    current = model.current(got("21001120 00"))
    assert current is not None
    assert current[2:4] == b"\x06\x8a"
    assert current[6:-2].hex() == "00010000" + "2100112000"
    assert (model.describe(current), model.describe(model.wanted(current))) == (
        "portable",
        "stationary",
    )


@pytest.mark.parametrize(
    "item",
    [
        got("21001120"),
        got("22001120 00"),
        got(""),
        got("210011f0 00"),
        got("21001120 00", head="01010000"),
        acknowledged(0x8B, good=True),
    ],
)
def test_what_tells_nothing_of_a_key(item: Item) -> None:
    assert setting(F9, "model").current(item) is None


def test_a_receiver_that_knows_where_it_stands_keeps_it() -> None:
    position = setting(F9, "position")
    answers = {mode: got(f"01000320 {mode} 10000340 3c000000 11000340 50c30000")
               for mode in ("00", "01", "02")}  # fmt: skip
    current = {mode: position.current(answer) for mode, answer in answers.items()}
    assert all(current.values())
    describe = {mode: position.describe(was) for mode, was in current.items() if was}
    assert describe == {"00": "off", "01": "survey-in", "02": "fixed position"}
    for mode in ("01", "02"):
        assert position.wanted(current[mode] or b"") == current[mode]
    assert position.wanted(current["00"] or b"") == position.wanted(b"")


def test_acknowledgements_of_keys() -> None:
    model = setting(F9, "model")
    assert model.verdict(acknowledged(0x8A, good=True)) is True
    assert model.verdict(acknowledged(0x8A, good=False)) is False
    assert model.verdict(acknowledged(0x8B, good=False)) is None
    assert model.unknown(acknowledged(0x8B, good=False))
    assert not model.unknown(acknowledged(0x8A, good=False))


def test_pulse_words_are_alike_in_both_generations() -> None:
    pairs = setting(F9, "pulse").wanted(b"")
    legacy = wanted(M8, "pulse", binary(0x06, 0x31, tp5(0xF7, 1, 1, 0, 0)))
    assert setting(F9, "pulse").describe(pairs) == setting(M8, "pulse").describe(legacy)


def test_a_slow_line_carries_time_alone() -> None:
    slow = made(b"PROTVER=34.10", speed=4800)
    rates = setting(slow, "sentences").describe(setting(slow, "sentences").wanted(b""))
    assert rates == "RMC 1, GGA 1, ZDA 1"
    assert setting(slow, "TIM-TP").describe(setting(slow, "TIM-TP").wanted(b"")) == "0"


def test_a_port_is_set_only_where_no_sentence_comes() -> None:
    for version in (b"PROTVER=18.00", b"PROTVER=29.20"):
        assert "port" not in {each.name for each in made(version).settings}
        assert made(version, heard=()).settings[0].name == "port"
        usb = made(version, heard=(), speed=None).settings[:2]
        assert [each.name for each in usb] == ["port (USB)", "port (I2C)"]


def test_a_port_of_an_m8_keeps_its_speed() -> None:
    port = made(b"PROTVER=18.00", heard=()).settings[0]
    assert port.query.hex(" ") == "b5 62 06 00 01 00 01 08 22"
    had = pack("<BBHIIHHHH", 1, 0, 0, 0x8D0, 38_400, 7, 1, 0, 0)
    current = port.current(binary(0x06, 0x00, had))
    assert current is not None
    assert port.wanted(current)[6:-2] == had[:14] + b"\3" + had[15:]
    assert port.describe(current) == "UBX"
    assert port.describe(port.wanted(current)) == "UBX and NMEA"
