"""What other servers are reached by: sockets, and what is done elsewhere for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from refclock.ntp.nts.records import Agreed
from refclock.timebase import Local
from refclock.upstream.settings import UpstreamSettings

Place = tuple[Any, ...]
"""A socket address, as the resolver gives it."""
T_co = TypeVar("T_co", covariant=True)


class Job(Protocol[T_co]):
    """Something that is done elsewhere and takes its time."""

    def result(self) -> T_co | None:
        """None: it is not done yet. OSError: it failed, and why."""
        ...


class Exchange(Job[Agreed], Protocol):
    """A key exchange, in a process of its own."""

    def end(self) -> None:
        """Give it up: no process of it is left."""


class Socket(Protocol):
    """A socket of a random port of ours, connected to one server."""

    @property
    def ours(self) -> str:
        """Our address towards that server."""
        ...

    def send(self, data: bytes) -> Local:
        """Send; when it left. OSError: it could not."""
        ...

    def read(self) -> tuple[bytes, Local]:
        """What has come, and when. BlockingIOError: nothing has; OSError: the port is
        closed."""
        ...

    def fileno(self) -> int:
        """To wait for it."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


class RefusedError(OSError):
    """Keys were not given, by who could be reached."""


@dataclass(frozen=True, slots=True)
class Network:
    """What servers are reached by."""

    look_up: Callable[[str, int, str], Job[Sequence[Place]]]
    exchange: Callable[[UpstreamSettings], tuple[Exchange, bool]]
    """Begin a key exchange; was the true time known, to check the certificate at?"""
    true_time: Callable[[], bool]
    """Is the true time known now?"""
