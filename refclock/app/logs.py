"""Lines for the journal: escaped, and written by a thread that may wait for it.

journald waits for its disk, and whoever logs waits for journald: the engine must not.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Final, TextIO

from refclock.app.storage.disk import DiskThread
from refclock.observe.escape import escape

_WAITING: Final = 1_000
"""Lines that may wait; what is logged beyond them is lost, and counted."""
_CLOSE_S: Final = 2.0


class Lines(logging.Formatter):
    """`WARNING text` on one line; a traceback below it, line by line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line or lines, with nothing in them that does not print."""
        lines = [f"{record.levelname} {record.getMessage()}"]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        return "\n".join(map(escape, lines))


class Deferred(logging.Handler):
    """Has each line written by a thread of its own. For any thread."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(Lines())
        self._stream = stream
        self._disk = DiskThread("log", _WAITING)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Have it written; returns at once."""
        text = self.format(record)
        if self._lost:
            text = f"WARNING {self._lost} lines of the log are lost\n{text}"
        if self._disk.put(lambda: self._write(text)):
            self._lost = 0
        else:
            self._lost += 1

    def finish(self) -> None:
        """Wait a little for what is to be written yet."""
        self._disk.close(_CLOSE_S)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            self._stream.write(f"{text}\n")
            self._stream.flush()


@contextlib.contextmanager
def logging_to(stream: TextIO, level: int) -> Iterator[None]:
    """What is logged meanwhile, of `level` or above, goes to `stream`."""
    root, deferred = logging.getLogger(), Deferred(stream)
    root.addHandler(deferred)
    root.setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(deferred)
        deferred.finish()
