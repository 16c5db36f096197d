"""What standard output is: closed, a pipe, a narrow encoding, or a terminal to fill."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from types import FrameType
from typing import Final, TextIO

_ASCII: Final = {"±": "+-", "µ": "u", "°": "deg "}
_NARROW: Final = "refclock.narrow"
_INDENT: Final = " " * 11
"""Where a status page's values begin: a long line goes on there."""
_SMALLEST: Final = 20, 4
"""Columns and rows of the smallest terminal that a page is fitted to."""

_ALTERNATE, _NORMAL = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_PAGE = "\x1b[H", "\x1b[K", "\x1b[J"
_COLOURS: Final = {
    "TRACK": "\x1b[32m",
    "ACQUIRE": "\x1b[36m",
    "HOLDOVER": "\x1b[33m",
    "COLD": "\x1b[33m",
    "ALARM": "\x1b[1;31m",
}
_NO_COLOUR: Final = "\x1b[0m"


def prepare_streams() -> None:
    """Open closed standard streams on /dev/null; let no encoding refuse a character.

    A stream that was closed at the start would leave its number to the next file or
    socket, which prints would then be written into.
    """
    for name, mode in ("stdin", "r"), ("stdout", "w"), ("stderr", "w"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for good
    codecs.register_error(_NARROW, _narrowed)
    for stream in sys.stdout, sys.stderr:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_NARROW)


def _narrowed(error: UnicodeError) -> tuple[str, int]:
    """In place of characters that the stream's encoding lacks, what ASCII has."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_ASCII.get(each, "?") for each in lacking), error.end


def silence(stream: TextIO) -> None:
    """Send what is still to be written to `stream` nowhere: nobody can read it."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def fitted(page: str, columns: int, rows: int) -> list[str]:
    """The lines of `page` in so much room: long ones are wrapped, the last left out.

    Alarms come second, so that they are never among those left out.
    """
    columns, rows = max(columns, _SMALLEST[0]), max(rows, _SMALLEST[1])
    lines = page.splitlines()
    alarms = [line for line in lines[1:] if line.startswith("ALARM")]
    others = [line for line in lines[1:] if not line.startswith("ALARM")]
    ordered = [
        part
        for line in (*lines[:1], *alarms, *others)
        for part in _wrapped(line, columns)
    ]
    if len(ordered) <= rows:
        return ordered
    return [*ordered[: rows - 1], f"... {len(ordered) - rows + 1} more lines"[:columns]]


def _wrapped(line: str, columns: int) -> Sequence[str]:
    if len(line) <= columns:
        return [line]
    indent = _INDENT if columns > 2 * len(_INDENT) else ""
    head, rest = line[: len(indent)], line[len(indent) :]
    parts = wrap(rest, columns - len(indent), drop_whitespace=True)
    return [f"{head if not n else indent}{part}" for n, part in enumerate(parts)]


@contextmanager
def _signals_that_end(first: Callable[[], None]) -> Iterator[None]:
    """SIGTERM, and SIGHUP of a closed terminal, end the process as ever, after `first`.

    Signals that have a handler already, or are ignored, are left alone.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        first()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    ours = []
    if threading.current_thread() is threading.main_thread():
        for number in signal.SIGTERM, signal.SIGHUP:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)
                ours.append(number)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


class Screen:
    """A page shown again and again: in place on a terminal, one after the other else.

    Used by one thread. OSError: the terminal is gone.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.live = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        """Is the page redrawn in place?"""
        self._coloured = self.live and not os.environ.get("NO_COLOR")

    @contextmanager
    def opened(self) -> Iterator[Screen]:
        """The terminal's other screen, without a cursor; the old one comes back."""
        if not self.live:
            yield self
            return
        self._out.write(_ALTERNATE)
        try:
            with _signals_that_end(self._leave):
                yield self
        finally:
            self._leave()

    def _leave(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # gone, or being written to
            self._out.write(_NORMAL)
            self._out.flush()

    def show(self, page: str) -> None:
        """Replace the last page by this one."""
        if self.live:
            columns, rows = shutil.get_terminal_size()
            lines = [self._drawn(line) for line in fitted(page, columns, rows)]
            body = f"{_REST_OF_LINE}\n".join([*lines, ""])
            self._out.write(f"{_HOME}{body[:-1]}{_REST_OF_PAGE}")
        else:
            self._out.write(f"{page}\n")
        self._out.flush()

    def _drawn(self, line: str) -> str:
        word = line.split(" ", 1)[0]
        if not self._coloured or word not in _COLOURS:
            return line
        return f"{_COLOURS[word]}{word}{_NO_COLOUR}{line[len(word) :]}"
