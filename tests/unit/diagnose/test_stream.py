from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from refclock.diagnose.history import Anomaly
from refclock.diagnose.stream import EpochRow, StreamReport
from refclock.timebase import SECOND

GOLDEN = Path(__file__).parents[2] / "golden"


def sealed(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode()):02X}\r\n".encode()


def read(
    data: bytes, recorded: date | None = None
) -> tuple[StreamReport, list[EpochRow]]:
    report = StreamReport(recorded)
    return report, [*report.feed(data), *report.finish()]


def golden(name: str) -> tuple[StreamReport, list[EpochRow]]:
    return read((GOLDEN / name).read_bytes())


def odd(report: StreamReport) -> list[tuple[int | None, str]]:
    return [(anomaly.epoch, anomaly.type) for anomaly in report.history.anomalies]


def rmc(clock: str, day: str = "", status: str = "A") -> bytes:
    return sealed(f"GPRMC,{clock},{status},,,,,,,{day},,,")


def oddities(*sentences: bytes) -> list[tuple[int | None, str]]:
    return odd(read(b"".join(sentences))[0])


def test_a_healthy_receiver_has_nothing_odd_but_midnight() -> None:
    report, rows = golden("healthy.nmea")
    assert report.types.total() == 55
    assert report.types["GNGSA"] == 15
    assert not report.rejected
    assert odd(report) == [(3, "midnight_ok")]
    assert report.history.nominal == SECOND
    assert report.valid_utc == ("2026-06-30T23:59:57Z", "2026-07-01T00:00:01Z")
    assert rows[0] == EpochRow(
        i=0,
        off=83,
        utc="2026-06-30T23:59:57Z",
        tod="23:59:57",
        date="2026-06-30",
        fix="A",
        strict_ok=True,
        order="RMC>GGA>GLL>ZDA",
    )


def test_a_leap_second_of_its_own() -> None:
    report, rows = golden("leap-inserted.nmea")
    assert [row.utc for row in rows][1:4] == [
        "2016-12-31T23:59:59Z",
        "2016-12-31T23:59:60Z",
        "2017-01-01T00:00:00Z",
    ]
    # the moment after second 60 has the same POSIX name: an epoch repeated
    assert odd(report) == [(2, "second_60"), (3, "epoch_repeated")]


def test_a_leap_second_as_midnight_twice() -> None:
    report, rows = golden("leap-repeated.nmea")
    assert len(rows) == 4
    assert odd(report) == [(2, "same_second_sent_twice"), (2, "midnight_ok")]


def test_a_cold_start() -> None:
    report, rows = golden("cold-start.nmea")
    assert [(row.tod, row.date, row.fix) for row in rows] == [
        (None, None, "V"),
        ("00:00:12", None, "V"),
        ("00:00:13", "1980-01-06", "V"),
        ("09:15:33", "2026-06-14", "A"),
        ("09:15:34", "2026-06-14", "A"),
    ]
    assert odd(report) == [
        (2, "date_is_week_epoch"),
        (2, "date_before_gps_service"),
        (3, "date_jump"),
    ]
    assert report.fixes == {"no_time": 1, "V": 2, "A": 2}
    assert report.valid_utc == ("2026-06-14T09:15:33Z", "2026-06-14T09:15:34Z")


def test_damage() -> None:
    report, rows = golden("damaged.nmea")
    assert report.rejected == {
        "checksum_mismatch": 1,
        "checksum_missing": 1,
        "checksum_malformed": 1,
        "control_byte": 1,
        "interrupted": 1,
        "glued_no_line_end": 1,
        "overlong": 1,
        "truncated_eof": 1,
    }
    assert report.unreadable == 1
    assert [row.tod for row in rows] == ["09:15:33", "09:15:34", "09:15:36"]


@pytest.mark.parametrize(
    ("sentences", "found"),
    [
        ([rmc("100000"), rmc("100001")], []),
        ([rmc("100001", "010526"), rmc("100000", "010526")], ["time_went_back"]),
        ([rmc("100001"), rmc("100000")], ["time_went_back"]),
        ([rmc("100000", "010526"), rmc("100001", "020526")], ["date_jump"]),
        ([rmc("100000", "010526"), rmc("100001", "300426")], ["time_went_back"]),
        ([rmc("235959", "010526"), rmc("000000", "010526")], ["time_went_back"]),
        ([rmc("235959", "010526"), rmc("000000", "020526")], ["midnight_ok"]),
        ([rmc("235959", "010526"), rmc("000000", "030526")], ["date_jump"]),
        ([rmc("235959"), rmc("000000")], ["midnight_without_date"]),
        ([rmc("235959", "010526"), rmc("000000")], ["midnight_without_date"]),
        ([rmc("235960"), rmc("000000")], ["second_60", "midnight_without_date"]),
        ([rmc("100000"), rmc(""), rmc("100000")], ["epoch_repeated"]),
        ([rmc("100000", "010526")] * 2, ["same_second_sent_twice"]),
        ([rmc("100000"), sealed("GLRMC,100000,A")], []),
        ([sealed("GPGLL,,,,,100000,A")] * 2, []),
        ([rmc("")] * 2, []),
        (
            [rmc("100000", "010526"), sealed("GPZDA,100000,02,05,2026,,")],
            ["two_dates_in_epoch"],
        ),
        (
            [rmc("100000"), sealed("GPGGA,100000,,,,,0,00")],
            ["status_contradicts_quality"],
        ),
        ([rmc("100000", "220899")], ["date_is_week_epoch"]),
        ([rmc("100000", "070419")], ["date_is_week_epoch"]),
        ([rmc("100000", "311292")], ["date_before_gps_service"]),
        ([rmc("100000", "010193")], []),
    ],
)
def test_oddities(sentences: Sequence[bytes], found: list[str]) -> None:
    assert [kind for _, kind in oddities(*sentences)] == found


def test_a_date_holds_for_epochs_without_one() -> None:
    first, between = rmc("100000", "010526"), rmc("100001")
    assert oddities(first, between, rmc("100002", "020526")) == [(2, "date_jump")]


def test_a_hole_is_measured_by_the_commonest_step() -> None:
    clocks = ("100000", "100001", "100002", "100003.5", "100005.1", "100006", "")
    report, _ = read(b"".join(rmc(clock) for clock in clocks))
    assert report.history.anomalies == [
        Anomaly(4, "gap", "1.6 s without an epoch before it")
    ]


@pytest.mark.parametrize(
    ("day", "recorded", "found"),
    [
        ("010526", date(2026, 6, 1), []),
        ("010526", date(2027, 6, 5), []),
        ("010526", date(2027, 6, 6), ["date_far_from_declared"]),
        ("220899", date(2019, 4, 7), ["date_is_week_epoch", "week_number_rollover"]),
        ("010526", date(2006, 9, 15), ["week_number_rollover"]),
        ("010526", date(2016, 9, 15), ["date_far_from_declared"]),
        ("010526", None, []),
    ],
)
def test_a_date_is_compared_with_when_it_was_recorded(
    day: str, recorded: date | None, found: list[str]
) -> None:
    report, _ = read(rmc("100000", day), recorded)
    assert [anomaly.type for anomaly in report.history.anomalies] == found


def test_gga_and_zda_make_a_strict_epoch_and_gga_alone_does_not() -> None:
    gga, zda = sealed("GPGGA,100000,,,,,1,08"), sealed("GPZDA,100000,01,05,2026,,")
    assert read(gga + zda)[1][0].strict_ok
    assert not read(gga)[1][0].strict_ok
    assert not read(gga + sealed("PUBX,04,100000,010526"))[1][0].strict_ok
    assert not read(zda)[1][0].strict_ok
    assert not read(rmc("100000"))[1][0].strict_ok
    assert not read(rmc("100000", "010526", "V"))[1][0].strict_ok


def test_what_else_is_told_of_a_receiver() -> None:
    stream = [
        sealed("GPTXT,01,01,02,MOD LEA-6T-0"),
        sealed("GNTXT,01,01,00,txbuf alloc"),
        sealed("GNTXT,01,01,00,txbuf alloc"),
        sealed("PUBX,04,100000,010526,1.0,2416,15D,0,0,0"),
        sealed("*"),
        sealed("lower,case"),
    ]
    report, _ = read(b"".join(stream))
    assert report.names == ["LEA-6T-0"]
    assert report.texts == {"MOD LEA-6T-0": 1, "txbuf alloc": 2}
    assert report.default_leaps
    assert report.types["LOWER"] == 1


def test_a_chatterer_is_not_kept_whole() -> None:
    texts = [sealed(f"GNTXT,01,01,00,{k % 500}") for k in range(1000)]
    report, _ = read(b"".join(texts))
    assert report.texts.total() == 200
    assert report.types["GNTXT"] == 1000


def test_a_frame_refused_is_no_sentence_refused() -> None:
    report, _ = read(b"\xb5b\x05\x01\0\0\0\0")
    assert not report.rejected


def test_ubx_times_are_told() -> None:
    body = bytes.fromhex("01211400") + bytes(12) + bytes.fromhex("ea07050115000507")
    first = second = 0
    for byte in body:
        first = (first + byte) & 0xFF
        second = (second + first) & 0xFF
    report, rows = read((b"\xb5b" + body + bytes((first, second))) * 2)
    assert report.frames == {"UBX-01-21": 2}
    assert report.ubx_utc == ("2026-05-01T21:00:05Z", "2026-05-01T21:00:05Z")
    assert rows == []


def test_counts_go_on_when_the_list_is_full() -> None:
    back_and_forth = (rmc("100001") + rmc("100000")) * 11_000
    report, _ = read(back_and_forth + rmc("235959") + rmc("000000"))
    assert report.history.counts["time_went_back"] == 11_000
    assert len(report.history.anomalies) == 10_002
    assert {"midnight_without_date", "gap"} <= {kind for _, kind in odd(report)}
