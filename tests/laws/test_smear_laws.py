"""Laws of the smear: true for every leap second, either way, at every moment."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from refclock.ntp.packet import Packet
from refclock.published import STALE_AFTER, ClockSnapshot
from refclock.server.reply import ReplyTemplate, answers
from refclock.server.smear import Smear, smeared, window
from refclock.timebase import (
    DAY,
    HOUR,
    MICROSECOND,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    Local,
    Mono,
    Tai,
    Utc,
)

MIDNIGHT = Utc.of(2035, 1, 1)
MONO = Mono(77 * DAY.ns)
LOCAL = Local(5 * SECOND.ns)
ROUNDING = Duration(3)

INSERTED = LeapSecond.ending(MIDNIGHT, 37 * SECOND, 38 * SECOND)
DELETED_BEFORE = LeapSecond.ending(Utc.of(2034, 7, 1), 38 * SECOND, 37 * SECOND)
DELETED = LeapSecond.ending(MIDNIGHT, 37 * SECOND, 36 * SECOND)

leaps = st.sampled_from([INSERTED, DELETED])
rates = st.floats(-5e-4, 5e-4)
ages = st.integers(0, STALE_AFTER.ns - 1).map(Duration)


@st.composite
def cases(draw: st.DrawFn) -> tuple[LeapSecond, Tai]:
    """A leap second and a moment: within two days, often near a corner."""
    leap = draw(leaps)
    corner = draw(st.sampled_from([*window(leap), leap.at]))
    away = st.integers(-2 * DAY.ns, 2 * DAY.ns) | st.integers(-(10**11), 10**11)
    return leap, corner + Duration(draw(away))


def published(leap: LeapSecond, tai: Tai, rate: float, late: Duration) -> ClockSnapshot:
    """What the engine said `late` before `tai`, of a clock that knows nothing."""
    then = Tai(tai.ns - late.ns - round(late.ns * rate))
    begun = then >= leap.at
    return ClockSnapshot(
        stratum=1,
        ref_id=b"PPS\0",
        at=MONO - late,
        local=LOCAL,
        correction=Duration(then.ns - LOCAL.ns),
        rate=rate,
        updated=then - SECOND,
        bound=MICROSECOND,
        bound_rate=0.0,
        utc_behind_tai=leap.after if begun else leap.before,
        leap=None if begun else leap,
        precision=-23,
    )


def told(leap: LeapSecond, tai: Tai, rate: float = 0.0, late: Duration = ZERO) -> Utc:
    """What a listener that smears calls the instant `tai`."""
    said = smeared(published(leap, tai, rate, late), leap, MONO)
    return said.posix(said.tai(said.local + late, said.realtime_offset))


@given(cases())
def test_outside_the_window_it_is_utc(case: tuple[LeapSecond, Tai]) -> None:
    leap, tai = case
    begin, end = window(leap)
    behind = Duration(tai.ns - told(leap, tai).ns)
    if tai <= begin:
        assert behind == leap.before
    elif tai >= end:
        assert behind == leap.after
    else:
        assert min(leap.before, leap.after) <= behind <= max(leap.before, leap.after)


@given(cases(), rates, ages)
def test_it_depends_on_the_instant_alone(
    case: tuple[LeapSecond, Tai], rate: float, late: Duration
) -> None:
    """However old the publication is, and however fast our own clock runs."""
    leap, tai = case
    assert abs(told(leap, tai, rate, late) - told(leap, tai)) <= ROUNDING


@given(cases(), st.integers(0, 10**12) | st.integers(0, 10**6))
def test_it_is_continuous_and_never_goes_back(
    case: tuple[LeapSecond, Tai], step: int
) -> None:
    leap, tai = case
    went = (told(leap, tai + Duration(step)) - told(leap, tai)).ns
    assert went >= 0
    assert abs(went - step) <= step * 11.6e-6 + ROUNDING.ns


@given(leaps)
def test_in_the_middle_of_the_leap_second_it_is_half_way(leap: LeapSecond) -> None:
    middle = leap.at + 500 * MILLISECOND
    behind = Duration(middle.ns - told(leap, middle).ns)
    assert 2 * behind == leap.before + leap.after
    begin, end = window(leap)
    assert middle - begin == end - middle
    assert begin.ns - leap.before.ns == (MIDNIGHT - 12 * HOUR).ns
    assert end.ns - leap.after.ns == (MIDNIGHT + 12 * HOUR).ns


@given(cases(), ages)
def test_a_reply_announces_nothing_and_keeps_the_order(
    case: tuple[LeapSecond, Tai], late: Duration
) -> None:
    leap, tai = case
    snapshot = published(leap, tai, 0.0, late)
    said = Smear([leap])(snapshot, MONO)
    assert said == Smear([] if snapshot.leap else [leap])(snapshot, MONO)
    by = leap.before - leap.after
    for step in (ZERO, by, -by):  # as the kernel does for the leap second
        realtime_offset = said.realtime_offset + step
        assert said.synchronised(MONO, realtime_offset) == snapshot.synchronised(
            MONO, realtime_offset
        )
    local = snapshot.local + late
    moment = ReplyTemplate(said, local, MONO)
    into = bytearray(48)
    moment.begin(bytearray(48), into, answers(symmetric=False)[0x23:0x24], [local.ns])
    moment.finish(into, [1], local.ns, 0)
    reply = Packet.decode(bytes(into))
    assert (reply.leap, reply.stratum) == (0, 1)
    now = told(leap, tai, 0.0, late)
    assert abs(reply.transmit.near(now) - now) <= ROUNDING
    assert reply.reference.near(now) <= reply.receive.near(now)


@given(leaps, st.integers(0, 2 * DAY.ns), st.integers(0, DAY.ns))
def test_when_the_clock_was_set_is_told_on_the_same_scale(
    leap: LeapSecond, into: int, ago: int
) -> None:
    begin, end = window(leap)
    tai = min(begin + Duration(into), end - SECOND)
    updated = tai - Duration(ago)
    snapshot = replace(published(leap, tai, 0.0, ZERO), updated=updated)
    said = smeared(snapshot, leap, MONO)
    assert abs(said.posix(said.updated) - told(leap, updated)) <= ROUNDING


def test_leap_seconds_seen_announced_are_remembered() -> None:
    smear = Smear([DELETED_BEFORE])
    for hours in (-1, 1):
        tai = INSERTED.at + hours * HOUR
        assert smear(published(INSERTED, tai, 0.0, ZERO), MONO).utc_behind_tai == (
            INSERTED.before
        )
    later = replace(INSERTED, at=INSERTED.at + 181 * DAY)
    after = replace(published(INSERTED, INSERTED.at + HOUR, 0.0, ZERO), leap=later)
    assert smear(after, MONO) == smeared(after, INSERTED, MONO)
