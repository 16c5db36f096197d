"""Edges of GPIO lines, on chips of our own."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import gpiod
import pytest
from gpiod.line import Clock as LineClock
from gpiod.line import Direction
from gpiod.line import Edge as LineEdge

from hw.linux.pulse import gpio
from hw.linux.pulse.gpio import GpioPulse, open_gpio, open_input
from refclock.board.ports import EdgeEvent
from refclock.board.wiring import WantedEdge
from refclock.events import Command, Edge
from refclock.timebase import MILLISECOND, SECOND, Local, Mono

RISE, FALL = gpiod.EdgeEvent.Type


@dataclass
class Request:
    """A requested line and the edges to come, one batch a wait."""

    settings: gpiod.LineSettings
    coming: list[list[gpiod.EdgeEvent]] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    released: bool = False

    def wait_edge_events(self, timeout: float) -> bool:
        self.waited.append(timeout)
        return bool(self.coming)

    def read_edge_events(self) -> list[gpiod.EdgeEvent]:
        return self.coming.pop(0)

    def release(self) -> None:
        self.released = True


@dataclass
class Chip:
    """A chip with named lines."""

    label: str
    lines: Mapping[str, int]
    realtime: bool = True
    holder: str | None = None
    open: int = 0
    requests: dict[int, Request] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.open -= 1

    def get_info(self) -> Chip:
        return self

    def line_offset_from_id(self, line: str) -> int:
        if line in self.lines:
            return self.lines[line]
        return int(line)  # ValueError, as gpiod

    def request_lines(
        self, config: dict[int, gpiod.LineSettings], consumer: str
    ) -> Request:
        ((offset, settings),) = config.items()
        if self.holder:
            raise OSError(errno.EBUSY, "Device or resource busy")
        if settings.event_clock is LineClock.REALTIME and not self.realtime:
            raise OSError(errno.EINVAL, "Invalid argument")
        assert consumer == "refclock"
        return self.requests.setdefault(offset, Request(settings))

    def get_line_info(self, offset: int) -> LineInfo:
        assert offset in self.lines.values()
        return LineInfo(self.holder)


@dataclass
class LineInfo:
    consumer: str | None


class Clock:
    """Local is 1000 s ahead of monotonic."""

    era = 0

    def read(self) -> tuple[Local, Mono]:
        return Local(1_010 * SECOND.ns), Mono(10 * SECOND.ns)

    def apply(self, command: Command) -> None:
        raise NotImplementedError


HEADER = {"ID_SDA": 0, "GPIO18": 18}


@pytest.fixture
def chips(monkeypatch: pytest.MonkeyPatch) -> dict[str, Chip]:
    dev: dict[str, Chip] = {}
    monkeypatch.setattr(gpiod, "Chip", dev.__getitem__)
    monkeypatch.setattr(gpio, "_all_chips", lambda: sorted(dev))
    return dev


def opened(
    chip: str = "auto", line: str = "GPIO18", edge: WantedEdge = WantedEdge.AUTO
) -> GpioPulse:
    return open_gpio(chip, line, edge, Clock())


def event(kind: gpiod.EdgeEvent.Type, ns: int, seq: int) -> gpiod.EdgeEvent:
    return gpiod.EdgeEvent(kind.value, ns, 18, seq, seq)


def told(line: GpioPulse, count: int) -> list[EdgeEvent | None]:
    return [line.wait(2 * SECOND) for _ in range(count)]


def test_edges_are_told_in_order_then_silence(chips: dict[str, Chip]) -> None:
    chips["/dev/gpiochip0"] = Chip("pinctrl-rp1", HEADER)
    line = opened()
    request = chips["/dev/gpiochip0"].requests[18]
    request.coming = [[event(RISE, 5, 1), event(FALL, 9, 2)], [event(RISE, 15, 3)]]
    assert told(line, 4) == [
        EdgeEvent(1, Local(5), Edge.ASSERT),
        EdgeEvent(1, Local(9), Edge.CLEAR),
        EdgeEvent(2, Local(15), Edge.ASSERT),
        None,
    ]
    assert request.waited == [2.0] * 3  # never while one is at hand
    assert line.name == "/dev/gpiochip0 GPIO18"
    line.close()
    assert request.released
    assert chips["/dev/gpiochip0"].open == 0


@pytest.mark.parametrize(
    ("edge", "events", "counts"),
    [
        (WantedEdge.ASSERT, [(RISE, 1), (RISE, 2), (RISE, 5)], [1, 2, 5]),
        (WantedEdge.CLEAR, [(FALL, 2), (FALL, 3)], [2, 3]),
        # a pulse lost whole; then a clear alone; then an assert alone
        (WantedEdge.AUTO, [(RISE, 1), (FALL, 2), (RISE, 5)], [1, 1, 3]),
        (WantedEdge.AUTO, [(RISE, 1), (RISE, 3), (FALL, 4)], [1, 2, 2]),
        (WantedEdge.AUTO, [(RISE, 1), (FALL, 2), (FALL, 4), (RISE, 5)], [1, 1, 2, 3]),
    ],
)
def test_each_edge_is_counted_with_those_lost(
    chips: dict[str, Chip],
    edge: WantedEdge,
    events: list[tuple[gpiod.EdgeEvent.Type, int]],
    counts: list[int],
) -> None:
    chips["/dev/gpiochip0"] = Chip("pinctrl-rp1", HEADER)
    line = opened(edge=edge)
    request = chips["/dev/gpiochip0"].requests[18]
    request.coming = [[event(kind, seq, seq) for kind, seq in events]]
    assert [flank.seq for flank in told(line, len(events)) if flank] == counts


@pytest.mark.parametrize(
    ("edge", "detected"),
    [
        (WantedEdge.AUTO, LineEdge.BOTH),
        (WantedEdge.ASSERT, LineEdge.RISING),
        (WantedEdge.CLEAR, LineEdge.FALLING),
    ],
)
def test_it_asks_for_the_edge_and_the_clock(
    chips: dict[str, Chip], edge: WantedEdge, detected: LineEdge
) -> None:
    chips["/dev/gpiochip0"] = Chip("pinctrl-rp1", HEADER)
    opened(edge=edge)
    settings = chips["/dev/gpiochip0"].requests[18].settings
    assert settings.edge_detection is detected
    assert settings.event_clock is LineClock.REALTIME


def test_an_old_kernel_s_stamps_are_carried_over(chips: dict[str, Chip]) -> None:
    chips["/dev/gpiochip0"] = Chip("pinctrl-bcm2835", HEADER, realtime=False)
    line = opened()
    request = chips["/dev/gpiochip0"].requests[18]
    request.coming = [[event(RISE, 10 * SECOND.ns - MILLISECOND.ns, 1)]]
    (flank,) = told(line, 1)
    assert flank is not None
    assert flank.at == Local(1_010 * SECOND.ns - MILLISECOND.ns)
    assert request.settings.event_clock is LineClock.MONOTONIC


PI5 = {
    "/dev/gpiochip0": Chip("gpio-brcmstb@107d508500", {"GPIO18": 3, "LED": 1}),
    "/dev/gpiochip4": Chip("pinctrl-rp1", {}),
}


@pytest.mark.parametrize(
    ("chip", "line", "path", "offset"),
    [
        ("auto", "GPIO18", "/dev/gpiochip4", 18),
        ("auto", "7", "/dev/gpiochip4", 7),
        ("auto", "LED", "/dev/gpiochip0", 1),
        ("gpio-brcmstb@107d508500", "GPIO18", "/dev/gpiochip0", 3),
        ("gpio-brcmstb@107d508500", "5", "/dev/gpiochip0", 5),
        ("/dev/gpiochip0", "GPIO18", "/dev/gpiochip0", 3),
    ],
)
def test_the_chip_is_found_by_label_and_the_line_by_name(
    chips: dict[str, Chip], chip: str, line: str, path: str, offset: int
) -> None:
    chips.update({at: Chip(each.label, each.lines) for at, each in PI5.items()})
    opened(chip, line)
    asked = [(at, each) for at, one in chips.items() for each in one.requests]
    assert asked == [(path, offset)]


@pytest.mark.parametrize(("chip", "line"), [("auto", "PPS"), ("pinctrl-rp2", "GPIO18")])
def test_what_is_not_there_is_told(
    chips: dict[str, Chip], chip: str, line: str
) -> None:
    chips.update(PI5)
    with pytest.raises(FileNotFoundError, match="gpioinfo"):
        opened(chip, line)


def test_no_number_is_guessed_on_a_chip_nobody_named(chips: dict[str, Chip]) -> None:
    chips["/dev/gpiochip0"] = Chip("gpio-pca953x", {})
    with pytest.raises(FileNotFoundError):
        opened("auto", "7")
    with pytest.raises(FileNotFoundError):
        opened("auto", "GPIO7")


def test_a_line_held_by_pps_gpio_is_explained(chips: dict[str, Chip]) -> None:
    chips["/dev/gpiochip0"] = Chip("pinctrl-rp1", HEADER, holder="pps@12")
    with pytest.raises(OSError, match=r"'pps@12'.*pulse.source = \"kernel\""):
        opened()


def test_another_refusal_comes_out_as_it_is(
    chips: dict[str, Chip], monkeypatch: pytest.MonkeyPatch
) -> None:
    chip = chips["/dev/gpiochip0"] = Chip("pinctrl-rp1", HEADER)

    def refuse(*_: object, **__: object) -> Request:
        raise OSError(errno.ENXIO, "No such device or address")

    monkeypatch.setattr(chip, "request_lines", refuse)
    with pytest.raises(OSError, match="No such device or address"):
        opened()


def test_not_allowed_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str) -> Chip:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(gpiod, "Chip", refuse)
    with pytest.raises(PermissionError, match="gpio"):
        opened("/dev/gpiochip0")


def test_a_machine_without_chips_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        opened("no-such-label")


def test_a_line_to_be_asked_for_its_level_is_an_input(chips: dict[str, Chip]) -> None:
    chip = chips["/dev/gpiochip0"] = Chip("pinctrl-bcm2711", {"PPS_ECHO": 7})
    request, offset, name = open_input("auto", "PPS_ECHO")
    assert (offset, name) == (7, "/dev/gpiochip0 PPS_ECHO")
    assert id(chip.requests[7]) == id(request)
    assert chip.requests[7].settings.direction is Direction.INPUT
    assert chip.open == 0
