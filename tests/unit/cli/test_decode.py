from __future__ import annotations

import argparse
import json
import re
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from refclock.cli import decode, main

GOLDEN = Path(__file__).parents[2] / "golden"

SIRF = bytes.fromhex("a0a2000284000084b0b3")
SKYTRAQ = bytes.fromhex("a0a10003090100080d0a")


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    decode.arguments(parser)
    return decode.run(parser.parse_args([str(word) for word in words]))


def sealed(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode()):02X}\r\n".encode()


def test_json_has_every_epoch_and_every_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(GOLDEN / "damaged.nmea", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["valid"] == sum(told["valid_by_type"].values()) == 3
    assert told["rejected"] == sum(told["rejected_by_reason"].values()) == 8
    assert told["epochs"] == len(told["epoch_list"]) == 3
    assert told["first_valid_utc"] == told["epoch_list"][0]["utc"]
    assert told["last_valid_utc"] == "2026-06-14T09:15:34Z"
    assert told["epoch_list"][0] == {
        "i": 0,
        "off": 73,
        "utc": "2026-06-14T09:15:33Z",
        "tod": "09:15:33",
        "date": "2026-06-14",
        "fix": "A",
        "strict_ok": True,
        "order": "RMC",
    }
    assert (
        told["anomalies"]
        == [{"epoch": 2, "type": "gap", "detail": "2 s without an epoch before it"}]
        or told["anomalies"] == []
    )


def test_json_of_an_empty_file_is_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    assert run(empty, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["valid"], told["epoch_list"], told["anomalies"]) == (0, [], [])
    assert told["first_valid_utc"] is None


def test_an_anomaly_of_a_date_belongs_to_no_epoch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(GOLDEN / "cold-start.nmea", "--json", "--recorded", "2026-06-14")
    told = json.loads(capsys.readouterr().out)
    (far,) = [odd for odd in told["anomalies"] if "epoch" not in odd]
    assert far["type"] == "date_far_from_declared"


def test_the_header_beside_it_tells_when(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = tmp_path / "old.nmea"
    stream.write_bytes(sealed("GPRMC,100000,A,,,,,,,140906"))
    header = tmp_path / "old.nmea.header.txt"
    header.write_text("receiver: some\nrecorded: 2026-05-01\n")
    run(stream)
    assert "1024 short" in capsys.readouterr().out
    run(stream, "--recorded", "2006-09-14")
    assert "1024" not in capsys.readouterr().out
    header.write_text("recorded: 2026-99-99\n")
    run(stream)
    assert "1024" not in capsys.readouterr().out
    header.write_text("no date\n")
    assert run(stream) == 0


def test_a_missing_file_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (), ("--json",):
        assert run(tmp_path / "none", *words) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(r"refclock decode: .*none: No such file .*\n", err)
    assert run(tmp_path) == 1


def test_a_person_reads_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(GOLDEN / "leap-inserted.nmea") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:5] == [
        "receiver   does not say what it is",
        "sentences  5 good (GPRMC 5)",
        "epochs     5 every 1 s (A 5)",
        "time       2016-12-31T23:59:58Z to 2017-01-01T00:00:01Z",
    ]
    assert "odd        second 60: a leap second: 1 (first: epoch 2, 23:59:60)" in lines


@pytest.mark.parametrize(
    ("stream", "advice"),
    [
        (b"", "nothing decodes, for there is nothing"),
        (b"\x80\x00\x78" * 300, "no other protocol is recognised: a wrong speed"),
        (b"$GPRMC,1*00\r\n" * 9, "nothing decodes, though sentences come"),
        (bytes.fromhex("b562050100000617"), "the receiver speaks UBX only"),
        (SIRF + SKYTRAQ, "the receiver speaks SiRF and SkyTraq only"),
        (SIRF, "SiRF: receiver.configure = true sends it back to NMEA"),
        (b'{"class":"TPV","mode":3}\n', "gpsd: stop gpsd"),
        (sealed("GPGSV,1,1,00"), "no sentence names a time"),
        (sealed("GPRMC,100000,V"), "no moment with date, time and fix"),
        (sealed("GPZDA,100000,01,05,2026,,") + b"$GPGGA,1\r\n", "one sentence in 2"),
        (sealed("GNTXT,01,01,00,txbuf alloc"), "throws its own output away"),
        (sealed("PUBX,04,100000,010526,1.0,2416,15D"), "firmware default"),
    ],
)
def test_advice(
    stream: bytes, advice: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "stream"
    file.write_bytes(stream)
    assert run(file) == 0
    assert advice in capsys.readouterr().out


def test_a_healthy_receiver_needs_no_advice(capsys: pytest.CaptureFixture[str]) -> None:
    run(GOLDEN / "healthy.nmea")
    assert "->" not in capsys.readouterr().out


def test_names_unreadable_fields_and_frames_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "stream"
    file.write_bytes(
        sealed("GPTXT,01,01,02,MOD LEA-6T-0")
        + sealed("GPRMC,100000,A,,,,,,,2208-1")
        + bytes.fromhex("b562050100000617")
    )
    run(file)
    out = capsys.readouterr().out
    assert "receiver   LEA-6T-0" in out
    assert "unreadable 1 " in out
    assert "binary     1 frames (UBX-05-01 1)" in out


def test_what_a_receiver_says_of_itself_cannot_move_the_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = b"EXT CORE\x1b[2J\n-> forged".ljust(30, b"\0") + b"00080000\0\0"
    head = b"\x0a\x04" + len(name).to_bytes(2, "little")
    first = second = 0
    for byte in head + name:
        first = (first + byte) & 0xFF
        second = (second + first) & 0xFF
    file = tmp_path / "x.ubx"
    file.write_bytes(b"\xb5\x62" + head + name + bytes((first, second)))
    assert main(["decode", str(file)]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert not any(line.startswith("-> forged") for line in said.splitlines())
    assert "EXT CORE" in said
