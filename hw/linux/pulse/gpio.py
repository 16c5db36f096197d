"""The pulse as an edge of a GPIO line, stamped by the kernel's interrupt: gpiod 2.x.

The chip is found by its label, since its number moves with board and kernel;
the line by its name. The kernel stamps by CLOCK_REALTIME from Linux 5.11 on;
before that by CLOCK_MONOTONIC, carried over by a reading of both.
"""

from __future__ import annotations

import errno
import re
from collections import deque
from pathlib import Path
from typing import Final

import gpiod
from gpiod.line import Clock, Direction
from gpiod.line import Edge as LineEdge

from hw.linux.faults import Part
from refclock.board.ports import EdgeEvent, SystemClock
from refclock.board.wiring import WantedEdge
from refclock.events import Edge
from refclock.timebase import Duration, Local, Mono

HEADER: Final = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""Labels of the chips behind a Pi's 40-pin header: Pi 5, Pi 4, all before."""

LINE: Final = Part(
    "pulse.chip, pulse.line", "gpio", "`gpiodetect` shows the chips there are"
)
_DETECT: Final = {
    WantedEdge.AUTO: LineEdge.BOTH,
    WantedEdge.ASSERT: LineEdge.RISING,
    WantedEdge.CLEAR: LineEdge.FALLING,
}
_EDGE: Final = {
    gpiod.EdgeEvent.Type.RISING_EDGE: Edge.ASSERT,
    gpiod.EdgeEvent.Type.FALLING_EDGE: Edge.CLEAR,
}
_OTHER: Final = {Edge.ASSERT: Edge.CLEAR, Edge.CLEAR: Edge.ASSERT}


class GpioPulse:
    """One requested line. Used by one thread."""

    def __init__(
        self,
        request: gpiod.LineRequest,
        name: str,
        edge: WantedEdge,
        monotonic: SystemClock | None,
    ) -> None:
        """`monotonic`: the clock that carries stamps over, where they need it."""
        self._request = request
        self._name = name
        self._both = edge is WantedEdge.AUTO
        self._monotonic = monotonic
        self._last = 0
        self._count = dict.fromkeys(Edge, 0)
        self._fresh: deque[EdgeEvent] = deque()

    @property
    def name(self) -> str:
        """Chip and line, for people."""
        return self._name

    def wait(self, limit: Duration) -> EdgeEvent | None:
        """The next edge not yet told, or None when none came within `limit`.

        OSError: the chip is gone.
        """
        with LINE.at(self._name):
            if not self._fresh and self._request.wait_edge_events(limit.seconds):
                self._fresh.extend(map(self._flank, self._request.read_edge_events()))
        return self._fresh.popleft() if self._fresh else None

    def close(self) -> None:
        """Give the line back."""
        self._request.release()

    def _flank(self, event: gpiod.EdgeEvent) -> EdgeEvent:
        edge = _EDGE[event.event_type]
        lost = event.line_seqno - self._last - 1
        self._last = event.line_seqno
        if self._both:  # the line counts both edges, and they alternate
            self._count[_OTHER[edge]] += lost - lost // 2
            lost //= 2
        self._count[edge] += 1 + lost
        return EdgeEvent(self._count[edge], self._local(event.timestamp_ns), edge)

    def _local(self, stamp_ns: int) -> Local:
        if self._monotonic is None:
            return Local(stamp_ns)
        local, mono = self._monotonic.read()
        return local - (mono - Mono(stamp_ns))


def open_gpio(chip: str, line: str, edge: WantedEdge, clock: SystemClock) -> GpioPulse:
    """The line of that name or offset, on the chip of that path or label.

    "auto" is the header's chip, else one that has a line of that name. OSError
    says what is missing or in the way.
    """
    path, offset = _find(chip, line)
    name = f"{path} {line}"
    with LINE.at(name), gpiod.Chip(path) as opened:
        try:
            request, realtime = _request(opened, offset, edge)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            holder = opened.get_line_info(offset).consumer
            raise OSError(
                f"{name} is held by {holder!r}; if that is pps-gpio there is a"
                ' /dev/ppsN: set pulse.source = "kernel"'
            ) from error
    return GpioPulse(request, name, edge, None if realtime else clock)


def open_input(chip: str, line: str) -> tuple[gpiod.LineRequest, int, str]:
    """The line of that name or offset, to ask for its level: with its offset and its
    name for people. OSError says what is missing or in the way."""
    path, offset = _find(chip, line)
    name = f"{path} {line}"
    with LINE.at(name), gpiod.Chip(path) as opened:
        settings = gpiod.LineSettings(direction=Direction.INPUT)
        request = opened.request_lines({offset: settings}, consumer="refclock")
    return request, offset, name


def _request(
    chip: gpiod.Chip, offset: int, edge: WantedEdge
) -> tuple[gpiod.LineRequest, bool]:
    """The line, and whether it is stamped by CLOCK_REALTIME."""

    def stamped_by(clock: Clock) -> gpiod.LineRequest:
        settings = gpiod.LineSettings(edge_detection=_DETECT[edge], event_clock=clock)
        return chip.request_lines({offset: settings}, consumer="refclock")

    try:
        return stamped_by(Clock.REALTIME), True
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return stamped_by(Clock.MONOTONIC), False


def _find(chip: str, line: str) -> tuple[str, int]:
    """Path of the chip and offset of the line; the header's chip before others.

    A chip that cannot be opened is none, unless there is no other.
    """
    found: list[tuple[bool, str, int]] = []
    refusal: OSError = FileNotFoundError(
        f"no GPIO line {line} on chip {chip}: `gpioinfo` shows what there is; set"
        " pulse.chip and pulse.line"
    )
    for path in [chip] if chip.startswith("/") else _all_chips():
        try:
            with LINE.at(path), gpiod.Chip(path) as opened:
                label = opened.get_info().label
                if chip in {"auto", path, label}:
                    header = label in HEADER
                    offset = _offset(opened, line, numbered=header or chip != "auto")
                    if offset is not None:
                        found.append((not header, path, offset))
        except OSError as error:
            refusal = error
    if not found:
        raise refusal
    _, path, offset = min(found)
    return path, offset


def _offset(chip: gpiod.Chip, line: str, *, numbered: bool) -> int | None:
    """Where the line is; `numbered`: GPIO18 is line 18 there, named or not."""
    if line.isdigit() and not numbered:
        return None
    try:
        return chip.line_offset_from_id(line)
    except (ValueError, OSError):
        number = re.fullmatch(r"GPIO(\d+)", line)
        return int(number[1]) if numbered and number else None


def _all_chips() -> list[str]:
    paths = map(str, Path("/dev").glob("gpiochip*"))
    return sorted(path for path in paths if gpiod.is_gpiochip_device(path))
