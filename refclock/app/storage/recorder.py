"""A run kept in a file, line by line; gzipped where the name ends in `.gz`.

Bounded both ways: a recording ends by itself before it fills the disk, and one that
is read may be no longer than one that is written, whatever is in it.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from refclock.app.storage.disk import DiskThread
from refclock.board.ports import ByteStream, Chunk
from refclock.daemon.supervise import plain
from refclock.engine.kept.recording import Beginning, Entry, RecordingError, read, write
from refclock.timebase import Duration

log = logging.getLogger("refclock")

_LONGEST: Final = 1 << 30
"""Characters of a recording: two weeks of an ordinary receiver."""
_LONGEST_LINE: Final = 1 << 22
_WAITING: Final = 50_000
"""Lines that may wait for the disk: some ten minutes."""
_RESERVE: Final = 32 << 20
"""Bytes left free on the disk: the state is saved there, too."""
_LOOK_EVERY: Final = 1 << 20
"""Characters between two looks at the free space."""
_CLOSE_S: Final = 5.0


class FileRecorder:
    """Keeps what it is given, in that order, in a thread of its own. For any thread.

    When the disk is full, too slow or gone the recording ends with a warning; the run
    goes on.
    """

    def __init__(self, path: Path, beginning: Beginning) -> None:
        """OSError: no such file can be written."""
        self._path = path
        self._file = _opened(path, "wt")
        self._disk = DiskThread("recorder", _WAITING)
        self._ended = threading.Event()
        self._closed = False
        self._length = self._look_at = 0
        self.write(beginning)

    def write(self, line: Entry) -> None:
        """Keep it; what comes after the end is lost. Returns at once."""
        if self._closed or self._ended.is_set():
            return
        if not self._disk.put(lambda: self._write(line)):
            self._end(f"the disk is slower than the receiver, {_WAITING} lines wait")

    def close(self) -> None:
        """No more will come. Waits a few seconds for what is to be written yet."""
        self._disk.put(self._close)
        self._closed = True
        if not self._disk.close(_CLOSE_S):
            log.warning("%s: the disk does not answer, the end is lost", self._path)

    def _write(self, line: Entry) -> None:
        if self._file.closed:
            return
        try:
            text = write(line) + "\n"
            self._file.write(text)
            self._length += len(text)
            if self._length > _LONGEST:
                self._end(f"it has {_LONGEST} characters")
            elif self._length > self._look_at:
                self._look_at = self._length + _LOOK_EVERY
                if _free(self._path) < _RESERVE:
                    self._end(f"less than {_RESERVE >> 20} MiB are free on its disk")
        except OSError as error:
            self._end(plain(error))
        except ValueError as error:  # NaN: a bug of ours, but not the clock's
            self._end(f"a value cannot be written: {error}")
        if self._ended.is_set():
            self._close()

    def _end(self, reason: str) -> None:
        if not self._ended.is_set():
            self._ended.set()
            log.warning(
                "%s: the recording ends: %s; the run goes on", self._path, reason
            )

    def _close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._end(plain(error))
            with contextlib.suppress(OSError):
                self._file.close()  # the second time it only gives the file back


class RecordedStream:
    """A receiver's line whose bytes are kept as they pass. Used by one thread."""

    def __init__(self, stream: ByteStream, recorder: FileRecorder) -> None:
        self._stream = stream
        self._recorder = recorder

    @property
    def name(self) -> str:
        """Path and speed, for people."""
        return self._stream.name

    @property
    def bits_per_second(self) -> int | None:
        """The speed of the line."""
        return self._stream.bits_per_second

    def read(self, limit: Duration) -> Chunk | None:
        """What came."""
        chunk = self._stream.read(limit)
        if chunk is not None:
            self._recorder.write(chunk)
        return chunk

    def write(self, data: bytes) -> None:
        """Send to the receiver."""
        self._stream.write(data)

    def close(self) -> None:
        """Give the line back."""
        self._stream.close()


def lines(path: Path) -> Iterator[Entry]:
    """What was kept. OSError: no such file; RecordingError: not all of it is ours."""
    length = number = 0
    with _opened(path, "rt") as file:
        try:
            while text := file.readline(_LONGEST_LINE):
                length += len(text)
                number += 1
                if text.endswith("\n"):
                    yield _numbered(text, number)
                elif len(text) == _LONGEST_LINE:
                    raise RecordingError(f"a line of over {_LONGEST_LINE} characters")
                if length > 2 * _LONGEST:
                    raise RecordingError(f"longer than {2 * _LONGEST} characters")
        except EOFError:  # what is gzipped may be torn, as may the last line
            return
        except (UnicodeDecodeError, zlib.error, gzip.BadGzipFile) as error:
            raise RecordingError(f"not a recording: {error}") from error


def _numbered(text: str, number: int) -> Entry:
    """What is written there. RecordingError: with the number of the line."""
    try:
        return read(text)
    except RecordingError as error:
        raise RecordingError(f"line {number}: {error}") from error


def _opened(path: Path, mode: str) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, mode, encoding="utf-8")  # type: ignore[return-value] # text
    return path.open(mode, encoding="utf-8")


def _free(path: Path) -> int:
    """Bytes free on the disk of `path` for who we are; OSError: not known."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize
