"""The systemd unit: the rights the daemon needs, and no others."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[3] / "config" / "systemd"


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    """Every setting of the unit, with the words it has in all its lines."""
    said: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in (SYSTEMD / "refclock.service").read_text().splitlines():
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            assert key.isalnum(), line
            said[f"{section}{key}"] += value.split()
    return dict(said)


def test_it_says_when_it_is_ready_and_that_it_lives(
    unit: dict[str, list[str]],
) -> None:
    assert unit["[Service]Type"] == ["notify"]
    assert int(unit["[Service]WatchdogSec"][0]) >= 10
    assert unit["[Install]WantedBy"] == ["multi-user.target"]


def test_a_crash_is_mended_and_a_faulty_configuration_is_not(
    unit: dict[str, list[str]],
) -> None:
    assert unit["[Service]Restart"] == ["on-failure"]
    assert unit["[Service]RestartPreventExitStatus"] == ["78"]
    assert int(unit["[Service]TimeoutStopSec"][0]) >= 5


def test_it_may_steer_the_clock_and_take_port_123_and_no_more(
    unit: dict[str, list[str]],
) -> None:
    rights = {"CAP_SYS_TIME", "CAP_NET_BIND_SERVICE"}
    assert set(unit["[Service]AmbientCapabilities"]) == rights
    assert set(unit["[Service]CapabilityBoundingSet"]) == rights
    assert unit["[Service]User"] != ["root"]
    assert unit["[Service]NoNewPrivileges"] == ["yes"]
    assert unit["[Service]ProtectSystem"] == ["strict"]


def test_nothing_takes_away_what_it_lives_on(unit: dict[str, list[str]]) -> None:
    for taken in ("PrivateDevices", "ProtectClock", "MemoryDenyWriteExecute"):
        assert f"[Service]{taken}" not in unit
    assert "@clock" in unit["[Service]SystemCallFilter"]
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} <= set(
        unit["[Service]RestrictAddressFamilies"]
    )


def test_it_has_the_devices_of_a_time_server_and_no_others(
    unit: dict[str, list[str]],
) -> None:
    assert unit["[Service]DevicePolicy"] == ["closed"]
    allowed = set(unit["[Service]DeviceAllow"]) - {"rw"}
    kinds = ("ttyAMA", "ttyS", "ttyACM", "ttyUSB", "gnss", "pts", "pps", "ptp")
    assert {f"char-{kind}" for kind in (*kinds, "gpiochip", "i2c", "rtc")} <= allowed
    assert not allowed & {"char-mem", "block-*", "char-*"}


def test_its_folders_are_the_configuration_s_defaults(
    unit: dict[str, list[str]],
) -> None:
    assert unit["[Service]StateDirectory"] == ["refclock"]
    assert unit["[Service]RuntimeDirectory"] == ["refclock"]


@pytest.mark.parametrize(
    "other", ["chrony", "ntpsec", "ntpd-rs", "openntpd", "systemd-timesyncd"]
)
def test_others_give_way_to_it_while_it_is_enabled(
    unit: dict[str, list[str]], other: str
) -> None:
    assert "[Unit]Conflicts" not in unit  # whoever starts the other would stop us
    setup = (SYSTEMD.parent / "setup.sh").read_text()
    (others,) = re.findall(r"for other in (.*); do\n.*yield.conf", setup)
    assert other in others.split()
    wants = "/etc/systemd/system/multi-user.target.wants/refclock.service"
    assert f"ConditionPathExists=!{wants}" in (SYSTEMD / "yield.conf").read_text()


def test_its_user_is_made_with_the_groups_of_its_devices(
    unit: dict[str, list[str]],
) -> None:
    text = (SYSTEMD / "refclock.sysusers").read_text()
    lines = [line.split() for line in text.splitlines()]
    (user,) = unit["[Service]User"]
    assert ["u", user] in [line[:2] for line in lines]
    groups = {line[2] for line in lines if line[:2] == ["m", user]}
    assert groups == {"dialout", "gpio", "i2c"}
