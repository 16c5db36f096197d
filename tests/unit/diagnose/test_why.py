from __future__ import annotations

import pytest

from refclock.diagnose.notes import Devices, Notes
from refclock.diagnose.protocols import way_back
from refclock.diagnose.why import why
from refclock.diagnose.words import sentence
from refclock.discipline.bound import Budget
from refclock.discipline.mode import Mode
from refclock.events import (
    GPS0,
    PPS0,
    RTC0,
    AntennaFeed,
    Dropped,
    DropReason,
    Event,
    Feed,
    Fix,
    Found,
    LineLoad,
    Lost,
    NoTime,
    PulseEdge,
    Satellite,
    SkyView,
    TimeMessage,
)
from refclock.gnss.frames import PROTOCOLS
from refclock.published import UNKNOWN
from refclock.reasons import Code, Reason
from refclock.timebase import MILLISECOND, SECOND, Duration, Local, Mono, Utc

NOW = Mono(1000 * SECOND.ns)
OLD = NOW - 90 * SECOND
LIMIT = MILLISECOND


def message(fix: Fix, seen: Mono = NOW) -> TimeMessage:
    return TimeMessage(Utc.of(2026, 11, 23), seen, "RMC", fix)


def pulse(seen: Mono = NOW) -> PulseEdge:
    return PulseEdge(Local(0), seen, 1, 0)


def told(
    mode: Mode,
    *events: Event,
    refusal: Reason | None = None,
    bound: Duration = MILLISECOND,
) -> str:
    notes, devices = Notes(), Devices()
    for event in events:
        notes.note(event)
        devices.note(event)
    reason = why(
        mode,
        notes,
        devices.lost,
        (GPS0, PPS0),
        refusal,
        Budget(filter=bound),
        LIMIT,
        NOW,
    )
    return sentence(reason)


DROPPED = Dropped(NOW, DropReason.BINARY, "?")
SKY = SkyView(NOW, None, tuple(Satellite("GPS", n, 1, 1, None) for n in range(4)))
SENTENCE_GONE = "no sentence from the receiver"
SKY_WANTED = ": give the antenna a view of the sky"


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ((), f"{SENTENCE_GONE}: check wiring and speed"),
        ((DROPPED,), "bytes arrive from the receiver but do not decode: wrong speed, "),
        ((LineLoad(NOW, 0.9),), "bytes arrive from the receiver but do not decode"),
        ((LineLoad(OLD, 0.9),), f"{SENTENCE_GONE}: check wiring and speed"),
        (
            (message(Fix.VALID, OLD), DROPPED),
            f"{SENTENCE_GONE} for 90 s: check wiring and speed",
        ),
        (
            (message(Fix.NONE),),
            f"the receiver has no fix (it says void){SKY_WANTED}",
        ),
        (
            (message(Fix.NONE), SKY),
            "the receiver has no fix (it says void, 4 satellites in view)",
        ),
        (
            (message(Fix.VALID, OLD), message(Fix.ESTIMATED)),
            "no fix (it says estimated, not from satellites)",
        ),
        ((message(Fix.UNKNOWN),), "no fix (it says nothing of its fix)"),
        ((message(Fix.CONTRADICTION),), "no fix (it says both valid and void)"),
        (
            (message(Fix.VALID),),
            "no pulse though the receiver has a fix: check the pulse's wire",
        ),
        (
            (pulse(OLD), message(Fix.PRESUMED)),
            "no pulse for 90 s though the receiver has a fix",
        ),
        ((pulse(), message(Fix.VALID)), "waiting for the next pulse"),
        ((Lost(PPS0, NOW, "gone"),), "pulse is gone: gone"),
        (
            (Lost(PPS0, NOW, "a"), Lost(GPS0, NOW, "b")),
            "receiver is gone: b",
        ),
        ((Lost(RTC0, NOW, "no"), message(Fix.VALID), pulse()), "waiting for the next"),
        (
            (
                Lost(PPS0, NOW, "gone"),
                Found(PPS0, NOW, "/dev/pps0"),
                message(Fix.VALID),
                pulse(),
            ),
            "waiting for the next pulse",
        ),
    ],
)
def test_the_first_thing_wrong_from_the_antenna_on_is_named(
    events: tuple[Event, ...], says: str
) -> None:
    assert says in told(Mode.COLD, *events)
    assert told(Mode.HOLDOVER, *events).startswith("holding over: ")
    assert says in told(Mode.HOLDOVER, *events)


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ((), "speaks but knows no time, with 0 satellites in view" + SKY_WANTED),
        ((SKY,), "with 4 satellites in view" + SKY_WANTED),
        ((AntennaFeed(NOW, Feed.OPEN),), "in view: it finds no antenna (open)"),
        ((NoTime(NOW, Fix.PRESUMED),), "has a fix but names no date: have it send RMC"),
    ],
)
def test_who_speaks_and_names_no_time_is_not_silent(
    events: tuple[Event, ...], says: str
) -> None:
    timeless = LineLoad(NOW, 0.1), DROPPED, NoTime(NOW, Fix.NONE)
    assert says in told(Mode.COLD, *timeless, *events)
    assert SENTENCE_GONE in told(
        Mode.COLD, message(Fix.VALID, OLD), NoTime(OLD, Fix.NONE)
    )


@pytest.mark.parametrize(
    ("feed", "says"),
    [
        (Feed.WELL, SKY_WANTED),
        (Feed.OPEN, ": it finds no antenna (open): check the plug"),
        (Feed.SHORT, ": it finds its antenna shorted: check plug and cable"),
    ],
)
def test_without_a_fix_what_is_wrong_with_the_antenna_is_named(
    feed: Feed, says: str
) -> None:
    assert says in told(Mode.COLD, message(Fix.NONE), AntennaFeed(NOW, feed))


def test_of_an_antenna_that_finds_satellites_nothing_is_said() -> None:
    """One without an amplifier draws no current."""
    well = pulse(), message(Fix.VALID), AntennaFeed(NOW, Feed.OPEN)
    assert "antenna" not in told(Mode.COLD, *well)


def test_a_refusal_is_told_where_all_else_is_well() -> None:
    well = pulse(), message(Fix.VALID)
    refusal = Reason.of(Code.DATE_IMPOSSIBLE, day="1980-01-06")
    assert "it is 1980-01-06, which" in told(Mode.COLD, *well, refusal=refusal)


@pytest.mark.parametrize(
    ("mode", "bound", "says"),
    [
        (Mode.TRACK, MILLISECOND, "followed, the time is good to 1 ms"),
        (Mode.ACQUIRE, UNKNOWN, "one pulse has its second"),
        (Mode.ACQUIRE, 2 * MILLISECOND, "the bound of 2 ms is still above 1 ms"),
    ],
)
def test_while_pulses_are_used(mode: Mode, bound: Duration, says: str) -> None:
    assert says in told(mode, bound=bound)


def test_the_sky_is_remembered_by_system() -> None:
    notes = Notes()
    notes.note(SKY)
    notes.note(SkyView(NOW, 3, (Satellite("GLONASS", 70, 1, 1, None),)))
    notes.note(SkyView(NOW, None, (Satellite("GPS", 1, 1, 1, None),)))
    assert notes.tracked == {"GPS": 1, "GLONASS": 1}
    assert notes.used == 3
    notes.note(SkyView(NOW + 10 * SECOND, 0, ()))
    assert [notes.in_view(NOW + age * SECOND) for age in (15, 16)] == [2, 0]
    notes.note(SkyView(NOW + 20 * SECOND, 0, (Satellite("GPS", 1, 1, 1, None),)))
    assert notes.in_view(NOW + 20 * SECOND) == 1


@pytest.mark.parametrize("protocol", ["SiRF", "SBF", "gpsd", "RTCM3", "another"])
def test_a_foreign_protocol_is_named_with_the_way_back(protocol: str) -> None:
    frame = Dropped(NOW, DropReason.PROTOCOL, protocol)
    assert told(Mode.COLD, frame) == (
        f"the receiver speaks {protocol}: {way_back(protocol)}"
    )
    assert "speaks" not in told(Mode.COLD, Dropped(OLD, frame.reason, protocol))


def test_every_protocol_that_is_recognised_has_a_way_back() -> None:
    known = {protocol.name for protocol in PROTOCOLS}
    assert {name for name in known if way_back(name) == way_back("?")} == set()
