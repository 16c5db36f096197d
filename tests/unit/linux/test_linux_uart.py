"""The receiver's line, through pyserial on pseudo terminals."""

from __future__ import annotations

import os
import pty
import threading
import time
from collections.abc import Iterator

import pytest

from hw.linux.line import uart
from hw.linux.line.uart import RATES, Proof, Uart, hunt
from refclock.board.ports import Chunk
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Mono

RMC = b"$GPRMC,111106.00,A,4807.038,N,01131.000,E,0.0,0.0,010526,,,A*5A\r\n"


class Pty:
    """A pseudo terminal: the far end, and the path of the near one."""

    def __init__(self) -> None:
        self.far, self._near = pty.openpty()
        self.path = os.ttyname(self._near)

    def hang_up(self) -> None:
        os.close(self._near)
        os.close(self.far)
        self.far = -1

    def close(self) -> None:
        if self.far >= 0:
            self.hang_up()


@pytest.fixture
def line() -> Iterator[Pty]:
    wire = Pty()
    yield wire
    wire.close()


@pytest.fixture
def port(line: Pty) -> Iterator[Uart]:
    opened = Uart(line.path, 9600)
    yield opened
    opened.close()


def now() -> Mono:
    return Mono(time.monotonic_ns())


def test_bytes_come_raw(line: Pty, port: Uart) -> None:
    every = bytes(range(256))
    os.write(line.far, every)
    chunk = port.read(SECOND)
    assert chunk is not None
    assert chunk.data == every


def test_nothing_is_echoed_and_writing_is_raw(line: Pty, port: Uart) -> None:
    os.write(line.far, b"hear\r\n")
    port.read(SECOND)
    port.write(b"\x03told\r\n")
    assert os.read(line.far, 100) == b"\x03told\r\n"


def test_silence_is_none(port: Uart) -> None:
    assert port.read(ZERO) is None


def test_the_first_byte_is_stamped_when_it_comes(line: Pty, port: Uart) -> None:
    sent: list[Mono] = []

    def send() -> None:
        sent.append(now())
        os.write(line.far, b"$")

    timer = threading.Timer(0.05, send)
    timer.start()
    chunk = port.read(SECOND)
    timer.join()
    assert chunk is not None
    assert sent[0] <= chunk.first <= now() - 20 * MILLISECOND
    assert chunk.last == chunk.first


@pytest.mark.parametrize("size", [40, 222, 1500])
def test_a_burst_in_one_write_did_not_come_before_it(
    line: Pty, port: Uart, size: int
) -> None:
    """At 9600 Bd these bytes would have needed 41 to 1560 ms."""
    sent: list[Mono] = []

    def send() -> None:
        sent.append(now())
        os.write(line.far, b"x" * size)

    for _ in range(2):
        timer = threading.Timer(0.05, send)
        timer.start()
        chunk = port.read(SECOND)
        timer.join()
        assert chunk is not None
        assert len(chunk.data) == size
        assert sent[-1] <= chunk.first <= chunk.last


def test_bytes_that_waited_came_since_the_last_look(line: Pty, port: Uart) -> None:
    """No earlier than they can have at the speed of the line."""
    os.write(line.far, b"x")
    port.read(SECOND)
    looked = now()
    time.sleep(0.3)
    os.write(line.far, b"x" * 97)
    wait_for(port, 97)
    woke = now()
    chunk = port.read(SECOND)
    assert chunk is not None
    length = Duration(96 * 10 * SECOND.ns // 9600)
    assert woke - length <= chunk.first <= woke - length + 50 * MILLISECOND
    os.write(line.far, b"x" * 970)
    wait_for(port, 970)
    chunk = port.read(SECOND)
    assert chunk is not None
    assert looked <= woke <= chunk.first


def wait_for(port: Uart, count: int) -> None:
    """The kernel passes it on when it has time."""
    for _ in range(1000):
        if port._port.in_waiting == count:
            return
        time.sleep(0.001)


def test_what_keeps_coming_is_gathered_for_150_ms(
    line: Pty, port: Uart, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    wait = time.sleep

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        os.write(line.far, b"b" * 50)
        for _ in range(1000):
            if port._port.in_waiting == 1 + 50 * len(slept):
                break
            wait(0.001)

    monkeypatch.setattr(time, "sleep", sleep)
    os.write(line.far, b"a")
    chunk = port.read(SECOND)
    assert slept == [0.025, 0.125]
    assert chunk is not None
    assert chunk.data == b"a" + b"b" * 100
    assert chunk.first < chunk.last <= now()


def test_a_fast_line_does_not_fill_the_kernel_s_buffer(line: Pty) -> None:
    fast = Uart(line.path, 460_800)
    assert fast._gather_s * 46_080 < 4096 * 0.8
    fast.close()


def test_a_pause_ends_a_chunk(line: Pty, port: Uart) -> None:
    """What comes 60 ms later belongs to another, with an arrival of its own."""
    os.write(line.far, b"a" * 50)
    timer = threading.Timer(0.06, os.write, (line.far, b"b"))
    timer.start()
    first, second = port.read(SECOND), port.read(SECOND)
    timer.join()
    assert first is not None
    assert second is not None
    assert (first.data, second.data) == (b"a" * 50, b"b")
    assert second.first - first.last >= 20 * MILLISECOND


def test_a_usb_receiver_has_no_speed(
    line: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "realpath", lambda _: "/dev/ttyACM0")
    port = Uart(line.path, 9600)
    before = now()
    os.write(line.far, b"x" * 500)
    chunk = port.read(SECOND)
    port.close()
    assert port.bits_per_second is None
    assert port.name == line.path
    assert chunk is not None
    assert before <= chunk.first <= chunk.last


def test_name_and_speed(line: Pty, port: Uart) -> None:
    assert port.name == f"{line.path} at 9600 Bd"
    assert port.bits_per_second == 9600


def test_unplugged_is_an_os_error(line: Pty, port: Uart) -> None:
    line.hang_up()
    with pytest.raises(OSError, match=r"Input/output|hung up"):
        port.read(SECOND)
    with pytest.raises(OSError):  # noqa: PT011 - whatever pyserial says
        port.write(b"x")


def test_unplugged_while_waiting_is_an_os_error(line: Pty, port: Uart) -> None:
    timer = threading.Timer(0.05, line.hang_up)
    timer.start()
    with pytest.raises(OSError, match=r"Input/output|hung up"):
        port.read(5 * SECOND)
    timer.join()


def test_an_empty_read_is_a_hang_up(
    line: Pty, port: Uart, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.write(line.far, b"x")
    monkeypatch.setattr(os, "read", lambda _line, _most: b"")
    with pytest.raises(OSError, match="does not answer"):
        port.read(SECOND)


def test_a_line_is_held_alone(line: Pty, port: Uart) -> None:
    assert port.bits_per_second
    with pytest.raises(OSError, match="another program holds it"):
        Uart(line.path, 9600)


def test_no_such_device_is_an_os_error() -> None:
    with pytest.raises(OSError, match="no such device: is the receiver plugged in"):
        Uart("/dev/no-receiver", 9600)


def test_no_terminal_is_an_os_error() -> None:
    with pytest.raises(OSError, match="is it the right device"):
        Uart("/dev/null", 9600)


def test_no_such_speed_is_an_os_error(line: Pty) -> None:
    with pytest.raises(OSError, match="not a serial line of -1 Bd"):
        Uart(line.path, -1)


def test_not_allowed_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str, _flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="dialout"):
        Uart("/dev/ttyAMA0", 9600)


def proves(heard: bytes) -> bool:
    return RMC in heard


class Tuned:
    """Lines that decode at one speed only, and garble at the others."""

    def __init__(self, right: int, *, silent: bool = False) -> None:
        self.right = right
        self.silent = silent
        self.tried: list[int] = []
        self.open = 0
        self.reads = 0

    def __call__(self, path: str, baud: int) -> Uart:
        self.tried.append(baud)
        self.open += 1
        wire = Pty()
        opened = Uart(wire.path, baud)
        if not self.silent:
            os.write(wire.far, RMC * 3 if baud == self.right else b"\x80\x00" * 400)

        def close() -> None:
            self.open -= 1
            Uart.close(opened)
            wire.close()

        def read(limit: Duration) -> Chunk | None:
            self.reads += 1
            return Uart.read(opened, limit)

        opened.close = close  # type: ignore[method-assign]
        opened.read = read  # type: ignore[method-assign]
        assert path == "/dev/gps0"
        return opened


@pytest.mark.parametrize("right", [9600, 38_400, 460_800])
def test_the_hunt_ends_at_the_right_speed(
    monkeypatch: pytest.MonkeyPatch, right: int
) -> None:
    lines = Tuned(right)
    monkeypatch.setattr(uart, "Uart", lines)
    found = hunt("/dev/gps0", proves)
    assert found.bits_per_second == right
    assert lines.tried == list(RATES[: RATES.index(right) + 1])
    assert lines.reads == len(lines.tried)  # it does not dwell on any
    assert lines.open == 1
    found.close()


def test_garbage_at_every_speed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Tuned(0)
    monkeypatch.setattr(uart, "Uart", lines)
    with pytest.raises(OSError, match="bytes arrive but do not decode"):
        hunt("/dev/gps0", proves)
    assert lines.tried == list(RATES)
    assert lines.reads == len(RATES)
    assert lines.open == 0


def test_a_silent_line_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Tuned(9600, silent=True)
    monkeypatch.setattr(uart, "Uart", lines)
    with pytest.raises(TimeoutError, match="no byte arrives"):
        hunt("/dev/gps0", proves, 50 * MILLISECOND)
    assert len(lines.tried) == 1
    assert lines.open == 0


def test_a_line_lost_in_the_hunt_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Tuned(9600)
    monkeypatch.setattr(uart, "Uart", lines)

    def lost(_uart: Uart, _proves: Proof, _listen: Duration) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(uart, "_heard", lost)
    with pytest.raises(OSError, match="Input/output"):
        hunt("/dev/gps0", proves)
    assert lines.open == 0
