"""A board file under the settings that name it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from refclock.app.check import check
from refclock.board.wiring import PulseSource
from refclock.config import ConfigError, parse
from refclock.config.boards import boards

BOARDS = Path(__file__).parents[3] / "config" / "boards"


def fault(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        parse(text.encode(), "x.toml")
    return str(refused.value)


@pytest.mark.parametrize("name", boards())
def test_every_board_can_be_named(name: str) -> None:
    config = parse(f'board = "{name}"'.encode())
    assert config.board == name
    pulse = tomllib.loads((BOARDS / f"{name}.toml").read_text())["pulse"]
    assert config.pulse.source == pulse["source"]
    assert config.pulse.line == pulse.get("line", "auto")


def test_a_key_of_the_settings_counts_before_the_boards() -> None:
    config = parse(b'board = "cm4-cm5-phc"\npulse.latency_ns = 70')
    assert config.pulse.latency_ns == 70
    assert config.pulse.source is PulseSource.PHC
    assert config.pulse.latency_spread_ns == 25_000


def test_the_board_counts_before_what_the_settings_are_laid_over() -> None:
    under = {"pulse": {"line": "GPIO4"}, "rtc": {"spread_s": 0.5}}
    config = parse(b'board = "uputronics"', under=under)
    assert config.pulse.line == "GPIO18"
    assert config.rtc.spread_s == 0.5


def test_no_such_board_is_a_fault_with_the_nearest() -> None:
    said = fault('\nboard = "uputronix"')
    assert said.startswith("x.toml:2: board: there is no board 'uputronix'; did you")
    assert "'uputronics'" in said
    assert "waveshare-l76k" in said
    assert "there is no board '../refclock'" in fault('board = "../refclock"')


@pytest.mark.parametrize("text", ["board = 3", "board = ["])
def test_what_names_no_board_is_refused_as_any_other_value(text: str) -> None:
    assert fault(text).startswith("x.toml:1: board: ")


def test_a_board_that_changes_nothing_is_a_fault() -> None:
    manual = (BOARDS.parent / "refclock.toml").read_text()
    said = fault(manual.replace('\nboard = ""', '\nboard = "uputronics"'))
    assert "board: 'uputronics' changes nothing" in said
    assert "take out receiver.device, receiver.baud, pulse.source, pulse.line" in said


def test_a_fault_in_what_the_board_says_names_the_board_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('\nboard = "timehat-i226"\npulse.channel = 1\n')
    with pytest.raises(ConfigError) as refused:
        check(path)
    faults = str(refused.value).splitlines()
    place = f"{BOARDS / 'timehat-i226.toml'}:"
    assert any(
        each.startswith(place) and ": receiver.device: " in each for each in faults
    )
    path.write_text('board = "timehat-i226"\nreceiver.device = "/dev/nothing"\n')
    with pytest.raises(ConfigError, match=r"own.toml:2: receiver.device: /dev/noth"):
        check(path)
