"""A machine made of files, looked at as a whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hw.linux.probe.machine import Machine, look
from hw.linux.probe.pulses import GpioChip
from tests.fakes.machine import MadeUp, pi_4, pi_5

HEADER = GpioChip("/dev/gpiochip0", "pinctrl-bcm2711", 58, (("GPIO18", "pps@12.-1"),))
CAPABLE = "CapEff:\t0000000002000000\n"


def seen(made: MadeUp) -> Machine:
    return look(made.root, lambda: (HEADER,))


def test_a_machine_that_shows_nothing(tmp_path: Path) -> None:
    found = look(tmp_path, lambda: ())
    assert found.model is None
    assert found.header_port is None
    assert not any((found.pulses, found.ports, found.running))
    assert not found.may_steer
    assert not found.has_pps_gpio
    assert dataclasses.asdict(found)["boot"]["config"] is None


def test_what_a_healthy_pi_shows(tmp_path: Path) -> None:
    made = pi_4(tmp_path)
    kernel = "6.12.47+rpt-rpi-v8"
    made.file("proc/sys/kernel/osrelease", f"{kernel}\n")
    made.file(
        f"lib/modules/{kernel}/modules.dep", "kernel/drivers/pps/clients/pps-gpio.ko:\n"
    )
    made.file("proc/self/status", f"Name:\tsetup\n{CAPABLE}")
    found = seen(made)
    assert found.model == "Raspberry Pi 4 Model B Rev 1.4"
    assert found.kernel == kernel
    assert found.has_pps_gpio
    assert found.may_steer
    assert found.container is None
    assert found.header_port is not None
    assert found.header_port.device == "/dev/ttyAMA0"
    assert found.chips[0].header
    assert found.chips[0].used == (("GPIO18", "pps@12.-1"),)


def test_who_has_the_header_s_port(tmp_path: Path) -> None:
    made = pi_5(tmp_path)
    made.process(812, "gpsd", "/usr/sbin/gpsd", holds="/dev/ttyAMA0")
    made.process(9, "kworker/0:1")
    found = seen(made).header_port
    assert found is not None
    assert [each.name for each in found.holders] == ["gpsd"]
    assert [each.name for each in seen(made).running] == ["gpsd"]
    assert not found.getty
    assert not found.console


def test_a_login_prompt_on_the_port(tmp_path: Path) -> None:
    made = pi_4(tmp_path)
    words = [
        "/sbin/agetty",
        "-o",
        "-p",
        "--",
        "\\u",
        "--keep-baud",
        "115200,57600",
        "-",
        "ttyAMA0",
        "vt220",
    ]
    made.process(600, "agetty", *words, holds="/dev/ttyAMA0")
    made.process(601, "agetty", "/sbin/agetty", "--noclear", "tty1", "linux")
    found = seen(made)
    assert found.header_port is not None
    assert found.header_port.getty
    assert [each.getty for each in found.running] == ["/dev/ttyAMA0", "/dev/tty1"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("proc/consoles", "ttyAMA0              -W- (EC p a)  204:64\n"),
        ("proc/cmdline", "console=ttyAMA0,115200 console=tty1 root=/dev/sda2\n"),
    ],
)
def test_the_kernel_s_console_on_the_port(
    tmp_path: Path, file: str, content: str
) -> None:
    made = pi_4(tmp_path)
    made.file(file, content)
    found = seen(made).header_port
    assert found is not None
    assert found.console


def test_other_daemons(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.process(50, "systemd-timesyn", "/lib/systemd/systemd-timesyncd")
    made.process(51, "chronyd", "/usr/sbin/chronyd", "-F", "1")
    made.process(52, "ModemManager", "/usr/sbin/ModemManager")
    made.process(53, "python3", "-m", "refclock", "run")
    found = seen(made)
    assert [each.name for each in found.time_daemons] == ["systemd-timesyn", "chronyd"]
    assert [each.name for each in found.receiver_daemons] == ["ModemManager"]


@pytest.mark.parametrize(
    ("file", "content", "kind"),
    [
        ("run/systemd/container", "systemd-nspawn\n", "systemd-nspawn"),
        (".dockerenv", "", "docker"),
    ],
)
def test_a_container_is_told(
    tmp_path: Path, file: str, content: str, kind: str
) -> None:
    made = MadeUp(tmp_path)
    made.file(file, content)
    assert seen(made).container == kind


def test_what_the_firmware_could_not_do(tmp_path: Path) -> None:
    made = pi_4(tmp_path)
    made.node("chosen", user__warnings="Failed to load overlay 'pps-gpoi'\n")
    assert seen(made).warnings == ("Failed to load overlay 'pps-gpoi'",)
