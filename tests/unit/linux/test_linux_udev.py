"""The udev rules: their syntax, and what they make of the devices people have."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

RULES = Path(__file__).parents[3] / "udev" / "99-refclock.rules"

_TERM = re.compile(r'([A-Z]+(?:\{[\w/]+\})?)\s*(==|!=|\+=|=)\s*"([^"]*)"')
_MATCHED = {"ACTION", "SUBSYSTEM", "KERNEL", "DRIVER", "ATTR", "ATTRS"}
_ASSIGNED = {"SYMLINK", "GROUP", "MODE", "OPTIONS", "ENV", "ATTR"}


@dataclass(frozen=True)
class Term:
    key: str
    operator: str
    value: str

    @property
    def matches(self) -> bool:
        return self.operator in {"==", "!="}


def rules() -> list[list[Term]]:
    lines = [line.strip() for line in RULES.read_text().splitlines()]
    return [
        [Term(*found.groups()) for found in _TERM.finditer(line)]
        for line in lines
        if line and not line.startswith("#")
    ]


def applied(device: Mapping[str, str]) -> dict[str, list[str]]:
    """What the rules assign to a device that looks like this."""
    given: dict[str, list[str]] = {}
    for rule in rules():
        if all(
            fnmatchcase(device.get(term.key, ""), term.value) == (term.operator == "==")
            for term in rule
            if term.matches
        ):
            for term in rule:
                if not term.matches:
                    given.setdefault(term.key, []).append(term.value)
    return given


def test_every_line_is_made_of_known_terms() -> None:
    for line in RULES.read_text().splitlines():
        if line and not line.startswith("#"):
            assert not _TERM.sub("", line).strip(", "), line
    for rule in rules():
        for term in rule:
            name = term.key.split("{")[0]
            assert name in (_MATCHED if term.matches else _ASSIGNED), term
        assert any(term.matches for term in rule)
        assert not all(term.matches for term in rule)


@pytest.mark.parametrize("name", ["pps@12.-1", "pps.-1", "serial0", "usbserial0"])
def test_a_receiver_s_pulse_gets_its_name_and_group(name: str) -> None:
    given = applied({"SUBSYSTEM": "pps", "KERNEL": "pps3", "ATTR{name}": name})
    assert given["SYMLINK"] == ["gpspps0"]
    assert given["GROUP"] == ["refclock"]
    assert given["MODE"] == ["0660"]


def test_a_gpio_line_has_the_name_before_a_serial_port() -> None:
    line = applied({"SUBSYSTEM": "pps", "ATTR{name}": "pps@12.-1"})
    port = applied({"SUBSYSTEM": "pps", "ATTR{name}": "usbserial0"})
    assert line["OPTIONS"] == ["link_priority=10"]
    assert "OPTIONS" not in port


def test_a_network_card_s_pulse_is_no_receiver_s() -> None:
    given = applied({"SUBSYSTEM": "pps", "KERNEL": "pps0", "ATTR{name}": "ptp0"})
    assert "SYMLINK" not in given


@pytest.mark.parametrize("subsystem", ["ptp", "rtc"])
def test_clocks_get_the_group(subsystem: str) -> None:
    given = applied({"SUBSYSTEM": subsystem})
    assert (given["GROUP"], given["MODE"]) == (["refclock"], ["0660"])


def test_a_ublox_on_usb_is_the_receiver() -> None:
    ublox = {"SUBSYSTEM": "tty", "KERNEL": "ttyACM1", "ATTRS{idVendor}": "1546"}
    assert applied(ublox)["SYMLINK"] == ["gps0"]
    assert applied(ublox)["ENV{ID_MM_DEVICE_IGNORE}"] == ["1"]
    modem = {**ublox, "ATTRS{idVendor}": "1199"}
    assert applied(modem) == {}


def test_an_ftdi_adapter_is_made_quick() -> None:
    adapter = {"ACTION": "add", "SUBSYSTEM": "usb-serial", "DRIVER": "ftdi_sio"}
    assert applied(adapter) == {"ATTR{latency_timer}": ["1"]}


def test_udevadm_agrees() -> None:
    if shutil.which("udevadm") is None:
        pytest.skip("no udevadm here")
    if int(_udevadm("--version").stdout.split()[0]) < 254:
        pytest.skip("udevadm verify came with systemd 254")
    verified = _udevadm("verify", "--resolve-names=never", str(RULES))
    assert verified.returncode == 0, verified.stdout + verified.stderr


def _udevadm(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["udevadm", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own file
