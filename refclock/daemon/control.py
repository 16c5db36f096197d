"""The control socket: one question a connection, one JSON answer.

A unix stream socket of mode 0660 and group `refclock`, where that group exists: its
permissions say who may ask. Connections are bounded in number and in time, so that
one who connects and is silent keeps nobody else from an answer.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import logging
import os
import selectors
import socket
import stat
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from refclock.observe.status import error_json

log = logging.getLogger("refclock")

GROUP: Final = "refclock"
LONGEST_PATH: Final = 106
"""Bytes: sockaddr_un has room for 107, and the socket is bound under a name longer
by one."""
_LONGEST_QUESTION: Final = 256
_LONGEST_ANSWER: Final = 1 << 24
_PATIENCE_S: Final = 2.0
"""For one connection, from first to last."""
_ASK_S: Final = 5.0
_AGAIN_S: Final = 0.02
_CONNECTIONS: Final = 16
_CREDENTIALS: Final = struct.Struct("iII")
"""struct ucred: process, user, group."""
_SO_PEERGROUPS: Final = 59
_GROUPS: Final = 256

Answers = Mapping[str, Callable[[bool], str]]
"""By question; the argument: may the answer list the clients?"""


class ControlServer:
    """Answers on a unix socket. Used by one thread."""

    def __init__(self, path: Path, answers: Answers, *, everyone: bool = False) -> None:
        """Listen at `path`, in place of what a dead daemon left there.

        `everyone`: any user of the machine may ask, though not for the clients.
        OSError: cannot, with the path in it.
        """
        self._path = path
        self._answers = answers
        self._everyone = everyone
        self._socket = _listening(path, 0o666 if everyone else 0o660)
        self._inode = path.stat().st_ino
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._asking: dict[socket.socket, _Connection] = {}

    def serve(self, limit_s: float) -> None:
        """Go on with every connection; wait at most `limit_s` for one of them."""
        if self._asking:
            first = min(each.until_s for each in self._asking.values())
            limit_s = min(limit_s, max(0.0, first - time.monotonic()))
        for key, _ in self._selector.select(limit_s):
            if key.fileobj is self._socket:
                self._accept()
            elif key.fileobj in self._asking:  # not dropped for another just now
                self._advance(key.fileobj)
        now = time.monotonic()
        for made in [s for s, each in self._asking.items() if each.until_s <= now]:
            self._drop(made)

    def close(self) -> None:
        """Take the socket away."""
        for made in list(self._asking):
            self._drop(made)
        self._selector.close()
        self._socket.close()
        with contextlib.suppress(OSError):  # another daemon's, or gone
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    def _accept(self) -> None:
        try:
            made, _ = self._socket.accept()
        except OSError:  # who asked has left, or there are too many open files
            return
        made.setblocking(False)
        if len(self._asking) >= _CONNECTIONS:
            self._drop(min(self._asking, key=lambda each: self._asking[each].until_s))
        self._asking[made] = _Connection(time.monotonic() + _PATIENCE_S)
        self._selector.register(made, selectors.EVENT_READ)
        self._advance(made)  # most have asked already

    def _advance(self, made: socket.socket) -> None:
        connection = self._asking[made]
        try:
            if connection.answer is None:
                part = made.recv(_LONGEST_QUESTION)
                connection.question += part
                if part and not connection.complete:
                    return
                answer = self._answer(connection.question, self._trusted(made))
                connection.answer = memoryview(answer.encode())
                self._selector.modify(made, selectors.EVENT_WRITE)
            connection.answer = connection.answer[made.send(connection.answer) :]
        except BlockingIOError:
            return
        except OSError:  # who asked has left
            self._drop(made)
            return
        if not connection.answer:
            self._drop(made)

    def _answer(self, question: bytes, trusted: bool) -> str:
        asked = question[:_LONGEST_QUESTION].decode(errors="replace").strip()
        answer = self._answers.get(asked)
        if answer is None:
            known = " or ".join(self._answers)
            return error_json(f"no answer to {asked[:20]!r}; ask {known}")
        try:
            return answer(trusted)
        except Exception:
            log.exception("the question %r could not be answered", asked)
            return error_json("the answer failed; the journal has the reason")

    def _trusted(self, made: socket.socket) -> bool:
        """May clients be listed for it? For root, our user and the socket's group."""
        if not self._everyone:
            return True
        credentials = made.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
        )
        _, user, group = _CREDENTIALS.unpack(credentials)
        wanted = self._path.stat().st_gid
        return user in {0, os.geteuid()} or wanted in {group, *_groups(made)}

    def _drop(self, made: socket.socket) -> None:
        del self._asking[made]
        self._selector.unregister(made)
        made.close()


class _Connection:
    """What one asker sent, and what is left to send."""

    def __init__(self, until_s: float) -> None:
        self.until_s = until_s
        """Monotonic; then it is closed."""
        self.question = b""
        self.answer: memoryview | None = None

    @property
    def complete(self) -> bool:
        return b"\n" in self.question or len(self.question) >= _LONGEST_QUESTION


def ask(path: Path, question: str) -> str:
    """The daemon's answer. OSError: nobody gives one at `path` in five seconds."""
    until = time.monotonic() + _ASK_S
    answer = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_ASK_S)
        while True:
            try:
                asking.connect(str(path))
                break
            except BlockingIOError:  # many others wait there to be accepted
                if time.monotonic() > until:
                    raise
                time.sleep(_AGAIN_S)
        asking.sendall(f"{question}\n".encode())
        while part := asking.recv(65_536):
            answer += part
            if len(answer) > _LONGEST_ANSWER or time.monotonic() > until:
                raise TimeoutError(errno.ETIMEDOUT, "the answer does not end")
    return answer.decode(errors="replace")


def _listening(path: Path, mode: int) -> socket.socket:
    """A socket at `path`, which appears there when it listens. OSError: cannot."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        message = f"longer than the {LONGEST_PATH} bytes a socket's path may have"
        raise OSError(errno.ENAMETOOLONG, message, str(path))
    fresh = path.with_name(f"{path.name}~")
    path.parent.mkdir(parents=True, exist_ok=True)
    for each in (path, fresh):
        _only_a_socket(each)
    if _alive(path):
        message = "another refclock answers there; stop it first"
        raise OSError(errno.EADDRINUSE, message, str(path))
    fresh.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(made.fileno(), 0o600)  # of the file too, until it has its group
        try:
            made.bind(str(fresh))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        with contextlib.suppress(KeyError, PermissionError):
            os.chown(fresh, -1, grp.getgrnam(GROUP).gr_gid)
        fresh.chmod(mode)
        made.listen(_CONNECTIONS)
        made.setblocking(False)
        fresh.rename(path)
    except OSError:
        made.close()
        raise
    return made


def _only_a_socket(path: Path) -> None:
    """OSError: something stands at `path` that is no socket, and is left alone."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            message = "it is no socket, and is left alone; name another path"
            raise FileExistsError(errno.EEXIST, message, str(path))


def _alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_PATIENCE_S)
        try:
            asking.connect(str(path))
        except OSError:
            return False
        return True


def _groups(made: socket.socket) -> tuple[int, ...]:
    """The supplementary groups of who asks; none where there are too many."""
    try:
        raw = made.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _GROUPS)
    except OSError:
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)
