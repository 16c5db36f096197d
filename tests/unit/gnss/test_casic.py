from __future__ import annotations

from struct import pack

import pytest

from refclock.events import Dropped, DropReason, Fix, NoTime, TimeMessage
from refclock.gnss.casic import Casic
from refclock.gnss.framer import Binary
from refclock.timebase import MICROSECOND, MILLISECOND, SECOND, Mono, Utc

SEEN = Mono(5)
AT = Utc.of(2026, 5, 1, 11, 11, 6)


def timeutc(
    *,
    ms: int = 0,
    error_ms: float = 0.0,
    civil: tuple[int, ...] = (2026, 5, 1, 11, 11, 6),
    valid: int = 7,
    dated: int = 3,
) -> Binary:
    payload = pack("<IffHHBBBBBBBB", 1000, 1e-15, error_ms, ms, *civil, valid, 0, dated)
    return Binary("CASIC", 1, 0x10, payload, SEEN, 0)


def state(number: int, position: int, seen: Mono = SEEN) -> Binary:
    return Binary("CASIC", 1, number, pack("<IB", 0, position).ljust(72), seen, 0)


def test_nav_timeutc_names_the_time() -> None:
    (told,) = Casic().facts(timeutc(ms=200, error_ms=-0.25))
    assert told == TimeMessage(
        AT + 200 * MILLISECOND - 250 * MICROSECOND,
        SEEN,
        "CASIC-NAV-TIMEUTC",
        Fix.PRESUMED,
    )


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize(
    ("position", "fix"),
    [(0, Fix.NONE), (3, Fix.NONE), (4, Fix.ESTIMATED), (6, Fix.VALID), (7, Fix.VALID)],
)
def test_the_fix_comes_from_the_solution_beside_it(
    number: int, position: int, fix: Fix
) -> None:
    casic = Casic()
    assert casic.facts(state(number, position)) == []
    (told,) = casic.facts(timeutc())
    assert isinstance(told, TimeMessage)
    assert told.fix is fix
    stale = Casic()
    stale.facts(state(number, position, SEEN - 2 * SECOND))
    (told,) = stale.facts(timeutc())
    assert isinstance(told, TimeMessage)
    assert told.fix is Fix.PRESUMED


@pytest.mark.parametrize(
    "frame", [timeutc(valid=3), timeutc(valid=0), timeutc(dated=1)], ids=str
)
def test_a_time_that_is_not_valid_is_none(frame: Binary) -> None:
    assert Casic().facts(frame) == [NoTime(SEEN, Fix.NONE)]


@pytest.mark.parametrize(
    "frame",
    [
        timeutc(ms=1000),
        timeutc(error_ms=float("nan")),
        timeutc(error_ms=float("inf")),
        timeutc(error_ms=2.0),
        timeutc(civil=(0, 5, 1, 11, 11, 6)),
        timeutc(civil=(65535, 5, 1, 11, 11, 6)),
        timeutc(civil=(2026, 2, 30, 11, 11, 6)),
        timeutc(civil=(2026, 5, 1, 24, 11, 6)),
        timeutc(civil=(2026, 5, 1, 11, 11, 61)),
        Binary("CASIC", 1, 0x10, bytes(23), SEEN, 0),
        Binary("CASIC", 1, 0x02, bytes(4), SEEN, 0),
    ],
    ids=lambda frame: frame.payload.hex(),
)
def test_what_cannot_be_is_refused_by_name(frame: Binary) -> None:
    (told,) = Casic().facts(frame)
    assert isinstance(told, Dropped)
    assert told.reason is DropReason.FIELD
    assert told.detail.startswith(f"CASIC {frame.cls:02X} {frame.id:02X}")


def test_other_frames_tell_nothing() -> None:
    assert Casic().facts(Binary("CASIC", 5, 1, bytes(4), SEEN, 0)) == []
