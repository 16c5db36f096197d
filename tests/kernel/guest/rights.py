"""Runs in the guest: what a user without rights is told."""

from __future__ import annotations

import os

from hw.linux import i2c
from hw.linux.clock import KernelClock
from hw.linux.line.uart import Uart
from hw.linux.pulse.gpio import open_gpio
from hw.linux.pulse.kernel import KernelPps
from refclock.board.wiring import WantedEdge
from refclock.events import SetRate
from tests.kernel.guest.chips import bus_with
from tests.kernel.guest.pulse import PULSE
from tests.kernel.guest.receiver import UART
from tests.kernel.guest.refusal import refusal

_NOBODY = 65_534


def refusals() -> dict[str, str]:
    """Of each device, and of the clock."""
    clock = KernelClock()

    def steer() -> KernelPps:
        clock.apply(SetRate(0.0))
        return KernelPps(PULSE)

    with bus_with() as (bus, _):
        os.seteuid(_NOBODY)
        try:
            return {
                "pulse": refusal(lambda: KernelPps(PULSE)),
                "gpio": refusal(
                    lambda: open_gpio("auto", "GPIO18", WantedEdge.AUTO, clock)
                ),
                "uart": refusal(lambda: Uart(UART, 9600)),
                "bus": refusal(lambda: i2c.open_rtc(bus)),
                "clock": refusal(steer),
            }
        finally:
            os.seteuid(0)
