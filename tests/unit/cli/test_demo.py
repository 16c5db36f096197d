"""What the demo says of its trouble, and when it brings it."""

from __future__ import annotations

from math import inf

import pytest

from hw.sim.scenarios import SCENARIOS, Trouble
from refclock.cli import main
from refclock.cli.demo import soon
from refclock.cli.view import passed, standing

LOST = Trouble("no fix", 15.0, 60.0)
STEPPED = Trouble("a step", 20.0, 0.0)
SPOOFED = Trouble("a lie", 0.0)
ALL = (SPOOFED, LOST, STEPPED)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_trouble_comes_within_15_s(name: str) -> None:
    world = soon(SCENARIOS[name])
    assert (world.trouble_s or 0.0) <= 15.001
    assert len(world.troubles) == len(SCENARIOS[name].troubles)


def test_what_comes_first_stays_first_and_as_long_after_it() -> None:
    before, after = SCENARIOS["clock-stepped"], soon(SCENARIOS["clock-stepped"])
    assert [each.at_s for each in after.troubles] == [15.0, 615.0]
    assert [each.words for each in after.troubles] == [
        each.words for each in before.troubles
    ]
    leap, sooner = SCENARIOS["leap-insert"], soon(SCENARIOS["leap-insert"])
    assert sooner.leap == leap.leap
    (second,) = sooner.leaps.leaps
    assert (second.at - sooner.begins).seconds == pytest.approx(15)


@pytest.mark.parametrize(
    ("now_s", "lines"),
    [
        (3, ["TROUBLE    a lie", "trouble    in 12 s: no fix", "in 17 s: a step"]),
        (16, ["TROUBLE    a lie", "TROUBLE    no fix, for 59 s more", "in 4 s: a"]),
        (80, ["TROUBLE    a lie", "trouble    60 s ago: a step", "5 s ago: no fix"]),
    ],
)
def test_how_things_stand(now_s: float, lines: list[str]) -> None:
    for line, expected in zip(standing(ALL, now_s), lines, strict=True):
        assert expected in line


def test_a_page_has_room_for_some() -> None:
    assert len(standing([LOST] * 20, 0)) == 4


def test_lines_tell_each_change_once() -> None:
    told = [list(passed(ALL, -inf, 1.0)), list(passed(ALL, 1.0, 15.5))]
    told += [list(passed(ALL, 15.5, 16.5)), list(passed(ALL, 16.5, 99.0))]
    assert told == [
        ["TROUBLE  a lie", "in 14 s: no fix, 60 s", "in 19 s: a step"],
        ["TROUBLE  no fix, 60 s"],
        [],
        ["over     no fix", "TROUBLE  a step"],
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("--port", "99999"),
        ("--bind", "localhost"),
        ("--duration", "-1"),
        ("--duration", "nan"),
        ("--scenario", "nominl"),
    ],
)
def test_a_wrong_option_is_refused(
    words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", *words])
    assert ended.value.code == 2
    assert f"argument {words[0]}: " in capsys.readouterr().err
