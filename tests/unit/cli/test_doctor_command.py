"""`refclock doctor` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hw.linux.probe.machine import look
from refclock.app.doctor.evidence import Barred, Evidence, Service
from refclock.app.doctor.gather import barred, gather, service_of
from refclock.app.doctor.ladder import examine
from refclock.cli import main
from refclock.cli.doctor import report
from refclock.timebase import Utc
from tests.fakes.machine import pi_4


def test_it_works_where_nothing_of_ours_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = ["--config", str(tmp_path / "no.toml"), "--socket", str(tmp_path / "no")]
    assert main(["doctor", *gone]) == 2
    text = capsys.readouterr().out
    assert "no such file" in " ".join(text.split())
    assert "\n  next: " in text
    assert main(["doctor", *gone, "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["version"] == 1
    assert answer["stratum"] is None
    assert answer["findings"][0]["code"] == "settings"
    assert {"severity", "text", "action"} <= answer["findings"][0].keys()


def test_its_report_fits_the_terminal(tmp_path: Path) -> None:
    made = pi_4(tmp_path)
    made.process(812, "gpsd", "gpsd", holds="/dev/ttyAMA0")
    made.file("proc/consoles", "ttyAMA0 -W- (EC)\n")
    made.process(8, "chronyd", "/usr/sbin/chronyd")
    evidence = Evidence(
        look(tmp_path, lambda: ()),
        Utc(0),
        None,
        "no.toml: line 1\nno.toml: line 2",
        no_status="no daemon answers",
        service=Service("exit-code", 4),
        barred=(Barred("/dev/pps0", "refclock", "root"),),
    )
    for columns in (40, 80):
        rows = list(report(evidence, examine(evidence), columns))
        assert max(map(len, rows)) <= columns
        assert sum(row.startswith("  next: ") for row in rows) == 1
    assert len(list(report(evidence, examine(evidence), 80))) <= 24


def test_pulses_are_counted_while_it_looks(tmp_path: Path) -> None:
    made = pi_4(tmp_path / "pi")
    made.pps(0, "pps@12.-1", seq=100)
    settings = tmp_path / "refclock.toml"
    settings.write_text("")
    seen = gather(settings, None, "none", tmp_path / "pi", 0.01)
    assert seen.config is not None
    assert seen.pulses == {"/dev/pps0": 0}
    assert seen.watched_s == pytest.approx(0.01)
    assert seen.table_expires is not None


def test_what_systemd_shows_of_the_unit() -> None:
    shown = "LoadState=loaded\nResult=exit-code\nNRestarts=4\nExecMainStatus=203\n"
    assert service_of(shown) == Service("exit-code", 4, program_missing=True)
    assert service_of("LoadState=not-found\nResult=success\n") is None


def test_a_device_that_another_user_may_not_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "dev/pps0"
    device.parent.mkdir()
    device.touch()
    monkeypatch.setattr("refclock.app.doctor.gather.USER", "nobody")
    device.chmod(0o600)
    (found,) = barred(["/dev/pps0", "/dev/gone"], tmp_path)
    assert (found.device, found.user) == ("/dev/pps0", "nobody")
    device.chmod(0o604)
    assert list(barred(["/dev/pps0"], tmp_path)) == []
