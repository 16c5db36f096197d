"""The level of a GPIO line that somebody else owns, looked at without a pause.

On a Pi the level of every line of the header stands in memory, whoever owns the
line, and the group gpio may map it:

    /dev/gpiomem    GPLEV0 at 0x34, a bit a line (BCM2711 ARM Peripherals, 5.2;
                    the same from the first Pi to the Pi 4)
    /dev/gpiomem0   RIO_IN of bank 0 at 0x10008, a bit a line (RP1 Peripherals; Pi 5;
                    the kernel's pinctrl-rp1 reads a level there too)

A look is one load: under 0.1 us, over the PCIe link of a Pi 5 about 1 us. Elsewhere
the pulse can be wired to a second line too, which a system call of some us reads.
"""

from __future__ import annotations

import mmap
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from gpiod.line import Value

from hw.linux.faults import Part
from hw.linux.pulse.gpio import open_input
from refclock.timebase import Local


@dataclass(frozen=True, slots=True)
class Registers:
    """Where the levels of the header's lines are."""

    path: str
    size: int
    """Of what can be mapped, bytes."""
    levels: int
    """Offset of the word whose bit N is the level of GPIO N, bytes."""


REGISTERS: Final = (
    Registers("/dev/gpiomem0", 0x30000, 0x10008),
    Registers("/dev/gpiomem", 0x1000, 0x34),
)
REGISTER: Final = Part("pulse.measure", "gpio", "set pulse.measure_line")
_HEADER: Final = range(28)
"""GPIO0 to GPIO27."""
_WORD: Final = 4

Look = Callable[[], bool]
_REALTIME: Final = partial(time.clock_gettime_ns, time.CLOCK_REALTIME)


class WatchedPin:
    """A line, by whatever way it is looked at. Used by one thread."""

    def __init__(
        self,
        name: str,
        look: Look,
        close: Callable[[], None],
        now: Callable[[], int] = _REALTIME,
    ) -> None:
        """`now`: the clock that stamps pulses, ns."""
        self._name = name
        self._look = look
        self._close = close
        self._now = now

    @property
    def name(self) -> str:
        """Line and how it is read, for people."""
        return self._name

    def change(self, until: Local) -> tuple[Local, Local] | None:
        """Between which readings of the clock the level changed; None: not until then.

        Nothing in the loop but clock and look: a turn is all that is not known.
        """
        look, now, end = self._look, self._now, until.ns
        low = now()
        level = look()
        between = now()
        while look() is level:
            low, between = between, now()
            if between > end:
                return None
        high = now()
        return Local(low), Local(high)

    def close(self) -> None:
        """Let go of it."""
        self._close()


def open_pin(own: str | None, second: str, chip: str) -> WatchedPin:
    """The `second` line, or if that is "auto" the pulse's own, where it is on one.

    In memory if it stands there; a second line else by system calls. OSError says
    why it cannot be looked at.
    """
    wanted = own if second == "auto" else second
    if wanted is None:
        raise FileNotFoundError(
            "the pulse is on no GPIO line: wire it to one too and name that in"
            " pulse.measure_line"
        )
    number = re.fullmatch(r"(?:GPIO)?(\d+)", wanted)
    if number is not None and chip == "auto" and int(number[1]) in _HEADER:
        for registers in REGISTERS:
            if os.path.exists(registers.path):
                return _mapped(registers, int(number[1]))
    if second == "auto":
        raise FileNotFoundError(
            f"no {REGISTERS[-1].path} to see {own} in while another owns it: wire the"
            " pulse to a second line and name that in pulse.measure_line"
        )
    request, offset, name = open_input(chip, second)
    return WatchedPin(
        name, lambda: request.get_value(offset) is Value.ACTIVE, request.release
    )


def _mapped(registers: Registers, number: int) -> WatchedPin:
    """One line, by the words in memory."""
    with REGISTER.at(registers.path):
        file = os.open(registers.path, os.O_RDONLY | os.O_SYNC | os.O_CLOEXEC)
        try:
            memory = mmap.mmap(file, registers.size, mmap.MAP_SHARED, mmap.PROT_READ)
        finally:
            os.close(file)
    words = memoryview(memory).cast("I")
    index, bit = registers.levels // _WORD, 1 << number

    def close() -> None:
        words.release()
        memory.close()

    return WatchedPin(
        f"GPIO{number} in {registers.path}", lambda: words[index] & bit != 0, close
    )
