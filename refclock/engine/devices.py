"""Which devices are there, and which are gone. For people; nothing judges."""

from __future__ import annotations

from refclock.events import Configured, Event, Found, Lost, SourceId, Temperature


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
