"""A receiver that is no serial port, with a FIFO in its place; a real one is in the
kernel's tests."""

from __future__ import annotations

import os
import pty
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw.linux.line.stream import Stream, is_serial
from refclock.timebase import MILLISECOND, SECOND, ZERO, Mono


@pytest.fixture
def path(tmp_path: Path) -> str:
    made = tmp_path / "gnss0"
    os.mkfifo(made)
    return str(made)


@pytest.fixture
def stream(path: str) -> Iterator[Stream]:
    opened = Stream(path)
    yield opened
    opened.close()


def now() -> Mono:
    return Mono(time.monotonic_ns())


def test_bytes_come_raw_with_their_arrival(stream: Stream) -> None:
    began = now()
    timer = threading.Timer(0.05, stream.write, [bytes(range(256))])
    timer.start()
    chunk = stream.read(SECOND)
    timer.join()
    assert chunk is not None
    assert chunk.data == bytes(range(256))
    assert began + 50 * MILLISECOND <= chunk.first == chunk.last
    assert chunk.first < now() - 20 * MILLISECOND


def test_what_follows_within_a_moment_is_gathered(stream: Stream) -> None:
    stream.write(b"$GP")
    timer = threading.Timer(0.012, stream.write, [b"RMC"])
    timer.start()
    chunk = stream.read(SECOND)
    timer.join()
    assert chunk is not None
    assert chunk.data == b"$GPRMC"
    assert chunk.first < chunk.last


def test_silence_is_none(stream: Stream) -> None:
    assert stream.read(ZERO) is None


def test_it_has_a_name_and_no_speed(stream: Stream, path: str) -> None:
    assert stream.name == path
    assert stream.bits_per_second is None


def test_one_that_is_gone_says_so(
    stream: Stream, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.write(b"$")
    monkeypatch.setattr(os, "read", lambda *_: b"")
    with pytest.raises(OSError, match="does not answer") as gone:
        stream.read(SECOND)
    assert gone.value.filename == path


def test_one_that_is_not_there_names_the_setting() -> None:
    with pytest.raises(FileNotFoundError, match=r"\(receiver.device\)"):
        Stream("/dev/gnss77")


@pytest.mark.parametrize(("subsystem", "serial"), [("tty", True), ("gnss", False)])
def test_a_device_is_serial_by_its_subsystem(
    tmp_path: Path, subsystem: str, serial: bool
) -> None:
    device = tmp_path / "dev/char/1:3"  # the number of /dev/null
    device.mkdir(parents=True)
    (device / "subsystem").symlink_to(f"../../../class/{subsystem}")
    assert is_serial("/dev/null", tmp_path) is serial


def test_what_sysfs_does_not_list_is_taken_for_serial(tmp_path: Path) -> None:
    far, near = pty.openpty()
    assert is_serial(os.ttyname(near), tmp_path)
    assert is_serial(str(tmp_path / "not there"))
    assert is_serial(str(tmp_path))
    os.close(far)
    os.close(near)
