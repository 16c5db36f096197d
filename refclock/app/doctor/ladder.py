"""All checks, from the settings to the network, in the order in which they matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from refclock.app.doctor.boot import boot
from refclock.app.doctor.evidence import Evidence, Finding, Severity
from refclock.app.doctor.line import line
from refclock.app.doctor.pulse import pulse
from refclock.app.doctor.service import battery, clock, daemon, leap, service, settings

LADDER: Final[tuple[Callable[[Evidence], Iterator[Finding]], ...]] = (
    settings,
    service,
    boot,
    line,
    pulse,
    clock,
    daemon,
    leap,
    battery,
)
"""The order: what is wrong further up explains what is wrong below."""


def examine(evidence: Evidence) -> tuple[Finding, ...]:
    """Every finding, the first failure first, then in the ladder's order.

    While the daemon serves stratum 1, nothing stands in its way: a failure is a
    warning then, of what would not outlast the next start.
    """
    found = [each for check in LADDER for each in check(evidence)]
    if evidence.serving:
        found = [_milder(each) for each in found]
    return tuple(sorted(found, key=lambda each: each.severity is not Severity.FAIL))


def exit_code(findings: Sequence[Finding]) -> int:
    """0: nothing to do. 1: warnings. 2: a failure."""
    found = {each.severity for each in findings}
    return 2 if Severity.FAIL in found else int(Severity.WARN in found)


def _milder(finding: Finding) -> Finding:
    if finding.severity is Severity.FAIL:
        return replace(finding, severity=Severity.WARN)
    return finding
