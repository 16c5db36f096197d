"""Settings are checked against the machine they are for."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from refclock.app import check as module
from refclock.app.check import check, settings
from refclock.config import ConfigError
from refclock.timebase import LeapTable

GOOD = """
control.socket = "{folder}/run/control.sock"
state.file = "{folder}/lib/state.json"
"""


def faults(text: str, folder: Path) -> list[str]:
    path = folder / "refclock.toml"
    path.write_text(f"{GOOD}{text}".format(folder=folder))
    try:
        check(path)
    except ConfigError as error:
        return [line.removeprefix(f"{path}:") for line in str(error).splitlines()]
    return []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[receiver]\ndevice = '/dev/null'\nbaud = 9600",
        "[receiver]\ndevice = 'none'\n[pulse]\nsource = 'none'\ndevice = '/dev/nix'",
        "[pulse]\nsource = 'kernel'\ndevice = '/dev/null'",
        "[pulse]\nsource = 'phc'\ndevice = 'lo'",
        "[rtc]\nsource = 'none'\ndevice = '/dev/nix'",
    ],
)
def test_what_is_good_is_called_good(text: str, tmp_path: Path) -> None:
    assert faults(text, tmp_path) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("receiver.baud = 9601", "4: receiver.baud: 9601 is not 'auto' or one of 4800"),
        ("receiver.device = '/dev/nix'", "4: receiver.device: /dev/nix: No such file"),
        ("receiver.device = '/'", "4: receiver.device: / is no device"),
        ('receiver.device = "a\\u0000"', "4: receiver.device: 'a\\x00' is no path"),
        (
            "[pulse]\nsource = 'serial'\ndevice = '/dev/nix'",
            "6: pulse.device: /dev/nix: No such file or directory; is it plugged in",
        ),
        (
            "[pulse]\nsource = 'phc'\ndevice = 'eth99'",
            "6: pulse.device: no network interface 'eth99' here",
        ),
        (
            "[pulse]\nsource = 'gpio'\nchip = '/dev/gpiochip99'",
            "6: pulse.chip: /dev/gpiochip99: No such file",
        ),
        (
            "[rtc]\nsource = 'kernel'\ndevice = '/dev/rtc99'",
            "6: rtc.device: /dev/rtc99: No such file",
        ),
        ("[rtc]\nsource = 'i2c'\nbus = 99", "6: rtc.bus: /dev/i2c-99: No such file"),
        (
            "[thermometer]\nsource = 'thermal'\nzone = 'cup'",
            "6: thermometer.zone: no zone 'cup' here; there is cpu-thermal",
        ),
        ("leap.file = '/dev/nix'", "4: leap.file: /dev/nix: No such file or directory"),
        (
            "leap.file = '{folder}/refclock.toml'",
            "4: leap.file: {folder}/refclock.toml: line 2: 'control.socket = ",
        ),
    ],
)
def test_what_the_machine_has_not_is_told_with_file_line_and_key(
    text: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = tmp_path / "thermal" / "zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    monkeypatch.setattr(module, "THERMAL", tmp_path / "thermal")
    (found,) = faults(text, tmp_path)
    assert found.startswith(fault.format(folder=tmp_path))


@pytest.mark.parametrize(
    ("socket_path", "state_path", "fault"),
    [
        ("{folder}/" + "x" * 120, "{folder}/s", "a socket's path has at most 106"),
        ("run.sock", "{folder}/s", "run.sock depends on where the service is started"),
        ("{folder}/file", "{folder}/s", "file is there and is no socket"),
        ("{folder}/file/x", "{folder}/s", "file is no folder"),
        ("{folder}/c", "{folder}", "is a folder; name a file, as {folder}/state.json"),
        ("{folder}/c", "s", "s depends on where the service is started"),
        ("{folder}/c", "/dev/null", "/dev/null is no plain file"),
        ("{folder}/c", "{folder}/file/x/y", "file is no folder"),
        ("{folder}/c", "{folder}/c", "is the path of control.socket, too"),
    ],
)
def test_paths_that_cannot_be_used_are_told(
    socket_path: str, state_path: str, fault: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "refclock.toml"
    text = f"control.socket = '{socket_path}'\nstate.file = '{state_path}'\n"
    path.write_text(text.format(folder=tmp_path))
    with pytest.raises(ConfigError) as refused:
        check(path)
    (line,) = str(refused.value).splitlines()
    assert fault.format(folder=tmp_path) in line
    assert line.startswith(f"{path}:")


def test_the_socket_of_the_running_service_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as running:
        running.bind(str(tmp_path / "run" / "control.sock"))
        assert faults("", tmp_path) == []


def test_settings_come_with_their_leap_table(tmp_path: Path) -> None:
    path = tmp_path / "refclock.toml"
    path.write_text("server.port = 7")
    config, leaps = settings(path)
    assert config.server.port == 7
    assert isinstance(leaps, LeapTable)


def test_settings_that_are_not_there_name_the_next_action(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"copy .*/config/refclock\.toml there"):
        settings(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"Is a directory; name a file that can be"):
        settings(tmp_path)


def test_what_an_upstream_takes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
[[upstream]]
host = "a"
key = 3
[[upstream]]
host = "b"
nts = true
authority = "/nix/ca.pem"
"""
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    assert faults(text, tmp_path) == [
        "7: upstream[1].key: it takes a file of keys: keys.file",
        "10: upstream[2].nts: its packages are missing: pip install 'refclock[nts]'",
        "11: upstream[2].authority: /nix/ca.pem is not there, or no file",
    ]
