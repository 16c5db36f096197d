"""What a daemon publishes while its machine's clock is right."""

from hw.linux.clock import FreeClock
from refclock.published import ClockSnapshot
from refclock.timebase import MICROSECOND, SECOND, Local, Mono, Tai

BEHIND_TAI = 37 * SECOND


def right_at(local: Local, mono: Mono) -> ClockSnapshot:
    """The clocks stand so, and the local one is UTC."""
    return ClockSnapshot(
        stratum=1,
        ref_id=b"PPS\0",
        at=mono,
        local=local,
        correction=BEHIND_TAI,
        rate=0.0,
        updated=Tai(local.ns) + BEHIND_TAI,
        bound=MICROSECOND,
        bound_rate=0.0,
        utc_behind_tai=BEHIND_TAI,
        leap=None,
        precision=-24,
    )


def right() -> ClockSnapshot:
    """This machine's clock is right."""
    return right_at(*FreeClock().read())
