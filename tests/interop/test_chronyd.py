"""chronyd: what it logs of each measurement, and whether it believes the server."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.interop.conftest import Server
from tests.interop.programs import Program, Said, numbers

pytestmark = pytest.mark.interop

_PPS: Final = "50505300"
_PASSED: Final = "1111111111"
"""All ten tests of RFC 5905 and chrony's own."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of its measurements.log."""

    leap: str
    stratum: int
    passed: str
    offset_s: float
    """Server less us."""
    error_s: float
    refid: str
    mode: str
    """Basic or interleaved, and where its stamps came from: K, the kernel."""


@dataclass(frozen=True, slots=True)
class Chronyd:
    """The program with a folder for its log."""

    program: Program
    folder: Path

    def run(self, server: Server, *words: str, limit_s: float = 10.0) -> Said:
        """With these flags and directives, never steering anything."""
        lines = [f"logdir {self.folder}", "log rawmeasurements", "cmdport 0"]
        lines += [f"pidfile {self.folder / 'pid'}", f"bindcmdaddress {self.folder}/cmd"]
        own = ("-U", "-u", pwd.getpwuid(os.geteuid()).pw_name)
        return self.program.run(
            *own, *words, *lines, within=server.within, limit_s=limit_s
        )

    def rows(self) -> Sequence[Row]:
        """What it measured."""
        log = self.folder / "measurements.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [_row(line.split()) for line in lines if line[:2] == "20"]


def _row(words: Sequence[str]) -> Row:
    _, _, _, leap, stratum, *tests = words[:8]
    offset, delay, dispersion = map(float, words[11:14])
    error = delay / 2 + dispersion + 1e-3 * abs(offset)  # it logs four digits
    mode = " ".join(words[17:])
    return Row(leap, int(stratum), "".join(tests), offset, error, words[16], mode)


@pytest.fixture
def chronyd(had: Callable[[str], Program], tmp_path: Path) -> Chronyd:
    return Chronyd(had("chronyd"), tmp_path)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("options", ["iburst", "iburst burst", "iburst xleave"])
def test_it_would_set_its_clock_by_us(
    server: Server, chronyd: Chronyd, host: str, options: str
) -> None:
    asks = f"server {host} port {server.port} minpoll -2 maxpoll -2 {options}"
    with server.watched(host) as seen:
        said = chronyd.run(server, "-Q", "-t", "8", asks)
    assert said.code == 0, said.text
    (wrong,) = numbers(r"clock wrong by (\S+) seconds \(ignored\)", said.text)
    rows = chronyd.rows()
    assert {(row.leap, row.stratum, row.refid) for row in rows} == {("N", 1, _PPS)}
    assert all(seen.holds(row.offset_s, row.error_s) for row in rows)
    assert seen.holds(wrong, max(row.error_s for row in rows))
    assert rows[0].passed == _PASSED
    assert rows[-1].mode.startswith("4I" if "xleave" in options else "4B")


def test_it_follows_us_interleaved(server: Server, chronyd: Chronyd) -> None:
    asks = f"server 127.0.0.1 port {server.port} minpoll -2 maxpoll -2 iburst xleave"
    with server.watched() as seen:
        chronyd.run(server, "-x", "-d", f"{asks} noselect", limit_s=4.0)
    rows = chronyd.rows()
    assert len(rows) >= 10
    assert [row.mode for row in rows[:2]] == ["4B K K"] * 2
    assert {row.mode for row in rows[2:]} == {"4I K K"}
    assert {row.passed for row in rows[4:]} == {_PASSED}
    assert all(seen.holds(row.offset_s, row.error_s) for row in rows)


def test_it_does_not_believe_who_has_no_time(
    unsynchronised: Server, chronyd: Chronyd
) -> None:
    asks = f"server ::1 port {unsynchronised.port} minpoll -2 maxpoll -2 iburst"
    said = chronyd.run(unsynchronised, "-Q", "-t", "3", asks)
    assert said.code == 1
    assert "wrong by" not in said.text
    rows = chronyd.rows()
    assert len(rows) >= 4  # all of its burst, under the rate limit as shipped
    assert {row.leap for row in rows} == {"?"}
    assert _PASSED not in {row.passed for row in rows}
