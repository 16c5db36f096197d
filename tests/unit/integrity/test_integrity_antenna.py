from __future__ import annotations

import pytest

from refclock.diagnose.words import sentence
from refclock.events import Fix, Interference, Position, SkyView, TimeMessage
from refclock.integrity.monitor import AlarmKind, Integrity, IntegritySettings
from refclock.timebase import SECOND, LeapTable, Mono, Utc

LEAPS = LeapTable((), 37 * SECOND, Utc.of(2025, 7, 7), Utc.of(2027, 6, 28))
BOOT = Mono(1000 * SECOND.ns)
DEGREES_PER_M = 1 / 111_195


def judge(settings: IntegritySettings | None = None) -> Integrity:
    return Integrity(settings or IntegritySettings(), LEAPS, Utc.of(2026, 1, 1))


def kinds(of: Integrity) -> list[AlarmKind]:
    return [alarm.kind for alarm in of.alarms(BOOT)]


def stay(
    of: Integrity,
    times: int,
    *,
    north_m: float = 0.0,
    east_m: float = 0.0,
    hdop: float | None = 1.0,
) -> None:
    for k in range(times):
        of.position(
            Position(
                BOOT + k * SECOND,
                60.0 + north_m * DEGREES_PER_M,
                10.0 + east_m * DEGREES_PER_M * 2,  # a degree is half as long there
                12.0,
                hdop,
            )
        )


@pytest.mark.parametrize(("north", "east"), [(310, 0), (0, -310), (250, 250)])
def test_an_antenna_that_moves_is_told_until_it_is_back(
    north: float, east: float
) -> None:
    of = judge()
    stay(of, 30)
    stay(of, 4, north_m=north, east_m=east)
    assert kinds(of) == []
    stay(of, 1, north_m=north, east_m=east)
    assert kinds(of) == [AlarmKind.ANTENNA]
    (alarm,) = of.alarms(BOOT)
    assert "from where it stood" in sentence(alarm.reason)
    stay(of, 1)
    assert kinds(of) == []


def test_a_position_that_wanders_or_is_rough_is_no_move() -> None:
    of = judge()
    stay(of, 15, north_m=-200, east_m=-100)
    stay(of, 15, north_m=200, east_m=100)
    stay(of, 100, north_m=290)
    stay(of, 100, east_m=290)
    stay(of, 100, north_m=3000, hdop=9.0)
    assert kinds(of) == []
    stay(of, 100, north_m=310, hdop=None)
    assert kinds(of) == [AlarmKind.ANTENNA]


def test_a_stray_position_now_and_then_is_no_move() -> None:
    of = judge()
    stay(of, 30)
    for _ in range(50):
        stay(of, 4, north_m=5000)
        assert kinds(of) == []
        stay(of, 1)


def test_a_receiver_that_may_move_is_let() -> None:
    of = judge(IntegritySettings(static=False))
    stay(of, 30)
    stay(of, 30, north_m=50_000)
    assert kinds(of) == []


def view(of: Integrity, used: int | None, at: int, *, fixed: bool = True) -> None:
    fix = Fix.VALID if fixed else Fix.NONE
    of.accept(TimeMessage(Utc.of(2026, 10, 5), BOOT + at * SECOND, "RMC", fix))
    of.sky(SkyView(BOOT + at * SECOND, used))


def test_satellites_that_vanish_while_the_fix_stays_are_told() -> None:
    of = judge()
    view(of, 8, 0)
    for k in range(1, 11):
        view(of, 0, k)
    assert kinds(of) == []
    view(of, 0, 11)
    assert kinds(of) == [AlarmKind.SATELLITES]
    view(of, None, 12)
    assert kinds(of) == [AlarmKind.SATELLITES]
    view(of, 5, 13)
    assert kinds(of) == []


@pytest.mark.parametrize("fixed", [True, False])
def test_satellites_never_told_or_gone_with_the_fix_are_no_wonder(
    *, fixed: bool
) -> None:
    of = judge()
    if not fixed:
        view(of, 8, 0)
    for k in range(1, 30):
        view(of, 0, k, fixed=fixed)
    assert kinds(of) == []


def test_satellites_not_heard_before_the_fix_either_are_no_wonder() -> None:
    of = judge()
    view(of, 0, 0, fixed=False)
    for k in range(1, 30):
        view(of, 0, k)
    assert kinds(of) == []


def test_satellites_that_come_back_in_time_are_no_wonder() -> None:
    of = judge()
    for start in (0, 8, 16):
        view(of, 8, start)
        for k in range(1, 8):
            view(of, 0, start + k)
    assert kinds(of) == []


@pytest.mark.parametrize(
    ("jammed", "spoofed", "says"),
    [
        (True, False, "is jammed (jamming severe): take the antenna away"),
        (False, True, "is spoofed (jamming severe): compare"),
        (True, True, "is spoofed"),
    ],
)
def test_the_receivers_own_word_on_interference(
    says: str, *, jammed: bool, spoofed: bool
) -> None:
    of = judge()
    of.interference(Interference(BOOT, jammed, spoofed, "jamming severe"))
    assert kinds(of) == [AlarmKind.INTERFERENCE]
    (alarm,) = of.alarms(BOOT)
    assert says in sentence(alarm.reason)
    assert "jamming severe" in sentence(alarm.reason)
    of.interference(Interference(BOOT, jammed=False, spoofed=False, detail=""))
    assert kinds(of) == []
