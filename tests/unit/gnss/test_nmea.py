from __future__ import annotations

from datetime import date

import pytest

from refclock.events import (
    AntennaFeed,
    Dropped,
    DropReason,
    Feed,
    Identity,
    LeapNotice,
    Position,
)
from refclock.gnss import nmea
from refclock.gnss.framer import Sentence
from refclock.gnss.nmea import Fact, Timed
from refclock.timebase import HOUR, MINUTE, SECOND, Duration, Mono

ELEVEN = 11 * HOUR + 11 * MINUTE + 6 * SECOND
PLACE = "4807.0380,N,01131.0000,E"


def facts(body: str) -> list[Fact]:
    return list(nmea.facts(Sentence(body.encode(), Mono(7), 40)))


def timed(body: str) -> Timed:
    (told,) = [fact for fact in facts(body) if isinstance(fact, Timed)]
    return told


def refused(body: str) -> bool:
    found = [fact for fact in facts(body) if isinstance(fact, Dropped)]
    assert all(fact.reason is DropReason.FIELD for fact in found)
    assert all(fact.detail.endswith(f" of {body}"[-20:]) for fact in found)
    return bool(found)


def test_rmc_says_time_date_status_and_mode() -> None:
    told = timed(f"GNRMC,111106.25,A,{PLACE},0.0,,010526,,,D,V")
    assert told == Timed(
        mono=Mono(7),
        offset=40,
        address="GNRMC",
        kind="RMC",
        tod=ELEVEN + Duration(250_000_000),
        leap_second=False,
        date=date(2026, 5, 1),
        status="A",
        mode="D",
        quality="",
        systems="",
    )


@pytest.mark.parametrize(
    ("body", "kind", "letters"),
    [
        (f"GPGGA,111106,{PLACE},2,08,0.9,545.4,M,,M,,", "GGA", ("", "", "2", "")),
        (f"GPGLL,{PLACE},111106,A", "GLL", ("A", "", "", "")),
        (f"GPGLL,{PLACE},111106,V,N", "GLL", ("V", "N", "", "")),
        (f"GNGNS,111106,{PLACE},AAN,12,0.9,5,,,,V", "GNS", ("", "", "", "AAN")),
        ("INZDA,111106,01,05,2026,-05,30", "ZDA", ("", "", "", "")),
        ("PUBX,04,111106,010526,113851.00,1196,18", "PUBX04", ("", "", "", "")),
        ("PGRMF,1,2,010526,111106,18,,,,,A,2", "PGRMF", ("A", "", "", "")),
        ("PGRMF,1,2,010526,111106,18,,,,,A,0", "PGRMF", ("V", "", "", "")),
        ("GPRMC,111106,AA", "RMC", ("?", "", "", "")),
    ],
)
def test_each_sentence_in_its_own_way(
    body: str, kind: str, letters: tuple[str, ...]
) -> None:
    told = timed(body)
    assert (told.kind, told.tod) == (kind, ELEVEN)
    assert body.startswith(told.address + ",")
    assert (told.status, told.mode, told.quality, told.systems) == letters


@pytest.mark.parametrize(
    "body",
    [
        "GPGSV,1,1,00",
        "PUBX,00,111106.00",
        "PUBX",
        "PTNTA,20000101000000,2,1",
        "PXRMC,111106.00,A",
        "GPRMCX,111106.00,A",
        "RMC,111106.00,A",
        "GPXXX,111106.00",
        "",
    ],
)
def test_sentences_about_other_things_say_nothing(body: str) -> None:
    assert facts(body) == []


@pytest.mark.parametrize(
    ("clock", "tod"),
    [
        ("000000", Duration(0)),
        ("235959.999999999", 24 * HOUR - Duration(1)),
        ("111106.", ELEVEN),
        ("111106.10", ELEVEN + Duration(100_000_000)),
        ("111106.0000000019", ELEVEN + Duration(1)),
        (" 111106 ", ELEVEN),
        ("", None),
    ],
)
def test_time_of_day(clock: str, tod: Duration | None) -> None:
    body = f"GPRMC,{clock},V"
    assert timed(body).tod == tod
    assert not refused(body)


def test_second_sixty_is_a_second_like_any_other() -> None:
    told = timed("GPZDA,235960.00,31,12,2016,00,00")
    assert (told.tod, told.leap_second) == (24 * HOUR, True)
    assert timed("GPZDA,235959.00,31,12,2016,00,00").leap_second is False


@pytest.mark.parametrize(
    "clock",
    [
        *("240000", "116000", "111161", "11110", "1111066", "+11106", "1_1106", "111"),
        *("111106.-1", "111106.1e5", "11:11:06", "-11106"),
    ],
)
def test_what_is_no_time_of_day_is_refused_by_name(clock: str) -> None:
    body = f"GPRMC,{clock},A,,,,,,,010526"
    assert timed(body).tod is None
    assert timed(body).unreadable
    assert timed(body).date == date(2026, 5, 1)
    (told,) = [fact for fact in facts(body) if isinstance(fact, Dropped)]
    assert told.detail == f"time of {body}"


def test_an_empty_field_is_not_an_unreadable_one() -> None:
    assert timed("GPRMC,,V,,,,,,,").tod is None
    assert not timed("GPRMC,,V,,,,,,,").unreadable
    assert not refused("GPRMC,,V,,,,,,,")


@pytest.mark.parametrize("text", ["81500", "81500.00", "31500", "91500.", "245959"[1:]])
def test_a_short_time_is_read_where_it_can_be_nothing_else(text: str) -> None:
    long = timed(f"GPRMC,0{text},A,,,,,,,010526")
    assert timed(f"GPRMC,{text},A,,,,,,,010526").tod == long.tod is not None


@pytest.mark.parametrize("text", ["15930", "15930.00", "1500.00", "11111", "0", "0.00"])
def test_a_short_time_of_several_readings_is_refused(text: str) -> None:
    body = f"GPRMC,{text},A,,,,,,,010526"
    assert timed(body).tod is None
    assert refused(body)


def test_letters_of_either_case_are_read() -> None:
    upper = timed(f"GPRMC,111106,A,{PLACE},,,010526,,,D")
    assert timed(f"gprmc,111106,a,{PLACE.lower()},,,010526,,,d") == upper


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("010526", date(2026, 5, 1)),
        ("290224", date(2024, 2, 29)),
        ("060180", date(1980, 1, 6)),
        ("311279", date(2079, 12, 31)),
        ("", None),
    ],
)
def test_two_digit_years_begin_with_gps(text: str, day: date | None) -> None:
    body = f"GPRMC,111106,V,,,,,,,{text}"
    assert timed(body).date == day
    assert not refused(body)


@pytest.mark.parametrize(
    "text", ["2208-1", "290223", "320126", "001326", "01052", "0105261", "+10526"]
)
def test_what_is_no_date_is_refused_and_the_time_kept(text: str) -> None:
    body = f"GPRMC,111106,A,,,,,,,{text}"
    assert (timed(body).date, timed(body).tod) == (None, ELEVEN)
    assert refused(body)


@pytest.mark.parametrize(
    ("fields", "day", "bad"),
    [
        ("1,5,2026", date(2026, 5, 1), False),
        ("01,05,0085", date(85, 5, 1), False),
        (",,", None, False),
        ("01,,2026", None, True),
        ("01,05,26", None, True),
        ("31,02,2026", None, True),
        ("01,05,0000", None, True),
    ],
)
def test_zda_writes_its_date_in_three_fields(
    fields: str, day: date | None, bad: bool
) -> None:
    body = f"GPZDA,111106,{fields},00,00"
    assert timed(body).date == day
    assert refused(body) is bad


def test_a_receiver_may_know_the_date_and_not_the_time() -> None:
    told = timed("GPRMC,,V,,,,,,,050726,,,N")
    assert (told.tod, told.date) == (None, date(2026, 7, 5))


def test_gga_tells_where_and_how_high() -> None:
    body = f"GPGGA,111106,{PLACE},1,08,0.9,-45.4,M,46.9,M,,"
    assert facts(body)[1] == Position(
        Mono(7), 48 + 7.038 / 60, 11 + 31 / 60, -45.4, 0.9
    )


def test_south_and_west_are_negative() -> None:
    place = "4807.0380,S,01131.0000,W"
    (_, where) = facts(f"GPRMC,111106,A,{place}")
    assert where == Position(Mono(7), -(48 + 7.038 / 60), -(11 + 31 / 60))


@pytest.mark.parametrize(
    "body",
    [
        f"GPGGA,111106,{PLACE},0,00,,,M,,M,,",
        f"GPGGA,111106,{PLACE},,00,,,M,,M,,",
        f"GPRMC,111106,V,{PLACE}",
        "GPRMC,111106,A,,,,",
        f"GPGLL,{PLACE},111106,A",
    ],
)
def test_no_position_is_told_without_a_fix(body: str) -> None:
    (told,) = facts(body)
    assert isinstance(told, Timed)


@pytest.mark.parametrize(
    "place",
    [
        "4807.0380,,01131.0000,E",
        "4807.0380,N,01131.0000,",
        ",N,01131.0000,E",
        "4807.0380,N,,E",
        "9107.0380,N,01131.0000,E",
        "4807.0380,N,18131.0000,E",
        "4807,N,01131.0000,E",
        "nan,N,01131.0000,E",
    ],
)
def test_what_is_no_place_is_refused(place: str) -> None:
    body = f"GPRMC,111106,A,{place},,,010526"
    assert refused(body)
    assert timed(body).date == date(2026, 5, 1)


@pytest.mark.parametrize(
    ("field", "behind", "default"),
    [("18", 37, False), ("15D", 34, True), ("", None, None), ("-1", None, None)],
)
def test_leap_seconds_as_u_blox_tells_them(
    field: str, behind: int | None, default: bool | None
) -> None:
    found = facts(f"PUBX,04,111106,010526,113851.00,1196,{field}")[1:]
    told = [
        (fact.utc_behind_tai, fact.firmware_default)
        for fact in found
        if isinstance(fact, LeapNotice)
    ]
    assert told == ([] if behind is None else [(behind * SECOND, default)])


def test_leap_seconds_as_garmin_tells_them() -> None:
    (_, notice) = facts("PGRMF,1,2,010526,111106,18,,,,,A,2")
    assert notice == LeapNotice(Mono(7), "PGRMF", 37 * SECOND)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("GPTXT,01,01,02,MOD LEA-6T-0", "LEA-6T-0"),
        ("GNTXT,01,01,02,MOD=NEO-M8N-0", "NEO-M8N-0"),
        ("GPTXT,01,01,02,HW  UBX-G60xx  00040007 ", "UBX-G60xx 00040007"),
        ("GPTXT,01,01,02,SW=URANUS5,V5.3.0.0", "URANUS5 V5.3.0.0"),
        ("PMTK705,AXN_2.3,0002,L70,1.0", "AXN_2.3 0002 L70 1.0"),
        ("PQTMVERNO,LC29HAANR01A04S,2022/11/04", "LC29HAANR01A04S 2022/11/04"),
        ("PSRFTXTVersion: GSW3 ", "GSW3"),
    ],
)
def test_what_a_receiver_calls_itself(body: str, name: str) -> None:
    assert facts(body) == [Identity(Mono(7), name)]


@pytest.mark.parametrize(
    ("body", "feed"),
    [
        ("GNTXT,01,01,02,ANTSTATUS=OK", Feed.WELL),
        ("GNTXT,01,01,02,ANTSTATUS=OPEN", Feed.OPEN),
        ("GPTXT,01,01,02,ANTSTATUS=SHORT", Feed.SHORT),
        ("GPTXT,01,01,01,ANTENNA OK", Feed.WELL),
        ("BDTXT,01,01,01,ANTENNA OPEN", Feed.OPEN),
        ("GNTXT,01,01,01,ANTENNA SHORT", Feed.SHORT),
        ("PGTOP,11,1", Feed.SHORT),
        ("PGTOP,11,2", Feed.WELL),
        ("PCD,11,3", Feed.WELL),
    ],
)
def test_what_a_receiver_finds_at_its_antenna(body: str, feed: Feed) -> None:
    assert facts(body) == [AntennaFeed(Mono(7), feed)]


def test_other_texts_are_no_name() -> None:
    assert facts("GNTXT,01,01,00,txbuf alloc") == []
    assert facts("GPTXT,01,01,02,ANTSTATUS=INIT") == []
