"""Pulse devices through ioctls of our own, with the kernel's habits."""

from __future__ import annotations

import errno
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hw.abi import pps
from hw.linux.pulse.kernel import KernelPps, find, sources
from refclock.board.ports import EdgeEvent
from refclock.board.wiring import WantedEdge
from refclock.events import Edge
from refclock.timebase import MILLISECOND, SECOND, ZERO, Local

BOTH = pps.CAPTUREASSERT | pps.CAPTURECLEAR


@dataclass
class Source:
    """A pulse source as drivers/pps/pps.c serves it."""

    able: int = BOTH
    asserted: tuple[int, int, int] = (7, 100, 5)
    """Sequence, s, ns."""
    cleared: tuple[int, int, int] = (7, 100, 200_000)
    coming: list[Callable[[], None]] = field(default_factory=list)
    """What happens while it is waited, one a wait."""
    mode: int | None = None
    waits_ns: list[int] = field(default_factory=list)
    refuses: type[OSError] | None = None

    def rise(self, ns: int = 5) -> None:
        seq, s, _ = self.asserted
        self.asserted = seq + 1, s + 1, ns

    def fall(self) -> None:
        seq, s, _ = self.cleared
        self.cleared = seq + 1, s + 1, 200_000

    def ioctl(self, _file: int, request: int, room: bytearray) -> int:
        if request == pps.GETCAP:
            room[:] = struct.pack("=I", self.able | 0x1140)
        elif request == pps.SETPARAMS:
            if self.refuses:
                raise self.refuses(errno.EPERM, "no")
            version, self.mode = struct.unpack_from("=ii", room)
            assert version == 1
            assert len(room) == 40
        elif request == pps.FETCH:
            self.fetch(room)
        else:
            raise OSError(errno.ENOTTY, "no such ioctl")
        return 0

    def fetch(self, room: bytearray) -> None:
        assert len(room) == 64
        s, ns, flags = struct.unpack_from("=qiI", room, pps.TIMEOUT_AT)
        assert flags == 0
        wait_ns = s * SECOND.ns + ns
        if wait_ns:
            assert wait_ns >= 10_000_000  # else it would not wait at all
            self.waits_ns.append(wait_ns)
            if not self.coming:
                time.sleep(wait_ns * 1e-9)
                raise TimeoutError(errno.ETIMEDOUT, "timed out")
            self.coming.pop(0)()
        rise, fall = self.asserted, self.cleared
        struct.pack_into("=IIqiIqiI", room, 0, *_info(rise, fall))


def _info(rise: tuple[int, int, int], fall: tuple[int, int, int]) -> list[int]:
    return [rise[0], fall[0], rise[1], rise[2], 0, fall[1], fall[2], 0]


@pytest.fixture
def path(tmp_path: Path) -> str:
    device = tmp_path / "pps0"
    device.touch()
    return str(device)


def opened(path: str, source: Source, edge: WantedEdge = WantedEdge.AUTO) -> KernelPps:
    return KernelPps(path, edge, source.ioctl)


def test_the_old_event_is_not_told(path: str) -> None:
    line = opened(path, Source())
    assert line.wait(ZERO) is None
    line.close()


def test_an_edge_is_told_once(path: str) -> None:
    source = Source()
    line = opened(path, source)
    source.coming = [lambda: source.rise(9)]
    assert line.wait(SECOND) == EdgeEvent(8, Local(101 * SECOND.ns + 9), Edge.ASSERT)
    source.waits_ns.clear()
    assert line.wait(20 * MILLISECOND) is None
    assert len(source.waits_ns) == 1
    line.close()


def test_edges_that_came_meanwhile_are_told_in_order_without_waiting(
    path: str,
) -> None:
    source = Source()
    line = opened(path, source)
    source.rise()
    source.fall()
    source.rise()
    told = [line.wait(SECOND), line.wait(SECOND)]
    assert told == [
        EdgeEvent(8, Local(101 * SECOND.ns + 200_000), Edge.CLEAR),
        EdgeEvent(9, Local(102 * SECOND.ns + 5), Edge.ASSERT),
    ]
    assert source.waits_ns == []
    line.close()


def test_an_unwanted_edge_ends_no_wait(path: str) -> None:
    source = Source()
    line = opened(path, source, WantedEdge.ASSERT)
    source.coming = [source.fall, source.rise]
    flank = line.wait(SECOND)
    assert flank is not None
    assert flank.edge is Edge.ASSERT
    first, second = source.waits_ns
    assert 0 < second <= first <= SECOND.ns
    line.close()


def test_an_interrupted_wait_is_taken_up_again(path: str) -> None:
    source = Source()

    def interrupt() -> None:
        raise InterruptedError(errno.EINTR, "signal")

    line = opened(path, source)
    source.coming = [interrupt, source.rise]
    assert line.wait(SECOND)
    line.close()


@pytest.mark.parametrize(
    ("wanted", "able", "mode"),
    [
        (WantedEdge.AUTO, BOTH, 0x1003),
        (WantedEdge.AUTO, 1, 0x1001),
        (WantedEdge.CLEAR, BOTH, 0x1002),
    ],
)
def test_it_asks_for_what_is_wanted_and_can_be(
    path: str, wanted: WantedEdge, able: int, mode: int
) -> None:
    source = Source(able)
    opened(path, source, wanted).close()
    assert source.mode == mode


def test_a_source_without_that_edge_is_told(path: str) -> None:
    with pytest.raises(OSError, match="no such edge"):
        opened(path, Source(able=1), WantedEdge.CLEAR)


def test_without_the_right_to_choose_it_takes_what_comes(path: str) -> None:
    source = Source(refuses=PermissionError)
    line = opened(path, source)
    source.coming = [source.rise]
    assert line.wait(SECOND)
    line.close()


def test_a_device_that_vanished_is_an_os_error(path: str) -> None:
    line = opened(path, Source())
    os.unlink(path)
    with pytest.raises(OSError, match="does not answer"):
        line.wait(20 * MILLISECOND)
    line.close()


def test_what_is_no_pulse_device_is_an_os_error_and_closed(path: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Inappropriate"):
        KernelPps(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_not_allowed_names_the_rules(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: str, _flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="udev"):
        KernelPps(path)


def test_a_network_card_s_clock_is_no_receiver(tmp_path: Path) -> None:
    for number, name in enumerate(["ptp0", "usbserial0", "pps@12.-1"]):
        (tmp_path / f"pps{number}").mkdir()
        (tmp_path / f"pps{number}" / "name").write_text(f"{name}\n")
    assert list(sources(tmp_path)) == ["/dev/pps2", "/dev/pps1"]


class Rack:
    """Several devices, told apart by their files."""

    def __init__(self, folder: Path, *each: Source) -> None:
        self.paths = [str(folder / f"pps{number}") for number in range(len(each))]
        self.each = dict(zip(self.paths, each, strict=True))
        for path in self.paths:
            Path(path).touch()

    def ioctl(self, file: int, request: int, room: bytearray) -> int:
        path = os.readlink(f"/proc/self/fd/{file}")
        return self.each[path].ioctl(file, request, room)


def test_the_device_that_ticks_is_chosen(tmp_path: Path) -> None:
    ticking = Source()
    ticking.coming = [ticking.rise]
    rack = Rack(tmp_path, Source(), ticking)
    before = len(os.listdir("/proc/self/fd"))
    line = find(WantedEdge.AUTO, rack.paths, 20 * MILLISECOND, rack.ioctl)
    assert line.name == rack.paths[1]
    assert len(os.listdir("/proc/self/fd")) == before + 1
    line.close()


def test_if_none_ticks_the_first_that_opens_will_do(tmp_path: Path) -> None:
    rack = Rack(tmp_path, Source(able=0), Source(), Source())
    line = find(WantedEdge.AUTO, rack.paths, 20 * MILLISECOND, rack.ioctl)
    assert line.name == rack.paths[1]
    line.close()


def test_if_none_opens_the_reason_is_told(tmp_path: Path) -> None:
    rack = Rack(tmp_path, Source(able=0))
    with pytest.raises(OSError, match="no such edge"):
        find(WantedEdge.AUTO, rack.paths, 20 * MILLISECOND, rack.ioctl)
    with pytest.raises(OSError, match="dtoverlay=pps-gpio"):
        find(WantedEdge.AUTO, [])
