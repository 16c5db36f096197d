"""What a daemon is made of beside its engine: services, control, recorder.

Each is used by a thread of its own; values cross between them frozen and whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from refclock.engine.kept.recording import Entry
from refclock.server.admission.clients import ClientStatus
from refclock.server.settings import ServerSettings
from refclock.timebase import Duration

T = TypeVar("T")


class Published(Generic[T]):
    """One writer, many readers, no lock: a reader gets a whole value, never a mix."""

    def __init__(self, first: T) -> None:
        self._value = first

    def set(self, value: T) -> None:
        """Replace the value whole."""
        self._value = value

    def get(self) -> T:
        """The value as last published."""
        return self._value


class Service(Protocol):
    """A thread that answers the network."""

    def serve(self, limit: Duration) -> None:
        """Answer what comes, waiting at most `limit`."""
        ...

    def counters(self) -> dict[str, int]:
        """How many requests were received, answered and refused, by name."""
        ...

    def clients(self, most: int) -> Sequence[ClientStatus]:
        """The `most` clients with most requests."""
        ...

    def denied(self, most: int) -> Sequence[ClientStatus]:
        """Hosts that the access rules excluded, `most` at most."""
        ...

    def reload_access(self, settings: ServerSettings) -> None:
        """Use other access rules and limits. May be called from any thread."""
        ...

    def close(self) -> None:
        """Close the sockets."""
        ...


class Control(Protocol):
    """A thread that answers the operator."""

    def serve(self, limit_s: float) -> None:
        """Answer what comes, waiting at most `limit_s`."""
        ...

    def close(self) -> None:
        """Close the socket and remove its path."""
        ...


class Recorder(Protocol):
    """Writes a run to a file. May be called from any thread."""

    def write(self, line: Entry) -> None:
        """Append `line`; the order of calls is kept."""
        ...

    def close(self) -> None:
        """Write what is pending, and end."""
        ...
