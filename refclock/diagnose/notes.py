"""The last fact of each kind, kept to explain a mode. Nothing here judges."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from refclock.events import (
    AntennaFeed,
    Configured,
    Dropped,
    DropReason,
    Event,
    Feed,
    Found,
    Identity,
    LineLoad,
    Lost,
    NoTime,
    PulseEdge,
    SkyView,
    SourceId,
    Temperature,
    TimeMessage,
)
from refclock.timebase import SECOND, Mono

_SKY_LASTS = 15 * SECOND
"""Some receivers send the sky every ten seconds, or a system at a time."""


@dataclass(slots=True)
class Notes:
    """The last fact of each kind, of one receiver and its pulse. Used by one thread."""

    pulse: PulseEdge | None = None
    message: TimeMessage | None = None
    good: TimeMessage | None = None
    """The last message with a fix."""
    no_time: NoTime | None = None
    receiver: str | None = None
    """The receiver's own name."""
    used: int | None = None
    """Satellites in the fix."""
    tracked: dict[str, int] = field(default_factory=dict)
    """Satellites in view, by system."""
    sky_at: Mono | None = None
    """When any satellite was last in view."""
    feed: Feed = Feed.WELL
    load: LineLoad | None = None
    dropped: Counter[str] = field(default_factory=Counter)
    protocol: Dropped | None = None
    """The last frame of a protocol that is not read."""

    def in_view(self, now: Mono) -> int:
        """How many satellites are in view, of all systems."""
        if self.sky_at is None or now - self.sky_at > _SKY_LASTS:
            return 0
        return sum(self.tracked.values())

    def note(self, event: Event) -> None:
        """Keep what matters of `event`."""
        match event:
            case PulseEdge():
                self.pulse = event
            case TimeMessage():
                self.message = event
                if event.fix.good:
                    self.good = event
            case NoTime():
                self.no_time = event
            case Identity(name=name):
                self.receiver = name
            case SkyView():
                self._note_sky(event)
            case AntennaFeed(feed=feed):
                self.feed = feed
            case LineLoad():
                self.load = event
            case Dropped(reason=reason):
                self.dropped[reason.value] += 1
                if reason is DropReason.PROTOCOL:
                    self.protocol = event
            case _:
                pass

    def _note_sky(self, sky: SkyView) -> None:
        if sky.used is not None:
            self.used = sky.used
        if sky.satellites:
            if not self.in_view(sky.mono):
                self.tracked.clear()
            self.sky_at = sky.mono
        for system in {each.system for each in sky.satellites}:
            self.tracked[system] = sum(each.system == system for each in sky.satellites)


class Devices:
    """What was found and lost, by source. Used by one thread."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}
        """What each device is, or why it is gone; what was configured."""
        self.lost: dict[SourceId, str] = {}
        """Devices gone, and what was said when they went."""
        self.celsius: float | None = None
        """The last reading of the thermometer nearest to the oscillator."""

    def note(self, event: Event) -> None:
        """Keep what matters of `event`."""
        match event:
            case Found(source=source, detail=detail):
                self.shown[source] = detail
                self.lost.pop(source, None)
            case Lost(source=source, why=why):
                self.lost[source] = why
                self.shown[source] = f"gone: {why}"
            case Configured(text=text):
                self.shown["configured"] = text
            case Temperature(celsius=celsius):
                self.celsius = celsius
            case _:
                pass
