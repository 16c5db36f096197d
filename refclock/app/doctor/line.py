"""The receiver's line: whether it is on, free, and open to the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from refclock.app.doctor.evidence import Evidence, Finding, fail, is_ours, warn

_PI_5: Final = "Raspberry Pi 5"


def line(evidence: Evidence) -> Iterator[Finding]:
    """From the header's serial port to whoever has it open."""
    if evidence.on_header:
        yield from _header(evidence)
    else:
        yield from _named(evidence)
    yield from _users(evidence)
    for each in evidence.barred:
        yield fail(
            "device-barred",
            f"user {each.user} may not open {each.device} (group {each.group})",
            f"sudo usermod -aG {each.group} {each.user} && "
            "sudo systemctl restart refclock",
        )


def _header(evidence: Evidence) -> Iterator[Finding]:
    header = evidence.machine.header
    if header is None:
        return
    if not header.enabled:
        pi_5 = (evidence.machine.model or "").startswith(_PI_5)
        yield fail(
            "uart-off",
            "the serial port of the header is off",
            f"{'dtparam=uart0=on' if pi_5 else 'enable_uart=1'} under [all] in "
            f"{evidence.machine.boot.config or 'config.txt'}, and reboot",
        )
    elif header.bluetooth:
        yield fail(
            "uart-bluetooth",
            "Bluetooth has the serial port of the header",
            "dtoverlay=disable-bt under [all] in "
            f"{evidence.machine.boot.config or 'config.txt'}, and reboot",
        )
    elif header.mini:
        yield warn(
            "uart-mini",
            f"the receiver is on the mini-UART ({header.device}), whose speed follows "
            "that of the core",
            "dtoverlay=disable-bt under [all] in "
            f"{evidence.machine.boot.config or 'config.txt'}, and reboot",
        )


def _named(evidence: Evidence) -> Iterator[Finding]:
    device, header = evidence.settings.receiver.device, evidence.machine.header
    built_in = ("/dev/ttyAMA", "/dev/ttyS")
    if header and header.device and device.startswith(built_in):
        yield fail(
            "line-elsewhere",
            f"the settings name {device}, but the header is {header.device} here",
            '[receiver] device = "auto"',
        )
    elif (
        device.startswith("/dev/tty")
        and not evidence.serving
        and all(port.device != device for port in evidence.machine.ports)
    ):
        yield fail(
            "line-missing",
            f"the settings name {device}, and this machine has no such port",
            '[receiver] device = "auto", or plug the receiver in',
        )


def _users(evidence: Evidence) -> Iterator[Finding]:
    port = evidence.port
    if port is not None:
        name = port.device.rpartition("/")[2]
        if port.console:
            yield fail(
                "line-console",
                f"the kernel's console writes to {port.device}, the receiver's line",
                "remove console=serial0,115200 from "
                f"{evidence.machine.boot.command_file or 'cmdline.txt'}, and reboot",
            )
        if port.getty:
            yield fail(
                "line-getty",
                f"a login prompt waits on {port.device}, the receiver's line",
                f"sudo systemctl disable --now serial-getty@{name}.service",
            )
        for holder in port.holders:
            if not is_ours(holder) and holder.getty is None:
                yield fail(
                    "line-held",
                    f"{holder.name} (pid {holder.pid}) has {port.device} open",
                    _without(holder.name, holder.pid),
                )
    on_usb = any(each.usb for each in evidence.machine.ports)
    for program in evidence.machine.receiver_daemons:
        if program.name == "ModemManager" and on_usb:
            yield warn(
                "modem-manager",
                "ModemManager runs, and may talk to a receiver on USB",
                "sudo systemctl disable --now ModemManager",
            )


def _without(name: str, pid: int) -> str:
    if name == "gpsd":
        return "sudo systemctl disable --now gpsd.socket gpsd.service"
    return f"end it: sudo kill {pid}"
