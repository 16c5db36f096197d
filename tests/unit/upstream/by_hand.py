"""Servers and their answers, made by hand."""

from __future__ import annotations

from refclock.events import ServerAdded, ServerReply, Trust
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Mono, Utc
from refclock.upstream.servers import Upstreams

START = Mono(1000 * SECOND.ns)
NOON = Utc.of(2026, 12, 1, 12)
"""UTC at `START`."""


def reply(
    server: str = "a",
    *,
    after: Duration = ZERO,
    error: Duration = ZERO,
    delay: Duration = 20 * MILLISECOND,
    root: Duration = MILLISECOND,
    stratum: int = 1,
    leap: int = 0,
) -> ServerReply:
    """An answer that came `after` the start, of a server that errs by `error`."""
    return ServerReply(
        START + after,
        server,
        NOON + after + error,
        delay,
        stratum,
        leap,
        ZERO,
        root,
        bytes([192, 0, 2, 1]),
    )


def upstreams(
    errors: dict[str, Duration], trust: dict[str, Trust] | None = None
) -> Upstreams:
    """Each asked three times, a second apart, by its error."""
    made = Upstreams()
    for name, error in errors.items():
        how = (trust or {}).get(name, Trust.NOTHING)
        made.observe(ServerAdded(START, name, "192.0.2.1", how))
        for n in range(3):
            made.observe(reply(name, after=n * SECOND, error=error))
    return made
