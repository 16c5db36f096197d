"""The pulse: whether there is one, of what, and how often it comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hw.linux.probe.pulses import PulseDevice
from refclock.app.doctor.evidence import Evidence, Finding, fail
from refclock.board.wiring import PulseSource

_ON_A_PIN: Final = {PulseSource.AUTO, PulseSource.KERNEL}
_OFTEN: Final = 1.7
"""Pulses a second, from which they come too often."""


def pulse(evidence: Evidence) -> Iterator[Finding]:
    """Pulse devices of the kernel, where the pulse is to come from one."""
    if evidence.settings.pulse.source not in _ON_A_PIN or evidence.serving:
        return
    every = evidence.machine.pulses
    usable = [each for each in every if not _card(each) and not _timer(each)]
    if usable:
        yield from _counted(evidence, usable)
    elif timers := [each for each in every if _timer(each)]:
        yield fail(
            "pulse-timer",
            f"{timers[0].device} is a timer of the kernel, no pulse of a receiver",
            "sudo rmmod pps-ktimer",
        )
    elif every:
        yield fail(
            "pulse-of-card",
            f"the only pulse device, {every[0].device}, is the network card's",
            _overlay(evidence),
        )
    elif evidence.machine.header is not None and not evidence.machine.has_pps_gpio:
        yield fail(
            "pulse-no-driver",
            f"the kernel {evidence.machine.kernel} has no pps-gpio",
            'another kernel, or [pulse] source = "gpio"',
        )
    elif evidence.settings.pulse.source is PulseSource.KERNEL or not any(
        each.header for each in evidence.machine.chips
    ):
        yield fail("pulse-none", "there is no pulse device", _overlay(evidence))


def _counted(evidence: Evidence, usable: list[PulseDevice]) -> Iterator[Finding]:
    """They came while we looked, or they did not, or too many did."""
    device = evidence.settings.pulse.device
    for each in usable:
        if evidence.watched_s <= 0 or device not in {"auto", each.device}:
            continue
        where = f"{each.device}" + (f" (GPIO{each.pin})" if each.pin else "")
        rate = evidence.pulses.get(each.device, 0) / evidence.watched_s
        if rate > _OFTEN:
            yield fail(
                "pulse-often",
                f"{rate:.0f} pulses a second come on {where}",
                "set the receiver to one: [receiver] configure = true",
            )
    chosen = [each for each in usable if device in {"auto", each.device}]
    if evidence.watched_s > 0 and not any(
        evidence.pulses.get(each.device, 0) for each in chosen
    ):
        names = ", ".join(each.device for each in chosen) or device
        yield fail(
            "pulse-still",
            f"no pulse came on {names} in {evidence.watched_s:.0f} s; many receivers "
            "give none before they have a fix",
            "antenna to the sky, up to 15 minutes; then the pulse's wire and gpiopin",
        )


def _card(each: PulseDevice) -> bool:
    return each.name.startswith("ptp")


def _timer(each: PulseDevice) -> bool:
    return each.name.startswith("ktimer")


def _overlay(evidence: Evidence) -> str:
    if evidence.machine.header is None:
        return "name where it comes from: [pulse] source"
    config = evidence.machine.boot.config or "config.txt"
    return (
        f"dtoverlay=pps-gpio,gpiopin=N under [all] in {config}, with the hat's pin for "
        "N, and reboot"
    )
