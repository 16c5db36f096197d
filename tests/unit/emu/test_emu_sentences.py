"""What the receiver writes, held against the standard by a check of its own.

The check knows field counts and forms from NMEA 0183 4.10 and nothing of the
writer; the frames of u-blox are taken apart by the offsets of its manual.
"""

from __future__ import annotations

import re
import struct

import pytest

from hw.emu.gnss.frames import timels, timtp
from hw.emu.gnss.receiver import sky
from hw.emu.gnss.sentences import FixState, Place, Sat, sealed, write
from refclock.timebase import SECOND, LeapSecond, Tai, Utc

AT = Utc.of(2026, 12, 1, 3, 4, 5)
CLOCK = r"([01]\d|2[0-3])[0-5]\d([0-5]\d|60)\.\d\d"
LATITUDE = r"[0-8]\d[0-5]\d\.\d{5},[NS]"
LONGITUDE = r"(0\d\d|1[0-7]\d)[0-5]\d\.\d{5},[EW]"
PLACE = f"({LATITUDE},{LONGITUDE}|,,,)"
REAL = r"-?\d+\.\d+"
SAT = r"\d\d,\d\d,\d{3},(\d\d)?"
FORMS = {
    "RMC": rf"G[NP]RMC,({CLOCK})?,[AV],{PLACE},({REAL})?,({REAL})?,(\d{{6}})?"
    r",,,[AEN],V",
    "GGA": rf"G[NP]GGA,({CLOCK})?,{PLACE},[016],\d\d,({REAL})?,({REAL})?,M,"
    rf"({REAL})?,M,,",
    "ZDA": rf"G[NP]ZDA,({CLOCK})?,(\d\d)?,(\d\d)?,(\d{{4}})?,(00)?,(00)?",
    "GLL": rf"G[NP]GLL,{PLACE},({CLOCK})?,[AV],[AEN]",
    "VTG": rf"G[NP]VTG,({REAL})?,T,({REAL})?,M,({REAL})?,N,({REAL})?,K,[AEN]",
    "GSA": rf"G[NP]GSA,[AM],[123],((\d\d)?,){{12}}{REAL},{REAL},{REAL},\d",
    "GSV": rf"G[PL]GSV,\d,\d,\d\d,{SAT}(,{SAT}){{0,3}},\d",
}
REPORTS = {
    "fixed": FixState(AT, sats=sky(0, tracked=True)),
    "lost": FixState(AT, mode="N", sats=sky(0, tracked=False)),
    "reckoned": FixState(AT, mode="E", sats=sky(9, tracked=True)),
    "cold": FixState(None, mode="N", sats=sky(0, tracked=False)),
}


def body(sentence: bytes) -> str:
    """What stands between `$` and `*`, if all around it is right."""
    text = sentence.decode("ascii")
    found = re.fullmatch(r"\$([^$*\r\n]+)\*([0-9A-F]{2})\r\n", text)
    assert found is not None, text
    total = 0
    for letter in found[1]:
        total ^= ord(letter)
    assert f"{total:02X}" == found[2]
    assert len(text) <= 82
    return found[1]


def one(kind: str, report: FixState) -> list[str]:
    (sentence,) = write(kind, "GN", report)
    return body(sentence).split(",")


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize("kind", FORMS)
def test_every_sentence_has_the_form_of_the_standard(
    kind: str, report: FixState
) -> None:
    sentences = write(kind, "GN", report)
    assert sentences
    for sentence in sentences:
        assert re.fullmatch(FORMS[kind], body(sentence)), sentence


def test_the_time_is_in_all_that_tell_it() -> None:
    fixed = REPORTS["fixed"]
    assert one("RMC", fixed)[1] == one("GGA", fixed)[1] == "030405.00"
    assert one("ZDA", fixed)[1:5] == ["030405.00", "01", "12", "2026"]
    assert one("RMC", fixed)[9] == "011226"
    assert one("GLL", fixed)[5] == "030405.00"


def test_a_fraction_is_cut_and_a_leap_second_is_second_60() -> None:
    late = Utc(Utc.of(2026, 12, 31, 23, 59, 59).ns + 999_999_999)
    assert one("RMC", FixState(late))[1] == "235959.99"
    assert one("RMC", FixState(late, leap_second=True))[1] == "235960.99"
    assert one("RMC", FixState(late, leap_second=True))[9] == "311226"


def test_what_is_not_known_is_not_told() -> None:
    assert one("RMC", REPORTS["cold"])[1:10] == ["", "V"] + [""] * 7
    assert one("ZDA", REPORTS["cold"])[1:] == [""] * 6
    assert one("RMC", REPORTS["lost"])[1:4] == ["030405.00", "V", ""]
    assert one("GGA", REPORTS["lost"])[6:8] == ["0", "00"]
    assert one("GGA", REPORTS["reckoned"])[6] == "6"
    assert one("RMC", REPORTS["reckoned"])[2] == "A"


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (Place(0.0, 0.0), "0000.00000,N,00000.00000,E"),
        (Place(-33.5, -70.25), "3330.00000,S,07015.00000,W"),
        (Place(59.99999999, 179.9999999), "6000.00000,N,17959.99999,E"),
    ],
)
def test_a_place_is_degrees_and_minutes(place: Place, told: str) -> None:
    assert ",".join(one("GLL", FixState(AT, place=place))[1:5]) == told


def test_all_satellites_are_told_once_and_those_in_use_again() -> None:
    fixed = REPORTS["fixed"]
    seen, told = {(sat.talker, sat.number) for sat in fixed.sats}, set()
    for sentence in write("GSV", "GN", fixed):
        fields = body(sentence).split(",")
        system, count = fields[0][:2], int(fields[3])
        assert count == sum(sat.talker == system for sat in fixed.sats)
        numbers = fields[4:-1:4]
        told |= {(system, int(number)) for number in numbers}
    assert told == seen
    used = [body(line).split(",")[3:15] for line in write("GSA", "GN", fixed)]
    assert {int(n) for ids in used for n in ids if n} == {n for _, n in seen}
    assert len(used) == 2


def test_a_system_without_satellites_is_passed_over() -> None:
    lone = FixState(AT, sats=(Sat("GP", 7, 40, 123, 33),))
    assert [body(line) for line in write("GSV", "GN", lone)] == [
        "GPGSV,1,1,01,07,40,123,33,1"
    ]
    assert len(write("GSA", "GN", lone)) == 1


def test_a_checksum_known_from_elsewhere() -> None:
    """The example of the standard's own annex on checksums, as often quoted."""
    quoted = "GPGLL,5057.970,N,00146.110,E,142451,A"
    assert sealed(quoted) == b"$" + quoted.encode() + b"*27\r\n"


def frame(raw: bytes) -> tuple[int, int, bytes]:
    """Class, number and payload of one whole frame."""
    assert raw[:2] == b"\xb5b"
    length = int.from_bytes(raw[4:6], "little")
    assert len(raw) == length + 8
    a = b = 0
    for byte in raw[2:-2]:
        a = (a + byte) % 256
        b = (b + a) % 256
    assert raw[-2:] == bytes((a, b))
    return raw[2], raw[3], raw[6:-2]


MIDNIGHT = Utc.of(2017, 1, 1)
LEAP = LeapSecond.ending(MIDNIGHT, 36 * SECOND, 37 * SECOND)


def test_an_announced_leap_second() -> None:
    at = LEAP.at - 100 * SECOND
    cls, number, said = frame(timels(at, 36 * SECOND, LEAP, from_sky=True))
    assert (cls, number, len(said)) == (0x01, 0x26, 24)
    source, count, change_source, change = struct.unpack_from("<BbBb", said, 8)
    assert (source, count, change_source, change) == (2, 17, 2, 1)
    until, week, day = struct.unpack_from("<iHH", said, 12)
    assert until == 100
    assert (week, day) == (1929, 7)  # Saturday 2016-12-31, as the satellites told it
    assert said[23] == 0b11


def test_a_count_alone_and_the_firmware_s_own() -> None:
    at = LEAP.at + SECOND
    *_, told = frame(timels(at, 37 * SECOND, None, from_sky=True))
    assert (told[8], told[9], told[11], told[23]) == (2, 18, 0, 0b01)
    *_, own = frame(timels(at, 35 * SECOND, None, from_sky=False))
    assert (own[8], own[9], own[23]) == (0, 16, 0)


def test_a_late_pulse_has_a_negative_quantisation_error() -> None:
    pulse = Tai(Utc.of(2026, 11, 29).ns + 37 * SECOND.ns)
    cls, number, said = frame(timtp(pulse, 12e-9))
    assert (cls, number, len(said)) == (0x0D, 0x01, 16)
    tow_ms, _, error_ps, week = struct.unpack_from("<IIiH", said)
    assert tow_ms == 18_000  # a Sunday's midnight, and 18 leap seconds
    assert error_ps == -12_000
    assert week == 2447
