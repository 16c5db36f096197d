"""The state file: read at the start, replaced whole while the service runs."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import Final

from refclock.app.storage.disk import DiskThread
from refclock.app.storage.files import read_at_most
from refclock.daemon.supervise import plain
from refclock.engine.kept.memory import Memory, MemoryLostError
from refclock.observe.escape import escape

log = logging.getLogger("refclock")

_LARGEST: Final = 1 << 20
"""Bytes of a state file."""
_CLOSE_S: Final = 5.0
_TOLD: Final = 3
"""Faults of a refused file that are logged."""


def recall(path: Path) -> Memory | None:
    """What the last run left at `path`; None, with the reason logged, if nothing.

    A file that is refused is set aside as `NAME.refused`, for whoever wants to know
    what was in it, and another is begun.
    """
    try:
        raw = read_at_most(path, _LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("state.file: %s; starting without memory", plain(error))
        return None
    if len(raw) > _LARGEST:
        reason = f"more than {_LARGEST} bytes"
    else:
        try:
            return Memory.parse(raw.decode())
        except UnicodeDecodeError:
            reason = "it is no text"
        except MemoryLostError as error:
            reason = _first(str(error).splitlines())
    log.warning(
        "state.file: %s is refused: %s. %s, and the oscillator is learned anew",
        path,
        escape(reason),
        _set_aside(path),
    )
    return None


def remember(path: Path, memory: Memory) -> None:
    """Replace the file at `path` whole, or leave it as it was.

    OSError: cannot. MemoryLostError: it could not be read back.
    """
    text = memory.text()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


class StateFile:
    """Saves in a thread of its own, of several that wait the latest. For any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._disk = DiskThread("state", 1)
        self._lock = threading.Lock()
        self._next: Memory | None = None
        self._warned = ""

    def save(self, memory: Memory) -> None:
        """Have it saved; returns at once."""
        with self._lock:
            self._next = memory
        self._disk.put(self._save)  # one that waits already takes the latest

    def close(self) -> None:
        """Wait a few seconds for what is to be saved yet."""
        if not self._disk.close(_CLOSE_S):
            log.warning("state.file: %s: the disk does not answer", self._path)

    def _save(self) -> None:
        with self._lock:
            memory, self._next = self._next, None
        if memory is None:
            return
        try:
            remember(self._path, memory)
        except OSError as error:
            self._warn(
                f"state.file: {_with(error, self._path)}; nothing will be remembered;"
                " name a path that the service may write"
            )
        except MemoryLostError as error:
            self._warn(f"not saved, the old state stays: {error}")
        else:
            self._warned = ""

    def _warn(self, text: str) -> None:
        """Log it once, until a save succeeds."""
        if text != self._warned:
            log.warning("%s", text)
        self._warned = text


def _first(faults: list[str]) -> str:
    """The first few of them on one line."""
    more = len(faults) - _TOLD
    return "; ".join(faults[:_TOLD]) + (f"; and {more} more" if more > 0 else "")


def _set_aside(path: Path) -> str:
    """Rename it; what became of it, in words."""
    aside = path.with_name(f"{path.name}.refused")
    with contextlib.suppress(OSError):
        path.replace(aside)
        return f"It is kept as {aside}"
    return "It could not be kept under another name"


def _with(error: OSError, path: Path) -> str:
    """What is wrong, with a path in it."""
    return plain(error) if error.filename else f"{path}: {plain(error)}"
