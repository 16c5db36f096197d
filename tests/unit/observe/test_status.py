from __future__ import annotations

import json
from dataclasses import replace

import pytest

from refclock.observe.status import AlarmStatus, LagStatus, Status, to_json
from refclock.observe.text import headline, seconds, to_text
from refclock.server.admission.clients import ClientStatus, busiest

COLD = Status(
    mode="COLD",
    reason="no sentence with a fix yet",
    stratum=16,
    refid="",
    leap="unsynchronised",
    utc=None,
    offset_s=None,
    frequency_ppm=None,
    steering_ppm=None,
    bound_s=None,
)
TRACKING = replace(
    COLD,
    mode="TRACK",
    reason="the pulse is followed",
    stratum=1,
    refid="PPS",
    leap="none",
    utc="2026-11-23T01:00:00Z",
    offset_s=-2.5e-7,
    frequency_ppm=12.3,
    steering_ppm=-12.3,
    bound_s=4e-6,
    bound_parts={"latency": 3e-6, "filter": 1e-6},
    good_for_s=7_500.0,
    last_pulse_age_s=0.4,
    fix="valid",
    line_load=0.43,
    lag={"RMC": LagStatus(0.12, 0.003, 88)},
    temperature_c=48.25,
    satellites_used=0,
    satellites_seen=9,
    receiver="u-blox 8",
    next_leap="a second is inserted before 2027-01-01T00:00:00Z",
    leap_table_expires="2026-06-28T00:00:00Z",
    alarms=(AlarmStatus("antenna", "the antenna moved 400 m", 3.0),),
    dropped={"checksum_mismatch": 2},
    devices={"receiver": "/dev/gps0 at 9600 Bd"},
)


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (None, "unknown"),
        (3.12e-7, "312 ns"),
        (-4.1e-6, "-4.1 µs"),
        (0.0123, "12.3 ms"),
        (9.994e-4, "999 µs"),
        (9.996e-4, "1 ms"),
        (1.5, "1.5 s"),
        (119.4, "119 s"),
        (120.0, "2 min"),
        (1_500.0, "25 min"),
        (3_599.0, "1 h 00 min"),
        (22_800.0, "6 h 20 min"),
        (-22_800.0, "-6 h 20 min"),
        (172_790.0, "2 days"),
        (864_000.0, "10 days"),
    ],
)
def test_a_length_of_time_reads_well(length: float | None, said: str) -> None:
    assert seconds(length) == said


def test_a_cold_daemon_says_why() -> None:
    page = to_text(json.loads(to_json(COLD, {})))
    assert "COLD       no sentence with a fix yet" in page
    assert "stratum 16" in page
    assert "not serving" in page
    assert "none yet" in page
    assert "satellites - used, - seen\n" in page
    assert "leap       none announced; table unknown" in page


def test_everything_an_operator_asks_is_on_the_page() -> None:
    clients = [ClientStatus("2001:db8::7", 90.0, 12, 4, 3, 1)]
    denied = [ClientStatus("100.64.0.7", 3.0, 17, 4, 0, 0)]
    page = to_text(json.loads(to_json(TRACKING, {"requests": 7}, clients, denied)))
    for said in (
        "stratum 1, refid PPS",
        "-250 ns  (reference - local clock)",
        "± 4 µs; without pulses good for 2 h 05 min",
        "\n               3 µs latency\n               1 µs filter\n",
        "RMC: 120 ms ± 3 ms (88 heard)",
        "-12.3000 ppm",
        "48.2 °C",
        "satellites 0 used, 9 seen (u-blox 8)",
        "leap       a second is inserted before 2027-01-01T00:00:00Z; table",
        "EXPIRED on 2026-06-28",
        "fix valid, line 43% full\n",
        "checksum_mismatch 2",
        "ALARM      the antenna moved 400 m (warning, for 3 s)",
        "device     receiver: /dev/gps0 at 9600 Bd",
        "requests 7\n           address ",
        "denied     100.64.0.7, 17 requests, 3 s ago; to answer it add its network to "
        "server.allow",
        "2001:db8::7                  90 s ago        12       4           3         1",
    ):
        assert said in page


def test_one_client_at_several_listeners_is_one() -> None:
    here, there = ClientStatus("a", 7.0, 5, 4, 1, 0), ClientStatus("a", 2.0, 3, 3, 0, 2)
    other = ClientStatus("b", 0.0, 6, 4, 0, 0)
    both = ClientStatus("a", 2.0, 8, 3, 1, 2)
    assert busiest([here, other, there], 2) == [both, other]
    assert busiest([there, here], 1) == [both]
    assert busiest([], 1) == []


def test_a_table_still_good_says_until_when() -> None:
    page = to_text(
        json.loads(
            to_json(replace(TRACKING, leap_table_expires="2027-06-28T00:00:00Z"), {})
        )
    )
    assert "good until 2027-06-28" in page


def test_the_mode_never_stands_alone_while_an_alarm_does() -> None:
    assert headline("TRACK", 0) == "TRACK"
    assert headline("TRACK", 1) == "TRACK, 1 ALARM:"
    assert headline("TRACK", 2) == "TRACK, 2 ALARMS:"
