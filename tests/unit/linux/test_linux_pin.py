"""The pulse's pin: the loop on a clock of our own, the registers in files."""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from gpiod.line import Value

from hw.linux.pulse import pin
from hw.linux.pulse.pin import REGISTERS, Registers, WatchedPin, open_pin
from refclock.timebase import Duration, Local

CLOCK, LOOK = 100, 400
"""How long each takes, ns."""


class Machine:
    """Time passes by being looked at; the level rises at `edge`."""

    def __init__(self, edge: int, falls: bool = False) -> None:
        self.ns = 0
        self.edge = edge
        self.falls = falls
        self.away: dict[int, int] = {}

    def now(self) -> int:
        self.ns += CLOCK
        return self.ns

    def look(self) -> bool:
        self.ns += LOOK // 2
        level = (self.ns >= self.edge) is not self.falls
        self.ns += LOOK // 2
        for at in [at for at in self.away if at <= self.ns]:
            self.ns += self.away.pop(at)
        return level

    def pin(self) -> WatchedPin:
        return WatchedPin("a pin", self.look, lambda: None, self.now)


@pytest.mark.parametrize("falls", [False, True])
@pytest.mark.parametrize("edge", range(1_000, 3_000, 37))
def test_the_edge_lies_within_the_bracket_of_two_turns(edge: int, falls: bool) -> None:
    found = Machine(edge, falls).pin().change(Local(10_000))
    assert found is not None
    low, high = found
    assert low.ns <= edge <= high.ns
    assert high - low == Duration(2 * (CLOCK + LOOK))


@pytest.mark.parametrize("at", range(3_000, 7_000, 250))
def test_so_it_does_whenever_somebody_else_has_the_processor(at: int) -> None:
    machine = Machine(edge=5_000)
    machine.away = {at: 20_000}
    found = machine.pin().change(Local(100_000))
    assert found is not None
    low, high = found
    assert low.ns <= 5_000 <= high.ns


def test_no_edge_until_then_is_none() -> None:
    machine = Machine(edge=1_000_000)
    assert machine.pin().change(Local(50_000)) is None
    assert 50_000 < machine.ns < 52_000


def test_an_edge_before_the_first_look_is_none() -> None:
    assert Machine(edge=0).pin().change(Local(50_000)) is None


def test_by_default_the_clock_is_that_of_the_stamps() -> None:
    levels = iter([False, False, True])
    found = WatchedPin("a pin", levels.__next__, lambda: None).change(Local(1 << 62))
    assert found is not None
    assert found[0] < found[1]
    assert found[0].ns > 1_700_000_000 * 10**9


def test_the_registers_are_where_the_documents_say() -> None:
    rp1, bcm = REGISTERS
    assert (rp1.path, rp1.levels) == ("/dev/gpiomem0", 0x10000 + 0x08)
    assert (bcm.path, bcm.levels) == ("/dev/gpiomem", 0x34)
    assert all(each.levels + 4 <= each.size for each in REGISTERS)


Memory = Callable[[int], Path]


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Memory:
    """One register block, its levels as given."""
    block = Registers(str(tmp_path / "gpiomem"), mmap.PAGESIZE, 0x34)
    monkeypatch.setattr(pin, "REGISTERS", (Registers("/nowhere", 0, 0), block))

    def write(levels: int) -> Path:
        data = bytearray(b"\xff" * block.size)
        struct.pack_into("=I", data, block.levels, levels)
        Path(block.path).write_bytes(data)
        return Path(block.path)

    return write


@pytest.mark.parametrize("number", [0, 4, 18, 27])
def test_the_level_of_a_line_is_its_bit(memory: Memory, number: int) -> None:
    for levels, level in ((1 << number, True), (~(1 << number) & 0xFFFFFFFF, False)):
        memory(levels)
        watched = open_pin(f"GPIO{number}", "auto", "auto")
        assert watched._look() is level
        watched.close()
        assert f"GPIO{number} in " in watched.name


def test_the_line_named_for_it_comes_before_the_pulses_own(memory: Memory) -> None:
    memory(1 << 5)
    watched = open_pin("GPIO18", "5", "auto")
    assert watched._look()
    watched.close()


def test_without_memory_a_second_line_is_asked_for() -> None:
    with pytest.raises(FileNotFoundError, match=r"GPIO18 in while.*measure_line"):
        open_pin("GPIO18", "auto", "auto")


@pytest.mark.parametrize(
    ("own", "chip"), [("PPS_IN", "auto"), ("GPIO40", "auto"), ("18", "other-chip")]
)
def test_only_the_headers_lines_are_in_memory(
    memory: Memory, own: str, chip: str
) -> None:
    memory(0)
    with pytest.raises(FileNotFoundError, match="wire the pulse to a second line"):
        open_pin(own, "auto", chip)


def test_a_pulse_on_no_gpio_line_needs_one_named(memory: Memory) -> None:
    memory(0)
    with pytest.raises(FileNotFoundError, match="on no GPIO line"):
        open_pin(None, "auto", "auto")
    open_pin(None, "GPIO5", "auto").close()


def test_memory_that_may_not_be_read_says_whose_group_it_takes(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(0)

    def refused(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(PermissionError, match=r"not allowed.*group gpio.*gpiomem"):
        open_pin("GPIO18", "auto", "auto")


class Request:
    """A requested line."""

    value = Value.INACTIVE
    released = False

    def get_value(self, offset: int) -> Value:
        assert offset == 7
        return self.value

    def release(self) -> None:
        self.released = True


def test_elsewhere_a_second_line_is_asked_of_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = Request()
    asked = []

    def opened(chip: str, line: str) -> tuple[Request, int, str]:
        asked.append((chip, line))
        return request, 7, "/dev/gpiochip0 PPS_ECHO"

    monkeypatch.setattr(pin, "open_input", opened)
    watched = open_pin("GPIO18", "PPS_ECHO", "auto")
    assert asked == [("auto", "PPS_ECHO")]
    assert watched.name == "/dev/gpiochip0 PPS_ECHO"
    assert not watched._look()
    request.value = Value.ACTIVE
    assert watched._look()
    watched.close()
    assert request.released
