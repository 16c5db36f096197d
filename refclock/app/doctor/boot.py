"""What the machine was asked for at boot, and did not get."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from refclock.app.doctor.evidence import Evidence, Finding, fail, warn

_MODELS: Final = (
    (r"Raspberry Pi 5", {"pi5"}),
    (r"Raspberry Pi 500", {"pi5", "pi500"}),
    (r"Compute Module 5", {"pi5", "cm5"}),
    (r"Raspberry Pi 4", {"pi4"}),
    (r"Raspberry Pi 400", {"pi4", "pi400"}),
    (r"Compute Module 4", {"pi4", "cm4"}),
    (r"Raspberry Pi 3 Model [AB] Plus", {"pi3", "pi3+"}),
    (r"Raspberry Pi 3|Compute Module 3", {"pi3"}),
    (r"Raspberry Pi 2", {"pi2"}),
    (r"Raspberry Pi Zero 2", {"pi02", "pi0", "pi0w"}),
    (r"Raspberry Pi Zero W", {"pi0", "pi0w"}),
    (r"Raspberry Pi Zero", {"pi0"}),
    (r"Raspberry Pi Model|Raspberry Pi Compute Module Rev", {"pi1"}),
)
"""Models and the sections of config.txt that apply to them."""
_BY_MODEL: Final = re.compile(r"pi\d.*|cm\d.*|none")
_NEEDED: Final = re.compile(
    r"enable_uart=1|dtoverlay=(pps-gpio|disable-bt|miniuart-bt|uart\d?)\b|dtparam=uart0"
)
"""What a receiver on the header takes."""


def boot(evidence: Evidence) -> Iterator[Finding]:
    """Lines of config.txt that do nothing, and what the firmware could not do."""
    told = evidence.machine.boot
    if told.stale:
        yield warn(
            "boot-stale",
            "boot settings were changed after the last boot",
            "sudo reboot",
        )
    yield from _elsewhere(evidence)
    for number in told.strange:
        yield fail(
            "boot-not-ascii",
            f"line {number} of {told.config} has a letter that is not ASCII, as a long "
            "dash of a web page",
            f"sudo nano +{number} {told.config}, and type that line again",
        )
    for warning in evidence.machine.warnings:
        yield fail(
            "firmware-warning",
            f"the firmware could not do all it was asked for: {warning}",
            f"correct the name in {told.config or 'config.txt'}",
        )


def sections(model: str) -> set[str]:
    """The sections of config.txt that apply to that model; none: not known."""
    found: set[str] = set()
    for pattern, names in _MODELS:
        if re.search(pattern + r"\b", model):
            found |= names
    return found


def _elsewhere(evidence: Evidence) -> Iterator[Finding]:
    told, model = evidence.machine.boot, evidence.machine.model or ""
    ours = sections(model)
    if not ours:
        return
    here = {line.words for line in told.lines if line.section in {"all", *ours}}
    for line in told.lines:
        foreign = _BY_MODEL.fullmatch(line.section) and line.section not in ours
        if foreign and _NEEDED.match(line.words) and line.words not in here:
            yield fail(
                "boot-section",
                f"{line.words} stands under [{line.section}] in line {line.number} of "
                f"{told.config}, and this is a {model}",
                f"move line {line.number} under [all] and reboot",
            )
