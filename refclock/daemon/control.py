"""The control socket: one question a connection, one JSON answer.

A unix stream socket, so that the file's permissions say who may ask. The daemon
answers `status` and `clients`; the client side is what `refclock status` uses.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

_LONGEST_QUESTION: Final = 256
_PATIENCE_S: Final = 2.0

Answers = Mapping[str, Callable[[], str]]


class ControlServer:
    """Answers on a unix socket. Used by one thread."""

    def __init__(self, path: Path, answers: Answers) -> None:
        """Bind at `path`, over the remains of a dead daemon. OSError: cannot."""
        self._path = path
        self._answers = answers
        if _alive(path):
            raise OSError(f"another refclock answers at {path}; stop it first")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(str(path))
            path.chmod(0o666)
            self._socket.listen(8)
        except OSError:
            self._socket.close()
            raise

    def serve(self, limit_s: float) -> None:
        """Answer the next question, waiting at most `limit_s` for it."""
        self._socket.settimeout(limit_s)
        try:
            asker, _ = self._socket.accept()
        except TimeoutError:
            return
        with asker, contextlib.suppress(OSError):  # an asker who left harms nobody
            asker.settimeout(_PATIENCE_S)
            question = asker.recv(_LONGEST_QUESTION).decode(errors="replace").strip()
            answer = self._answers.get(question)
            asker.sendall((answer() if answer else _unknown(question)).encode())

    def close(self) -> None:
        """Take the socket away."""
        self._socket.close()
        self._path.unlink(missing_ok=True)


def ask(path: Path, question: str) -> str:
    """The daemon's answer. OSError: nobody answers at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_PATIENCE_S)
        asking.connect(str(path))
        asking.sendall(f"{question}\n".encode())
        return b"".join(iter(lambda: asking.recv(65_536), b"")).decode()


def _alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_PATIENCE_S)
        try:
            asking.connect(str(path))
        except OSError:
            return False
        return True


def _unknown(question: str) -> str:
    return f'{{"error": "no answer to {question[:20]!r}; ask status"}}'
