"""A device pumped empty into the inbox, and opened anew whenever it is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from refclock.events import Event, Found, InForce, Lost, SourceId, Tick
from refclock.timebase import Mono

_BACK_OFF_S: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


class Driver(Protocol):
    """What makes facts of a device."""

    def poll(self) -> Iterator[Event]:
        """What happened, within a bounded wait. OSError: the device is gone."""
        ...

    def close(self) -> None:
        """Give the device back."""
        ...


@dataclass(frozen=True, slots=True)
class Device:
    """A device to pump events from."""

    source: SourceId
    open: Callable[[], tuple[Driver, str]]
    """The driver on the device, and what was opened. OSError: it is not there."""
    every_s: float = 0.0
    """Pause between two polls; 0 where the poll itself waits."""


def supervise(
    device: Device,
    put: Callable[[Event], None],
    now: Callable[[], Mono],
    stop: threading.Event,
) -> None:
    """Until `stop`: `put` what happens there, and when it is lost and found.

    The longer it is away, the more seldom it is sought. Raises whatever the driver
    raises but OSError.
    """
    tries = 0
    while not stop.is_set():
        try:
            driver, opened = device.open()
            put(Found(device.source, now(), opened))
            try:
                while not stop.is_set():
                    for event in driver.poll():
                        put(of(device.source, event))
                        tries = 0
                    if device.every_s:
                        stop.wait(device.every_s)
            finally:
                driver.close()
        except OSError as error:
            put(Lost(device.source, now(), plain(error)))
            stop.wait(_BACK_OFF_S[min(tries, len(_BACK_OFF_S) - 1)])
            tries += 1


def of(source: SourceId, event: Event) -> Event:
    """`event` as a fact of that source: a driver need not know which it is."""
    if isinstance(event, Tick | InForce) or event.source == source:
        return event
    return replace(event, source=source)


def plain(error: OSError) -> str:
    """What is wrong, without the number of it."""
    if error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
