"""What goes down the line to receivers that are told in sentences.

The commands and checksums are examples of the makers' documents: GlobalTop PMTK
command packet A11, Quectel LC29H and L76K protocol specifications.
"""

from __future__ import annotations

import pytest

from refclock.gnss.framer import Binary, Item, Sentence
from refclock.receiver.profile import profile
from refclock.receiver.sentences import AcknowledgementRules, NmeaSetting, sealed
from refclock.receiver.setting import Vendor
from refclock.receiver.vendors import casic, mediatek
from refclock.timebase import Mono

SEEN = Mono(0)
WISH = profile(9600)
FRAME = Binary("UBX", 5, 1, b"\6\1", SEEN, 0)


def said(body: str) -> Sentence:
    return Sentence(body.encode(), SEEN, 0)


def maker(body: str) -> Vendor:
    found = mediatek.recognise(said(body), WISH)
    assert found is not None
    return found


MT3339 = maker("PMTK705,AXN_2.31_3339_13101700,5632,PA6H,1.0")
LC29H = maker("PQTMVERNO,LC29HAANR11A03S,2024/04/30,10:53:07")


def commands(found: Vendor) -> dict[str, bytes]:
    return {each.name: each.wanted(b"") for each in found.settings}


def setting(found: Vendor, name: str) -> NmeaSetting:
    (one,) = [each for each in found.settings if each.name == name]
    assert isinstance(one, NmeaSetting)
    return one


def test_who_are_you() -> None:
    assert mediatek.QUESTION == b"$PMTK605*31\r\n$PAIR020*38\r\n$PQTMVERNO*58\r\n"
    assert casic.QUESTION == b"$PCAS06,0*1B\r\n"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("PMTK705,AXN_2.51_3339_19071200,0002,QUECTEL-L70,1.0",
         "MediaTek AXN_2.51_3339_19071200 0002 QUECTEL-L70 1.0"),
        ("PAIR020,AG3352Q_V2.5.0.AG3352_20230420,S,N,9ec1cc8",
         "Airoha AG3352Q_V2.5.0.AG3352_20230420"),
        ("PQTMVERNO,LC76GABNR02A01S,2022/11/04,16:39:48", "Airoha LC76GABNR02A01S"),
        ("PQTMVERNO,LG290P03AANR01A03S,2024/04/30,10:53:07", None),
        ("PMTK001,605,1", None),
        ("PAIR001,020,0", None),
        ("GPRMC,,V,,,,,,,,,,N", None),
    ],
)  # fmt: skip
def test_who_answers(body: str, name: str | None) -> None:
    found = mediatek.recognise(said(body), WISH)
    assert (found and found.name) == name


def test_binary_is_not_theirs() -> None:
    assert mediatek.recognise(FRAME, WISH) is None
    assert casic.recognise(FRAME, WISH, set()) is None


def test_pmtk() -> None:
    assert commands(MT3339) == {
        "sentences": b"$PMTK314,0,1,0,1,5,5,0,0,0,0,0,0,0,0,0,0,0,1,0*29\r\n",
        "fixes (ms)": b"$PMTK220,1000*1F\r\n",
        "sentences paced by the pulse": b"$PMTK255,1*2D\r\n",
        "pulse (type, ms)": b"$PMTK285,3,100*3F\r\n",
    }
    queries = [each.query for each in MT3339.settings]
    assert queries == [b"$PMTK414*33\r\n", b"$PMTK400*36\r\n", b"", b""]


def test_pair() -> None:
    told = commands(LC29H)
    assert told["GGA"] == b"$PAIR062,0,1*3F\r\n"
    assert told["GSV"] == b"$PAIR062,3,5*38\r\n"
    assert told["GLL"] == b"$PAIR062,1,0*3F\r\n"
    assert told["fixes (ms)"] == b"$PAIR050,1000*12\r\n"
    assert told["pulse (type, ms)"] == b"$PAIR752,3,100*38\r\n"
    assert list(told) == [
        *("GGA", "GLL", "GSA", "GSV", "RMC", "VTG", "ZDA"),
        *("fixes (ms)", "pulse (type, ms)"),
    ]
    assert setting(LC29H, "fixes (ms)").query == b"$PAIR051*3E\r\n"
    assert setting(LC29H, "ZDA").query == b"$PAIR063,6*25\r\n"


@pytest.mark.parametrize(
    ("found", "name", "answer", "current"),
    [
        (MT3339, "sentences", "PMTK514,0,1,0,1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0",
         b"$PMTK314,0,1,0,1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0*28\r\n"),
        (MT3339, "fixes (ms)", "PMTK500,200,0,0,0.0,0.0", b"$PMTK220,200*2C\r\n"),
        (LC29H, "GSV", "PAIR063,3,1", sealed("PAIR062,3,1")),
        (LC29H, "fixes (ms)", "PAIR051,100", sealed("PAIR050,100")),
    ],
)  # fmt: skip
def test_what_is_answered_would_set_it_again(
    found: Vendor, name: str, answer: str, current: bytes
) -> None:
    assert setting(found, name).current(said(answer)) == current


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("sentences", said("PMTK500,1000,0,0,0.0,0.0")),
        ("pulse (type, ms)", said("PMTK514,0,1")),
        ("sentences", FRAME),
    ],
)
def test_what_answers_another_question(name: str, item: Item) -> None:
    assert setting(MT3339, name).current(item) is None


def test_rates_in_words() -> None:
    sentences = setting(MT3339, "sentences")
    assert (
        sentences.describe(sentences.wanted(b"")) == "RMC 1, GGA 1, GSA 5, GSV 5, ZDA 1"
    )
    assert sentences.describe(sealed("PMTK314," + ",".join(["0"] * 19))) == "none"


@pytest.mark.parametrize(
    ("manners", "command", "body", "verdict"),
    [
        (AcknowledgementRules("PMTK", "3"), "PMTK314,0", "PMTK001,314,3", True),
        (AcknowledgementRules("PMTK", "3"), "PMTK314,0", "PMTK001,314,2", False),
        (AcknowledgementRules("PMTK", "3"), "PMTK314,0", "PMTK001,220,2", None),
        (AcknowledgementRules("PMTK", "3"), "PMTK314,0", "PMTK001,314", None),
        (AcknowledgementRules("PMTK", "3"), "PMTK414", "PMTK001,414,1", False),
        (
            AcknowledgementRules("PAIR", "0", frozenset("15")),
            "PAIR062,3,5",
            "PAIR001,062,0",
            True,
        ),
        (
            AcknowledgementRules("PAIR", "0", frozenset("15")),
            "PAIR062,3,5",
            "PAIR001,062,1",
            None,
        ),
        (
            AcknowledgementRules("PAIR", "0", frozenset("15")),
            "PAIR062,3,5",
            "PAIR001,062,4",
            False,
        ),
    ],
)
def test_acknowledgements(
    *, manners: AcknowledgementRules, command: str, body: str, verdict: bool | None
) -> None:
    assert manners.verdict(said(body), command) is verdict
    assert manners.verdict(FRAME, command) is None


@pytest.mark.parametrize("result", "15")
def test_airoha_s_busy_is_no_refusal(result: str) -> None:
    gga = setting(LC29H, "GGA")
    assert gga.verdict(said(f"PAIR001,062,{result}")) is None
    assert not gga.unknown(said(f"PAIR001,063,{result}"))


def test_a_refused_question_is_told_from_a_refused_command() -> None:
    sentences = setting(MT3339, "sentences")
    assert sentences.unknown(said("PMTK001,414,1"))
    assert not sentences.unknown(said("PMTK001,414,3"))
    assert not sentences.unknown(said("PMTK001,314,1"))
    assert sentences.verdict(said("PMTK001,314,1")) is False
    assert not setting(MT3339, "pulse (type, ms)").unknown(said("PMTK001,285,1"))
    assert sentences.acknowledged
    assert sentences.inferred == b""


def test_casic_is_told_and_believed() -> None:
    heard = {"GGA", "RMC", "GSV", "TXT"}
    version = said("GPTXT,01,01,02,SW=URANUS5,V5.3.0.0")
    found = casic.recognise(version, WISH, heard)
    assert found is not None
    assert found.name == "CASIC URANUS5 V5.3.0.0"
    sentences, fixes = found.settings
    assert sentences.wanted(b"") == sealed("PCAS03,1,0,5,5,1,0,1,,,,,,,")
    assert sentences.inferred == sealed("PCAS03,1,0,0,1,1,0,0,,,,,,,")
    assert sentences.describe(sentences.inferred) == "GGA 1, GSV 1, RMC 1"
    assert fixes.wanted(b"") == b"$PCAS02,1000*2E\r\n"
    assert not sentences.acknowledged
    assert sentences.verdict(said("PCAS03,1")) is None
    assert (sentences.query, fixes.query, fixes.inferred) == (b"", b"", b"")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("GPTXT,01,01,02,MA=CASIC", "CASIC"),
        ("GPTXT,01,01,02,SW=URANUS6,V6.2.3.0", "CASIC URANUS6 V6.2.3.0"),
        ("GPTXT,01,01,02,MOD=NEO-M8N-0", None),
        ("GNTXT,01,01,01,ANTENNA OK", None),
    ],
)
def test_who_is_casic(body: str, name: str | None) -> None:
    found = casic.recognise(said(body), WISH, set())
    assert (found and found.name) == name
