"""The settings, the service, the clock that it steers, and what it says itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from refclock.app.doctor.evidence import (
    Evidence,
    Finding,
    Severity,
    fail,
    is_ours,
    warn,
)
from refclock.integrity.monitor import CROWDED
from refclock.timebase import SECOND

_FOREIGN_UNITS: Final = {
    "chronyd": "chrony",
    "ntpd": "ntpsec ntp",
    "ntp-daemon": "ntpd-rs",
    "systemd-timesyn": "systemd-timesyncd",
}
_SOON_S: Final = 28 * 86_400
_JOURNAL: Final = "journalctl -u refclock -n 20"


def settings(evidence: Evidence) -> Iterator[Finding]:
    """Faults of the settings' file."""
    if evidence.config_fault:
        first, *rest = evidence.config_fault.splitlines()
        more = f" (and {len(rest)} more)" if rest else ""
        yield fail("settings", first + more, "correct it; refclock run --check has all")


def service(evidence: Evidence) -> Iterator[Finding]:
    """A service that does not stay up."""
    unit = evidence.service
    if unit is None or evidence.status is not None:
        return
    if unit.program_missing:
        yield fail(
            "service-program",
            "the program that the service starts is not there, or its Python is gone",
            "install it again: an upgrade of the system took its Python away",
        )
    elif unit.result not in {"", "success"}:
        yield fail(
            "service-fails",
            f"the service ended by {unit.result} and was started {unit.restarts} times "
            "again",
            _JOURNAL,
        )


def clock(evidence: Evidence) -> Iterator[Finding]:
    """Who else steers the machine's clock or has the port, and whether we may."""
    steers = evidence.settings.clock.steer
    others = [each for each in evidence.machine.time_daemons if not is_ours(each)]
    for each in others:
        if steers:
            unit = _FOREIGN_UNITS.get(each.name, each.name)
            yield fail(
                "clock-shared",
                f"{each.name} (pid {each.pid}) steers the same clock",
                f"sudo systemctl disable --now {unit}, or [clock] steer = false",
            )
    if evidence.port_taken and not (others and steers):
        yield fail(
            "port-taken",
            "another program has UDP port 123",
            "sudo ss -ulpn 'sport = :123' names it; stop it",
        )
    if steers and evidence.machine.container and not evidence.machine.may_steer:
        yield fail(
            "clock-fixed",
            f"this is a container ({evidence.machine.container}), which may not set "
            "the clock",
            "grant it CAP_SYS_TIME, or [clock] steer = false",
        )


def daemon(evidence: Evidence) -> Iterator[Finding]:
    """What the running daemon has to say; or that none runs."""
    status = evidence.status
    if status is None:
        if evidence.no_status:
            yield fail("no-daemon", evidence.no_status, "sudo systemctl start refclock")
        return
    if not evidence.serving:
        yield fail(
            status["reason_codes"][0] if status["reason_codes"] else "not-serving",
            f"{status['mode']}: {status['reason']}",
            'the README\'s chapter "When it is not stratum 1" has the way',
        )
    for alarm in status["alarms"]:
        yield warn(alarm["code"] or alarm["kind"], alarm["text"], _JOURNAL)
    yield from _numbers(status)


def leap(evidence: Evidence) -> Iterator[Finding]:
    """A table of leap seconds that ends soon or has ended."""
    expires = evidence.table_expires
    if expires is None:
        return
    left_s = (expires - evidence.now).ns / SECOND.ns
    if left_s < _SOON_S:
        ended = "ended" if left_s < 0 else "ends"
        yield warn(
            "leap-table",
            f"the table of leap seconds {ended} on {expires.iso()[:10]}",
            "sudo apt update && sudo apt install --only-upgrade tzdata",
        )


def battery(evidence: Evidence) -> Iterator[Finding]:
    """Battery clocks that lost their time."""
    for each in evidence.machine.clocks:
        if each.since_1970_s is None:
            yield warn(
                "battery",
                f"the battery clock {each.device} ({each.name}) lost its time",
                "replace its battery",
            )


def _numbers(status: Mapping[str, Any]) -> Iterator[Finding]:
    load = status["line_load"]
    if load is not None and load >= CROWDED:
        yield warn(
            "line-crowded",
            f"the receiver's line is {load:.0%} full, and its sentences come late",
            "[receiver] configure = true, or a higher speed",
        )
    for host in status["denied"][:1]:
        yield Finding(
            Severity.WARN,
            "client-denied",
            f"{host['address']} asks and is not allowed",
            f"if it should be: add {host['address']} to [server] allow",
        )
