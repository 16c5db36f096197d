"""Worlds from TOML: what is read, what is refused, and that the manual is whole."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from hw.emu.faults import KINDS, Fault, Kind
from hw.emu.gnss.pulse import LateMode, PulseModel
from hw.emu.gnss.receiver import ReceiverModel
from hw.emu.oscillator import Environment, OscillatorModel
from hw.emu.server import Upstream
from hw.sim.scenarios import (
    SCENARIOS,
    Battery,
    Catalogue,
    LeapEvent,
    NetworkClient,
    Scenario,
    find,
    parse,
)
from refclock.config import ConfigError
from refclock.shipped import shipped
from refclock.timebase import SECOND, Utc


def world(text: str) -> Scenario:
    return parse(text.encode(), "w.toml", "w")


def refusals(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        world(text)
    return str(refused.value).splitlines()


def test_an_empty_file_is_a_healthy_world() -> None:
    assert world("") == Scenario("w")


def test_everything_in_one_world() -> None:
    read = world("""
description = "all of it"
start = 2026-12-31T23:59:00+01:00
live_at_start = true
moment_s = 60
clock_error_s = -3
battery = { error_s = 1.5, spread_s = 5 }
leap = { before = 2027-01-01T00:00:00Z, kind = "delete", published = false }
oscillator.offset_ppb = 10
oscillator.environment.swing_c = 2
[[receivers]]
name = "gps0"
make = "CASIC"
sentences = [["RMC", 1], ["$GPZDA,{hhmmss}.00,{day},{month},{year},00,00", 2]]
baud = "none"
[receivers.pulse]
period_s = 0.2
modes = [{ share = 0.5, late_s = 0.001 }]
[[receivers]]
name = "gps1"
[[faults]]
kind = "lie_s"
at_s = 10
for_s = 5
size = 3600
receiver = "gps1"
sentence = "ZDA"
[[upstreams]]
name = "pool"
error_s = 0.5
[[clients]]
name = "house"
count = 200
""")
    assert read == Scenario(
        "w",
        "all of it",
        (Fault(Kind.LIE_S, 10.0, 5.0, 3600.0, "gps1", "ZDA"),),
        (
            dataclasses.replace(
                read.receiver_model,
                baud="none",
                pulse=PulseModel(period_s=0.2, modes=(LateMode(0.5, 0.001),)),
            ),
            ReceiverModel(name="gps1"),
        ),
        OscillatorModel(10.0, environment=Environment(swing_c=2.0)),
        Utc.of(2026, 12, 31, 22, 59),
        live_at_start=True,
        moment_s=60.0,
        clock_error_s=-3.0,
        battery=Battery(1.5, 5),
        leap=LeapEvent(Utc.of(2027, 1, 1), "delete", published=False),
        upstreams=(Upstream("pool", error_s=0.5),),
        clients=(NetworkClient("house", 200),),
    )
    assert read.receiver_model.line_rate is None
    assert [len(read.faults_of(name)) for name in ("gps0", "gps1")] == [0, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("start = 3", "w.toml:1: start: 3 is not a date and time with its zone"),
        ("start = 2026-12-01T12:00:00", "w.toml:1: start: "),
        ("recievers = []", "w.toml:1: recievers: no such key; did you mean receivers?"),
        ("receivers = []", "receivers: there must be one"),
        (
            '\n[[receivers]]\n[[receivers]]\nname = "b"\n[receivers.pulse]\n'
            "width_s = 99",
            "w.toml:6: receivers[2].pulse.width_s: 99.0 is not in 0 to 59 s; "
            "the nearest is 59",
        ),
        ("[[receivers]]\n[[receivers]]", "a name comes twice in gps0, gps0"),
        ('[[receivers]]\nsentences = [["RMCX", 1]]', "did you mean RMC?"),
        ('[[receivers]]\nsentences = [["$A{nothing}", 1]]', "cannot be filled in"),
        ('[[receivers]]\nsentences = [["RMC", 0]]', "every 0 s"),
        ("[[receivers]]\npulse = { period_s = 0.3 }", "period_s: neither whole"),
        (
            "[[receivers]]\npulse.modes = [{ share = 0.6 }, { share = 0.6 }]",
            "more than 1 together",
        ),
        ('[[faults]]\nkind = "no_fx"', "did you mean 'no_fix'?"),
        ("[[faults]]\nat_s = 3", "w.toml:1: faults[1].kind: is missing"),
        (
            '[[faults]]\nkind = "late_s"\nsize = 99',
            "w.toml:1: faults[1]: size of late_s: 99.0 is not in -1 to 10 s",
        ),
        ('[[faults]]\nkind = "cold"\nat_s = -1', "w.toml:3: faults[1].at_s: -1.0"),
        (
            '[[faults]]\nkind = "cold"\nreceiver = "gps7"',
            "no receiver is named 'gps7'; known: gps0",
        ),
        ('[[faults]]\nkind = "insert"\ntext = "hex:B5zz"', "faults[1]: "),
        ("clock_error_s = nan", "w.toml:1: clock_error_s: "),
        ("description = ", "w.toml:1: "),
    ],
)
def test_what_is_refused_and_how(text: str, says: str) -> None:
    (line,) = refusals(text)
    assert says in line


def test_every_fault_is_named_at_once_and_in_order() -> None:
    lines = refusals('foo = 1\n[[faults]]\nkind = "x"\n[leap]\n')
    assert [line.split(":")[1] for line in lines] == ["1", "3", "4"]


def test_a_world_is_found_by_name_or_as_a_file(tmp_path: Path) -> None:
    assert find("fix-lost") is SCENARIOS["fix-lost"]
    path = tmp_path / "mine.toml"
    path.write_text('description = "mine"')
    assert find(str(path)) == Scenario("mine", "mine")
    with pytest.raises(ConfigError, match="did you mean nominal"):
        find("nominl")
    with pytest.raises(ConfigError, match="--list-scenarios"):
        find("?")
    with pytest.raises(FileNotFoundError):
        find(str(tmp_path / "none.toml"))


def test_a_catalogue_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text("")
    (tmp_path / "a.toml").write_text("x")
    (tmp_path / "README.md").write_text("")
    catalogue = Catalogue(tmp_path)
    assert list(catalogue) == ["a", "b"]
    assert catalogue["b"].name == "b"
    with pytest.raises(ConfigError):
        catalogue["a"]
    with pytest.raises(KeyError):
        catalogue["README"]


def test_every_world_of_ours_is_good_and_told_in_one_line() -> None:
    for name, each in SCENARIOS.items():
        assert each.name == name
        assert 10 < len(each.description) <= 78, name
        assert each.leaps.tai(each.start) == each.begins
    late = SCENARIOS["leap-late"]
    assert late.leap is not None
    assert late.leaps.leaps == (late.leap.second,)
    assert late.table.leaps == ()


def test_when_its_trouble_comes() -> None:
    assert SCENARIOS["nominal"].trouble_s is None
    assert SCENARIOS["week-rollover"].trouble_s is None
    assert SCENARIOS["fix-lost"].trouble_s == 40
    assert SCENARIOS["temperature-step"].trouble_s == 1800
    assert SCENARIOS["leap-insert"].trouble_s == pytest.approx(60, abs=1)
    assert SCENARIOS["era-2036"].trouble_s == 60


def test_troubles_brought_forward() -> None:
    sooner = SCENARIOS["clock-stepped"].sooner(1800)
    assert [fault.at_s for fault in sooner.faults] == [0.5, 600.5]
    assert SCENARIOS["fix-lost"].sooner(50).faults[0].at_s == 0
    warmer = SCENARIOS["temperature-step"].sooner(1000)
    assert warmer.oscillator.environment.step_at_s == 800


def test_a_leap_second_goes_either_way() -> None:
    midnight = Utc.of(2027, 1, 1)
    inserted, deleted = LeapEvent(midnight), LeapEvent(midnight, "delete")
    assert inserted.second.after - inserted.second.before == SECOND
    assert deleted.second.after - deleted.second.before == -SECOND
    assert inserted.second.midnight == midnight


def test_the_manual_names_every_key_and_every_fault() -> None:
    manual = shipped("config", "worlds", "README.md").read_text()
    named = set(re.findall(r"`(\w+)`", manual))
    tables = (
        *(Scenario, Battery, LeapEvent, Upstream, NetworkClient, ReceiverModel),
        *(PulseModel, LateMode, OscillatorModel, Environment, Fault),
    )
    keys = {field.name for table in tables for field in dataclasses.fields(table)}
    assert keys <= named
    assert {kind.value for kind in Kind} <= named
    assert set(KINDS) == set(Kind)
