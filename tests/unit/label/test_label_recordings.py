"""Recordings of real receivers, and what we would have made of their seconds.

They are no part of the project: without them beside it, or at REFCLOCK_SHARED,
these tests are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from refclock.board.ports import Chunk
from refclock.diagnose.words import sentence
from refclock.events import Fix, LeapNotice, PulseEdge, TimeMessage
from refclock.gnss import nmea
from refclock.gnss.epoch import Epochs
from refclock.gnss.framer import Framer, Sentence
from refclock.integrity.monitor import (
    AlarmKind,
    Integrity,
    IntegritySettings,
    MessageRefused,
)
from refclock.label.labeller import Label, Labeller, LabelSettings, Predicted
from refclock.timebase import (
    MICROSECOND,
    SECOND,
    ZERO,
    Duration,
    LeapTable,
    Local,
    Mono,
    Tai,
    Utc,
)

_SHARED = os.environ.get("REFCLOCK_SHARED")
REAL = (
    (Path(_SHARED) if _SHARED else Path(__file__).parents[4] / "shared")
    / "corpus"
    / "real"
)
pytestmark = pytest.mark.skipif(
    not REAL.exists(), reason="no recordings beside the project"
)
BOOT = Mono(10**12)


def told(data: bytes, seen: Mono, framer: Framer) -> Iterator[nmea.Timed]:
    for item in framer.feed(Chunk(data, seen, seen)):
        if isinstance(item, Sentence):
            for fact in nmea.facts(item):
                if isinstance(fact, nmea.Timed):
                    yield fact


class Replay:
    """Sentences at the times they came, a pulse at every true second, and a clock of
    ours that is right from the first label on."""

    def __init__(
        self,
        start: Utc,
        behind: int = 37,
        floor: Utc | None = None,
        persist_s: int = 60,
    ) -> None:
        expires = Utc.of(2035, 1, 1)
        self.leaps = LeapTable((), behind * SECOND, start, expires)
        self.start = self.leaps.tai(start)
        floor = floor or Utc.of(start_year(start), 1, 1)
        settings = IntegritySettings(persist_s=persist_s)
        self.integrity = Integrity(settings, self.leaps, floor)
        self.labeller = Labeller(LabelSettings(), self.leaps)
        self.epochs = Epochs()
        self.framer = Framer()
        self.off: list[Duration] = []
        """Label less truth, second by second."""
        self.ahead: list[Duration] = []
        self.adopted: list[Duration] = []
        self.refused: list[str] = []
        self.unlabelled: list[str] = []
        self._error: Duration | None = None
        self._next = 0

    def observe(self, data: bytes, utc: Utc) -> None:
        """Bytes that came at `utc`."""
        at = self.leaps.tai(utc)
        while (second := self.start + self._next * SECOND) <= at:
            self._edge(second)
            self._next += 1
        for timed in told(data, self._mono(at), self.framer):
            for message in self.epochs.observe(timed):
                if isinstance(message, TimeMessage):
                    self._hear(message)

    def _hear(self, message: TimeMessage) -> None:
        accepted = self.integrity.accept(message)
        if isinstance(accepted, MessageRefused):
            self.refused.append(sentence(accepted.reason))
            return
        ahead = self.labeller.observe(accepted)
        if ahead is None:
            return
        self.ahead.append(ahead)
        if self.integrity.second(ahead, message.mono) and self._error is not None:
            self.labeller.adopt(ahead)
            self.adopted.append(ahead)
            self._error += ahead

    def _edge(self, second: Tai) -> None:
        predicted = (
            None
            if self._error is None
            else Predicted(second + self._error, 20 * MICROSECOND)
        )
        label = self.labeller.label(
            PulseEdge(Local(0), self._mono(second), 0, 0), predicted
        )
        if isinstance(label, Label):
            self._error = label.tai - second
            self.off.append(self._error)
        else:
            self.unlabelled.append(sentence(label.reason))

    def _mono(self, at: Tai) -> Mono:
        return BOOT + (at - self.start)


def start_year(start: Utc) -> int:
    return int(start.iso()[:4])


def arrivals(name: str) -> list[tuple[Utc, bytes]]:
    rows = []
    for line in (REAL / f"{name}.nmea.arrival.tsv").read_text().splitlines():
        if not line.startswith("#"):
            stamp, sentence = line.split("\t")
            at = datetime.fromisoformat(stamp)
            ns = int(at.replace(microsecond=0).timestamp()) * SECOND.ns
            utc = Utc(ns + at.microsecond * 1000)
            rows.append((utc, f"{sentence}\r\n".encode()))
    return rows


def replay(name: str, persist_s: int = 60, notice: LeapNotice | None = None) -> Replay:
    rows = arrivals(name)
    first = rows[0][0]
    run = Replay(Utc(first.ns // SECOND.ns * SECOND.ns), persist_s=persist_s)
    if notice is not None:
        run.integrity.leap_notice(notice, None)
    for utc, line in rows:
        run.observe(line, utc)
    return run


@pytest.mark.parametrize("name", ["ublox10-evk-m101", "allystar-tau951m-5hz"])
def test_healthy_receivers_name_the_true_second(name: str) -> None:
    run = replay(name)
    assert set(run.off) == {ZERO}
    assert len(run.off) > 2
    assert set(run.ahead) == {ZERO}


def test_the_lag_of_a_healthy_receiver_is_what_was_measured() -> None:
    """59 to 83 ms."""
    lag = replay("ublox10-evk-m101").labeller.lags()["RMC"]
    assert 0.059 < lag.mean.seconds < 0.083


def test_truncated_stamps_of_a_first_fix_name_one_second_after_another() -> None:
    """Three seconds fast, which nothing in the stream betrays, but never four."""
    run = replay("ublox6-lea6t-cold-firstfix")
    assert set(run.off) == {3 * SECOND}
    assert set(run.ahead) <= {ZERO}


def test_a_count_from_firmware_that_is_told_is_not_believed() -> None:
    default = LeapNotice(BOOT, "PUBX04", 34 * SECOND, firmware_default=True)
    run = replay("ublox6-lea6t-cold-firstfix", notice=default)
    assert run.off == []
    assert "the firmware has TAI-UTC = 34 s" in run.refused[-1]


def test_leap_seconds_that_arrive_in_mid_run_are_held_off() -> None:
    run = replay("ublox6-lea6t-leap-download")
    assert set(run.off) == {3 * SECOND}
    assert run.ahead[-1] == -3 * SECOND
    assert run.adopted == []
    (alarm,) = run.integrity.alarms(BOOT)
    assert alarm.kind is AlarmKind.SECOND


def test_and_believed_once_when_they_last() -> None:
    run = replay("ublox6-lea6t-leap-download", persist_s=5)
    assert run.adopted == [-3 * SECOND]
    assert list(dict.fromkeys(run.off)) == [3 * SECOND, ZERO]
    assert run.ahead[-1] == ZERO


def test_gps_time_of_1980_is_never_a_second() -> None:
    assert replay("quectel-lg290p-cold-boot-10hz").off == []


def test_nor_would_it_be_with_a_good_status() -> None:
    run = Replay(Utc.of(2026, 9, 29, 20, 26, 10))
    lie = TimeMessage(Utc.of(1980, 1, 8, 20, 26, 29), BOOT, "RMC", Fix.VALID)
    assert isinstance(run.integrity.accept(lie), MessageRefused)


def test_a_car_s_receiver_takes_back_a_second() -> None:
    """03:08:39 is sent twice. When the sentences came was not recorded."""
    start = Utc.of(2014, 12, 31, 3, 7, 19)
    run = Replay(start, behind=35, floor=Utc.of(2014, 6, 1))
    second = -1
    for line in (REAL / "sirf4-bu353s4.nmea").read_bytes().splitlines():
        if line.startswith(b"$GPGGA"):
            second += 1
        if line.startswith(b"$") and second >= 0:
            late = Duration(120_000_000 if b"GGA" in line else 180_000_000)
            run.observe(line + b"\r\n", start + second * SECOND + late)
    assert run.adopted == [-SECOND]
    changes = list(dict.fromkeys(run.off))
    assert len(changes) == 2
    assert changes[1] - changes[0] == -SECOND
    assert run.off.count(changes[0]) > 60 + 60


def test_a_week_count_that_rolled_over() -> None:
    """It says 22 August 1999: what a chip without a date says, too."""
    run = Replay(Utc.of(2019, 4, 7, 0, 2, 31))
    for line in (REAL / "telit-he910-april-2019.nmea").read_bytes().splitlines():
        run.observe(line + b"\r\n", Utc.of(2019, 4, 7, 0, 2, 32))
    assert run.off == []
    (refused,) = set(run.refused)
    assert refused.startswith("the receiver says it is 1999-08-22, which cannot be: ")


def test_zda_with_gga_beside_it_is_enough() -> None:
    """When they came was not recorded; a ZDA begins the burst of the second it
    names."""
    run = Replay(Utc.of(2012, 7, 4, 5, 11, 33), behind=35)
    second, before = -1, b""
    for line in (REAL / "sirf3-mr350p-zda-only.nmea").read_bytes().splitlines():
        if line[:6] in {b"$GPGGA", b"$GPZDA"} and line[7:13] != before:
            second, before = second + 1, line[7:13]
        if line.startswith(b"$"):
            at = Utc.of(2012, 7, 4, 5, 11, 33) + second * SECOND
            run.observe(line + b"\r\n", at + Duration(500_000_000))
    assert len(run.off) > 80
    assert set(run.off) == {ZERO}
