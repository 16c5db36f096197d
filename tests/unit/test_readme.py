"""The README speaks of the code that is there."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from hw.sim.scenarios import SCENARIOS
from refclock.cli import COMMANDS
from tests.interop.peers import drawn_into

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def chapter(title: str) -> str:
    """What stands under a heading of the second rank."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of its table, without the head."""
    _, _, *lines = (line for line in text.splitlines() if line.startswith("|"))
    return [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_every_command_has_a_row() -> None:
    assert {row[0].strip("`").split()[1] for row in rows(chapter("Commands"))} == set(
        COMMANDS
    )


def test_every_reason_in_the_way_to_stratum_1_is_one_that_is_given() -> None:
    source = ast.parse((ROOT / "refclock/diagnose/words.py").read_text())
    said = [
        node.value
        for node in ast.walk(source)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    *cells, _clients = (row[0] for row in rows(chapter("When it is not stratum 1")))
    pieces = [
        piece.strip()
        for cell in cells
        for piece in re.sub(r"\(.*", "", cell).split("...")
        if piece.strip()
    ]
    assert len(pieces) >= 10
    assert [p for p in pieces if not any(p in each for each in said)] == []


def test_every_dependency_has_its_reason() -> None:
    names = {re.split(r"[^\w-]", each)[0] for each in PROJECT["dependencies"]}
    assert {row[0] for row in rows(chapter("Dependencies"))} == names
    text = chapter("Dependencies").lower()
    tests = PROJECT["optional-dependencies"]["test"]
    plugins = ("pytest-", "types-")
    named = {re.split(r"[^\w-]", each)[0] for each in tests}
    assert [n for n in named if n not in text and not n.startswith(plugins)] == []


def test_every_room_stands_in_the_table() -> None:
    told = " ".join(row[0] for row in rows(chapter("The way of a pulse")))
    rooms = [f"refclock/{path.parent.name}" for path in ROOT.glob("refclock/*/*.py")]
    rooms += [f"hw/{path.parent.name}" for path in ROOT.glob("hw/*/*.py")]
    known = re.findall(r"[\w./]+", told)
    assert [
        r for r in {*rooms} if r not in known and r.split("/")[1] not in known
    ] == []


def test_every_file_it_names_is_there() -> None:
    named = re.findall(r"`((?:tests|config|udev|hw|refclock)/[\w./-]+)`", README)
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_setting_it_names_is_one() -> None:
    manual = tomllib.loads((ROOT / "config/refclock.toml").read_text())
    named = re.findall(r"`(\w+)\.(\w+)(?: =[^`]*)?`", README)
    settings = [(room, key) for room, key in named if room in manual]
    assert len(settings) >= 4
    assert [each for each in settings if each[1] not in manual[each[0]]] == []


def test_how_many_faults_there_are() -> None:
    told = re.search(r"(\d+) named faults", README)
    assert told
    assert int(told[1]) == len(SCENARIOS) - len({"nominal"})


def test_the_table_of_clients_is_the_one_that_is_tested() -> None:
    """`python -m tests.interop.peers` draws it."""
    assert drawn_into(README) == README
