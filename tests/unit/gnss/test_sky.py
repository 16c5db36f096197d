from __future__ import annotations

from refclock.events import Satellite, SkyView
from refclock.gnss.framer import Sentence
from refclock.gnss.sky import Sky
from refclock.timebase import Mono


def view(*bodies: str) -> list[SkyView]:
    sky = Sky()
    for at, body in enumerate(bodies):
        sky.observe(Sentence(body.encode(), Mono(at), 0))
    return list(sky.view())


def test_a_view_comes_in_parts_and_from_several_systems() -> None:
    (seen,) = view(
        "GPGSV,2,1,05,01,40,083,46,02,17,308,41,12,07,344,39,14,22,228,45",
        "GPGSV,2,2,05,32,-1,,,,,,",
        "GLGSV,1,1,01,65,12,034,",
        "GNRMC,111106.00,A",
    )
    assert seen.mono == Mono(0)
    assert seen.used is None
    assert [(sat.system, sat.number) for sat in seen.satellites] == [
        ("GPS", 1), ("GPS", 2), ("GPS", 12), ("GPS", 14), ("GPS", 32), ("GLONASS", 65),
    ]  # fmt: skip
    assert seen.satellites[0] == Satellite("GPS", 1, 40, 83, 46)
    assert seen.satellites[4] == Satellite("GPS", 32, None, None, None)


def test_the_strongest_of_several_signals_counts() -> None:
    weak, strong = "GAGSV,1,1,01,07,40,083,30,7", "GAGSV,1,1,01,07,40,083,44,2"
    for order in ((weak, strong), (strong, weak)):
        (seen,) = view(*order)
        assert seen.satellites == (Satellite("Galileo", 7, 40, 83, 44),)


def test_the_satellites_in_the_fix_are_counted_over_all_systems() -> None:
    (seen,) = view(
        "GNGSA,A,3,01,02,,,,,,,,,,,1.0,0.8,0.6,1",
        "GNGSA,A,3,01,65,,,,,,,,,,,1.0,0.8,0.6,2",
        "GNGSA,A,3,01,65,,,,,,,,,,,1.0,0.8,0.6,2",
    )
    assert seen.used == 4
    assert view("GPGSA,A,1,,,,,,,,,,,,,,,")[0].used == 0


def test_a_view_is_taken_once() -> None:
    sky = Sky()
    assert list(sky.view()) == []
    sky.observe(Sentence(b"XXGSV,1,1,01,01,40,083,46", Mono(3), 0))
    assert [seen.satellites[0].system for seen in sky.view()] == ["XX"]
    assert list(sky.view()) == []


def test_a_view_nobody_takes_stays_small() -> None:
    sky = Sky()
    for talker in range(100):
        for number in range(100):
            body = f"{talker:02d}GSV,1,1,01,{number},40,083,46"
            sky.observe(Sentence(body.encode(), Mono(0), 0))
            body = f"{talker:02d}GSA,A,3,{number},,,,,,,,,,,,1.0,0.8,0.6"
            sky.observe(Sentence(body.encode(), Mono(0), 0))
    (seen,) = sky.view()
    assert len(seen.satellites) + (seen.used or 0) < 300
