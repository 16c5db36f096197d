from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hw.sim.scenarios import SCENARIOS
from refclock.cli import main
from refclock.cli.simulate import catalogue


def told(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    assert main(["simulate", *map(str, words), "--json"]) == 0
    figures: dict[str, Any] = json.loads(capsys.readouterr().out)
    return figures


def trace(path: Path, seconds: int = 200) -> Path:
    """A crystal 2 ppm fast without any noise, its pulses stamped on time."""
    rows = [f"{k},{2000 * k},0" for k in range(seconds)]
    text = "\n".join(["t_s,free_phase_ns,pps_noise_ns", *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else b"")
    if path.suffix != ".gz":
        path.write_text(text)
    return path


def test_a_scenario_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--scenario", "nominal", "--hours", "0.1", "--score-from", "100")
    figures = told(capsys, *words)
    assert figures["seconds"] == 360
    assert figures["mode"] == "TRACK"
    assert figures["synchronised"] == figures["coverage"] == 1.0
    assert 0 < figures["rms_s"] < figures["max_s"] < figures["bound_median_s"] < 1e-4
    assert told(capsys, *words) == figures
    assert told(capsys, *words, "--seed", "2")["rms_s"] != figures["rms_s"]


def test_a_page_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", "--scenario", "nominal", "--hours", "0.02"]
    assert main(words) == 0
    lines = dict(
        line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()
    )
    assert lines["mode"] == "TRACK"
    assert lines["seconds"] == "72"
    assert lines["max_s"].endswith(("ns", "µs"))


def test_in_holdover_pulses_and_sentences_are_gone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--scenario", "nominal", "--hours", "0.05", "--score-from", "0")
    assert told(capsys, *words, "--holdover-at", "100")["mode"] == "HOLDOVER"
    never = told(capsys, *words, "--holdover-at", "0")
    assert (never["mode"], never["synchronised"]) == ("COLD", 0.0)
    assert never["rms_s"] is never["max_s"] is never["coverage"] is None


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
def test_a_trace_is_judged(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = trace(tmp_path / name)
    figures = told(capsys, "--trace", path, "--score-from", "100")
    assert 0 <= figures["rms_s"] <= figures["max_s"] < 1e-7


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"t_s\n\0\n\r\0",
        b"",
        b"a,b\n1,2\n",
        b"\xff\xfe",
        b"t_s,free_phase_ns,pps_noise_ns\n0,x,0\n",
    ],
)
def test_a_trace_that_cannot_be_used_is_told(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace.csv"
    if content is not None:
        path.write_bytes(content)
    assert main(["simulate", "--trace", str(path)]) == 1
    assert capsys.readouterr().err.startswith("refclock simulate: ")


def test_a_score_that_begins_after_the_end_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["simulate", "--scenario", "nominal", "--hours", "0.02"]
    assert main([*words, "--score-from", "72"]) == 1
    assert "--score-from 72: the run has only 72 s" in capsys.readouterr().err


def test_of_a_short_run_the_second_half_is_judged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--scenario", "nominal", "--hours", "0.02")
    assert told(capsys, *words)["scored_from_s"] == 36


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "one of the arguments --trace --scenario --list-scenarios is required"),
        (["--scenario", "sunny"], "no scenario is named 'sunny'"),
        (["--scenario", "nominal", "--trace", "x"], "not allowed with"),
    ],
)
def test_it_wants_one_thing_to_simulate(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *words])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_a_scenario_may_be_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[[faults]]\nkind = "no_pulse"\n')
    figures = told(capsys, "--scenario", path, "--hours", "0.02")
    assert (figures["mode"], figures["synchronised"]) == ("COLD", 0.0)


def test_a_file_at_fault_is_told_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('\n[[faults]]\nkind = "no_puls"\n')
    for given, says in (
        (path, f"{path}:3: faults[1].kind: "),
        (tmp_path / "none.toml", "none.toml: No such file"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["simulate", "--scenario", str(given)])
        assert ended.value.code == 2
        assert says in capsys.readouterr().err


def test_what_is_scored_of_a_short_run_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--scenario", "nominal", "--hours", "0.02"]
    assert told(capsys, *words)["scored_from_s"] == 36
    assert told(capsys, *words, "--score-from", "20")["scored_from_s"] == 20
    assert main(["simulate", *words, "--score-from", "80"]) == 1
    assert "the run has only 72 s" in capsys.readouterr().err


def test_the_catalogue_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", "--list-scenarios"])
    assert ended.value.code == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "TROUBLE", "WHAT", "HAPPENS"]
    first = {row.split("  ")[0]: row for row in rows if not row.startswith(" ")}
    assert list(first) == list(SCENARIOS)
    assert " none  " in first["nominal"]
    assert " 40 s  " in first["fix-lost"]
    assert " at once  " in first["lag-20ms"]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_catalogue_fits(columns: int) -> None:
    lines = list(catalogue(columns))
    assert max(map(len, lines)) <= columns
    words = " ".join(" ".join(lines).split())
    assert SCENARIOS["battery"].description in words


def test_coverage_by_regime_and_the_worst_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--scenario", "nominal", "--hours", "0.3", "--score-from", "0")
    figures = told(capsys, *words, "--holdover-at", "800")
    assert list(figures["regimes"]) == ["start", "steady", "event", "holdover"]
    assert all(each["coverage"] == 1.0 for each in figures["regimes"].values())
    assert abs(figures["worst"]["error_s"]) <= figures["worst"]["bound_s"]
    assert main(["simulate", *words]) == 0
    page = capsys.readouterr().out
    assert "in steady" in page
    assert "worst second" in page


def test_a_table_of_many_holdovers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = trace(tmp_path / "trace.csv", 700)
    lines = told(capsys, "--trace", path, "--holdover-at", "100", "300")["holdovers"]
    assert [(each["at_s"], each["after_s"]) for each in lines] == [
        (100, 60), (100, 300), (300, 60), (300, 300)
    ]  # fmt: skip
    assert all(each["error_s"] <= each["bound_s"] for each in lines)


def test_a_log_of_another_daemon_is_a_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "ppstest.txt"
    log.write_text(
        "\n".join(
            f"source 0 - assert {1_770_000_000 + k}.{20_000 + 2_000 * k:09d},"
            f" sequence: {k} - clear  0.000000000, sequence: 0"
            for k in range(200)
        )
    )
    figures = told(capsys, "--trace", log, "--score-from", "100")
    assert figures["unsynchronised"] == 0
    assert figures["max_s"] < 1e-6
