"""A run kept in a file, line by line; gzipped where the name ends in `.gz`."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from refclock.board.ports import ByteStream, Chunk
from refclock.engine.recording import Beginning, Entry, RecordingError, read, write
from refclock.timebase import Duration


class FileRecorder:
    """Keeps what it is told, in the order told. For any thread."""

    def __init__(self, path: Path, beginning: Beginning) -> None:
        """OSError: no such file can be written."""
        self._lock = threading.Lock()
        self._file = _opened(path, "wt")
        self.write(beginning)

    def write(self, line: Entry) -> None:
        """Keep it; what comes after `close` is lost."""
        with self._lock:
            if not self._file.closed:
                self._file.write(write(line) + "\n")

    def close(self) -> None:
        """No more will come."""
        with self._lock:
            self._file.close()


class RecordedStream:
    """A receiver's line whose bytes are kept as they pass. Used by one thread."""

    def __init__(self, stream: ByteStream, tape: FileRecorder) -> None:
        self._stream = stream
        self._tape = tape

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
            self._tape.write(chunk)
        return chunk

    def write(self, data: bytes) -> None:
        """Send to the receiver."""
        self._stream.write(data)

    def close(self) -> None:
        """Give the line back."""
        self._stream.close()


def lines(path: Path) -> Iterator[Entry]:
    """What was kept. OSError: no such file; RecordingError: not all of it is ours."""
    with _opened(path, "rt") as file:
        try:
            for text in file:
                if text.endswith("\n"):  # the last line may be torn
                    yield read(text)
        except EOFError:  # and so may be what is gzipped
            return
        except (UnicodeDecodeError, zlib.error) as error:
            raise RecordingError(f"not a recording: {error}") from error


def _opened(path: Path, mode: str) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, mode)  # type: ignore[return-value] # text mode
    return path.open(mode)
