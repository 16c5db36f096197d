"""Each finding, provoked by the machine, the settings or the status that has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from hw.linux.probe.machine import look
from refclock.app.doctor.boot import sections
from refclock.app.doctor.evidence import Barred, Evidence, Service, Severity
from refclock.app.doctor.ladder import examine, exit_code
from refclock.board.wiring import PulseSettings, PulseSource, ReceiverSettings
from refclock.config import Config
from refclock.engine.policy import ClockSettings
from refclock.timebase import SECOND, Utc
from tests.fakes.machine import MadeUp, pi_4, pi_5

NOW: Final = Utc(1_795_917_600 * SECOND.ns)
KERNEL: Final = "6.12.47+rpt-rpi-v8"
MINI: Final = "soc/serial@7e215040"


def healthy(root: Path) -> MadeUp:
    """A Pi 4 with pps-gpio and all rights."""
    made = pi_4(root)
    made.node("pps@12", compatible="pps-gpio", gpios=[7, 18, 0])
    made.pps(0, "pps@12.-1", seq=100, node="pps@12")
    made.file("proc/sys/kernel/osrelease", KERNEL)
    made.file("proc/self/status", "CapEff:\t0000000002000000\n")
    return made


def found(made: MadeUp, **more: Any) -> Evidence:  # noqa: ANN401 - any field
    given: dict[str, Any] = {"config": Config(), "pulses": {"/dev/pps0": 3}}
    given |= {"watched_s": 3.0} | more
    return Evidence(look(made.root, lambda: ()), NOW, **given)


def status(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - any key
    return {
        "stratum": 1,
        "mode": "TRACK",
        "reason": "following the pulse",
        "reason_codes": ["following"],
        "alarms": [],
        "line_load": 0.3,
        "denied": [],
    } | more


def codes(evidence: Evidence) -> list[str]:
    return [each.code for each in examine(evidence)]


def test_nothing_is_wrong_with_a_healthy_machine(tmp_path: Path) -> None:
    evidence = found(healthy(tmp_path), status=status())
    assert examine(evidence) == ()
    assert examine(replace(evidence, status=None)) == ()
    assert exit_code(()) == 0


def config_txt(made: MadeUp, *rows: str) -> None:
    made.file("boot/firmware/config.txt", "\n".join(rows))


def stale(made: MadeUp) -> None:
    config_txt(made, "enable_uart=1")
    made.file("proc/stat", "btime 1000\n")


def bluetooth(made: MadeUp) -> None:
    slave = "sys/devices/platform/soc/ttyAMA0.serial/serial0/serial0-0"
    made.link("sys/bus/serial/devices/serial0-0", slave)
    made.link(
        "sys/devices/platform/soc/ttyAMA0.serial/serial0/of_node",
        "sys/firmware/devicetree/base/soc/serial@7e201000",
    )


def no_pulse_but(name: str) -> Callable[[MadeUp], None]:
    return lambda made: made.pps(0, name, seq=7)


MACHINES: Final[dict[str, Callable[[MadeUp], object]]] = {
    "boot-stale": stale,
    "boot-section": lambda m: config_txt(m, "[pi5]", "enable_uart=1"),
    "boot-not-ascii": lambda m: config_txt(m, "dtoverlay\u2013x"),
    "firmware-warning": lambda m: m.node("chosen", user__warnings="no overlay gps\n"),
    "uart-off": lambda m: m.node("soc/serial@7e201000", status="disabled"),
    "uart-mini": lambda m: m.node("aliases", serial0=f"/{MINI}"),
    "uart-bluetooth": bluetooth,
    "line-console": lambda m: m.file("proc/consoles", "ttyAMA0 -W- (EC)\n"),
    "line-getty": lambda m: m.process(9, "agetty", "/sbin/agetty", "ttyAMA0"),
    "line-held": lambda m: m.process(812, "gpsd", "gpsd", holds="/dev/ttyAMA0"),
    "clock-shared": lambda m: m.process(8, "chronyd", "/usr/sbin/chronyd"),
    "pulse-timer": no_pulse_but("ktimer"),
    "pulse-of-card": no_pulse_but("ptp0"),
    "battery": lambda m: m.file("sys/class/rtc/rtc0/name", "rtc-ds1307 1-0068"),
}


@pytest.mark.parametrize("code", MACHINES)
def test_a_machine_with_one_fault(tmp_path: Path, code: str) -> None:
    made = healthy(tmp_path)
    MACHINES[code](made)
    assert codes(found(made)) == [code]


@pytest.mark.parametrize(
    ("code", "evidence"),
    [
        ("settings", {"config": None, "config_fault": "line 1: unknown\nline 2: no"}),
        ("service-fails", {"service": Service("exit-code", 4)}),
        ("service-program", {"service": Service("exit-code", 4, program_missing=True)}),
        ("device-barred", {"barred": (Barred("/dev/pps0", "refclock", "root"),)}),
        ("pulse-still", {"pulses": {}}),
        ("pulse-often", {"pulses": {"/dev/pps0": 30}}),
        ("port-taken", {"port_taken": True}),
        ("no-daemon", {"no_status": "no daemon answers"}),
        ("leap-table", {"table_expires": NOW + 86_400 * SECOND}),
        ("no-fix", {"status": status(stratum=16, reason_codes=["no-fix"])}),
        ("line-crowded", {"status": status(line_load=0.84)}),
        ("client-denied", {"status": status(denied=[{"address": "192.0.2.7"}])}),
        (
            "antenna",
            {"status": status(alarms=[{"code": "antenna", "text": "open"}])},
        ),
        (
            "line-elsewhere",
            {"config": Config(receiver=ReceiverSettings(device="/dev/ttyS0"))},
        ),
        (
            "line-missing",
            {"config": Config(receiver=ReceiverSettings(device="/dev/ttyUSB3"))},
        ),
    ],
)
def test_evidence_of_one_fault(
    tmp_path: Path, code: str, evidence: dict[str, Any]
) -> None:
    assert codes(found(healthy(tmp_path), **evidence)) == [code]


def test_a_header_without_a_pulse(tmp_path: Path) -> None:
    made = pi_5(tmp_path)
    made.file("proc/sys/kernel/osrelease", KERNEL)
    assert codes(found(made)) == ["pulse-no-driver"]
    made.file(f"lib/modules/{KERNEL}/modules.dep", "kernel/pps-gpio.ko.xz:\n")
    (finding,) = examine(found(made))
    assert finding.code == "pulse-none"
    assert "dtoverlay=pps-gpio" in finding.action
    by_pin = Config(pulse=PulseSettings(source=PulseSource.GPIO))
    assert codes(found(made, config=by_pin)) == []


def test_who_shares_the_clock_matters_only_while_it_is_steered(tmp_path: Path) -> None:
    made = healthy(tmp_path)
    made.process(8, "chronyd", "/usr/sbin/chronyd")
    beside = Config(clock=ClockSettings(steer=False))
    assert codes(found(made, config=beside)) == []
    assert codes(found(made, config=beside, port_taken=True)) == ["port-taken"]


def test_a_container_may_not_steer(tmp_path: Path) -> None:
    made = healthy(tmp_path)
    made.file("proc/self/status", "CapEff:\t0000000000000000\n")
    assert codes(found(made)) == []
    made.file("run/systemd/container", "lxc")
    assert codes(found(made)) == ["clock-fixed"]


def test_modem_manager_matters_where_a_receiver_is_on_usb(tmp_path: Path) -> None:
    made = healthy(tmp_path)
    made.process(5, "ModemManager", "/usr/sbin/ModemManager")
    assert codes(found(made)) == []
    made.usb_tty("ttyUSB0")
    assert codes(found(made)) == ["modem-manager"]


def test_our_own_daemon_is_no_stranger_on_the_line(tmp_path: Path) -> None:
    made = healthy(tmp_path)
    made.process(
        7, "python3", "python3", "/opt/refclock/bin/refclock", holds="/dev/ttyAMA0"
    )
    assert codes(found(made)) == []


def test_a_receiver_on_usb_needs_nothing_of_the_header(tmp_path: Path) -> None:
    made = healthy(tmp_path)
    made.file("proc/consoles", "ttyAMA0 -W- (EC)\n")
    made.usb_tty("ttyUSB0")
    assert codes(found(made)) == []


def test_the_first_failure_is_first_and_warnings_follow(tmp_path: Path) -> None:
    made = healthy(tmp_path)
    stale(made)
    made.process(8, "chronyd", "/usr/sbin/chronyd")
    evidence = found(made, service=Service("exit-code", 4))
    assert codes(evidence) == ["service-fails", "clock-shared", "boot-stale"]
    assert exit_code(examine(evidence)) == 2


def test_what_would_fail_is_a_warning_while_stratum_1_is_served(tmp_path: Path) -> None:
    made = healthy(tmp_path)
    made.process(8, "chronyd", "/usr/sbin/chronyd")
    (finding,) = findings = examine(found(made, status=status()))
    assert finding.severity is Severity.WARN
    assert exit_code(findings) == 1


@pytest.mark.parametrize(
    ("model", "section"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0", "pi5"),
        ("Raspberry Pi 4 Model B Rev 1.4", "pi4"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "pi3+"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "pi02"),
        ("Raspberry Pi Compute Module 4 Rev 1.0", "cm4"),
    ],
)
def test_the_sections_of_a_model(model: str, section: str) -> None:
    assert section in sections(model)
    assert sections("Radxa ROCK 5B") == set()
