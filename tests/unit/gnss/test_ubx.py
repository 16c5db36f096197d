from __future__ import annotations

from struct import pack

import pytest

from refclock.events import (
    AntennaFeed,
    Dropped,
    DropReason,
    Feed,
    Fix,
    Identity,
    Interference,
    LeapNotice,
    NoTime,
    Position,
    Satellite,
    Sawtooth,
    SkyView,
    TimeMessage,
)
from refclock.gnss.framer import Binary
from refclock.gnss.ubx import Fact, Ubx
from refclock.timebase import NANOSECOND, SECOND, Duration, LeapSecond, Mono, Utc

SEEN = Mono(5)
AT = Utc.of(2026, 5, 1, 11, 11, 6)
CIVIL = (2026, 5, 1, 11, 11, 6)
KNOWN = {
    (0x01, 0x03), (0x01, 0x07), (0x01, 0x21), (0x01, 0x26), (0x01, 0x35),
    (0x0A, 0x04), (0x0A, 0x09), (0x0A, 0x38), (0x0D, 0x01), (0x27, 0x09),
}  # fmt: skip


def frame(cls: int, number: int, payload: bytes) -> Binary:
    return Binary("UBX", cls, number, payload, SEEN, 0)


def say(cls: int, number: int, payload: bytes) -> list[Fact]:
    return Ubx().facts(frame(cls, number, payload))


def pvt(
    civil: tuple[int, ...] = CIVIL,
    *,
    valid: int = 0x37,
    accuracy: int = 21,
    nano: int = 0,
    fix: int = 3,
    flags: int = 1,
) -> bytes:
    head = pack("<IHBBBBBBIiBB", 0, *civil, valid, accuracy, nano, fix, flags)
    place = pack("<BBiiii", 0, 12, 75_000_000, -450_000_000, 300_000, 250_500)
    return (head + place).ljust(92, b"\0")


def timeutc(valid: int, civil: tuple[int, ...] = CIVIL, nano: int = 0) -> bytes:
    return pack("<IIiHBBBBBB", 0, 30, nano, *civil, valid)


def timels(
    *, source: int = 2, now: int = 18, change: int = 0, until: int = 0, valid: int = 3
) -> bytes:
    date = (1929, 7)  # the Saturday 2016-12-31
    return pack("<IB3xBbBbiHH3xB", 0, 0, source, now, 2, change, until, *date, valid)


def test_nav_pvt_tells_time_and_place() -> None:
    message, where = say(1, 7, pvt(nano=-1))
    accuracy = Duration(21)
    assert message == TimeMessage(
        AT - NANOSECOND, SEEN, "UBX-NAV-PVT", Fix.VALID, accuracy=accuracy
    )
    assert isinstance(where, Position)
    place = (where.latitude, where.longitude, where.altitude_m)
    assert place == pytest.approx((-45.0, 7.5, 250.5))


@pytest.mark.parametrize(
    ("payload", "fix"),
    [
        (pvt(), Fix.VALID),
        (pvt(fix=2), Fix.VALID),
        (pvt(fix=5), Fix.VALID),
        (pvt(valid=0x33), Fix.NONE),
        (pvt(flags=0), Fix.NONE),
        (pvt(fix=0), Fix.NONE),
        (pvt(fix=1), Fix.ESTIMATED),
        (pvt(accuracy=500_000_001), Fix.NONE),
        (pvt(accuracy=500_000_000), Fix.VALID),
    ],
)
def test_nav_pvt_is_believed_only_whole(payload: bytes, fix: Fix) -> None:
    (message,) = [told for told in say(1, 7, payload) if isinstance(told, TimeMessage)]
    assert message.fix is fix


@pytest.mark.parametrize("valid", [0, 1, 2, 4, 5, 6])
def test_without_date_or_time_none_is_told(valid: int) -> None:
    timeless, *_ = say(1, 7, pvt(valid=valid))
    assert timeless == NoTime(SEEN, Fix.NONE)
    assert say(1, 0x21, timeutc(valid)) == [timeless]


@pytest.mark.parametrize("fix", [0, 1, 5])
def test_only_a_fix_in_place_tells_a_place(fix: int) -> None:
    assert not [told for told in say(1, 7, pvt(fix=fix)) if isinstance(told, Position)]


@pytest.mark.parametrize(("valid", "fix"), [(7, Fix.VALID), (3, Fix.NONE)])
def test_nav_timeutc(valid: int, fix: Fix) -> None:
    (message,) = say(1, 0x21, timeutc(valid, nano=321_732))
    accuracy = Duration(30)
    assert message == TimeMessage(
        AT + Duration(321_732), SEEN, "UBX-NAV-TIMEUTC", fix, accuracy=accuracy
    )


def test_second_sixty() -> None:
    (message,) = say(1, 0x21, timeutc(7, (2016, 12, 31, 23, 59, 60)))
    assert isinstance(message, TimeMessage)
    assert (message.utc, message.leap_second) == (Utc.of(2017, 1, 1), True)
    (message,) = say(1, 0x21, timeutc(7, (2016, 12, 31, 23, 59, 59)))
    assert isinstance(message, TimeMessage)
    assert message.leap_second is False


@pytest.mark.parametrize(
    "civil",
    [
        (2026, 13, 1, 0, 0, 0),
        (2026, 2, 30, 0, 0, 0),
        (2026, 1, 1, 24, 0, 0),
        (2026, 1, 1, 0, 0, 61),
    ],
)
def test_what_is_no_date_is_refused(civil: tuple[int, ...]) -> None:
    (refusal,) = say(1, 0x21, timeutc(7, civil))
    assert isinstance(refusal, Dropped)
    assert refusal.reason is DropReason.FIELD


def test_the_leap_second_count_and_where_it_is_from() -> None:
    (notice,) = say(1, 0x26, timels())
    assert notice == LeapNotice(SEEN, "UBX-NAV-TIMELS", 37 * SECOND)
    (notice,) = say(1, 0x26, timels(source=0))
    assert isinstance(notice, LeapNotice)
    assert notice.firmware_default
    (notice,) = say(1, 0x26, timels(valid=0))
    assert isinstance(notice, LeapNotice)
    assert notice.utc_behind_tai is None


@pytest.mark.parametrize("change", [1, -1])
def test_an_announced_leap_second_is_the_end_of_its_day(change: int) -> None:
    (notice,) = say(1, 0x26, timels(now=17, change=change, until=3600))
    assert isinstance(notice, LeapNotice)
    assert notice.announced == LeapSecond.ending(
        Utc.of(2017, 1, 1), 36 * SECOND, (36 + change) * SECOND
    )


@pytest.mark.parametrize(
    "payload",
    [
        timels(change=1, until=0),
        timels(change=1, until=-5),
        timels(change=0, until=5),
        timels(change=1, until=5, valid=1),
        timels(change=1, until=5, valid=2),
    ],
)
def test_what_announces_nothing(payload: bytes) -> None:
    (notice,) = say(1, 0x26, payload)
    assert isinstance(notice, LeapNotice)
    assert notice.announced is None


def tim_tp(error_ps: int, flags: int, fraction: int = 0) -> bytes:
    # Friday 2026-05-01 11:11:07: week 2416, 5 days and 40267 s into it
    return pack("<IIiHBB", 472_267_000, fraction, error_ps, 2416, flags, 0)


def test_sawtooth_is_how_late_the_next_pulse_is() -> None:
    (early,) = say(0x0D, 1, tim_tp(9862, 0x0B))
    assert early == Sawtooth(SEEN, AT + SECOND, Duration(-10))
    (late,) = say(0x0D, 1, tim_tp(-4331, 0x0B, fraction=1 << 31))
    assert late == Sawtooth(SEEN, AT + SECOND + Duration(500_000), Duration(4))


@pytest.mark.parametrize("flags", [0x00, 0x01, 0x02])
def test_a_pulse_not_counted_in_utc_is_the_next_one(flags: int) -> None:
    (told,) = say(0x0D, 1, tim_tp(-4331, flags))
    assert told == Sawtooth(SEEN, None, Duration(4))


def test_an_invalid_sawtooth_is_none() -> None:
    assert say(0x0D, 1, tim_tp(-4331, 0x1B)) == []


def test_the_sky() -> None:
    tracked = pack("<BBBbhhI", 0, 4, 25, 48, 216, 0, 0x1F)
    lost = pack("<BBBbhhI", 6, 12, 0, -91, 0, 0, 0x11)
    future = pack("<BBBbhhI", 9, 1, 30, 5, 360, 0, 0x18)
    (view,) = say(1, 0x35, pack("<IBBH", 0, 1, 3, 0) + tracked + lost + future)
    assert view == SkyView(
        SEEN,
        2,
        (
            Satellite("GPS", 4, 48, 216, 25),
            Satellite("GLONASS", 12, None, None, None),
            Satellite("9", 1, 5, 360, 30),
        ),
    )


def interference(cls: int, number: int, payload: bytes) -> tuple[bool, bool, str]:
    (told,) = say(cls, number, payload)
    assert isinstance(told, Interference)
    return told.jammed, told.spoofed, told.detail


def rf(*states: int, size: int = 24) -> bytes:
    blocks = (bytes((k, state)).ljust(size, b"\0") for k, state in enumerate(states))
    return bytes((0, len(states), 0, 0)) + b"".join(blocks)


@pytest.mark.parametrize("state", [0, 1, 2, 3])
def test_jamming_and_spoofing_in_every_message(state: int) -> None:
    bad = state >= 2
    status = bytes(7) + bytes((state << 3,)) + bytes(8)
    hw = bytes(22) + bytes((state << 2 | 1,)) + bytes(37)
    first = b"\1\0\0\0" + bytes((state << 1 | 1,)) + bytes(3)
    assert interference(1, 3, status)[:2] == (False, bad)
    assert interference(0x0A, 9, hw)[:2] == (bad, False)
    assert interference(0x0A, 0x38, rf(state))[:2] == (bad, False)
    assert interference(0x0A, 0x38, rf(0, state, size=20))[:2] == (bad, False)
    sec_sig = first + bytes((state << 1 | 1, 0, 0, 0))
    assert interference(0x27, 9, sec_sig)[:2] == (bad, bad)
    later = bytes((2, state << 1 | 1 | state << 4 | 8, 0, 0))
    assert interference(0x27, 9, later)[:2] == (bad, bad)


def test_the_verdict_remembers_what_another_message_said() -> None:
    ubx = Ubx()
    ubx.facts(frame(1, 3, bytes(7) + b"\x10" + bytes(8)))
    (told,) = ubx.facts(frame(0x0A, 0x38, rf(1, 3)))
    assert told == Interference(SEEN, True, True, "jamming severe, spoofing indicated")


@pytest.mark.parametrize(
    ("state", "feed"),
    [(0, None), (1, None), (2, Feed.WELL), (3, Feed.SHORT), (4, Feed.OPEN)],
)
def test_what_it_finds_at_its_antenna(state: int, feed: Feed | None) -> None:
    hw = bytes(20) + bytes((state,)) + bytes(39)
    first = b"\0\0" + bytes((state, 1)) + bytes(20)
    for number, payload in ((9, hw), (0x38, b"\0\1\0\0" + first)):
        _, *told = say(0x0A, number, payload)
        assert told == ([AntennaFeed(SEEN, feed)] if feed else [])


def test_what_the_receiver_calls_itself() -> None:
    def texts(*extensions: bytes) -> bytes:
        head = b"ROM CORE 3.01 (107888)".ljust(30, b"\0") + b"00080000".ljust(10, b"\0")
        return head + b"".join(text.ljust(30, b"\0") for text in extensions)

    (told,) = say(0x0A, 4, texts(b"FWVER=SPG 3.01", b"MOD=NEO-M8N-0", b"GPS;GLO"))
    assert told == Identity(SEEN, "NEO-M8N-0 SPG 3.01")
    (told,) = say(0x0A, 4, texts())
    assert told == Identity(SEEN, "u-blox 00080000 ROM CORE 3.01 (107888)")


@pytest.mark.parametrize(("cls", "number"), sorted(KNOWN))
@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_payload_of_the_wrong_length_is_refused(
    cls: int, number: int, size: int
) -> None:
    (told,) = say(cls, number, bytes(size))
    assert isinstance(told, Dropped)
    assert told.reason is DropReason.FIELD
    assert f"UBX {cls:02X} {number:02X}, {size} bytes" in told.detail


@pytest.mark.parametrize(
    ("cls", "number", "payload"),
    [
        (1, 3, bytes(15)),
        (1, 7, pvt()[:83]),
        (1, 0x35, b"\0" * 5 + b"\2" + b"\0" * 14),
        (0x0A, 4, bytes(39)),
        (0x0A, 9, bytes(59)),
        (0x0A, 0x38, rf(1)[:-5]),
        (0x0A, 0x38, rf(1, 1)[:-1]),
        (0x27, 9, b"\1" + bytes(7)),
    ],
)
def test_a_payload_cut_short_is_refused(cls: int, number: int, payload: bytes) -> None:
    (told,) = say(cls, number, payload)
    assert isinstance(told, Dropped)


def test_other_frames_say_nothing() -> None:
    assert say(1, 0x22, bytes(20)) == []
    assert Ubx().facts(Binary("CASIC", 1, 7, pvt(), SEEN, 0)) == []
