"""Carrier detect: the line discipline where it may be had, else a watching thread."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import queue
import struct
import termios
import threading
import time
from pathlib import Path

import pytest

from hw.linux.pulse import serial as pps_serial
from hw.linux.pulse.serial import DisciplinePps, WatchedPps, open_dcd
from refclock.board.ports import EdgeEvent
from refclock.board.wiring import WantedEdge
from refclock.events import Edge
from refclock.timebase import MILLISECOND, SECOND, Duration, Local


class Port:
    """A port whose carrier changes when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        path.touch()
        self.path = str(path)
        self.changes: queue.Queue[bool | OSError] = queue.Queue()
        self.carrier = False
        self.disciplines: list[int] = []
        self.refuses = False
        monkeypatch.setattr(fcntl, "ioctl", self.ioctl)

    def ioctl(self, _port: int, request: int, argument: int | bytes) -> int | bytes:
        if request == termios.TIOCMIWAIT:
            assert argument == termios.TIOCM_CD
            change = self.changes.get()
            if isinstance(change, OSError):
                raise change
            self.carrier = change
            return 0
        if request == termios.TIOCMGET:
            lines = termios.TIOCM_CTS | (termios.TIOCM_CD if self.carrier else 0)
            return struct.pack("=i", lines)
        assert request == termios.TIOCSETD
        assert isinstance(argument, bytes)
        if self.refuses:
            raise OSError(errno.EPERM, "Operation not permitted")
        self.disciplines += struct.unpack("=i", argument)
        return 0


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Port:
    monkeypatch.setattr(pps_serial, "_SETTLE", MILLISECOND)
    return Port(monkeypatch, tmp_path / "ttyS0")


def watched(port: Port, edge: WantedEdge = WantedEdge.AUTO) -> WatchedPps:
    return WatchedPps(os.open(port.path, os.O_RDONLY), port.path, edge)


def watchers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("DCD")]


def ended(port: Port, line: WatchedPps) -> None:
    """The line is closed, and its thread ends with the next change."""
    line.close()
    port.changes.put(True)
    for thread in watchers():
        thread.join(5)
    assert watchers() == []


def test_changes_are_edges_counted_apart(port: Port) -> None:
    line = watched(port)
    before = Local(time.clock_gettime_ns(time.CLOCK_REALTIME))
    for carrier in (True, False, True):
        port.changes.put(carrier)
    told = [line.wait(5 * SECOND) for _ in range(3)]
    after = Local(time.clock_gettime_ns(time.CLOCK_REALTIME))
    flanks = [flank for flank in told if flank]
    assert [(flank.seq, flank.edge) for flank in flanks] == [
        (1, Edge.ASSERT),
        (1, Edge.CLEAR),
        (2, Edge.ASSERT),
    ]
    assert before <= flanks[0].at <= flanks[1].at <= flanks[2].at <= after
    ended(port, line)


def test_the_unwanted_edge_is_not_told(port: Port) -> None:
    line = watched(port, WantedEdge.CLEAR)
    for carrier in (True, False):
        port.changes.put(carrier)
    flank = line.wait(5 * SECOND)
    assert flank is not None
    assert flank.edge is Edge.CLEAR
    ended(port, line)


def test_silence_is_none_and_blocks_nobody(port: Port) -> None:
    line = watched(port)
    assert line.wait(5 * MILLISECOND) is None
    assert all(thread.daemon for thread in watchers())
    ended(port, line)


def test_edges_nobody_fetches_are_dropped_and_missing_in_the_count(
    port: Port,
) -> None:
    line = watched(port, WantedEdge.ASSERT)
    for _ in range(20):
        port.changes.put(True)
    while not port.changes.empty():
        time.sleep(0.001)
    line.close()
    port.changes.put(True)
    for thread in watchers():
        thread.join(5)
    flanks = []
    while flank := line.wait(MILLISECOND):
        flanks.append(flank)
    assert [flank.seq for flank in flanks] == list(range(14, 22))


def test_a_port_that_goes_is_an_os_error(port: Port) -> None:
    line = watched(port)
    port.changes.put(OSError(errno.EIO, "Input/output error"))
    with pytest.raises(OSError, match="Input/output error"):
        line.wait(5 * SECOND)


def test_the_thread_closes_the_port_itself(port: Port) -> None:
    file = os.open(port.path, os.O_RDONLY)
    line = WatchedPps(file, port.path, WantedEdge.AUTO)
    os.fstat(file)
    ended(port, line)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


class Kernel:
    """A pulse device that opens at the third try, as the rules settle."""

    opened: list[str]
    closed: list[str]

    def __init__(self, path: str, edge: WantedEdge) -> None:
        Kernel.opened.append(path)
        if len(Kernel.opened) < 3:
            raise PermissionError(errno.EACCES, "Permission denied")
        self.name = path
        self.edge = edge

    def wait(self, limit: Duration) -> EdgeEvent | None:
        return EdgeEvent(limit.ns, Local(5), Edge.ASSERT)

    def close(self) -> None:
        Kernel.closed.append(self.name)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: Port) -> type[Kernel]:
    for number, path in enumerate(["/dev/ttyUSB3", port.path]):
        entry = tmp_path / f"pps{number}"
        entry.mkdir()
        (entry / "path").write_text(f"{path}\n")
    device_of = pps_serial._device_of
    monkeypatch.setattr(pps_serial, "_device_of", lambda tty: device_of(tty, tmp_path))
    monkeypatch.setattr(pps_serial, "KernelPps", Kernel)
    Kernel.opened, Kernel.closed = [], []
    return Kernel


@pytest.mark.usefixtures("kernel")
def test_the_line_discipline_s_own_device_is_read(port: Port) -> None:
    line = open_dcd(port.path, WantedEdge.ASSERT)
    assert isinstance(line, DisciplinePps)
    assert line.name == "DCD as /dev/pps1"
    assert Kernel.opened == ["/dev/pps1"] * 3
    assert line.wait(Duration(7)) == EdgeEvent(7, Local(5), Edge.ASSERT)
    assert port.disciplines == [18]
    files = len(os.listdir("/proc/self/fd"))
    line.close()
    assert Kernel.closed == ["/dev/pps1"]
    assert len(os.listdir("/proc/self/fd")) == files - 1
    assert port.disciplines == [18, 0]


@pytest.mark.usefixtures("kernel")
def test_a_port_that_was_unplugged_is_given_back_without_a_word(port: Port) -> None:
    line = open_dcd(port.path, WantedEdge.ASSERT)
    files = len(os.listdir("/proc/self/fd"))
    port.refuses = True
    line.close()
    assert len(os.listdir("/proc/self/fd")) == files - 1


def test_a_device_that_never_appears_leaves_the_port_as_it_was(port: Port) -> None:
    line = open_dcd(port.path, WantedEdge.AUTO)
    assert isinstance(line, WatchedPps)
    assert port.disciplines == [18, 0]
    ended(port, line)


def test_without_the_right_the_line_is_watched(port: Port) -> None:
    port.refuses = True
    line = open_dcd(port.path, WantedEdge.AUTO)
    assert line.name == f"DCD of {port.path}, watched"
    port.changes.put(True)
    assert line.wait(5 * SECOND)
    assert isinstance(line, WatchedPps)
    ended(port, line)


def test_a_terminal_without_such_lines_says_so() -> None:
    far, near = pty.openpty()
    line = open_dcd(os.ttyname(near), WantedEdge.AUTO)
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        line.wait(5 * SECOND)
    os.close(far)
    os.close(near)


def test_no_such_port_is_an_os_error() -> None:
    with pytest.raises(OSError, match="no such device"):
        open_dcd("/dev/no-port", WantedEdge.AUTO)
