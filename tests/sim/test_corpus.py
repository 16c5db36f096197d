"""Recordings of real receivers, read as an independent parser reads them.

They are no part of the project: without them beside it, or at REFCLOCK_SHARED,
these tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from refclock.board.ports import Chunk
from refclock.cli.decode import _recorded as recorded
from refclock.diagnose.stream import StreamReport
from refclock.drivers.gnss import GnssDriver
from refclock.events import TimeMessage
from refclock.timebase import SECOND, Duration, Mono

_SHARED = os.environ.get("REFCLOCK_SHARED")
CORPUS = (Path(_SHARED) if _SHARED else Path(__file__).parents[3] / "shared") / "corpus"
RECORDINGS = sorted(
    Path(str(sidecar).removesuffix(".expect.json"))
    for folder in ("real", "documented")
    for sidecar in (CORPUS / folder).glob("*.expect.json")
)
pytestmark = pytest.mark.skipif(
    not RECORDINGS, reason="no recordings beside the project"
)
each = pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.name)
SAID = ("utc", "tod", "date", "fix", "strict_ok", "off", "order")


def expected(file: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(Path(f"{file}.expect.json").read_text("utf-8"))
    return told


FOREIGN = {"RTCM3", "gpsd"}
"""Protocols that the independent parser does not know."""


def _plain(types: Mapping[str, int]) -> dict[str, int]:
    """SiRF's texts by one name: what follows it is text, and no type."""
    plain: Counter[str] = Counter()
    for name, count in types.items():
        plain["PSRFTXT" if name.startswith("PSRFTXT") else name] += count
    return dict(plain)


@each
@pytest.mark.parametrize("block", [997, 1 << 16])
def test_read_as_the_oracle_reads_it(file: Path, block: int) -> None:
    want, data = expected(file), file.read_bytes()
    report = StreamReport(recorded(file))
    rows = [
        row
        for k in range(0, len(data), block)
        for row in report.feed(data[k : k + block])
    ]
    rows += report.finish()
    assert _plain(report.types) == _plain(want["valid_by_type"])
    assert report.types.total() == want["valid"]
    glued = {"glued_no_line_end": 0}
    assert {**report.rejected, **glued} == {**want["rejected_by_reason"], **glued}
    ours = {name: n for name, n in report.frames.items() if name not in FOREIGN}
    assert ours == want["binary_frames"]
    assert [{key: asdict(row)[key] for key in SAID} for row in rows] == [
        {key: row[key] for key in SAID} for row in want["epoch_list"]
    ]
    assert report.valid_utc == (
        (want["first_valid_utc"], want["last_valid_utc"])
        if want["first_valid_utc"]
        else None
    )
    anomalies = {(odd.epoch, odd.type) for odd in report.history.anomalies}
    assert {(odd.get("epoch"), odd["type"]) for odd in want["anomalies"]} <= anomalies
    assert dict(report.history.counts) == want["anomaly_counts"]


_TIMED = re.compile(rb"^\$..(?:RMC|GGA|ZDA|GNS),(\d{6})", re.MULTILINE)


PACED = {"glonass-ch4711-talker-switch.nmea", "trimble-r1.nmea"}
"""Where two talkers, or texts of two clocks, come in turn the pause between bursts
tells them apart. Of others a burst begins with bytes that name no time in text."""


def bursts(data: bytes) -> list[bytes]:
    """A recording cut where its sentences name another second than before."""
    starts, before = [0], b""
    for found in _TIMED.finditer(data):
        if found[1] != before and before:
            starts.append(found.start())
        before = found[1]
    return [data[a:b] for a, b in pairwise([*starts, len(data)])]


class FileRecorder:
    """A recording, played at the speed of its line; `paced`: each burst on a second."""

    name = "tape"
    bits_per_second = 115_200

    def __init__(self, data: bytes, *, paced: bool = False) -> None:
        self._chunks = [
            (burst[k : k + 100], paced and k == 0)
            for burst in (bursts(data) if paced else [data])
            for k in range(0, len(burst), 100)
        ]
        self._now = Mono(0)

    def read(self, limit: Duration) -> Chunk | None:
        if not self._chunks:
            return None
        data, begins = self._chunks.pop(0)
        first = self._now
        if begins:
            first = Mono(-(-first.ns // SECOND.ns) * SECOND.ns)
        self._now = first + Duration(len(data) * 10 * SECOND.ns // self.bits_per_second)
        assert limit <= 2 * SECOND
        return Chunk(data, first, self._now)

    def write(self, data: bytes) -> None:
        raise AssertionError(data)

    def close(self) -> None:
        pass

    @property
    def over(self) -> bool:
        return not self._chunks


@each
def test_no_moment_is_called_good_that_was_not(file: Path) -> None:
    """Of what the driver tells as good, the time of day is that of an epoch with a
    fix, and the date its own or, where it had none, that of the epochs before it."""
    tape = FileRecorder(file.read_bytes())
    driver = GnssDriver(tape)
    told: list[TimeMessage] = []
    while not tape.over:
        told += [event for event in driver.poll() if isinstance(event, TimeMessage)]
    rows = expected(file)["epoch_list"]
    fixed = {row["tod"]: row["utc"] for row in rows if row["fix"] in {"A", "A*"}}
    dates = {row["date"] for row in rows if row["fix"] in {"A", "A*", "?"}}
    for message in told:
        if message.fix.good and not message.kind.startswith("UBX"):
            utc = message.utc.iso()
            assert date.fromisoformat(utc[:10]).isoformat() in dates
            assert utc[11:-1] in fixed


@each
def test_every_good_moment_is_told(file: Path) -> None:
    data = file.read_bytes() + b"$GPRMC,111111,A,*4A\r\n"
    tape = FileRecorder(data, paced=file.name in PACED)
    driver = GnssDriver(tape)
    told: set[str] = set()
    while not tape.over:
        for event in driver.poll():
            if isinstance(event, TimeMessage) and event.fix.good:
                told.add(event.utc.iso())
    told |= {  # a silence ends the last epoch
        event.utc.iso()
        for event in driver.poll()
        if isinstance(event, TimeMessage) and event.fix.good
    }
    rows = expected(file)["epoch_list"]
    assert {row["utc"] for row in rows if row["strict_ok"]} - told == set()
